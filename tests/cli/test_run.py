"""`evohpo run` and `evohpo resume`: what they find, keep and go on with."""

from __future__ import annotations

import json
import signal
import time

import pandas as pd
import pytest

import evohpo as eh
from evohpo.errors import StoreError
from tests.cli.conftest import RUN


def ended(store) -> int:
    try:
        with eh.load(store) as study:
            return study.ledger.ended
    except StoreError:
        return 0


def params(store):
    with eh.load(store) as study:
        return [t.params for t in study.trials]


def test_a_run_prints_a_header_the_best_and_a_table(evohpo):
    result = evohpo(*RUN, "--optimizer", "de", "--generations", 3, "--population", 6, "--seed", 1)
    assert result.exit_code == 0
    for text in ("minimize loss", "de", "18 (18 completed", "generations: 3", "best", "x=", "(10 of 18 trials)"):
        assert text in result.stdout
    assert "a line of the objective's own" not in result.stdout


def test_two_workers_get_the_function_of_a_file(in_process, tmp_path):
    store = tmp_path / "study.db"
    process = in_process(*RUN, "--trials", 8, "--workers", 2, "--seed", 1, "--store", store, "--output", "json")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    content = json.loads(out)  # what the objective prints in its workers does not get in between
    assert [t["status"] for t in content["trials"]] == ["completed"] * 8
    assert {t["worker"] for t in content["trials"]} != {""}
    assert err.count("a line of the objective's own") == 8


def test_the_python_call_with_the_same_arguments_finds_the_same(evohpo, tmp_path):
    store = tmp_path / "study.db"
    evohpo(
        "run",
        "cli_task:train",
        "--space",
        "cli_task:space",
        "--minimize",
        "loss",
        "--trials",
        12,
        "--seed",
        3,
        "--store",
        store,
    )
    import cli_task

    study = eh.tune(cli_task.train, cli_task.space, minimize="loss", trials=12, seed=3, progress=False)
    assert params(store) == [t.params for t in study.trials]


def test_a_space_in_toml_has_its_condition_its_constant_and_its_constraint(evohpo, tmp_path):
    store = tmp_path / "study.db"
    evohpo(*RUN, "--trials", 30, "--seed", 1, "--optimizer", "random", "--store", store)
    configs = params(store)
    assert all(c["seed"] == 7 and c["x"] <= 0.5 for c in configs)
    assert {("momentum" in c) == (c["solver"] == "sgd") for c in configs} == {True}
    assert {c["solver"] for c in configs} == {"sgd", "adam"}


def test_a_run_that_was_killed_goes_on_to_the_table_of_one_that_was_not(in_process, evohpo, tmp_path):
    arguments = ("run", "cli_task.py:slow", "--space", "space.toml", "--minimize", "loss", "--seed", 5)
    arguments += ("--optimizer", "ga", "--generations", 5, "--population", 6, "--workers", 2, "--quiet", "--store")
    killed, calm = tmp_path / "killed.db", tmp_path / "calm.db"
    process = in_process(*arguments, killed)
    limit = time.monotonic() + 60
    while ended(killed) < 8:
        assert process.poll() is None
        assert time.monotonic() < limit
    process.kill()
    process.communicate()
    assert 8 <= ended(killed) < 30
    result = None
    while result is None or "another process" in result.stderr:  # the system lets go of the lock in its own time
        assert time.monotonic() < limit
        result = evohpo("resume", killed)
    assert result.exit_code == 0, result.stderr
    assert evohpo(*arguments, calm).exit_code == 0
    assert ended(killed) == 30
    assert params(killed) == params(calm)


def test_ctrl_c_exits_with_130_and_says_how_to_go_on(in_process, tmp_path):
    store = tmp_path / "study.db"
    process = in_process(
        "run", "cli_task.py:slow", "--space", "space.toml", "--minimize", "loss", "--trials", 500, "--store", store
    )
    limit = time.monotonic() + 60
    while ended(store) < 3 and time.monotonic() < limit:
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"evohpo resume {store}" in err
    assert "Traceback" not in err
    assert ended(store) >= 3


def test_resume_takes_a_larger_budget_and_works_from_another_folder(evohpo, tmp_path, monkeypatch):
    store = tmp_path / "study.db"
    own = ("--optimizer", "cli_task.py:blind", "--option", "population=4")
    evohpo(*RUN, "--generations", 2, "--seed", 1, *own, "--store", store)
    assert ended(store) == 8
    from click.testing import CliRunner

    from evohpo.cli import main

    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["resume", str(store), "--generations", "5"], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    assert ended(store) == 20
    assert "generations: 5" in result.stdout


