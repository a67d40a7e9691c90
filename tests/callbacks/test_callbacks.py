"""Callbacks: which events they hear of, in which order, and what becomes of a run in which one raises."""

from __future__ import annotations

import json
import sqlite3

import pandas as pd
import pytest

import evohpo as eh
from tests.conftest import loss, make_mixed_space, untimed

SPACE = {"x": eh.Continuous(-1, 1)}
EVALUATORS = [eh.Inline, lambda: eh.Threads(2), lambda: eh.Processes(2)]


def curve(params):
    for step in range(4):
        yield {"loss": params["x"] ** 2 + 1 / (step + 1)}


class Hears:
    """Keeps what it is told; `(event, number, step)`, with -1 where there is none."""

    def __init__(self):
        self.heard = []

    def begin(self, study):
        self.heard.append(("begin", -1, -1))

    def started(self, study, trial):
        self.heard.append(("started", trial.number, trial.steps))

    def reported(self, study, trial, step, metrics):
        assert metrics == trial.reports[-1][1]
        self.heard.append(("reported", trial.number, step))

    def paused(self, study, trial):
        assert trial.status is eh.Status.PAUSED
        self.heard.append(("paused", trial.number, -1))

    def ended(self, study, trial):
        assert trial.ended
        self.heard.append(("ended", trial.number, -1))

    def finish(self, study):
        self.heard.append(("finish", -1, -1))

    def of(self, number):
        return [(event, step) for event, n, step in self.heard if n == number]


def search(callbacks, objective=curve, **more):
    arguments = {"minimize": "loss", "optimizer": "random", "trials": 9, "seed": 1, "progress": False}
    return eh.tune(objective, SPACE, callbacks=callbacks, **{**arguments, **more})


def recorded(path):
    """The events in a store that callbacks hear of, in the order in which the journal has them."""
    with sqlite3.connect(path) as db:
        rows = db.execute("SELECT kind, number, data FROM events ORDER BY id").fetchall()
    found = []
    for kind, number, data in rows:
        if kind == "report":
            step, _, *decision = json.loads(data)
            found += [("reported", number, step)] + ([("paused", number, -1)] if decision == ["pause"] else [])
        elif kind in ("end", "run", "resume"):
            found.append(({"end": "ended"}.get(kind, "started"), number, -1))
    return found


# ---- what is told


@pytest.mark.parametrize("evaluator", EVALUATORS)
@pytest.mark.parametrize("kind", ["stopping", "promotion"])
def test_events_are_told_in_the_order_of_the_journal(tmp_path, evaluator, kind):
    hears = Hears()
    pruner = eh.ASHA(max_steps=4, eta=2, kind=kind)
    study = search([hears], pruner=pruner, evaluator=evaluator(), store=tmp_path / "s.db")
    assert (hears.heard[0][0], hears.heard[-1][0]) == ("begin", "finish")
    told = [(event, n, -1 if event == "started" else step) for event, n, step in hears.heard[1:-1]]
    assert told == recorded(tmp_path / "s.db")
    assert {event for event, _, _ in told} >= {"started", "reported", "ended"} | (
        {"paused"} if kind == "promotion" else set()
    )
    for trial in study.trials:
        assert [step for event, step in hears.of(trial.number) if event == "reported"] == [s for s, _ in trial.reports]
        assert hears.of(trial.number)[-1][0] == "ended"


def test_what_is_told_is_in_the_store_already(tmp_path):
    seen = []

    def look(study, trial):
        (status,) = [t.status for t in eh.load(tmp_path / "s.db").trials if t.number == trial.number]
        seen.append(status)

    search([look], store=tmp_path / "s.db")
    assert seen == [eh.Status.COMPLETED] * 9


def test_duplicates_only_end(tmp_path):
    hears = Hears()
    eh.tune(
        lambda p: p["x"], {"x": eh.Ordinal([1, 2])}, minimize="loss", optimizer="random", trials=8, seed=1,
        progress=False, callbacks=[hears],
    )  # fmt: skip
    assert sorted(n for event, n, _ in hears.heard if event == "ended") == list(range(8))
    assert len([event for event, _, _ in hears.heard if event == "started"]) == 2


def test_attached_and_earlier_trials_are_in_the_study_at_begin_and_not_told_again(tmp_path):
    first, second, known = Hears(), Hears(), []

    class Begins:
        def begin(self, study):
            known.extend(t.number for t in study.trials)

    search([first], trials=3, store=tmp_path / "s.db")
    with eh.load(tmp_path / "s.db") as study:
        study.attach({"x": 0.5}, 0.25)
    search([second, Begins()], trials=5, store=tmp_path / "s.db")
    assert {n for _, n, _ in first.heard} == {-1, 0, 1, 2}
    assert {n for _, n, _ in second.heard} == {-1, 4, 5}
    assert known == [0, 1, 2, 3]


