"""Recorded learning curves on simulated workers."""

import time

import numpy as np
import pandas as pd
import pytest

import evohpo as eh
from evohpo.evaluators import Job, Simulated
from evohpo.evaluators.protocol import Finished, Paused, Reported
from evohpo.replayed import Replayed
from tests.conftest import untimed

SPACE = {"x": eh.Continuous(-1, 1), "y": eh.Continuous(-1, 1)}


def curve(params, steps=27):
    level = (params["x"] - 0.3) ** 2 + params["y"] ** 2
    return [{"loss": level + 1 / step} for step in range(1, steps + 1)]


def table(steps=3):
    rows = [
        {"rate": rate, "solver": solver, "step": step, "loss": rate + (solver == "adam") + 1 / step, "took": 10 * rate}
        for rate in (0.1, 0.2, 0.4)
        for solver in ("sgd", "adam")
        for step in range(1, steps + 1)
    ]
    return pd.DataFrame(rows)


def replay(workers, trials, pruner=None, seconds=1.0, **options):
    replayed = Replayed.from_function(curve, SPACE, seconds=seconds, **options)
    study = eh.tune(
        replayed, replayed.space, minimize="loss", optimizer="random", pruner=pruner, trials=trials, workers=workers, seed=1,
        progress=False,
    )  # fmt: skip
    return replayed, study


# ---- the clock


@pytest.mark.parametrize(("workers", "expected"), [(1, 270), (2, 135), (3, 108), (10, 27), (64, 27)])
def test_ten_trials_of_27_seconds_take_as_long_as_the_workers_need(workers, expected):
    replayed, study = replay(workers, 10)
    assert replayed.elapsed == expected
    assert study.ledger.steps == 270
    assert replayed.utilization == pytest.approx(270 / (expected * workers))


def test_the_timeline_says_who_ran_what_and_when():
    replayed, _ = replay(2, 3, seconds=2.0)
    assert replayed.timeline().to_dict("records") == [
        {"worker": 1, "number": 0, "start": 0.0, "end": 54.0, "from_step": 0, "to_step": 27},
        {"worker": 2, "number": 1, "start": 0.0, "end": 54.0, "from_step": 0, "to_step": 27},
        {"worker": 1, "number": 2, "start": 54.0, "end": 108.0, "from_step": 0, "to_step": 27},
    ]
    history = replayed.history()
    assert history["seconds"].is_monotonic_increasing
    assert history.query("number == 2")["seconds"].tolist() == [54 + 2 * step for step in range(1, 28)]


def test_steps_may_take_different_times():
    replayed, study = replay(1, 4, seconds=lambda params, step: 1.0 + (params["x"] > 0))
    slow = sum(t.params["x"] > 0 for t in study.trials)
    assert replayed.elapsed == 27 * (4 + slow)


def test_overhead_is_paid_at_every_start():
    assert replay(1, 3, overhead=5.0)[0].elapsed == 3 * 32


def test_a_pause_frees_the_worker_and_going_on_costs_nothing_twice_unless_it_is_run_again():
    simulated = Simulated(lambda _: [(s, {"loss": 1.0}, 1.0) for s in range(1, 5)], capacity=1)
    simulated.submit(Job(0, {}))
    assert [type(e) for e in simulated.wait(None)][1:] == []
    assert isinstance(simulated.wait(None)[0], Reported)
    simulated.stop(0, pause=True)
    assert simulated.wait(None) == [Paused(0, 1, 1.0, "simulated-1")]
    assert simulated.elapsed == 1.0
    simulated.submit(Job(0, {}, step=1))
    events = [simulated.wait(None) for _ in range(5)]
    steps = [(e.step, e.resumed) for group in events for e in group if isinstance(e, Reported)]
    assert steps == [(2, "checkpoint"), (3, ""), (4, "")]
    assert simulated.elapsed == 4.0
    assert isinstance(events[-1][0], Finished)
    again = Simulated(lambda _: [(s, {"loss": 1.0}, 1.0) for s in range(1, 5)], capacity=1, rerun=True)
    again.submit(Job(0, {}, step=3))
    again.wait(None)
    assert again.wait(None) == [Reported(0, 4, {"loss": 1.0}, "re-run")]
    assert again.elapsed == 4.0


@pytest.mark.parametrize(
    "pruner", [eh.ASHA(27), eh.ASHA(27, kind="promotion"), eh.PASHA(27), eh.Hyperband(27), eh.Median()]
)
def test_a_schedule_of_64_workers_is_studied_in_a_moment_and_repeats_itself(pruner):
    began = time.monotonic()
    (first, one), (second, two) = replay(64, 300, pruner), replay(64, 300, pruner)
    assert time.monotonic() - began < 20
    assert untimed(one).equals(untimed(two))
    assert first.elapsed == second.elapsed
    assert one.ledger.steps < 0.7 * 300 * 27
    busy = (first.timeline()["end"] - first.timeline()["start"]).sum()
    assert busy == one.ledger.steps  # no step is paid twice


