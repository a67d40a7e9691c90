"""Functions of `scipy.optimize`, handed over as they are, are optimizers of evohpo."""

from __future__ import annotations

import functools
import gc
import threading
import time

import pandas as pd
import pytest
from scipy.optimize import basinhopping, brentq, differential_evolution, direct, dual_annealing, minimize, shgo

import evohpo as eh
from evohpo.testing import check_optimizer
from evohpo.testing.problems import cube, sphere
from tests.conftest import loss, make_mixed_space, untimed

FUNCTIONS = [differential_evolution, dual_annealing, direct, shgo, basinhopping, minimize]
SEEDLESS = {"another_seed": "it draws nothing"}
REASONS = {
    direct: SEEDLESS,
    shgo: SEEDLESS | {"sixty_genes": "it triangulates the corners of the cube"},
    minimize: {"better_than_nothing": "the simplex of 8 genes is not yet down after 200 trials"},
}


def tune(optimizer, space=None, objective=loss, **more):
    usual = {"minimize": "loss", "trials": 40, "seed": 1, "progress": False}
    return eh.tune(objective, space or make_mixed_space(), optimizer=optimizer, **(usual | more))


def named(function):
    return function.__name__


@pytest.mark.parametrize("function", FUNCTIONS, ids=named)
def test_it_keeps_the_promises_of_an_optimizer(function):
    check_optimizer(function, expected=REASONS.get(function))


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


def test_polishing_may_be_asked_for():
    study = tune(eh.use(differential_evolution, popsize=4, maxiter=4, polish=True), cube(2), sphere, trials=500)
    assert 4 * 2 * 5 < len(study.trials) < 500


@pytest.mark.parametrize("option", ["bounds", "func", "workers"])
def test_what_the_study_sets_cannot_be_given(option):
    with pytest.raises(eh.UsageError, match=f"'{option}'"):
        tune(eh.use(differential_evolution, **{option: 1}))


def test_a_misspelt_option_is_named_with_the_nearest():
    with pytest.raises(eh.UsageError, match="'mutation'"):
        tune(eh.use(differential_evolution, mutatoin=0.7))


def test_a_function_that_is_no_optimizer_is_refused():
    with pytest.raises(eh.UsageError):
        tune(brentq)
