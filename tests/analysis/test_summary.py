"""The summary: one row a trial, whatever became of it."""

from __future__ import annotations

import math

import evohpo as eh
from evohpo.analysis import summary
from tests.analysis.planted import planted

SPACE = {
    "solver": eh.Categorical(["sgd", "adam"]),
    "momentum": eh.Continuous(0, 1, when={"solver": "sgd"}),
    "seed": 7,
}


def checkered():
    """An attached, an initial, a completed, a failed, a stopped and a running trial, in this order."""
    study = eh.Study(SPACE, maximize="score", minimize="seconds", optimizer="random", seed=3, duplicates="evaluate")
    study.attach({"solver": "sgd", "momentum": 0.5}, {"score": 0.8, "seconds": 2.0, "size": 10}, label="baseline")
    study.enqueue({"solver": "adam"})
    first, done, failed, stopped, _ = study.ask(5)
    study.tell(first, {"score": 0.7, "seconds": 1.0})
    study.tell(done, {"score": 0.9, "seconds": 3.0})
    study.tell(failed, error="out of memory")
    study.tell(stopped, {"score": 0.1, "seconds": 0.5}, stopped=True)
    return study


def test_its_columns_are_trial_name_status_method_generation_metrics_and_parameters():
    assert list(summary(checkered())) == [
        "trial", "name", "status", "method", "generation", "score", "seconds", "size", "solver", "momentum", "seed",
    ]  # fmt: skip


def test_every_trial_has_a_row_with_what_became_of_it():
    frame = summary(checkered())
    assert frame["trial"].tolist() == [0, 1, 2, 3, 4, 5]
    assert frame["status"].tolist() == ["completed", "completed", "completed", "failed", "stopped", "running"]
    assert frame["score"][:3].tolist() == [0.8, 0.7, 0.9]
    assert math.isnan(frame["score"][3])
    assert frame["size"].notna().tolist() == [True, False, False, False, False, False]


def test_it_says_where_a_trial_came_from():
    frame = summary(checkered())
    assert frame["name"].tolist() == ["baseline", "initial", "", "", "", ""]
    assert frame["method"].tolist() == ["baseline", "initial", "random", "random", "random", "random"]


def test_parameters_that_do_not_apply_are_empty():
    study = checkered()
    frame = summary(study)
    assert frame["momentum"].notna().tolist() == [t.params["solver"] == "sgd" for t in study.trials]
    assert frame["seed"].tolist() == [7] * 6


def test_a_metric_called_like_a_parameter_has_its_own_column():
    frame = summary(planted(lambda p: p["x"] ** 2, {"x": eh.Continuous(0, 1)}, n=3, minimize="x"))
    assert frame["x"].tolist() == [value**2 for value in frame["x_"]]


def test_a_study_without_trials_has_the_columns_that_are_known():
    study = eh.Study(SPACE, minimize="loss", optimizer="random", seed=1)
    frame = summary(study)
    assert frame.empty
    assert list(frame)[:6] == ["trial", "name", "status", "method", "generation", "loss"]