def test_with_one_worker_it_decides_as_a_real_run_does():
    def objective(params):
        yield from curve(params)

    for pruner in (eh.ASHA(27, kind="promotion"), eh.Hyperband(27)):
        real = eh.tune(
            objective, SPACE, minimize="loss", optimizer="random", pruner=pruner, trials=30, seed=1, progress=False
        )
        assert untimed(real).equals(untimed(replay(1, 30, pruner)[1]))


# ---- sources


@pytest.mark.parametrize("kind", ["frame", "csv", "parquet"])
def test_a_table_makes_a_space_and_its_curves(tmp_path, kind):
    source = table()
    if kind == "csv":
        source.to_csv(tmp_path / "curves.csv", index=False)
        source = tmp_path / "curves.csv"
    if kind == "parquet":
        pytest.importorskip("pyarrow")
        source.to_parquet(tmp_path / "curves.parquet")
        source = str(tmp_path / "curves.parquet")
    replayed = Replayed(source, metrics=["loss"], seconds="took")
    assert list(replayed.space.names) == ["rate", "solver"]
    assert [m["loss"] for m in replayed({"rate": 0.2, "solver": "adam"})] == [0.2 + 1 + 1 / s for s in (1, 2, 3)]
    study = eh.tune(replayed, replayed.space, minimize="loss", optimizer="grid", workers=2, progress=False, seed=1)
    assert len(study.trials) == 6
    assert study.best.params == {"rate": 0.1, "solver": "sgd"}
    assert replayed.timeline()["end"].max() - 0 == pytest.approx(replayed.elapsed)
    assert (replayed.timeline()["end"] - replayed.timeline()["start"]).sum() == pytest.approx(3 * 10 * 2 * 0.7)


def test_what_was_not_recorded_is_taken_from_the_nearest_that_was():
    space = eh.Space({"rate": eh.Continuous(0.01, 1.0, scale="log"), "solver": eh.Categorical(["sgd", "adam"])})
    replayed = Replayed(table().drop(columns="took"), metrics=["loss"], space=space)
    assert list(replayed({"rate": 0.13, "solver": "adam"})) == list(replayed({"rate": 0.1, "solver": "adam"}))


def test_a_recorded_study_and_its_store_can_be_replayed(tmp_path):
    def objective(params):
        yield from curve(params)

    study = eh.tune(objective, SPACE, minimize="loss", optimizer="random", trials=20, seed=1, store=tmp_path / "study.db",
                    progress=False)  # fmt: skip
    for source in (study, tmp_path / "study.db"):
        replayed = Replayed(source)
        for trial in study.trials:
            assert list(replayed(trial.params)) == [metrics for _, metrics in trial.reports]
        again = eh.tune(replayed, replayed.space, minimize="loss", optimizer="de", pruner=eh.ASHA(27), trials=40, workers=8,
                        seed=1, progress=False)  # fmt: skip
        assert {t.metrics["loss"] for t in again.trials} <= {m["loss"] for t in study.trials for _, m in t.reports}


def test_it_runs_in_other_evaluators_too():
    replayed = Replayed(table(), metrics=["loss"])
    study = eh.tune(replayed, replayed.space, minimize="loss", optimizer="random", trials=6, evaluator=eh.Threads(2), seed=1,
                    progress=False)  # fmt: skip
    assert len(study.trials) == 6


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        (lambda t: t, {"metrics": ["accuracy"]}, "no column 'accuracy'"),
        (lambda t: t, {"metrics": ["loss"], "seconds": "hours"}, "no column 'hours'"),
        (lambda t: t, {}, "say which columns were measured"),
        (lambda t: t, {"metrics": ["loss"], "seconds": -1}, "seconds=-1"),
        (lambda t: t.assign(loss=np.nan), {"metrics": ["loss"]}, "'loss' is .*nan.* in row 0"),
        (lambda t: t.assign(step=1), {"metrics": ["loss"]}, "comes twice"),
        (lambda t: t.assign(step=0.5), {"metrics": ["loss"]}, "whole numbers"),
        (lambda t: t[["step", "loss"]], {"metrics": ["loss"]}, "no column is left"),
        (lambda t: t[:0], {"metrics": ["loss"]}, "no curve"),
        (lambda _: "nowhere.csv", {"metrics": ["loss"]}, "no such file"),
    ],
)
def test_what_is_wrong_with_a_source_is_said(change, options, says):
    with pytest.raises(eh.UsageError, match=says):
        Replayed(change(table()), **options)


def test_before_a_run_there_is_no_time():
    with pytest.raises(eh.UsageError, match="nothing was simulated yet"):
        _ = Replayed(table(), metrics=["loss"]).elapsed
