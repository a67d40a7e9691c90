"""What a parameter does to a metric, alone and together with another, on functions where that is known."""

from __future__ import annotations

import numpy as np
import pytest

import evohpo as eh
from evohpo.analysis import effect, interactions, surface
from tests.analysis.planted import CONDITIONAL, SQUARE, additive, planted, stepped
from tests.conftest import loss, make_mixed_space

# One parameter


def test_the_effect_of_a_parameter_is_its_part_of_an_additive_function():
    study = planted(additive)
    frame = effect(study, "a", points=11)
    assert list(frame) == ["value", "mean", "low", "high"]
    np.testing.assert_allclose(frame["value"], np.linspace(0, 1, 11))
    others = np.mean([2 * t.params["b"] + t.params["c"] for t in study.trials])
    np.testing.assert_allclose(frame["mean"], 4 * frame["value"] + others, atol=0.05)
    assert (frame["low"] <= frame["mean"]).all()
    assert (frame["mean"] <= frame["high"]).all()


def test_the_band_holds_what_the_surrogate_does_not_know():
    def noisy(params):
        return additive(params) + np.random.default_rng(int(params["a"] * 1e12)).normal(scale=0.5)

    inside = []
    for seed in range(8):
        study = planted(noisy, n=60, seed=seed)
        frame = effect(study, "a", points=9)
        truth = 4 * frame["value"] + np.mean([2 * t.params["b"] + t.params["c"] for t in study.trials])
        inside.append(truth.between(frame["low"], frame["high"]).mean())
    assert np.mean(inside) > 0.8


def test_more_trials_make_the_band_narrower():
    def noisy(params):
        return additive(params) + np.random.default_rng(int(params["a"] * 1e12)).normal(scale=0.5)

    few, many = (effect(planted(noisy, n=n), "a") for n in (30, 300))
    assert (many["high"] - many["low"]).mean() < 0.6 * (few["high"] - few["low"]).mean()


def test_a_forest_has_effects_too():
    frame = effect(planted(stepped, n=400), "a", points=12)
    assert frame.attrs["model"] == "forest"
    assert (frame["low"] < frame["high"]).all()
    assert frame["mean"].std() > 3 * effect(planted(stepped, n=400), "idle", points=12)["mean"].std()


def test_values_are_on_the_parameters_own_scale():
    study = planted(loss, make_mixed_space(), n=60)
    rates = effect(study, "learning_rate", points=4)["value"].tolist()
    np.testing.assert_allclose(rates, [1e-4, 1e-3, 1e-2, 1e-1])
    assert effect(study, "layers", points=30)["value"].tolist() == [1, 2, 3, 4, 5, 6]
    assert effect(study, "solver", points=2)["value"].tolist() == ["sgd", "adam", "lbfgs"]
    assert effect(study, "batch_size")["value"].tolist() == [32, 64, 128, 256]


def test_a_conditional_parameter_is_looked_at_where_it_applies():
    study = planted(lambda p: p["momentum"] if p["solver"] == "sgd" else 100.0, CONDITIONAL, n=100)
    frame = effect(study, "momentum", points=5)
    np.testing.assert_allclose(frame["mean"], frame["value"], atol=3)  # the 100 of adam are not in it
    by_solver = effect(study, "solver").set_index("value")["mean"]
    assert by_solver["adam"] == pytest.approx(100, abs=3)
    assert by_solver["sgd"] == pytest.approx(0.5, abs=3)


def test_configurations_that_the_space_forbids_do_not_count():
    space = eh.Space({"a": eh.Integer(1, 10), "b": eh.Integer(1, 10)}, constraints=["b <= a"])
    frame = effect(planted(lambda p: p["b"], space, n=55), "a")
    np.testing.assert_allclose(frame["mean"].iloc[0], 1.0, atol=0.2)  # where a is 1, b is 1


def test_a_value_without_any_legal_configuration_has_no_row():
    space = eh.Space({"a": eh.Integer(1, 9), "b": eh.Integer(1, 9)}, constraints=["b <= a"])
    study = eh.Study(space, minimize="loss", optimizer="random", seed=1)
    for b in range(4, 9):
        study.attach({"a": 9, "b": b}, b)
    assert effect(study, "a")["value"].tolist() == [4, 5, 6, 7, 8, 9]


