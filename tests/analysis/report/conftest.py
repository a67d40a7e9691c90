"""Reports written once, and a browser."""

from __future__ import annotations

import pytest

from tests.analysis.report import studies
from tests.dashboard.browsing import chromium


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def stepwise():
    return studies.stepwise()


@pytest.fixture(scope="session")
def with_front():
    return studies.with_front()


@pytest.fixture(scope="session")
def hostile():
    return studies.hostile()


@pytest.fixture(scope="session")
def written(tmp_path_factory, stepwise, with_front, hostile):
    """The reports of these studies by name."""
    folder = tmp_path_factory.mktemp("reports")
    studies = {"stepwise": stepwise, "with_front": with_front, "hostile": hostile}
    return {name: study.write_report(folder / f"{name}.html") for name, study in studies.items()}
