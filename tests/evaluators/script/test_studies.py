"""Whole studies of scripts: the same table however they run, pruned, and killed."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import evohpo as eh
from evohpo.errors import UsageError
from tests.conftest import untimed
from tests.evaluators.script import victim
from tests.study.test_kill import ended

ROOT = Path(__file__).parents[3]
LOSS = {"loss": r"loss=(\S+)"}


@pytest.fixture
def path(tmp_path):
    """Write the script of `victim` into a file."""

    def write(checkpoints=False):
        path = tmp_path / "train.py"
        path.write_text(victim.SCRIPT.format(checkpoints=checkpoints))
        return str(path)

    return write


def check_same(*studies):
    first, *others = [untimed(study) for study in studies]
    for other in others:
        pd.testing.assert_frame_equal(first, other)


def test_the_table_is_that_of_a_function_for_any_number_of_workers(path):
    script = path()
    check_same(*[victim.search("ga", None, *run) for run in ((None,), (script, 1), (script, 4))])


@pytest.mark.parametrize("checkpoints", [False, True])
def test_so_is_the_pruned_one(path, checkpoints):
    studies = [victim.search("de+hyperband", None, script) for script in (None, path(checkpoints))]
    check_same(*studies)
    assert {trial.steps for trial in studies[1].trials} == {1, 3, 9}


def test_asha_stops_scripts(path, tmp_path):
    evaluator = eh.Script([sys.executable, path()], LOSS, steps=r"epoch=(\d+)")
    study = eh.tune(
        None, victim.SPACE, minimize="loss", optimizer="random", trials=12, workers=2, evaluator=evaluator, seed=1,
        pruner=eh.ASHA(max_steps=9), progress=False, store=tmp_path / "study.db",
    )  # fmt: skip
    stopped = [trial for trial in study.trials if str(trial.status) == "stopped"]
    assert stopped
    for trial in stopped:
        assert trial.steps in (1, 3)
        assert trial.metrics["loss"] == trial.reports[-1][1]["loss"]
    folder = tmp_path / "study.db.files" / "trial-000000"
    assert {p.name for p in folder.iterdir()} >= {"stdout.txt", "stderr.txt", "params.json", "command.json"}


def test_scripts_know_the_last_step_that_is_wanted(tmp_path):
    code = """
import evohpo
trial = evohpo.trial()
for step in range(trial.step + 1, (trial.limit or 9) + 1):
    evohpo.report(step, loss=trial.params["x"] / step, wanted=trial.limit)
"""
    (tmp_path / "train.py").write_text(code)
    study = eh.tune(
        None, {"x": eh.Continuous(0, 1)}, minimize="loss", optimizer=eh.PBT(interval=3, max_steps=9), population=3, trials=9,
        evaluator=eh.Script(str(tmp_path / "train.py"), workers=3), seed=1, progress=False, store=tmp_path / "study.db",
    )  # fmt: skip
    assert [t.error for t in study.trials if t.failed] == []
    assert {int(trial.metrics["wanted"]) for trial in study.trials} == {3, 6, 9}


def kill_until_done(kind, store, script, kills, dice):
    """Run the driver again and again, killed at a random moment each time; then let it finish."""
    command = [sys.executable, "-m", "tests.evaluators.script.victim", kind, str(store), script]
    for _ in range(kills):
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
        before, deadline = ended(store), time.monotonic() + 20
        while process.poll() is None and ended(store) <= before and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(dice.uniform(0, 0.2))
        process.kill()  # nothing, if it has ended meanwhile
        process.communicate()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", ["ga", "de+hyperband"])
def test_a_killed_study_goes_on_to_the_same_table(kind, path, tmp_path):
    store = tmp_path / "study.db"
    kill_until_done(kind, store, path(checkpoints=True), 3, random.Random(kind))
    check_same(eh.load(store), victim.search(kind, None, None))


@pytest.mark.slow
@pytest.mark.parametrize("checkpoints", [False, True])
@pytest.mark.parametrize("kind", ["ga", "de+hyperband"])
def test_a_study_killed_again_and_again_goes_on_to_the_same_table(kind, checkpoints, path, tmp_path):
    for run in range(8):
        store = tmp_path / f"study-{run}.db"
        kill_until_done(kind, store, path(checkpoints), 5, random.Random(f"{kind}{run}"))
        check_same(eh.load(store), victim.search(kind, None, None))


# ---- refused before anything starts


def begun(evaluator, **more):
    return eh.tune(
        None,
        {"x": eh.Integer(1, 9)},
        minimize="loss",
        evaluator=evaluator,
        trials=3,
        optimizer="random",
        progress=False,
        **more,
    )


@pytest.mark.parametrize(
    ("arguments", "more", "says"),
    [
        ((["no-such-program"], LOSS), {}, "there is no program 'no-such-program'"),
        ((["true"], {"accuracy": r"a=(\S+)"}), {}, "does not say how to find 'loss'; it knows accuracy"),
        ((["true"], LOSS), {"pruner": eh.ASHA(max_steps=9)}, "the pruner would see no steps"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_starts(arguments, more, says, tmp_path):
    with pytest.raises(UsageError, match=says):
        begun(eh.Script(*arguments), **more)


def test_scripts_that_always_fail_end_the_study_with_their_words(tmp_path):
    evaluator = eh.Script(["sh", "-c", "echo 'no GPU here' >&2; exit 7"], LOSS)
    with pytest.warns(eh.EvohpoWarning, match="exit code 7: no GPU here"):
        study = eh.tune(
            None, {"x": eh.Integer(1, 99)}, minimize="loss", evaluator=evaluator, trials=30, workers=4, optimizer="random",
            progress=False,
        )  # fmt: skip
    assert "failing" in study.stopped
