"""A study's last trials cost what its first ones did: rows in the store, statements, memory, work."""

from __future__ import annotations

import gc
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from itertools import pairwise

import pytest

import evohpo as eh
from evohpo.evaluators.simulated import Simulated
from evohpo.trials import pareto

SPACE = {"x": eh.Continuous(-1, 1), "units": eh.Integer(1, 500, scale="log"), "kind": eh.Categorical(["a", "b"])}
OPTIMIZERS = ["random", "de", "ga-steady", eh.Islands("ga", 4)]
NAMES = ["random", "de", "ga-steady", "islands"]
WORKERS = 64


def curve(params):
    return [
        (step, {"loss": params["x"] ** 2 + 1 / step, "size": params["units"] - step}, 1 + params["x"] / 2)
        for step in (1, 2)
    ]


def search(tmp_path, optimizer="random", trials=3000, seen=None, every=1000, minimize="loss"):
    """Run trials of two steps on 64 simulated workers; `seen` is called after each `every` of them."""
    told = []

    def ended(_study, trial):
        told.append(trial.number)
        if len(told) % every == 0:
            seen()

    evaluator = Simulated(curve, WORKERS)
    study = eh.tune(
        lambda params: params["x"], SPACE, minimize=minimize, optimizer=optimizer, trials=trials, seed=1,
        duplicates="evaluate", evaluator=evaluator, store=tmp_path / "study.db", callbacks=[ended] if seen else [],
        progress=False,
    )  # fmt: skip
    assert study.ledger.ended == trials
    return study


def growth(marks):
    """Return what each stretch added."""
    return [later - before for before, later in pairwise(marks)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=NAMES)
def test_a_trial_takes_as_many_rows_and_bytes_of_the_store_late_as_early(optimizer, tmp_path):
    search(tmp_path, optimizer)
    with closing(sqlite3.connect(tmp_path / "study.db")) as db:
        rows = db.execute("SELECT number, length(data) FROM events WHERE number IS NOT NULL").fetchall()
        others = db.execute(
            "SELECT id, length(data) + coalesce(length(rows), 0) FROM events WHERE number IS NULL"
        ).fetchall()
    count, size = Counter(number // 1000 for number, _ in rows), Counter()
    for number, length in rows:
        size[number // 1000] += length or 0
    assert set(count.values()) == {4000}  # start, two reports, end
    assert size[2] < 1.1 * size[0]
    third = max(id_ for id_, _ in others) / 3
    spoken = Counter()  # between study and optimizer
    for id_, length in others:
        spoken[min(2, int(id_ / third))] += length or 0
    assert spoken[2] < 1.1 * spoken[0]


def test_a_trial_takes_as_many_statements_late_as_early(tmp_path, monkeypatch):
    statements, marks = [], []

    class Counting(sqlite3.Connection):
        def execute(self, *given):
            statements.append(given[0])
            return super().execute(*given)

        def executemany(self, *given):
            statements.append(given[0])
            return super().executemany(*given)

    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *given, **options: real(*given, **options, factory=Counting))
    search(tmp_path, "ga-steady", seen=lambda: marks.append(len(statements)))
    first, *later = growth([0, *marks])
    assert first > 1000
    assert all(abs(count - first) < 0.1 * first for count in later)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=NAMES)
def test_a_trial_takes_as_many_calls_late_as_early(optimizer, tmp_path):
    calls, marks = 0, []

    def count(_frame, event, _argument):
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    try:
        sys.setprofile(count)
        search(tmp_path, optimizer, seen=lambda: marks.append(calls))
    finally:
        sys.setprofile(before)
    second, third = growth(marks)
    assert third < 1.1 * second


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=NAMES)
def test_of_a_trial_that_has_ended_its_own_record_is_kept_and_little_else(optimizer, tmp_path):
    blocks, kinds = [], []

    def seen():
        gc.collect()
        kinds.append(Counter(type(each).__name__ for each in gc.get_objects()))
        blocks.append(sys.getallocatedblocks())

    search(tmp_path, optimizer, trials=4000, seen=seen)
    *_, third, fourth = growth(blocks)
    assert fourth < 1.2 * third
    assert (
        fourth / 1000 < 80
    )  # pieces of memory a trial: hyperparameters, metrics, two reports, what the workers recorded
    grown = kinds[-1] - kinds[0]
    assert grown["Trial"] == pytest.approx(3000, abs=WORKERS)
    assert {name for name, n in grown.items() if n > 300} <= {"Trial", "dict", "list", "tuple"}


def test_a_front_is_looked_for_among_few(tmp_path, monkeypatch):
    real, sizes = pareto.front, []

    def front(F):
        sizes.append(len(F))
        return real(F)

    monkeypatch.setattr(pareto, "front", front)
    study = search(tmp_path, "nsga2", minimize=["loss", "size"])
    found = [t.number for t in study.front()]
    F = [t.fitness for t in study.trials]
    ahead = [all(any(b > a for a, b in zip(f, g, strict=True)) or f == g for g in F) for f in F]
    assert found == [number for number, is_in in enumerate(ahead) if is_in]
    assert len(sizes) > 50
    assert max(sizes) < len(found) + 500
