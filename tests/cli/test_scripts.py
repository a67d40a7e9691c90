"""`evohpo run` with a script in place of a function, and what is measured again."""

from __future__ import annotations

import json
import sys

import pytest

import evohpo as eh

SCRIPT = """
import argparse, os
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
x = parser.parse_args().x
for epoch in range(1, 4):
    print(f"epoch={epoch} loss={x * x + 1 / epoch + int(os.environ['EVOHPO_TRIAL']) / 1000}", flush=True)
"""
METRIC = ("--metric", r"loss=loss=(\S+)")


@pytest.fixture
def script(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "learn.py").write_text(SCRIPT, "utf-8")
    (tmp_path / "space.toml").write_text('[x]\ntype = "continuous"\nlow = -1.0\nhigh = 1.0\n', "utf-8")
    return ("--space", "space.toml", "--minimize", "loss", "--optimizer", "ga", "--seed", "1")


def test_a_command_line_runs_as_a_script(evohpo, script):
    result = evohpo("run", "python learn.py", *script, *METRIC, "--trials", 6, "--workers", 2, "--output", "json")
    assert result.exit_code == 0, result.stderr
    trials = json.loads(result.stdout)["trials"]
    assert [t["status"] for t in trials] == ["completed"] * 6
    assert all(
        t["metrics"]["loss"] == pytest.approx(t["params"]["x"] ** 2 + 1 / 3 + t["number"] / 1000) for t in trials
    )


def test_the_path_of_a_program_is_enough(evohpo, script, tmp_path):
    (tmp_path / "learn").write_text(f"#!{sys.executable}\n{SCRIPT}", "utf-8")
    (tmp_path / "learn").chmod(0o755)
    assert "2 (2 completed)" in evohpo("run", "./learn", *script, *METRIC, "--trials", 2).stdout


def test_steps_let_a_pruner_stop_scripts(evohpo, script, tmp_path):
    pruner = ("--pruner", "asha", "--pruner-option", "max_steps=3", "--steps", r"epoch=(\d+)")
    result = evohpo("run", "python learn.py", *script, *METRIC, *pruner, "--trials", 12, "--store", tmp_path / "s.db")
    assert result.exit_code == 0, result.stderr
    with eh.load(tmp_path / "s.db") as study:
        assert {str(t.status) for t in study.trials} == {"completed", "stopped"}


def test_a_study_of_a_script_goes_on_from_another_folder(evohpo, script, tmp_path, monkeypatch):
    evohpo("run", "python learn.py", *script, *METRIC, "--trials", 2, "--store", "s.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    result = evohpo("resume", tmp_path / "s.db", "--trials", 4)
    assert "4 (4 completed)" in result.stdout, result.stderr


def test_options_of_scripts_are_refused_for_functions(evohpo, script, tmp_path):
    (tmp_path / "functions.py").write_text("def train(params):\n    return params['x']\n", "utf-8")
    result = evohpo("run", "functions.py:train", *script, *METRIC, "--trials", 2)
    assert result.exit_code == 2
    assert "--metric: for a script" in result.stderr


def test_what_was_measured_again_is_told(evohpo, script):
    result = evohpo("run", "python learn.py", *script, *METRIC, "--trials", 15, "--population", 5, "--repeats", 3)
    assert "(mean of 3, " in result.stdout, result.stdout
    assert "repeats " in result.stdout


def test_an_earlier_study_gives_the_first_configurations(evohpo, script, tmp_path):
    evohpo("run", "python learn.py", *script, *METRIC, "--trials", 8, "--store", "before.db")
    result = evohpo("run", "python learn.py", *script, *METRIC, "--trials", 5, "--prior", "before.db")
    assert result.stdout.count("prior") == 5, result.stdout
