"""Who worked when, as the journal tells; who descends from whom."""

from __future__ import annotations

import sqlite3
import time

import pytest

import evohpo as eh
from evohpo.analysis.plots import Plots
from evohpo.analysis.plots.spells import spells_of
from evohpo.errors import UsageError
from tests.analysis.plots.studies import FLAT, large, stepwise, trace


def bars_of(figure):
    """Return (number, lane, begin, end) of all bars."""
    return [
        (int(row[0]), int(lane), base, base + length)
        for t in figure.data
        for row, lane, base, length in zip(t.customdata, t.y, t.base, t.x, strict=True)
    ]


def test_the_timeline_has_a_bar_a_trial_and_a_row_a_worker(tmp_path):
    def slow(params):
        time.sleep(0.02)
        if params["x"] > 0.8:
            raise ValueError("no")
        return params["x"]

    study = eh.tune(slow, FLAT, minimize="loss", optimizer="random", trials=12, seed=1, workers=3,
                    evaluator=eh.Threads(3), store=tmp_path / "study.db", progress=False)  # fmt: skip
    figure = Plots(study).timeline()
    bars = bars_of(figure)
    assert sorted(number for number, *_ in bars) == list(range(12))
    workers = list(figure.layout.yaxis.ticktext)
    assert {number: workers[lane] for number, lane, *_ in bars} == {t.number: t.worker for t in study.trials}
    assert all(end - begin >= 0.019 for *_, begin, end in bars)
    assert {t.name for t in figure.data} == {"completed", "failed"}
    assert "3 workers, idle" in figure.layout.title.subtitle.text
    for _, lane, begin, _ in bars:  # one after the other in each row
        assert not [b for b in bars if b[1] == lane and b[2] + 0.005 < begin < b[3] - 0.005]


def test_idle_time_is_what_no_bar_covers(tmp_path):
    study = eh.Study(FLAT, minimize="loss", optimizer="random", seed=1, store=tmp_path / "study.db")
    moments = [("start", 0, 0.0), ("start", 1, 0.0), ("end", 1, 4.0), ("end", 0, 10.0)]
    for trial in study.ask(2):
        study.tell(trial, 1.0, worker=f"w{trial.number}")
    study.close()
    with sqlite3.connect(tmp_path / "study.db") as db:  # a clock of our own
        for kind, number, at in moments:
            db.execute("UPDATE events SET time = ? WHERE kind = ? AND number = ?", (1e9 + at, kind, number))
    db.close()
    study = eh.load(tmp_path / "study.db")
    assert [(s.number, s.begin, s.end) for s in spells_of(study)] == [(1, 0.0, 4.0), (0, 0.0, 10.0)]
    assert "idle 30 &#37; of 10 seconds" in Plots(study).timeline().layout.title.subtitle.text


def test_a_night_between_two_runs_is_not_idle_time(tmp_path):
    study = eh.Study(FLAT, minimize="loss", optimizer="random", seed=1, store=tmp_path / "study.db")
    for trial in study.ask(2):
        study.tell(trial, 1.0, worker="w")
    study.close()
    with sqlite3.connect(tmp_path / "study.db") as db:
        for kind, number, at in [("start", 0, 0.0), ("end", 0, 6.0), ("start", 1, 36006.0), ("end", 1, 36010.0)]:
            db.execute("UPDATE events SET time = ? WHERE kind = ? AND number = ?", (1e9 + at, kind, number))
    db.close()
    figure = Plots(eh.load(tmp_path / "study.db")).timeline()
    assert "idle 0 &#37; of 10 seconds" in figure.layout.title.subtitle.text
    assert [a.text for a in figure.layout.annotations] == ["break of 10 hours"]


def test_a_paused_trial_has_a_bar_a_spell(tmp_path):
    def objective(params):
        for _ in range(9):
            yield params["x"]

    study = eh.tune(objective, FLAT, minimize="loss", optimizer="random", trials=9, seed=1, store=tmp_path / "s.db",
                    pruner=eh.ASHA(max_steps=9, kind="promotion"), progress=False)  # fmt: skip
    spells = spells_of(study)
    resumed = [t.number for t in study.trials if t.resumed]
    assert resumed
    for number in resumed:
        assert next(s.kind for s in spells if s.number == number) == "paused"
        assert len([s for s in spells if s.number == number]) > 1


