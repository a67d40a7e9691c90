"""Diagnoses: what is planted is found, with its numbers, and a healthy study has nothing wrong with it."""

from __future__ import annotations

import time

import numpy as np
import pytest

import evohpo as eh
from evohpo.analysis import diagnoses
from tests.analysis.planted import SQUARE, additive, planted
from tests.conftest import loss, make_mixed_space


def valley(params):
    """Best in the middle of all ranges."""
    return sum((params[name] - 0.5) ** 2 * weight for name, weight in (("a", 4), ("b", 2), ("c", 1)))


def found(study, title):
    """Return the one diagnosis whose title contains this."""
    (diagnosis,) = [d for d in diagnoses(study) if title in d.title]
    return diagnosis


def titles(study):
    return [d.title for d in diagnoses(study)]


@pytest.mark.parametrize("optimizer", ["de", "pso", "cmaes"])
def test_a_healthy_study_has_nothing_wrong_with_it(optimizer):
    assert titles(planted(loss, make_mixed_space(), n=120, optimizer=optimizer)) == []


def test_a_study_without_trials_and_one_that_runs_are_fine_too():
    study = eh.Study(SQUARE, minimize="loss", optimizer="random", seed=1)
    assert diagnoses(study) == []
    trials = study.ask(5)
    assert diagnoses(study) == []
    study.tell(trials[0], 1.0)
    assert [d.level for d in diagnoses(study)] == ["info"]


def test_the_worst_comes_first():
    def objective(params):
        if params["a"] < 0.7:
            raise ValueError("out of memory")
        return 1.0

    levels = [d.level for d in diagnoses(planted(objective, n=40))]
    assert levels == sorted(levels, key=["problem", "warning", "info"].index)
    assert len(set(levels)) > 1


# Failures


def test_failures_are_grouped_by_reason_whatever_numbers_are_in_it():
    def objective(params):
        if params["a"] < 0.3:
            raise ValueError(f"diverged at {params['b']}")
        if params["a"] > 0.9:
            raise MemoryError
        return params["b"]

    study = planted(objective, n=100)
    failed = [t for t in study.trials if t.failed]
    diverged = sum("diverged" in t.error for t in failed)
    diagnosis = found(study, "failed")
    assert diagnosis.level == "warning"
    assert f"{len(failed)} of 100 ended trials failed" in diagnosis.text
    assert f"{diverged} times 'ValueError: diverged at …'" in diagnosis.text
    assert f"{len(failed) - diverged} times 'MemoryError'" in diagnosis.text


def test_a_study_that_mostly_fails_has_a_problem():
    study = eh.Study(SQUARE, minimize="loss", optimizer="random", seed=1)
    for trial in study.ask(6):
        study.tell(trial, error=ZeroDivisionError("division by zero"))
    diagnosis = found(study, "100 % of the trials failed")
    assert diagnosis.level == "problem"
    assert "ZeroDivisionError" in diagnosis.text
    assert "study.trials[0].traceback" in diagnosis.advice


def test_it_says_where_trials_fail():
    def objective(params):
        if params["learning_rate"] > 0.01:
            raise ValueError("diverged")
        return loss(params)

    text = found(planted(objective, make_mixed_space(), n=100), "failed").text
    assert "Most of them have learning_rate above 0.01" in text

    def other(params):
        if params["solver"] == "adam":
            raise ValueError("not installed")
        return loss(params)

    assert "Most of them have solver = 'adam'" in found(planted(other, make_mixed_space(), n=60), "failed").text


def test_failures_anywhere_have_no_place():
    draws = np.random.default_rng(1)

    def objective(params):
        if draws.random() < 0.3:
            raise ValueError("bad luck")
        return valley(params)

    assert "Most of them" not in found(planted(objective, n=100), "failed").text


# Results that say little


def test_constraints_that_nobody_meets():
    study = planted(
        lambda p: {"loss": p["a"], "accuracy": p["b"] / 2}, n=30, constraints=["accuracy >= 0.85", "loss <= 2"]
    )
    diagnosis = found(study, "No trial meets the constraints")
    assert diagnosis.level == "problem"
    assert "'accuracy >= 0.85' is met by 0, 'loss <= 2' is met by 30" in diagnosis.text
    closest = min(study.trials, key=lambda t: t.violation)
    assert f"trial {closest.number}, misses them by {closest.violation:.4g}" in diagnosis.text


def test_an_objective_that_never_varies():
    study = planted(lambda p: 0.5, n=30)
    assert found(study, "loss never varies").level == "problem"
    assert titles(study) == ["loss never varies"]  # that it does not improve either goes without saying


def test_equal_configurations_with_different_results():
    draws = np.random.default_rng(1)
    study = planted(
        lambda p: p["k"] + 3 * draws.normal(), {"k": eh.Integer(1, 8)}, n=60, duplicates="evaluate", optimizer="random"
    )
    diagnosis = found(study, "loss is noisy")
    assert diagnosis.level == "warning"
    deviation = float(diagnosis.text.split(" in loss by ")[1].split()[0])
    assert deviation == pytest.approx(3, abs=0.8)


def test_noise_smaller_than_what_tells_the_best_apart_is_only_worth_knowing():
    draws = np.random.default_rng(1)
    study = planted(lambda p: p["k"] + 0.01 * draws.normal(), {"k": eh.Integer(1, 8)}, n=60, duplicates="evaluate")
    assert found(study, "loss is noisy").level == "info"


