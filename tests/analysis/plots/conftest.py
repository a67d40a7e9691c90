import pytest

from tests.analysis.plots import studies


@pytest.fixture(scope="package")
def mixed_study():
    return studies.mixed()


@pytest.fixture(scope="package")
def two_study():
    return studies.two()


@pytest.fixture(scope="package")
def three_study():
    return studies.three()


@pytest.fixture(scope="package")
def step_study():
    return studies.stepwise()
