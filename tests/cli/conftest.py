"""A folder with an objective, spaces and an optimizer, and the command line run inside it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from evohpo.cli import main

TASK = """
import os, time
import evohpo as eh

space = eh.Space({"x": eh.Continuous(-1, 1), "solver": eh.Categorical(["sgd", "adam"]), "seed": 7})
other_space = {"x": eh.Continuous(-2, 2)}
not_a_space = 3

def train(params):
    print("a line of the objective's own")
    return {"loss": params["x"] ** 2 + (params["solver"] == "adam"), "size": abs(params["x"])}

def slow(params):
    time.sleep(0.05)
    return train(params)

def lasting(params):
    time.sleep(60)

def hungry(params):
    block = bytearray(400_000_000)
    time.sleep(60)
    return len(block)

def stepwise(params):
    for step in range(1, 10):
        yield {"loss": params["x"] ** 2 + 1 / step, "size": 1.0}

def broken(params):
    raise ValueError("no data")

def two(params):
    return {"loss": params["x"] ** 2, "size": (params["x"] - 1) ** 2}

def tells_nan(params):
    return {"loss": params["x"], "extra": float("nan")}

class Holder:
    @staticmethod
    def train(params):
        return {"loss": params["x"] ** 2}

@eh.optimizer("cli-task-blind")
def blind(problem, rng, population=5):
    while True:
        yield rng.random((population, problem.dim))
"""

SPACE = """
constraints = ["x <= 0.5"]
seed = 7

[x]
type = "continuous"
low = -1
high = 1

[solver]
type = "categorical"
choices = ["sgd", "adam"]

[momentum]
type = "continuous"
low = 0.0
high = 0.99
when = "solver == 'sgd'"
"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """Made once: a file is imported once a process."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "cli_task.py").write_text(TASK)
    (folder / "space.toml").write_text(SPACE)
    (folder / "cli_broken_import.py").write_text("import not_there_at_all\n")
    return folder


@pytest.fixture
def evohpo(folder, monkeypatch):
    """Call the command line in this process; returns click's result."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture
def in_process(folder):
    """Start the command line in a process of its own."""

    def start(*arguments, cwd=folder):
        command = [sys.executable, "-m", "evohpo", *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, cwd=cwd, text=True, env=os.environ | {"COLUMNS": "200"}, **pipes)

    return start


RUN = ("run", "cli_task.py:train", "--space", "space.toml", "--minimize", "loss")
