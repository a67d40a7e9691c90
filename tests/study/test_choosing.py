"""Choosing from a front: its knee, the compromise that weights ask for, the point from which it is measured."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import evohpo as eh
from evohpo.trials import choosing

FRONT = [(0.99, 50.0), (0.97, 9.0), (0.95, 6.0), (0.80, 5.0)]  # accuracy, seconds


def study_of(rows, **goals):
    goals = {"maximize": "accuracy", "minimize": "seconds"} | goals
    study = eh.Study({"i": eh.Integer(0, 100)}, optimizer="random", seed=1, **goals)
    for i, (accuracy, seconds) in enumerate(rows):
        study.attach({"i": i}, {"accuracy": accuracy, "seconds": seconds})
    return study


def test_at_the_knee_gaining_begins_to_cost_most():
    assert study_of([*FRONT, (0.5, 60.0)]).knee().metrics == {"accuracy": 0.97, "seconds": 9.0}


@pytest.mark.parametrize(
    ("weights", "chosen"),
    [
        (None, 1),
        ({"accuracy": 1, "seconds": 1}, 1),
        ({"accuracy": 100, "seconds": 1}, 0),
        ({"accuracy": 1, "seconds": 100}, 3),
        ({"accuracy": 1}, 0),
        ({"seconds": 0.5}, 3),
    ],
)
def test_weights_choose_along_the_front(weights, chosen):
    assert study_of(FRONT).choose(weights).number == chosen


def test_a_hollow_of_the_front_can_be_chosen_though_no_weighted_sum_does():
    study = study_of([(1.0, 10.0), (0.4, 4.5), (0.0, 0.0)])
    assert study.choose({"accuracy": 1, "seconds": 1}).number == 1


def test_one_objective_and_one_trial_are_chosen_from_too():
    study = eh.Study({"i": eh.Integer(0, 9)}, minimize="loss", optimizer="random", seed=1)
    study.attach({"i": 1}, {"loss": 2.0})
    study.attach({"i": 2}, {"loss": 1.0})
    assert study.choose() is study.knee() is study.best


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"speed": 1}, "unknown objective 'speed'"),
        ({"accuracy": -1}, "accuracy = -1 must be a finite number of at least 0"),
        ({"accuracy": float("nan")}, "accuracy = nan must be a finite number"),
        ({"accuracy": "much"}, "accuracy = 'much' must be a finite number"),
        ({"accuracy": 0}, "give at least one of accuracy, seconds a weight above 0"),
        ({}, "give at least one of accuracy, seconds a weight above 0"),
    ],
)
def test_bad_weights_are_refused_by_name(weights, message):
    with pytest.raises(eh.UsageError, match=message):
        study_of(FRONT).choose(weights)


def test_where_nothing_is_feasible_the_closest_trial_is_named():
    study = study_of(FRONT, constraints=["accuracy >= 0.995"])
    with pytest.raises(
        eh.UsageError, match=r"the closest, trial 0, misses the constraints by 0\.005025 of their bounds"
    ):
        study.choose()


def test_hypervolume_is_measured_from_the_thresholds():
    study = study_of(FRONT, constraints=["accuracy >= 0.9", "seconds <= 10"])
    assert study.reference == {"accuracy": 0.9, "seconds": 10.0}
    assert study.hypervolume() == pytest.approx(0.05 * (10 - 6) + 0.02 * (10 - 9))
    assert [t.number for t in study.front()] == [1, 2]


def test_where_there_is_no_threshold_it_is_measured_from_the_worst_feasible_values():
    study = study_of([*FRONT, (0.7, 70.0)], constraints=["accuracy >= 0.75"])
    assert study.reference == {"accuracy": 0.75, "seconds": 50.0}
    reference = {"seconds": 10.0, "accuracy": 0.9}
    assert study.hypervolume(reference) == study.hypervolume([0.9, 10.0]) > 0


def test_a_reference_needs_a_value_for_each_objective():
    with pytest.raises(eh.UsageError, match="give a value for each of accuracy, seconds"):
        study_of(FRONT).hypervolume([0.5])


def test_a_study_without_results_has_no_volume():
    assert (study_of([]).hypervolume(), study_of([]).reference) == (0.0, {})


@given(
    arrays(float, st.tuples(st.integers(1, 9), st.integers(1, 4)), elements=st.integers(0, 5).map(float)),
    st.data(),
)
def test_no_choice_is_dominated_whatever_the_units(F, data):
    weights = np.array(data.draw(st.lists(st.integers(1, 5), min_size=F.shape[1], max_size=F.shape[1])), float)
    for row in (choosing.knee(F), choosing.compromise(F, weights)):
        others = np.delete(F, row, 0)
        assert not ((others <= F[row]).all(1) & (others < F[row]).any(1)).any()
    units = F * 4.0 + 16.0
    assert choosing.knee(units) == choosing.knee(F)
    assert choosing.compromise(units, weights) == choosing.compromise(F, weights)
