"""Each bad input: one line on standard error that says what to do, exit code 2, and nothing lost."""

from __future__ import annotations

import pytest

import evohpo as eh
from tests.cli.conftest import RUN

START = ("run", "cli_task.py:train", "--space", "space.toml")
BUDGET = ("--minimize", "loss", "--trials", 3)

MISUSE = {
    "negative budget": ((*START, "--minimize", "loss", "--trials", -3), "--trials"),
    "no budget": ((*START, "--minimize", "loss"), "--trials"),
    "no objective": ((*START, "--trials", 3), "--maximize"),
    "metric named twice": ((*START, *BUDGET, "--maximize", "loss"), "named twice"),
    "unknown optimizer": ((*START, *BUDGET, "--optimizer", "psoo"), "did you mean 'pso'"),
    "misspelt option": ((*START, *BUDGET, "--optimizer", "pso", "--option", "inertai=1"), "did you mean 'inertia'"),
    "option without a value": ((*START, *BUDGET, "--optimizer", "pso", "--option", "inertia"), "key=value"),
    "misspelt flag": ((*START, *BUDGET, "--optimzer", "pso"), "--optimizer"),
    "missing file": (("run", "nothing.py:f", "--space", "space.toml", *BUDGET), "nothing.py'"),
    "missing function": (("run", "cli_task.py:trian", "--space", "space.toml", *BUDGET), "did you mean 'train'"),
    "missing module": (("run", "nothing_there:f", "--space", "space.toml", *BUDGET), "no module 'nothing_there'"),
    "file that fails": (("run", "cli_broken_import.py:f", "--space", "space.toml", *BUDGET), "not_there_at_all"),
    "no name of a function": (("run", "cli_task.py", "--space", "space.toml", *BUDGET), "file.py:name"),
    "no function": (("run", "cli_task.py:not_a_space", "--space", "space.toml", *BUDGET), "not a function"),
    "no space": (("run", "cli_task.py:train", *BUDGET), "--space"),
    "missing space": (("run", "cli_task.py:train", "--space", "nothing.toml", *BUDGET), "nothing.toml"),
    "something else": (("run", "cli_task.py:train", "--space", "cli_task:not_a_space", *BUDGET), "not a Space"),
    "constraint": ((*START, *BUDGET, "--constraint", "size"), "comparison"),
    "initial": ((*START, *BUDGET, "--initial", "{x: 1}"), "--initial"),
    "illegal initial": ((*START, *BUDGET, "--initial", '{"x": 9}'), "outside"),
    "size": ((*START, *BUDGET, "--memory", "lots"), "2GB"),
    "store in no folder": ((*START, *BUDGET, "--store", "nowhere/study.db"), "folder nowhere"),
    "out in no folder": ((*START, *BUDGET, "--out", "nowhere/table.txt"), "folder nowhere"),
    "out is the store": ((*START, *BUDGET, "--store", "a.db", "--out", "a.db"), "is the store"),
    "store that is a folder": ((*START, *BUDGET, "--store", "."), "is a folder"),
    "store that is no study": ((*START, *BUDGET, "--store", "space.toml"), "not a study"),
    "plugin": ((*START, *BUDGET, "--plugin", "nothing.py"), "nothing.py"),
    "unknown command": (("rnu",), "did you mean run"),
    "show nothing": (("show", "nothing.db"), "no study"),
    "show no study": (("show", "space.toml"), "not a study"),
    "resume nothing": (("resume", "nothing.db"), "no study"),
    "check nothing": (("check", "psoo"), "did you mean 'pso'"),
    "check of an unknown check": (("check", "pso", "--expect", "one_gen=why"), "did you mean 'one_gene'"),
    "options of nothing": (("optimizers", "psoo"), "did you mean 'pso'"),
    "demo of nothing": (("demo", "--optimizers", "psoo"), "did you mean 'pso'"),
}


@pytest.mark.parametrize("case", MISUSE)
def test_misuse_is_one_line_and_exit_code_2_and_leaves_no_trace(case, evohpo, folder):
    arguments, advice = MISUSE[case]
    before = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file() and p.suffix != ".lock"}
    result = evohpo(*arguments)
    lines = result.stderr.strip().splitlines()
    assert result.exit_code == 2
    assert len(lines) == 1
    assert advice in lines[0]
    assert result.stdout == ""
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file() and p.suffix != ".lock"} == before


