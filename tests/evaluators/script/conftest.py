"""Scripts to run, each written into a file."""

from __future__ import annotations

import sys
import textwrap

import pytest

import evohpo as eh
from evohpo.evaluators import Job
from tests.evaluators.running import run


@pytest.fixture
def script(tmp_path):
    """Write a Python script into a file and return the words that run it."""

    def write(code: str) -> list[str]:
        path = tmp_path / "train script.py"
        path.write_text(textwrap.dedent(code), encoding="utf-8")
        return [sys.executable, str(path)]

    return write


@pytest.fixture
def trial(tmp_path):
    """Run one trial to its end in `tmp_path / "trial"` and return all its events."""

    def run_one(command, metrics=None, params=None, verdict=None, job=None, **options):
        job = {"directory": tmp_path / "trial", **(job or {})}
        with eh.Script(command, metrics, workers=1, **options) as evaluator:
            decide = None if verdict is None else lambda event: verdict(evaluator, event)
            return run(evaluator, Job(0, params or {}, **job), verdict=decide)[0]

    return run_one