def test_callbacks_change_nothing():
    space = make_mixed_space()

    def table(callbacks):
        return untimed(
            eh.tune(
                loss, space, minimize="loss", optimizer="ga", trials=40, seed=3, progress=False, callbacks=callbacks
            )
        )

    pd.testing.assert_frame_equal(table([]), table([Hears(), lambda study, trial: None]))


# ---- which callbacks there are


def test_an_object_needs_only_the_methods_it_wants():
    class Ends:
        def ended(self, study, trial):
            numbers.append(trial.number)

    numbers = []
    search([Ends()], trials=3)
    assert numbers == [0, 1, 2]


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        ([object()], "begin, started, reported, paused, ended, finish"),
        ([Hears], r"Hears is a class: give an instance, Hears\(\.\.\.\)"),
        (Hears(), "callbacks= is a list"),
        ([None], "begin, started, reported, paused, ended, finish"),
    ],
)
def test_what_is_no_callback_is_refused_before_anything_starts(tmp_path, callbacks, message):
    calls = []
    with pytest.raises(eh.UsageError, match=message):
        search(callbacks, objective=lambda p: calls.append(p) or 0.0, store=tmp_path / "s.db")
    assert not calls
    assert not (tmp_path / "s.db").exists()
    study = eh.Study(SPACE, minimize="loss")
    with pytest.raises(eh.UsageError, match=message):
        study.run(curve, trials=1, callbacks=callbacks)


# ---- ends


@pytest.mark.parametrize("event", ["begin", "started", "reported", "ended", "finish"])
def test_a_callback_that_raises_ends_the_run_and_the_same_call_goes_on(tmp_path, event):
    class Raises:
        def __init__(self):
            self.left = 3 if event not in ("begin", "finish") else 1

    def fail(self, study, *arguments):
        self.left -= 1
        if not self.left:
            raise ZeroDivisionError("mine")

    setattr(Raises, event, fail)
    hears, workers = Hears(), 2 if event == "reported" else 1
    with pytest.raises(ZeroDivisionError, match="mine") as raised:
        search([Raises(), hears], store=tmp_path / "s.db", workers=workers)
    of_trial = "" if event in ("begin", "finish") else " of trial "
    (note,) = raised.value.__notes__
    assert (
        f"'test_a_callback_that_raises_ends_the_run_and_the_same_call_goes_on.<locals>.Raises' on '{event}'{of_trial}"
        in note
    )
    assert [e for e, _, _ in hears.heard].count("finish") == (event != "begin")
    assert hears.heard[-1:] in ([], [("finish", -1, -1)])
    assert all(t.status is not eh.Status.FAILED for t in eh.load(tmp_path / "s.db").trials)
    whole = search([], store=tmp_path / "s.db")
    expected = search([])
    assert [t.params for t in whole.trials] == [t.params for t in expected.trials]
    assert [t.metrics for t in whole.trials] == [t.metrics for t in expected.trials]


@pytest.mark.parametrize("raised", [KeyboardInterrupt, RuntimeError])
def test_everybody_is_told_once_that_the_run_is_over_however_it_ends(raised):
    hears, stopped = [Hears(), Hears()], []

    def breaks(study, trial):
        if trial.number == 3:
            raise raised("enough")

    class Finishes:
        def finish(self, study):
            stopped.append((study.stopped, study.ledger.counts[eh.Status.RUNNING]))
            raise ValueError("so does its finish")

    with pytest.raises((ValueError, RuntimeError)):
        search([hears[0], Finishes(), breaks, hears[1]])
    for one in hears:
        assert [event for event, _, _ in one.heard].count("finish") == 1
    assert stopped == [({"interrupted": True} if raised is KeyboardInterrupt else {}, 0)]


def test_an_optimizer_that_raises_does_not_cost_the_callbacks_what_happened_before():
    @eh.optimizer("test-breaks-later")
    def breaks(problem, rng):
        yield rng.random((5, problem.dim))
        raise ZeroDivisionError

    hears = Hears()
    with pytest.raises(eh.OptimizerError):
        search([hears], optimizer=breaks)
    assert [n for event, n, _ in hears.heard if event == "ended"] == [0, 1, 2, 3, 4]
    assert hears.heard[-1][0] == "finish"
