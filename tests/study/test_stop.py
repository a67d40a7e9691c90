"""When a study ends, and that it says why."""

from __future__ import annotations

import time

import pytest

import evohpo as eh

SPACE = {"x": eh.Continuous(-1, 1), "y": eh.Continuous(-1, 1)}


def sphere(params):
    return params["x"] ** 2 + params["y"] ** 2


def search(objective=sphere, **arguments):
    arguments = {"minimize": "loss", "optimizer": "ga", "population": 8, "seed": 1, "progress": False} | arguments
    return eh.tune(objective, SPACE, **arguments)


def test_generations_times_population_is_what_the_literature_means():
    study = search(generations=5)
    assert len(study.trials) == 40
    assert study.table().groupby("generation").size().tolist() == [8] * 5
    assert study.stopped == {"generations": 5}


@pytest.mark.parametrize("optimizer", ["random", "de-steady", "cmaes", "inspyred.pso"])
def test_generations_times_population_holds_for_every_kind_of_optimizer(optimizer):
    assert len(search(optimizer=optimizer, generations=4).trials) == 32


def test_trials_may_cut_a_generation():
    study = search(trials=11)
    assert len(study.trials) == 11
    assert study.stopped == {"trials": 11}


def test_a_target_ends_the_study_at_once():
    study = search(stop=eh.Stop(target=0.05))
    assert study.stopped["target"]["loss"] <= 0.05
    assert study.stopped["trial"] == study.best.number == study.trials[-1].number


def test_a_target_of_a_metric_to_maximise_is_reached_from_below():
    study = eh.tune(
        lambda p: 1 - sphere(p),
        SPACE,
        maximize="score",
        optimizer="ga",
        stop=eh.Stop(target=0.9),
        seed=1,
        progress=False,
    )
    assert study.best.metrics["score"] >= 0.9


def test_targets_of_several_objectives_are_reached_by_one_trial():
    study = eh.tune(
        lambda p: {"a": p["x"] ** 2, "b": p["y"] ** 2}, SPACE, minimize=["a", "b"], optimizer="nsga2", seed=1,
        stop=eh.Stop(target={"a": 0.1, "b": 0.1}), progress=False,
    )  # fmt: skip
    last = study.trials[study.stopped["trial"]]
    assert last.metrics["a"] <= 0.1
    assert last.metrics["b"] <= 0.1


def test_stagnation_is_no_enough_improvement_for_some_generations():
    study = search(lambda p: round(sphere(p), 1), stop=eh.Stop(stagnation=3))
    assert study.stopped == {"stagnation": 3}
    history = study.ledger.history
    assert history[-4] == history[-1] < history[0]
    assert len(search(stop=eh.Stop(stagnation=3, improvement=10.0)).trials) == 32


@pytest.mark.parametrize("rule", ["trials", "finished", "failed", "steps", "generations", "cost"])
def test_counts_end_a_study(rule):
    def objective(params):
        if params["x"] > 0.5:
            raise ValueError("too far")
        yield {"loss": 1.0, "cost": 0.5}
        yield {"loss": sphere(params), "cost": 0.5}

    study = search(objective, stop=eh.Stop(**{rule: 3}))
    assert list(study.stopped) == [rule]
    assert 3 <= study.stopped[rule] <= 4  # a trial has two steps


def test_seconds_end_a_study():
    began = time.monotonic()
    study = search(lambda p: time.sleep(0.01) or sphere(p), stop=eh.Stop(seconds=0.3))
    assert study.stopped["seconds"] >= 0.3
    assert time.monotonic() - began < 5


def test_a_timeout_breaks_off_what_runs_and_leaves_it_for_later(tmp_path):
    def slow(params):
        for _ in range(200):
            time.sleep(0.01)
            yield sphere(params)

    study = search(slow, evaluator=eh.Threads(), workers=2, timeout=0.4, store=tmp_path / "study.db")
    assert study.stopped == {"timeout": 0.4}
    assert [t.status for t in study.trials] == [eh.Status.WAITING] * 2
    again = search(sphere, trials=6, store=tmp_path / "study.db")
    assert [t.status for t in again.trials] == [eh.Status.COMPLETED] * 6