def test_a_pruner_saves_steps_and_is_there_again_on_resume(evohpo, tmp_path):
    store = tmp_path / "study.db"
    pruned = (
        "--pruner",
        "asha",
        "--pruner-option",
        "max_steps=9",
        "--optimizer",
        "random",
        "--seed",
        1,
        "--store",
        store,
    )
    result = evohpo("run", "cli_task.py:stepwise", *RUN[2:], "--trials", 12, *pruned)
    assert result.exit_code == 0, result.stderr
    assert "stopped" in result.stdout
    assert evohpo("resume", store, "--trials", 24).exit_code == 0
    with eh.load(store) as study:
        assert {t.steps for t in study.trials} == {1, 3, 9}
        assert study.trials[-1].number == 23


def test_resume_of_a_study_that_has_spent_its_budget_says_so(evohpo, tmp_path):
    store = tmp_path / "study.db"
    evohpo(*RUN, "--trials", 4, "--store", store)
    result = evohpo("resume", store)
    assert result.exit_code == 0
    assert "--trials" in result.stderr
    assert ended(store) == 4


def test_resume_finds_the_plugin_that_registered_the_optimizer(evohpo, tmp_path):
    store = tmp_path / "study.db"
    arguments = ("--plugin", "cli_task.py", "--optimizer", "cli-task-blind", "--store", store)
    assert evohpo(*RUN, "--trials", 5, *arguments).exit_code == 0
    assert evohpo("resume", store, "--trials", 9).exit_code == 0
    assert ended(store) == 9


def test_an_objective_that_always_fails_ends_the_run_with_exit_code_1_and_its_first_error(evohpo):
    result = evohpo("run", "cli_task.py:broken", "--space", "space.toml", "--minimize", "loss", "--trials", 50)
    assert result.exit_code == 1
    assert "ValueError: no data" in result.stderr
    assert "10 failed" in result.stdout


def test_a_trial_that_takes_too_long_fails_and_the_run_ends(evohpo):
    limits = ("--trials", 1, "--trial-timeout", 1)
    result = evohpo("run", "cli_task.py:lasting", "--space", "space.toml", "--minimize", "loss", *limits)
    assert result.exit_code == 0
    assert "1 failed" in result.stdout


def test_a_trial_that_takes_too_much_memory_fails_and_the_run_ends(evohpo):
    limits = ("--trials", 1, "--memory", "250MB")
    result = evohpo("run", "cli_task.py:hungry", "--space", "space.toml", "--minimize", "loss", *limits)
    assert result.exit_code == 0
    assert "1 failed" in result.stdout


def test_attributes_of_a_module_are_objectives_too(evohpo):
    result = evohpo("run", "cli_task.py:Holder.train", "--space", "space.toml", "--minimize", "loss", "--trials", 3)
    assert result.exit_code == 0


def test_a_target_and_stagnation_end_a_run(evohpo):
    assert "ended     target" in evohpo(*RUN, "--seed", 1, "--stop-target", 0.5).stdout
    flat = ("run", "builtins:len", "--space", "space.toml", "--minimize", "n", "--optimizer", "random")
    assert "ended     stagnation: 2" in evohpo(*flat, "--stagnation", 2, "--population", 3).stdout


def test_initial_configurations_come_first_and_completed(evohpo, tmp_path):
    store = tmp_path / "study.db"
    given = '[{"x": 0.25}, {"solver": "adam", "x": -0.5}]'
    evohpo(*RUN, "--trials", 5, "--initial", given, "--store", store)
    first, second = params(store)[:2]
    assert first["x"] == 0.25
    assert second == {"x": -0.5, "solver": "adam", "seed": 7}
    (tmp_path / "first.json").write_text(given)
    evohpo(*RUN, "--trials", 5, "--initial", tmp_path / "first.json", "--store", tmp_path / "other.db")
    assert params(tmp_path / "other.db")[:2] == [first, second]


def test_out_holds_the_whole_table_as_csv(evohpo, tmp_path):
    out = tmp_path / "table.csv"
    result = evohpo(*RUN, "--trials", 14, "--output", "csv", "--out", out)
    assert result.exit_code == 0
    assert result.stdout == ""
    table = pd.read_csv(out)
    assert len(table) == 14
    assert {"number", "loss", "x", "solver", "momentum", "seed"} <= set(table.columns)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", 2), ("0.5", 0.5), ("1e-3", 1e-3), ("true", True), ("ring", "ring"), ("'a b'", "a b"), ("[1, 2]", [1, 2]),
        ("2020-01-01", "2020-01-01"), ("a=b", "a=b"),
    ],
)  # fmt: skip
def test_option_values_are_numbers_truth_values_or_text(text, value):
    from evohpo.cli.loading import options

    assert options((f"key={text}",)) == {"key": value}
    assert type(options((f"key={text}",))["key"]) is type(value)