TOMLS = {
    "no TOML": ("[x\n", "not TOML"),
    "no type": ("[x]\nlow = 1\nhigh = 2\n", "'x': say its type"),
    "unknown type": ('[x]\ntype = "continous"\nlow = 1\nhigh = 2\n', "did you mean 'continuous'"),
    "unknown field": ('[x]\ntype = "integer"\nlow = 1\nhihg = 2\n', "did you mean 'high'"),
    "illegal range": ('[x]\ntype = "integer"\nlow = 3\nhigh = 2\n', "'x': low=3"),
    "constraints last": ('[x]\ntype = "integer"\nlow = 1\nhigh = 2\nconstraints = ["x > 1"]\n', "at the top"),
    "constraints no list": ("constraints = 3\n", "list of texts"),
    "unknown name": ('constraints = ["y < 1"]\n[x]\ntype = "integer"\nlow = 1\nhigh = 2\n', "'y'"),
    "a date": ("when = 2020-01-01\n", "date"),
    "empty": ("", "space"),
}


@pytest.mark.parametrize("case", TOMLS)
def test_what_is_wrong_in_a_space_file_is_said_with_file_and_parameter(case, evohpo, tmp_path):
    text, advice = TOMLS[case]
    path = tmp_path / "bad.toml"
    path.write_text(text)
    result = evohpo("run", "cli_task.py:train", "--space", path, *BUDGET)
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert str(path) in result.stderr
    assert advice in result.stderr


def test_a_store_with_another_study_is_left_as_it_is(evohpo, tmp_path):
    store = tmp_path / "study.db"
    evohpo(*RUN, "--trials", 4, "--seed", 1, "--store", store)
    result = evohpo("run", "cli_task.py:train", "--space", "cli_task:other_space", *BUDGET, "--store", store)
    assert result.exit_code == 2
    assert "holds another study" in result.stderr
    with eh.load(store) as study:
        assert len(study.trials) == 4
        assert study.space.names == ("seed", "x", "solver", "momentum")


def test_no_budget_does_not_leave_an_empty_store_behind(evohpo, tmp_path):
    evohpo(*START, "--minimize", "loss", "--store", tmp_path / "study.db")
    assert list(tmp_path.iterdir()) == []


def test_a_study_of_python_code_cannot_be_resumed_from_the_command_line(evohpo, tmp_path):
    store = tmp_path / "study.db"
    eh.Study({"x": eh.Continuous(0, 1)}, minimize="loss", store=store).close()
    result = evohpo("resume", store)
    assert result.exit_code == 2
    assert "evohpo.load" in result.stderr


def test_an_objective_that_has_moved_is_said_and_can_be_given(evohpo, tmp_path):
    store, away = tmp_path / "study.db", tmp_path / "cli_moving.py"
    away.write_text("def train(params):\n    return {'loss': params['x'] ** 2}\n")
    evohpo("run", f"{away}:train", "--space", "space.toml", *BUDGET, "--store", store)
    away.unlink()
    result = evohpo("resume", store, "--trials", 5)
    assert result.exit_code == 2
    assert "cli_moving.py" in result.stderr
    assert evohpo("resume", store, "--trials", 5, "--objective", "cli_task.py:train").exit_code == 0


def test_an_optimizer_that_breaks_ends_the_run_with_exit_code_1_and_keeps_the_store(evohpo, tmp_path, folder):
    (folder / "cli_breaking.py").write_text(
        "def breaking(problem, rng):\n    yield rng.random((4, problem.dim))\n    raise KeyError('lost')\n"
    )
    store = tmp_path / "study.db"
    result = evohpo(*RUN, "--trials", 20, "--optimizer", "cli_breaking.py:breaking", "--store", store)
    (folder / "cli_breaking.py").unlink()
    assert result.exit_code == 1
    assert "KeyError" in result.stderr
    with eh.load(store, optimizer="random") as study:
        assert study.ledger.ended == 4


def test_debug_shows_the_traceback(evohpo):
    result = evohpo(*START, *BUDGET, "--optimizer", "psoo", "--debug")
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