def test_rules_join_by_and_and_or():
    both = search(stop=eh.Stop(trials=20) & eh.Stop(target=0.5))
    assert len(both.trials) == 20
    assert set(both.stopped) >= {"trials", "target"}
    either = search(stop=eh.Stop(trials=20) | eh.Stop(target=1e-9))
    assert either.stopped == {"trials": 20}


def test_any_callable_is_a_rule():
    def enough(study):
        return len(study.trials) >= 13 and "thirteen is enough"

    assert search(stop=enough).stopped == {"enough": "thirteen is enough"}
    assert len(search(stop=eh.Stop(trials=50) | enough).trials) == 13


def test_an_optimizer_may_end_the_study():
    @eh.optimizer("test-three-generations")
    def three(problem, rng):
        for _ in range(3):
            yield rng.random((4, problem.dim))

    study = search(optimizer=three, trials=100)
    assert len(study.trials) == 12
    assert "optimizer" in study.stopped


def test_a_grid_needs_no_budget():
    study = eh.tune(
        lambda p: p["a"] + p["b"],
        {"a": eh.Integer(1, 3), "b": eh.Ordinal([1, 2])},
        minimize="sum",
        optimizer="grid",
        progress=False,
    )
    assert sorted((t.params["a"], t.params["b"]) for t in study.trials) == [(a, b) for a in (1, 2, 3) for b in (1, 2)]


def test_a_space_that_is_used_up_ends_a_study_without_a_budget_of_trials():
    study = eh.tune(
        lambda p: p["a"], {"a": eh.Integer(1, 3)}, minimize="a", optimizer="random", timeout=60, progress=False
    )
    assert "exhausted" in study.stopped


def test_a_hopeless_objective_ends_the_study_and_shows_the_first_traceback():
    def broken(params):
        raise KeyError("dropout")

    with pytest.warns(eh.EvohpoWarning, match=r"all failed(.|\n)*KeyError: 'dropout'"):
        study = search(broken, trials=500)
    assert study.stopped == {"failing": 10}
    with pytest.raises(eh.UsageError, match="KeyError"):
        _ = study.best


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "say how long"),
        ({"trials": 0}, "trials=0"),
        ({"trials": -5}, "trials=-5"),
        ({"generations": 2.5}, "generations=2.5"),
        ({"workers": 0, "trials": 1}, "workers=0"),
        ({"timeout": -1}, "timeout=-1"),
        ({"trials": 5, "population": 0}, "population=0"),
        ({"trials": 5, "optimizer": "gaa"}, "did you mean"),
        ({"trials": 5, "duplicates": "no"}, "duplicates='no'"),
        ({"trials": 5, "stop": 3}, "stop=3"),
        ({"trials": 5, "optimizer": eh.use("ga", tournamnt=3)}, "tournament"),
        ({"trials": 5, "seed": -1}, "seed=-1"),
        ({"trials": 5, "minimize": None}, "say what to optimize"),
        ({"trials": 5, "maximize": "loss"}, "named twice"),
        ({"trials": 5, "constraints": ["loss"]}, "not a comparison"),
        ({"trials": 5, "initial": [{"z": 1}]}, "z"),
        ({"trials": 5, "store": "/nowhere/study.db"}, "/nowhere"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(eh.EvohpoError, match=message):
        search(**arguments)


def test_no_objective_is_said_clearly():
    with pytest.raises(eh.UsageError, match="no objective"):
        search(None, trials=3)
    with pytest.raises(eh.UsageError, match="must be a function"):
        search("train", trials=3)


def test_a_stored_study_knows_why_it_ended(tmp_path):
    path = tmp_path / "study.db"
    search(stop=eh.Stop(target=0.05), store=path)
    assert "target" in eh.load(path).stopped
    search(trials=60, store=path)
    assert eh.load(path).stopped == {"trials": 60}
