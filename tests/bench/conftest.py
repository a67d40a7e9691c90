"""Comparisons made once."""

from __future__ import annotations

import pytest

import evohpo as eh


@pytest.fixture(scope="session")
def one():
    """On one problem."""
    return eh.compare("sphere/2", ["cmaes", "de", "random"], trials=60, seeds=8, progress=False)


@pytest.fixture(scope="session")
def many():
    """On several, one of them with several objectives, one with a constraint."""
    problems = ["sphere/2", "zdt1", "constrained-sphere/2"]
    return eh.compare(problems, {"<b>ga</b>": "ga", "random": "random"}, trials=40, seeds=4, progress=False)
