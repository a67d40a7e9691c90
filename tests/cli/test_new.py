"""`evohpo new` writes a plugin project that passes its own tests."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest
from click.testing import CliRunner

from evohpo.cli import main

ROOT = Path(__file__).parents[2]


def new(*arguments):
    return CliRunner().invoke(main, ["new", *map(str, arguments)])


def test_the_project_is_complete(tmp_path):
    folder = tmp_path / "project"
    result = new("my-tabu", "--folder", folder)
    assert result.exit_code == 0, result.output
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["evohpo.optimizers"] == {"my-tabu": "evohpo_my_tabu:my_tabu"}
    assert "evohpo check my-tabu" in (folder / "README.md").read_text()
    for file in ("evohpo_my_tabu/__init__.py", "tests/test_my_tabu.py"):
        text = (folder / file).read_text()
        assert ast.parse(text)
        assert "$" not in text
    assert f"cd {folder}" in result.output


@pytest.mark.parametrize("name", ["My-De", "my_de", "-de", "my--de", "9de", "../de"])
def test_a_name_that_cannot_be_one_is_refused(name, tmp_path):
    result = new("--folder", tmp_path / "project", "--", name)
    assert result.exit_code == 2
    assert "a name is lower-case letters" in result.output
    assert not (tmp_path / "project").exists()


def test_a_taken_name_is_refused(tmp_path):
    result = new("de", "--folder", tmp_path / "project")
    assert (result.exit_code, "already" in result.output) == (2, True)


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    result = new("my-tabu", "--folder", tmp_path)
    assert (result.exit_code, "is there already" in result.output) == (2, True)
    assert [p.name for p in tmp_path.iterdir()] == ["README.md"]


@pytest.mark.slow
def test_its_own_tests_pass_in_a_fresh_environment(tmp_path):
    folder = tmp_path / "project"
    assert new("my-tabu", "--folder", folder).exit_code == 0
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", ROOT, "-e", f"{folder}[test]"], check=True)
    tests = subprocess.run([python, "-m", "pytest", "-q"], cwd=folder, capture_output=True, text=True)
    assert tests.returncode == 0, tests.stdout + tests.stderr
    wide = os.environ | {"COLUMNS": "200"}
    listed = subprocess.run(
        [python, "-m", "evohpo", "optimizers"], capture_output=True, text=True, check=True, env=wide
    )
    assert "plugin evohpo-my-tabu 0.1.0" in listed.stdout
