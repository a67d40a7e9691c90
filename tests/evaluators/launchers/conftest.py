"""The launcher of the documentation, and Slurm's commands as far as they are needed, which really run jobs."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from evohpo.evaluators import launchers
from tests.evaluators.running import eventually, gone


def documented():
    """Return the class that the documentation of launchers gives as an example."""
    lines = launchers.__doc__.split("at this machine:" if "at this machine:" in launchers.__doc__ else "this machine:")[
        1
    ]
    code = []
    for line in lines.strip("\n").splitlines():
        if line and not line.startswith("    "):
            break
        code.append(line)
    scope: dict[str, object] = {}
    exec(compile(textwrap.dedent("\n".join(code)), "the documentation", "exec"), scope)
    return scope["Local"]


@pytest.fixture
def local():
    return documented()


class Cluster:
    """The facts of a Slurm that is not there."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def say(self, name: str, content: object = "1") -> None:
        (self.home / name).write_text(str(content))

    def said(self, name: str) -> str:
        path = self.home / name
        return path.read_text() if path.exists() else ""

    def jobs(self) -> dict[str, str]:
        """Names of all jobs ever submitted, by id."""
        ids = sorted((p.name.removeprefix("name-") for p in self.home.glob("name-*") if not p.suffix), key=int)
        return {job: self.said(f"name-{job}") for job in ids}


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Put Slurm's commands on the PATH."""
    programs, home = tmp_path / "bin", tmp_path / "slurm"
    programs.mkdir()
    home.mkdir()
    for command in ("sbatch", "squeue", "sacct", "scancel"):
        program = programs / command
        program.write_text(
            f'#!/bin/sh\nexec {sys.executable} -I -S {Path(__file__).with_name("slurm.py")} {command} "$@"\n'
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_SLURM", str(home))
    cluster = Cluster(home)
    yield cluster
    pids = [int(path.read_text()) for path in home.glob("pid-*")]
    eventually(lambda: all(map(gone, pids)), "a job stays behind")


@pytest.fixture
def this_python(monkeypatch):
    """Have "python" be this one, for TorchX's components."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture(autouse=True)
def nothing_stays():
    """Let no test leave a process behind."""
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    yield
    eventually(
        lambda: (
            not [
                p
                for p in psutil.Process().children(recursive=True)
                if p.pid not in before and p.status() != psutil.STATUS_ZOMBIE
            ]
        ),
        "a process stays behind",
    )