def test_a_parameter_that_applied_in_no_trial_is_refused():
    study = eh.Study(CONDITIONAL, minimize="loss", optimizer="random", seed=1)
    for rate in (0.001, 0.002, 0.005, 0.01, 0.02):
        study.attach({"rate": rate, "solver": "adam"}, rate)
    with pytest.raises(eh.UsageError, match="'momentum' applies in none of the 5 completed trials"):
        effect(study, "momentum")
    with pytest.raises(eh.UsageError, match="'rate' and 'momentum' apply together in none of the 5"):
        surface(study, "rate", "momentum")


# Two parameters


def test_a_surface_has_a_row_a_value_of_the_second_parameter():
    study = planted(lambda p: p["a"] * p["b"])
    values_a, values_b, mean = surface(study, "a", "b", points=5)
    assert mean.shape == (5, 5)
    np.testing.assert_allclose(mean, np.outer(values_b, values_a), atol=0.05)
    values_a, values_b, mean = surface(planted(loss, make_mixed_space()), "layers", "solver", points=4)
    assert (len(values_a), values_b, mean.shape) == (4, ["sgd", "adam", "lbfgs"], (3, 4))


def test_a_surface_is_empty_where_nothing_is_legal():
    space = eh.Space({"a": eh.Integer(1, 4), "b": eh.Integer(1, 4), "c": eh.Continuous(0, 1)}, constraints=["b <= a"])
    values_a, values_b, mean = surface(planted(lambda p: p["a"] + p["b"], space, n=40), "a", "b")
    np.testing.assert_array_equal(np.isnan(mean), np.array(values_b)[:, None] > np.array(values_a))
    _, solvers, mean = surface(planted(loss, make_mixed_space()), "momentum", "solver", points=3)
    assert np.isnan(mean).any(1).tolist() == [solver != "sgd" for solver in solvers]


# Interactions


def test_an_additive_function_has_no_interactions():
    assert interactions(planted(additive))["strength"].max() < 0.01


def test_a_product_interacts_and_nothing_else_does():
    frame = interactions(planted(lambda p: (2 * p["a"] - 1) * (2 * p["b"] - 1) + 0.5 * p["c"], n=120))
    assert (frame["a"][0], frame["b"][0]) == ("a", "b")
    assert frame["strength"][0] == pytest.approx(16 / 19, abs=0.15)  # variances 1/9 and 1/48
    assert frame["h"][0] > 0.9
    assert frame["strength"][1:].max() < 0.02
    assert frame["strength"].is_monotonic_decreasing
    assert len(frame) == 6


def test_a_conditional_parameter_interacts_with_what_it_depends_on():
    study = planted(lambda p: p["momentum"] if p["solver"] == "sgd" else 0.5, CONDITIONAL, n=100)
    first = interactions(study).iloc[0]
    assert {first["a"], first["b"]} == {"solver", "momentum"}


def test_one_parameter_has_nobody_to_interact_with():
    assert interactions(planted(lambda p: p["x"], {"x": eh.Continuous(0, 1)}, n=10)).empty


# Ends


def test_the_same_study_has_the_same_effects():
    first, second = (planted(stepped) for _ in range(2))
    assert effect(first, "a").equals(effect(second, "a"))
    np.testing.assert_array_equal(surface(first, "a", "b")[2], surface(second, "a", "b")[2])
    assert interactions(first).equals(interactions(second))


def test_a_category_with_very_many_choices_is_looked_at_where_it_was_tried():
    space = {"word": eh.Categorical([f"w{i}" for i in range(5000)]), "x": eh.Continuous(0, 1)}
    study = planted(lambda p: p["x"], space, n=30)
    assert set(effect(study, "word")["value"]) == {t.params["word"] for t in study.trials}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda study: effect(study, "d"), "unknown searched parameter 'd'"),
        (lambda study: effect(study, "a", points=1), "at least 2"),
        (lambda study: effect(study, "a", "speed"), "unknown metric 'speed'"),
        (lambda study: surface(study, "a", "a"), "two parameters"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(eh.UsageError, match=message):
        call(planted(additive, SQUARE, n=10))
