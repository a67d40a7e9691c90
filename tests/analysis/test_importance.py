"""Which parameters matter, on functions where that is known."""

from __future__ import annotations

import numpy as np
import pytest

import evohpo as eh
from evohpo.analysis import importance
from tests.analysis.planted import CONDITIONAL, SQUARE, additive, planted

METHODS = ("ped-anova", "permutation")


def shares(study, metric=None, method="ped-anova"):
    return importance(study, metric, method).set_index("parameter")["importance"].to_dict()


def test_permutation_gives_the_shares_of_the_variance_of_an_additive_function():
    found = shares(planted(additive), method="permutation")
    assert found == pytest.approx({"a": 16 / 21, "b": 4 / 21, "c": 1 / 21, "idle": 0.0}, abs=0.06)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("optimizer", ["random", "de", "ga", "pso"])
def test_the_order_is_right_whoever_proposed_the_trials(method, optimizer):
    frame = importance(planted(additive, optimizer=optimizer, n=150), method=method)
    assert frame["parameter"].tolist() == ["a", "b", "c", "idle"]
    assert frame["importance"].sum() == pytest.approx(1)
    assert frame["importance"].is_monotonic_decreasing
    assert frame["importance"].iloc[-1] < 0.01


def test_a_population_that_has_drifted_does_not_make_an_idle_parameter_matter():
    study = planted(lambda p: abs(p["a"] - 0.3) + 0.5 * abs(p["b"] - 0.3), optimizer="de", n=600)
    late = [t.params["idle"] for t in study.trials[-50:]]
    assert np.std(late) < 0.2  # it has drifted: uniform would be 0.29
    assert shares(study)["idle"] < 0.05


def test_ped_anova_sees_a_narrow_optimum_that_matters_little_elsewhere():
    def pit(params):
        return 3 * params["b"] - 6 * np.exp(-0.5 * ((params["a"] - 0.5) / 0.08) ** 2)

    study = planted(pit, n=250)
    ratio = {method: shares(study, method=method)["a"] / shares(study, method=method)["b"] for method in METHODS}
    assert ratio["ped-anova"] > 2 * ratio["permutation"]


def test_maximised_and_other_metrics():
    study = planted(lambda p: {"score": -additive(p), "seconds": p["c"]}, maximize="score")
    assert shares(study)["a"] > 0.5
    assert shares(study, "seconds")["c"] > 0.95
    assert shares(study, "seconds", "permutation")["c"] > 0.95


def test_both_ends_of_a_metric_that_is_no_objective_count():
    def wave(params):
        return {"loss": 0.0 + params["c"], "wave": params["a"] if params["b"] < 0.5 else -params["idle"]}

    found = shares(planted(wave, n=300), "wave")
    assert min(found["a"], found["idle"]) > 0.1  # one makes it large, the other small


# Conditions


def test_a_conditional_parameter_counts_where_it_applies():
    study = planted(lambda p: abs(p["momentum"] - 0.9) if p["solver"] == "sgd" else 0.5, CONDITIONAL, n=150)
    for method in METHODS:
        found = shares(study, method=method)
        assert found["momentum"] > 0.3, method
        assert found["rate"] < 0.02, method


def test_what_a_condition_achieves_is_not_ascribed_to_the_parameters_under_it():
    study = planted(lambda p: 0.0 if p["solver"] == "sgd" else 1.0, CONDITIONAL, n=150)
    for method in METHODS:
        found = shares(study, method=method)
        assert found["solver"] > 0.95, method
        assert found["momentum"] < 0.05, method


def test_a_parameter_that_applies_only_where_results_are_bad_does_not_help_to_reach_the_top():
    study = planted(
        lambda p: 2 + p["momentum"] if p["solver"] == "sgd" else np.log10(p["rate"]) / 10, CONDITIONAL, n=150
    )
    assert shares(study)["momentum"] < 0.01


def test_of_two_conditional_parameters_the_one_that_more_of_the_best_have_counts_more():
    either = eh.Space(
        {
            "kind": eh.Categorical(["x", "y"]),
            "x": eh.Continuous(0, 1, when={"kind": "x"}),
            "y": eh.Continuous(0, 1, when={"kind": "y"}),
        }
    )
    found = shares(planted(lambda p: p["x"] if p["kind"] == "x" else 0.08 + p["y"], either, n=200))
    assert found["x"] > 1.5 * found["y"] > 0  # below 0.14 and 0.06: of all trials with y, fewer are among the best


def test_constraints_of_the_space_are_kept():
    space = eh.Space(dict(SQUARE.parameters), constraints=["a + b <= 1"])
    found = shares(planted(lambda p: p["a"], space, n=120), method="permutation")
    assert found["a"] > 0.97


# Ends


def test_a_metric_that_never_varies_has_no_importance():
    for method in METHODS:
        frame = importance(planted(lambda p: 1.0, n=20), method=method)
        assert frame["importance"].tolist() == [0, 0, 0, 0], method


def test_the_same_study_has_the_same_importance():
    for method in METHODS:
        first, second = (shares(planted(additive), method=method) for _ in range(2))
        assert first == second


def test_what_it_was_made_of_is_told():
    assert importance(planted(additive)).attrs == {
        "metric": "loss",
        "method": "ped-anova",
        "model": "gaussian process",
    }


def test_an_unknown_method_is_refused():
    with pytest.raises(eh.UnknownName, match="'ped-anova'"):
        importance(planted(additive, n=10), method="ped_anova")


def test_a_space_of_static_parameters_is_refused():
    study = eh.Study({"x": 1}, minimize="loss", optimizer="random", seed=1)
    for _ in range(6):
        study.attach({"x": 1}, 1.0)
    with pytest.raises(eh.UsageError, match="static"):
        importance(study)
