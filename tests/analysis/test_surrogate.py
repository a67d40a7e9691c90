"""The surrogate of a metric, and what leave-one-out cross-validation says of it."""

from __future__ import annotations

import time

import numpy as np
import pytest

import evohpo as eh
from evohpo.analysis import cross_validation, surrogate_of
from tests.analysis.planted import CONDITIONAL, SQUARE, additive, planted, replanted, stepped
from tests.conftest import loss, make_mixed_space


def smooth(params):
    return np.sin(3 * params["a"]) + params["b"] ** 2 + 5


def noisy(params):
    return smooth(params) + np.random.default_rng(int(params["a"] * 1e12)).normal(scale=0.2)


# What it predicts


def test_it_predicts_configurations_that_nobody_tried_in_the_metrics_own_units():
    surrogate = surrogate_of(planted(smooth))
    new = SQUARE.sample(200, np.random.default_rng(7))
    truth = np.array([smooth(config) for config in new])
    mean, std = surrogate.predict(new)
    assert mean.shape == std.shape == (200,)
    np.testing.assert_allclose(mean, truth, atol=0.1)
    assert np.mean(np.abs(truth - mean) <= 1.96 * std) > 0.9


def test_its_intervals_hold_of_few_noisy_trials_too():
    new, inside = SQUARE.sample(200, np.random.default_rng(7)), []
    for seed in range(6):
        mean, std = surrogate_of(planted(noisy, n=40, seed=seed)).predict(new)
        truth = np.array([noisy(config) for config in new])
        inside.append(np.mean(np.abs(truth - mean) <= 1.96 * std))
    assert np.mean(inside) == pytest.approx(0.95, abs=0.06)


def test_it_learns_mixed_and_conditional_spaces():
    study = planted(loss, make_mixed_space(), n=150)
    new = study.space.sample(200, np.random.default_rng(7))
    truth = np.array([loss(config) for config in new])
    mean, _ = surrogate_of(study).predict(new)
    assert 1 - np.var(truth - mean) / np.var(truth) > 0.95


def test_a_parameter_that_does_not_apply_has_no_say():
    study = planted(lambda p: p.get("momentum", 0.3), CONDITIONAL)
    surrogate = surrogate_of(study)
    base = {"rate": 0.01, "solver": "adam"}
    mean, std = surrogate.predict([base, base | {"momentum": 0.9}])
    assert mean[0] == mean[1]
    assert std[0] == std[1]
    U = study.space.encode([base, base])
    U[:, study.space.searched.index("momentum")] = 0.1, 0.9
    mean, std = surrogate.at(U)
    assert mean[0] == mean[1]


def test_any_metric_that_trials_carry_has_a_surrogate():
    study = planted(lambda p: {"loss": p["a"], "seconds": 10 * p["b"]})
    mean, _ = surrogate_of(study, "seconds").predict([{"a": 0.5, "b": 0.25, "c": 0.5, "idle": 0.5}])
    assert mean == pytest.approx(2.5, abs=0.1)


def test_smooth_metrics_get_a_gaussian_process_and_rough_ones_a_forest():
    assert surrogate_of(planted(smooth)).model == "gaussian process"
    assert surrogate_of(planted(stepped, n=400)).model == "forest"


def test_the_model_with_the_smaller_leave_one_out_error_is_taken():
    for objective in (smooth, stepped):
        surrogate = surrogate_of(planted(objective))
        assert set(surrogate.errors) == {"gaussian process", "forest"}
        assert surrogate.error == surrogate.errors[surrogate.model] == min(surrogate.errors.values())


def test_diverged_trials_do_not_hide_the_others():
    def diverging(params):
        return 1e9 if params["c"] > 0.8 else smooth(params)

    mean, _ = surrogate_of(planted(diverging, n=200)).predict(
        [{"a": a, "b": 0.0, "c": 0.3, "idle": 0.5} for a in (0.1, 0.3, 0.5)]
    )
    np.testing.assert_allclose(mean, 5 + np.sin([0.3, 0.9, 1.5]), atol=0.3)


def test_diverged_trials_here_and_there_do_not_hide_the_others():
    def diverging(params):
        return 1e9 if int(params["idle"] * 1e9) % 20 == 0 else smooth(params)

    study = planted(diverging, n=200)
    assert sum(t.metrics["loss"] == 1e9 for t in study.trials) > 3
    assert cross_validation(study).attrs["spearman"] > 0.7


def test_the_same_study_has_the_same_surrogate():
    new = SQUARE.sample(20, np.random.default_rng(7))
    for objective in (smooth, stepped):
        first, second = (surrogate_of(planted(objective)).predict(new) for _ in range(2))
        np.testing.assert_array_equal(first, second)