def test_a_saturated_metric():
    study = planted(lambda p: min(1.0, 1.5 - additive(p) / 7), n=60, maximize="accuracy")
    ones = sum(t.metrics["accuracy"] == 1.0 for t in study.trials)
    text = found(study, "accuracy is saturated").text
    assert "The best accuracy is 1, next to the largest value" in text
    assert f"{ones} configurations share it" in text


def test_a_metric_that_the_parameters_do_not_explain():
    draws = np.random.default_rng(3)
    diagnosis = found(planted(lambda p: draws.normal(), n=60), "do not explain")
    assert diagnosis.level == "warning"
    assert "60 trials" in diagnosis.text
    assert not any("explain" in title for title in titles(planted(valley, n=60)))


# How the search went


def test_stagnation():
    def objective(params):
        return -1.0 if params["number"] == 25 else params["a"]

    study = eh.Study(SQUARE, minimize="loss", optimizer="random", seed=1)
    for trial in study.ask(100):
        study.tell(trial, objective(trial.params | {"number": trial.number}))
    diagnosis = found(study, "No improvement")
    assert diagnosis.level == "warning"
    assert "The best trial, 25, was followed by 74 trials (74 % of all)" in diagnosis.text


def test_a_dozen_trials_without_improvement_are_nothing():
    study = eh.Study(SQUARE, minimize="loss", optimizer="random", seed=1)
    for trial in study.ask(30):
        study.tell(trial, -1.0 if trial.number == 17 else trial.params["a"])
    assert not any("improvement" in title for title in titles(study))


def test_stagnation_of_a_front():
    study = eh.Study(SQUARE, minimize=["x", "y"], optimizer="random", seed=1)
    for trial in study.ask(60):
        bad = trial.number > 20
        study.tell(trial, {"x": trial.params["a"] + bad, "y": 1 - trial.params["a"] + bad})
    assert "The newest trial of the front, 20, was followed by 39 trials" in found(study, "No improvement").text


def test_the_best_value_at_a_bound():
    study = planted(lambda p: (p["a"] - 1.5) ** 2 + (p["b"] - 0.5) ** 2, n=150, optimizer="de")
    diagnosis = found(study, "at its bound")
    assert diagnosis.title == "a is best at its bound"
    assert "upper end of its range, 1" in diagnosis.text
    assert "make high larger" in diagnosis.advice


def test_a_parameter_at_its_bound_that_hardly_matters_is_not_worth_a_word():
    def clipping(problem, rng):
        while True:
            X = rng.random((20, problem.dim))
            X[:, -1] = 1.0  # idle is the last
            yield X

    assert not any("bound" in title for title in titles(planted(valley, n=100, optimizer=clipping)))


def test_one_lucky_trial_at_a_bound_is_not_worth_a_word():
    study = planted(valley, n=60)
    study.attach({"a": 1.0, "b": 0.5, "c": 0.5, "idle": 0.5}, -0.01)
    assert not any("bound" in title for title in titles(study))


def test_a_population_without_diversity():
    def narrowing(problem, rng):
        for generation in range(8):
            yield 0.5 + (rng.random((10, problem.dim)) - 0.5) * 0.2**generation

    diagnosis = found(planted(valley, n=80, optimizer=narrowing), "diversity")
    assert "fell from 0.3" in diagnosis.text
    assert "generation 7" in diagnosis.text
    assert not any("diversity" in title for title in titles(planted(valley, n=80)))


def test_repeated_configurations():
    def stubborn(problem, rng):
        X = rng.random((10, problem.dim))
        while True:
            yield X

    diagnosis = found(planted(valley, n=50, optimizer=stubborn), "repeated")
    assert diagnosis.level == "warning"
    assert "40 of 50 proposals (80 %)" in diagnosis.text
    small = found(planted(lambda p: p["k"] % 5, {"k": eh.Integer(1, 8)}, n=50), "repeated")
    assert "The space has 8 configurations, of which 8 were tried" in small.text


# Pruners


def in_steps(params):
    for step in range(1, 10):
        yield valley(params) + 1 / step


class Always:
    """A pruner that decides the same each time."""

    def __init__(self, decision=eh.Decision.CONTINUE):
        self.decision = decision

    def report(self, trial, step, value):
        return self.decision


def test_a_pruner_that_never_ended_a_trial():
    assert "All 30 trials ran to their end" in found(planted(in_steps, n=30, pruner=Always()), "never ended").text


def test_a_pruner_that_ended_nearly_all():
    study = planted(in_steps, n=30, pruner=Always(eh.Decision.STOP))
    assert "30 of 30 trials were ended early" in found(study, "ended nearly all").text


def test_a_pruner_without_reports():
    study = planted(valley, n=30, pruner=eh.ASHA(max_steps=9))
    assert "None of 30 trials reported a step" in found(study, "nothing to go by").text


def test_a_pruner_that_works_is_fine():
    assert not any("pruner" in title for title in titles(planted(in_steps, n=60, pruner=eh.ASHA(max_steps=9))))


# All of it


def test_too_few_results():
    assert "8 different configurations completed for 4 searched parameters" in found(planted(valley, n=8), "Few").text


@pytest.mark.slow
def test_ten_thousand_trials_take_seconds():
    study = planted(valley, n=10_000)
    began = time.monotonic()
    diagnoses(study)
    assert time.monotonic() - began < 60  # some eight on a free core
