"""With noise, the best configurations are measured again, so that the best is not the luckiest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import evohpo as eh

SPACE = {"x": eh.Continuous(-1, 1)}
SAME = ["number", "generation", "status", "loss", "x", "label"]


def noisy(params, ctx):
    return {"loss": (params["x"] - 0.3) ** 2 + 0.1 * np.random.default_rng(ctx.seed).normal()}


def exact(params):
    return {"loss": (params["x"] - 0.3) ** 2}


def search(objective=noisy, **arguments):
    usual = {"minimize": "loss", "optimizer": "ga", "trials": 60, "seed": 1, "repeats": 4}
    return eh.tune(objective, SPACE, progress=False, **{**usual, **arguments})


def repeats_of(study, first):
    return [t for t in study.trials if t.repeats == first.number]


@pytest.mark.parametrize("repeats", [5, "auto"])
def test_the_best_is_not_the_luckiest(repeats):
    def regret(**arguments):
        runs = [search(optimizer="random", trials=150, seed=seed, **arguments) for seed in range(5)]
        return np.mean([(run.best.params["x"] - 0.3) ** 2 for run in runs])

    assert regret(repeats=repeats) < 0.5 * regret(repeats=None)


def test_the_best_was_measured_as_often_as_asked():
    study = search()
    assert len(repeats_of(study, study.best)) == 3
    assert all(len(repeats_of(study, t)) <= 3 for t in study.trials)
    assert {t.label for t in repeats_of(study, study.best)} == {f"repeats {study.best.number}"}


def test_an_estimate_is_the_mean_with_students_interval():
    study = search(lambda params, ctx: {"loss": float(ctx.number)}, population=4, trials=5, repeats=2)
    assert [t.repeats for t in study.trials] == [-1, -1, -1, -1, 0]  # 0 and 4 were measured of the same configuration
    mean, low, high, trials = study.estimate(0)
    half = stats.t.ppf(0.975, 1) * np.std([0, 4], ddof=1) / np.sqrt(2)
    assert (mean, low, high, trials) == (2.0, pytest.approx(2 - half), pytest.approx(2 + half), 2)
    assert study.estimate(4) == study.estimate(0)


def test_an_interval_is_in_the_units_of_a_maximised_metric():
    study = search(lambda params, ctx: {"loss": 10.0 + ctx.number}, minimize=None, maximize="loss", repeats=3)
    mean, low, high, _ = study.estimate()
    assert low < mean < high
    assert mean > 10


def test_nothing_is_known_of_the_noise_where_nothing_was_measured_twice():
    estimate = search(repeats=None).estimate()
    assert estimate.trials == 1
    assert np.isnan(estimate.low)


def test_auto_believes_a_configuration_that_gives_the_same_again():
    study = search(exact, repeats="auto")
    assert sum(t.repeats >= 0 for t in study.trials) == 2


def test_auto_spends_at_most_a_quarter_on_repeats():
    study = search(repeats="auto", trials=100)
    assert 0 < sum(t.repeats >= 0 for t in study.trials) <= 26


@pytest.mark.parametrize(("optimizer", "lookahead"), [("ga", None), ("random", 6)])
def test_workers_change_nothing(optimizer, lookahead):
    arguments = {"optimizer": optimizer, "lookahead": lookahead, "population": 8}
    one, four = (search(**arguments, evaluator=eh.Threads(workers)).table() for workers in (1, 4))
    assert one["label"].str.startswith("repeats").any()
    pd.testing.assert_frame_equal(one[SAME], four[SAME])


@pytest.mark.parametrize("optimizer", ["ga", "ga-steady"])
def test_a_study_that_was_broken_off_goes_on_to_the_same_table(tmp_path, optimizer):
    whole = search(optimizer=optimizer).table()
    for trials in (7, 22, 23, 24, 47, 60):  # within repeats, too
        study = search(optimizer=optimizer, trials=trials, store=tmp_path / "s.db")
    pd.testing.assert_frame_equal(study.table()[SAME], whole[SAME])
    assert eh.load(tmp_path / "s.db").best.number == study.best.number


def test_a_whole_front_is_measured_again():
    def two(params, ctx):
        rng = np.random.default_rng(ctx.seed)
        return {"a": params["x"] ** 2 + 0.1 * rng.normal(), "b": (params["x"] - 0.5) ** 2 + 0.1 * rng.normal()}

    study = search(two, minimize=["a", "b"], optimizer="nsga2", trials=120, population=20)
    front = study.front()
    assert all(t.repeats < 0 for t in front)
    assert max(len(repeats_of(study, t)) for t in front) == 3
    F = np.array([[study.estimate(t, name).mean for name in "ab"] for t in front])
    assert not any((F[j] <= F[i]).all() and (F[j] < F[i]).any() for i in range(len(F)) for j in range(len(F)))


def test_a_configuration_that_fails_when_measured_again_is_given_up():
    def once(params, ctx):
        if params["x"] in seen:
            raise RuntimeError("not again")
        seen.add(params["x"])
        return {"loss": params["x"]}

    seen = set()
    study = search(once, population=8)
    assert max(len(repeats_of(study, t)) for t in study.trials) == 3
    assert study.best.fitness is not None


@pytest.mark.parametrize("optimizer", ["de", "pso", "cmaes", "tpe", "eda", "sobol", "inspyred.es", "dehb"])
def test_any_optimizer_is_told_of_repeats(optimizer):
    study = search(
        optimizer=optimizer, trials=90, repeats=3, pruner=eh.ASHA(max_steps=3) if optimizer == "dehb" else None
    )
    assert len(repeats_of(study, study.best)) == 2


@pytest.mark.parametrize("repeats", [0, -1, "often", True, 2.5])
def test_impossible_repeats_are_refused(repeats):
    with pytest.raises(eh.UsageError, match="repeats="):
        search(repeats=repeats)


def test_another_number_of_repeats_is_another_study(tmp_path):
    search(store=tmp_path / "s.db", trials=10)
    with pytest.raises(eh.UsageError, match="repeats is 4 there and 5 here"):
        search(store=tmp_path / "s.db", repeats=5)