def test_it_grows_with_the_study():
    study = eh.Study(SQUARE, minimize="loss", optimizer="random", seed=1)
    sizes = []
    for _ in range(2):
        for trial in study.ask(10):
            study.tell(trial, smooth(trial.params))
        study.ask(2)  # two that run are no matter
        sizes.append(len(cross_validation(study)))
    assert sizes == [10, 20]


def test_a_metric_that_never_varies_is_predicted_exactly():
    surrogate = surrogate_of(planted(lambda p: 3.0))
    mean, std = surrogate.predict([{"a": 0.1, "b": 0.1, "c": 0.1, "idle": 0.1}])
    assert (surrogate.model, mean[0], std[0]) == ("constant", 3.0, 0.0)


# Which trials count


def test_failed_stopped_and_running_trials_do_not_count():
    study = eh.Study(SQUARE, minimize="loss", optimizer="random", seed=1)
    trials = study.ask(12)
    for trial in trials[:8]:
        study.tell(trial, smooth(trial.params))
    study.tell(trials[8], error="out of memory")
    study.tell(trials[9], 1e6, stopped=True)
    study.attach({"a": 0.5, "b": 0.5, "c": 0.5, "idle": 0.5}, 6.0)
    assert cross_validation(study)["number"].tolist() == [*range(8), 12]


def test_a_repeated_configuration_is_not_seen_twice():
    study = planted(lambda p: p["k"] ** 2, {"k": eh.Integer(1, 8)}, n=40)
    assert any(t.job.startswith("reused") for t in study.trials)
    assert len(cross_validation(study)) == len({t.params["k"] for t in study.trials}) == 8


def test_too_few_results_are_refused_with_their_number():
    study = planted(smooth, n=4)
    with pytest.raises(
        eh.UsageError, match=r"4 completed trials have a finite number as 'loss', this takes at least 5"
    ):
        surrogate_of(study)


def test_an_unknown_metric_is_refused_with_the_known_ones():
    with pytest.raises(eh.UnknownName, match="'loss'"):
        surrogate_of(planted(smooth, n=6), "lss")


def test_an_illegal_configuration_is_refused():
    surrogate = surrogate_of(planted(smooth, n=20))
    with pytest.raises(eh.IllegalValue, match="idle"):
        surrogate.predict([{"a": 0.5, "b": 0.5, "c": 0.5}])


# Cross-validation


@pytest.mark.parametrize(
    ("model", "objective", "n", "outlier"), [("gaussian process", noisy, 150, 3.0), ("forest", stepped, 300, 100.0)]
)
def test_the_prediction_of_a_trial_never_sees_that_trial(model, objective, n, outlier):
    study = planted(objective, n=n)
    values = np.array([t.metrics["loss"] for t in study.trials])
    for i in (0, 37):
        spoiled = values.copy()
        spoiled[i] += outlier
        before, after = (cross_validation(replanted(study, v)) for v in (values, spoiled))
        assert before.attrs["model"] == after.attrs["model"] == model
        np.testing.assert_allclose(after["predicted"][i], before["predicted"][i], rtol=1e-9)
        np.testing.assert_allclose(after["std"][i], before["std"][i], rtol=1e-9)
        assert np.abs(after["predicted"] - before["predicted"]).drop(i).max() > 0.01 * outlier  # others do see it


def test_a_good_surrogate_explains_the_metric_and_its_intervals_hold():
    frame = cross_validation(planted(noisy, n=150))
    assert list(frame) == ["number", "observed", "predicted", "std", "low", "high"]
    assert frame.attrs["metric"] == "loss"
    assert frame.attrs["r2"] > 0.7
    assert frame.attrs["spearman"] > 0.8
    assert frame.attrs["coverage"] == pytest.approx(0.95, abs=0.05)
    within = frame["observed"].between(frame["low"], frame["high"])
    assert frame.attrs["coverage"] == within.mean()
    np.testing.assert_allclose(frame["high"] - frame["low"], 2 * 1.96 * frame["std"], rtol=1e-4)


def test_noise_is_not_explained():
    draws = np.random.default_rng(3)
    attrs = cross_validation(planted(lambda p: draws.normal(), n=80)).attrs
    assert attrs["r2"] < 0.1
    assert attrs["spearman"] < 0.3


@pytest.mark.slow
def test_ten_thousand_trials_take_seconds():
    study = planted(additive, n=10_000)
    began = time.monotonic()
    frame = cross_validation(study)
    assert time.monotonic() - began < 60  # some six on a free core
    assert len(frame) == 10_000
    assert frame.attrs["r2"] > 0.99