@pytest.mark.parametrize("pruner", [None, eh.ASHA(max_steps=9, kind="promotion")], ids=["none", "pausing"])
def test_a_study_in_memory_has_the_times_that_a_stored_one_has(pruner, tmp_path):
    def objective(params):
        for step in range(1, 10):
            time.sleep(0.001)
            yield {"loss": abs(params["x"] - 0.3) + 1 / step}

    how = {"minimize": "loss", "optimizer": "random", "trials": 9, "seed": 1, "pruner": pruner, "progress": False}
    memory, stored = eh.tune(objective, FLAT, **how), eh.tune(objective, FLAT, store=tmp_path / "s.db", **how)
    assert [m[:2] for m in memory.moments()] == [m[:2] for m in stored.moments() if m.kind != "last"]
    assert [s[2:] for s in spells_of(memory)] == [s[2:] for s in spells_of(stored)]
    assert {t.name for t in Plots(memory).timeline().data} == {t.name for t in Plots(stored).timeline().data}


def test_running_trials_reach_to_the_last_event(tmp_path):
    study = eh.Study(FLAT, minimize="loss", optimizer="random", seed=1, store=tmp_path / "study.db")
    first, second = study.ask(2)
    time.sleep(0.02)
    study.tell(first, 1.0)
    spells = {s.number: s for s in spells_of(study)}
    assert spells[second.number].end == spells[first.number].end
    assert {t.name for t in Plots(study).timeline().data} == {"completed", "running"}


def test_ten_thousand_bars_are_merged_where_the_eye_cannot_tell(tmp_path):
    figure = Plots(large(store=tmp_path / "study.db")).timeline()
    assert len(figure.to_json()) < 1.5e6
    assert sum(len(t.x) for t in figure.data) <= 8000


def test_workers_that_nobody_named_get_rows_without_overlap(tmp_path):
    study = eh.Study(FLAT, minimize="loss", optimizer="random", seed=1, store=tmp_path / "study.db")
    a, b = study.ask(2)
    study.tell(a, 1.0)
    (c,) = study.ask(1)
    study.tell(b, 1.0)
    study.tell(c, 1.0)
    assert list(Plots(study).timeline().layout.yaxis.ticktext) == ["1", "2"]


def test_a_running_trial_stands_in_the_row_of_a_worker_who_is_free(tmp_path):
    study = eh.Study(FLAT, minimize="loss", optimizer="random", seed=1, store=tmp_path / "study.db")
    a, b = study.ask(2)
    study.tell(a, 1.0, worker="w1")
    study.tell(b, 1.0, worker="w2")
    study.ask(2)
    figure = Plots(study).timeline()
    assert list(figure.layout.yaxis.ticktext) == ["w1", "w2"]
    assert sorted(trace(figure, "running").y) == [0, 1]


# Family


def test_lineage_draws_every_ancestor_and_every_link(mixed_study):
    figure = Plots(mixed_study).lineage()
    tree = mixed_study.lineage(mixed_study.best)
    nodes = figure.data[-1]
    at = {int(row[0]): (x, y) for row, x, y in zip(nodes.customdata, nodes.x, nodes.y, strict=True)}
    assert set(at) == set(tree["number"])
    links = {
        (t.name, a, b)
        for t in figure.data[:-1]
        for a, b in zip(list(zip(t.x, t.y, strict=True))[::3], list(zip(t.x, t.y, strict=True))[1::3], strict=True)
    }
    expected = {
        (operator, at[parent], at[child])
        for child, operator, parents in tree[["number", "operator", "parents"]].itertuples(index=False)
        for parent in parents
    }
    assert links == expected


def test_children_stand_below_their_parents(mixed_study):
    figure = Plots(mixed_study).lineage()
    low, high = figure.layout.yaxis.range
    assert low > high  # the axis runs downwards
    for edges in figure.data[:-1]:
        assert all(a < b for a, b in zip(edges.y[::3], edges.y[1::3], strict=True))
    assert figure.layout.yaxis.title.text == "generation"


def test_a_trial_can_be_named_and_without_lineage_it_is_said(mixed_study, step_study):
    child = next(t for t in mixed_study.trials if t.parents)
    assert f"trial {child.number}" in Plots(mixed_study).lineage(child.number).layout.title.text
    with pytest.raises(UsageError, match="descends from no other one"):
        Plots(mixed_study).lineage(0)
    with pytest.raises(UsageError, match="does not tell"):
        Plots(step_study).lineage()
    with pytest.raises(UsageError, match="no trial 999"):
        Plots(mixed_study).lineage(999)


def test_of_several_objectives_the_knee_is_the_one(two_study):
    assert f"trial {two_study.knee().number}" in Plots(two_study).lineage().layout.title.text


def test_steps_of_a_timeline_can_be_read_while_the_study_is_written(tmp_path):
    study = stepwise(6, store=tmp_path / "study.db")
    reader = eh.load(tmp_path / "study.db")
    assert Plots(reader).timeline().to_json() == Plots(study).timeline().to_json()


def test_a_study_without_trials_has_no_timeline_yet(tmp_path):
    study = eh.Study(FLAT, minimize="loss", store=tmp_path / "study.db")
    with pytest.raises(UsageError, match="no trial has been started"):
        Plots(study).timeline()
