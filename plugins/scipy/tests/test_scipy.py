"""Functions of `scipy.optimize`, handed over as they are, are optimizers of evohpo."""

from __future__ import annotations

import functools
import gc
import threading
import time

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import basinhopping, brentq, brute, differential_evolution, direct, dual_annealing, minimize, shgo

import evohpo as eh
from evohpo.testing import check_optimizer
from evohpo.testing.problems import cube, sphere
from tests.conftest import loss, make_mixed_space, untimed

FUNCTIONS = [differential_evolution, dual_annealing, direct, shgo, basinhopping, minimize]
SEEDLESS = {"another_seed": "it draws nothing"}
REASONS = {
    direct: SEEDLESS,
    shgo: SEEDLESS
    | dict.fromkeys(["sixty_genes", "two_hundred_genes"], "it triangulates the corners of the cube")
    | {"right_way": "when its local search has converged it goes on with the triangulation, all over the cube"},
    brute: SEEDLESS
    | dict.fromkeys(["sixty_genes", "two_hundred_genes"], "such a grid has more points than atoms")
    | dict.fromkeys(["right_way", "better_than_nothing"], "it looks at every corner in turn"),
    minimize: {"better_than_nothing": "the simplex of 8 genes is not yet down after 200 trials"},
}


def tune(optimizer, space=None, objective=loss, **more):
    usual = {"minimize": "loss", "trials": 40, "seed": 1, "progress": False}
    return eh.tune(objective, space or make_mixed_space(), optimizer=optimizer, **(usual | more))


def named(function):
    return function.__name__


SLOW = (shgo, minimize, basinhopping, dual_annealing, direct, brute)


@pytest.mark.parametrize(
    "function",
    [pytest.param(f, marks=pytest.mark.slow if f in SLOW else (), id=f.__name__) for f in [*FUNCTIONS, brute]],
)
def test_it_keeps_the_promises_of_an_optimizer(function):
    check_optimizer(function, expected=REASONS.get(function), **({"Ns": 3} if function is brute else {}))


@pytest.mark.parametrize("function", FUNCTIONS, ids=named)
def test_it_goes_on_where_it_was_to_the_same_table(function, tmp_path):
    whole = tune(function)
    tune(function, trials=17, store=tmp_path / "study.db").close()
    resumed = tune(function, store=tmp_path / "study.db", evaluator=eh.Threads(2))
    pd.testing.assert_frame_equal(untimed(resumed), untimed(whole))


@pytest.mark.parametrize("function", FUNCTIONS, ids=named)
def test_no_thread_stays_when_the_study_is_dropped(function):
    study = tune(function)
    del study
    gc.collect()
    deadline = time.monotonic() + 5
    while any(t.name == "evohpo guest" for t in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not [t for t in threading.enumerate() if t.name == "evohpo guest"]


def test_a_generation_is_one_batch_of_the_population():
    study = eh.Study(make_mixed_space(), minimize="loss", optimizer=differential_evolution, population=9, seed=1)
    assert len(study.ask(100)) == 9
    assert study.ask(1) == []


def test_shgo_samples_in_batches():
    study = eh.Study(cube(2), minimize="loss", optimizer=eh.use(shgo, n=32, sampling_method="sobol"), seed=1)
    assert len(study.ask(100)) > 20


@pytest.mark.parametrize(
    "optimizer",
    [eh.use(differential_evolution, popsize=3), functools.partial(differential_evolution, popsize=3)],
    ids=["use", "partial"],
)
def test_options_reach_the_function(optimizer):
    study = eh.Study(cube(2), minimize="loss", optimizer=optimizer, seed=1)
    assert len(study.ask(100)) == 6


def test_limits_of_the_user_end_the_study():
    study = tune(eh.use(differential_evolution, popsize=3, maxiter=2), cube(2), sphere, trials=1000)
    assert len(study.trials) == 18
    assert study.stopped == {"optimizer": "has nothing more to propose"}


@pytest.mark.parametrize("function", [differential_evolution, dual_annealing, basinhopping, minimize, shgo], ids=named)
def test_one_that_has_converged_starts_again(function):
    study = tune(function, cube(1), sphere, trials=2500, duplicates="evaluate")
    assert len(study.trials) == 2500
    assert study.best.metrics["loss"] < 1e-9


def test_a_population_of_equals_is_drawn_anew():
    study = tune(differential_evolution, cube(1), sphere, trials=2500, duplicates="evaluate")
    X = np.array([t.x[0] for t in study.trials])
    first = next(i for i in range(0, 2485, 15) if np.ptp(X[i : i + 15]) < 1e-6)
    assert np.ptp(X[first:]) > 0.9


def test_a_tolerance_of_the_user_makes_it_start_again_sooner():
    study = tune(eh.use(differential_evolution, popsize=5, tol=0.5), cube(2), sphere, trials=600)
    X = np.array([t.x for t in study.trials])
    assert len(X) == 600
    assert np.ptp(X[-200:], axis=0).min() > 0.7


def test_a_callback_is_called_and_ends_the_study_only_when_it_says_so():
    calls = []

    def callback(x, convergence=None):
        calls.append(x)
        return len(calls) == 40

    study = tune(eh.use(differential_evolution, popsize=3, tol=0.5, callback=callback), cube(2), sphere, trials=1000)
    assert len(calls) == 40, "it has converged several times before"
    assert study.stopped == {"optimizer": "has nothing more to propose"}


def test_brute_force_looks_at_every_level_once_and_needs_no_budget():
    space = {"a": eh.Integer(1, 3), "b": eh.Categorical(["x", "y"]), "c": eh.Continuous(0, 1)}
    study = eh.Study(space, minimize="loss", optimizer=eh.use(brute, Ns=3), seed=1)
    seen = [(t.params["a"], t.params["b"], t.params["c"]) for t in study.ask(100)]
    assert sorted(seen) == [(a, b, c) for a in (1, 2, 3) for b in "xy" for c in (0.0, 0.5, 1.0)]
    found = tune(eh.use(brute, Ns=3), space, lambda p: {"loss": p["a"] + p["c"]}, trials=None)
    assert len(found.trials) == 18


def test_a_grid_too_large_is_refused():
    with pytest.raises(eh.UsageError, match="give a smaller Ns"):
        tune(brute, cube(9), sphere)


def test_polishing_may_be_asked_for():
    study = tune(eh.use(differential_evolution, popsize=4, maxiter=4, polish=True), cube(2), sphere, trials=500)
    assert 4 * 2 * 5 < len(study.trials) < 500


@pytest.mark.parametrize("bound", [eh.use, functools.partial])
@pytest.mark.parametrize("option", ["bounds", "func", "workers"])
def test_what_the_study_sets_cannot_be_given(option, bound):
    with pytest.raises(eh.UsageError, match=f"'{option}' is set by the study"):
        tune(bound(differential_evolution, **{option: 1}))


@pytest.mark.parametrize("bound", [eh.use, functools.partial])
def test_a_misspelt_option_is_named_with_the_nearest(bound):
    with pytest.raises(eh.UsageError, match="did you mean 'mutation'"):
        tune(bound(differential_evolution, mutatoin=0.7))


def test_an_older_scipy_is_given_its_seed_under_the_old_name():
    from evohpo_scipy import _source

    def older(func, bounds, seed=None): ...

    def newer(func, bounds, rng=None): ...

    rng = np.random.default_rng(1)
    assert [list(_source(f, rng)) for f in (older, newer, direct)] == [["seed"], ["rng"], []]


def test_a_function_that_is_no_optimizer_is_refused():
    with pytest.raises(eh.UsageError):
        tune(brentq)
