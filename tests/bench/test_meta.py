"""Tuning an optimizer's own options, and judging them elsewhere."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import evohpo as eh
from evohpo.bench.options import OPTIONS, defaults_of
from evohpo.errors import UsageError
from evohpo.optimizers.registry import get


def near(problem, rng, step=1.0):
    """Samples about the middle of the best so far; a small step is far better than the default."""
    best, least = rng.random(problem.dim), np.inf
    while True:
        X = np.clip(best + step * rng.standard_normal((5, problem.dim)), 0, 1)
        F = yield X
        if F.min() < least:
            best, least = X[F.argmin()], F.min()


def tuned(target=near, options=None, **more):
    options = {"step": eh.Continuous(1e-3, 2.0, scale="log")} if options is None else options
    given = {"trials": 12, "budget": 60, "seeds": 2, "seed": 1, "held_out": "sphere/3/2", "progress": False} | more
    return eh.meta.tune(target, "sphere/3", options, **given)


@pytest.fixture(scope="module")
def result():
    return tuned()


def test_options_that_matter_are_found_and_confirmed_where_they_were_not_tuned(result):
    assert result.options["step"] < 0.3
    assert result.study.best.metrics["regret"] < result.regret
    assert "On other problems: tuned is better than default: in 10 of 10 seeds" in result.verdict()
    assert result.table()["optimizer"].tolist() == ["tuned", "default"]


def test_options_that_do_not_matter_are_said_to_be_no_better():
    def careless(problem, rng, step=1.0):
        while True:
            yield rng.random((5, problem.dim))

    assert "No difference between default and tuned" in tuned(careless).verdict()


def test_the_tuned_optimizer_can_be_used(result):
    study = eh.tune(lambda p: p["x"] ** 2, {"x": eh.Continuous(-1, 1)}, minimize="loss", optimizer=result.optimizer, trials=9,
                    progress=False)  # fmt: skip
    assert study.settings.optimizer["options"] == result.options


def test_the_defaults_are_tried_first(result):
    assert result.study.trials[0].params == {"step": 1.0}
    assert result.study.trials[0].metrics["regret"] == pytest.approx(result.regret)


def test_without_held_out_problems_other_seeds_judge():
    result = tuned(held_out=None, trials=2)
    assert "On the same problems with other seeds" in result.verdict()
    assert not set(result.comparison.seeds) & {1, 2}


def test_two_workers_find_what_one_does():
    once, twice = (tuned(optimizer="random", trials=4, workers=w) for w in (1, 2))
    assert once.options == twice.options
    assert once.verdict() == twice.verdict()


def test_a_store_makes_it_go_on(tmp_path):
    first = tuned(store=tmp_path, trials=2, optimizer="random")
    again = tuned(store=tmp_path, trials=4, optimizer="random")
    assert [t.params for t in again.study.trials[:2]] == [t.params for t in first.study.trials]
    assert len(again.study.trials) == 4


def test_a_pruner_ends_bad_settings_early():
    study = tuned(seeds=4, pruner="median", held_out_seeds=1).study
    assert any(t.status is eh.Status.STOPPED and t.steps < 4 for t in study.trials)


def test_unknown_optima_and_reference_points_are_those_of_the_default():
    table = eh.problems.Problem(
        "two", lambda p: {"a": p["x"] ** 2, "b": (p["x"] - 1) ** 2}, eh.Space({"x": eh.Continuous(-5, 5)}),
        eh.Goals.of(minimize=["a", "b"]),
    )  # fmt: skip
    result = eh.meta.tune(
        "nsga2", table, {"population": eh.Integer(4, 60)}, trials=3, budget=24, seeds=2, seed=1, progress=False
    )
    assert result.study.trials[0].metrics["regret"] == pytest.approx(result.regret)
    assert 0 < result.regret < 1


def test_a_problem_that_is_tuned_on_cannot_judge():
    with pytest.raises(UsageError, match="sphere/3 is tuned on too"):
        tuned(held_out=["sphere/3"])


def test_an_optimizer_nobody_knows_the_options_of_needs_a_space():
    with pytest.raises(UsageError, match="say which options"):
        eh.meta.tune(near, "sphere/3", trials=2)


@pytest.mark.parametrize("name", OPTIONS)
def test_built_in_ranges_are_of_options_that_there_are_and_hold_the_defaults(name):
    space = eh.Space(OPTIONS[name])
    parameters = inspect.signature(get(name).target).parameters
    assert set(space.searched) <= set(parameters)
    without = {n for n, p in parameters.items() if p.default is None}
    conditional = {n for n in space.searched if space.parameters[n].when is not None}
    assert set(space.searched) - without - conditional <= set(defaults_of(name, space))
    for config in space.sample(4, np.random.default_rng(0)):
        problem = "zdt1" if name == "nsga2" else "sphere/3"
        assert not any(r.error for r in eh.compare(problem, {"a": eh.use(name, **config), "b": name}, trials=30, seeds=1,
                                                   progress=False).runs.values())  # fmt: skip
