"""A live `skopt.Optimizer`, as its users make it, and its class are optimizers of evohpo."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
import skopt
from skopt.learning import ExtraTreesRegressor

import evohpo as eh
from evohpo.testing import check_optimizer
from evohpo.testing.problems import cube, sphere
from tests.conftest import loss, make_mixed_space, untimed

DIM = 6  # genes of the mixed space
QUICK = {"n_initial_points": 5, "acq_func": "LCB", "acq_optimizer_kwargs": {"n_points": 200}}


def few_trees():
    return ExtraTreesRegressor(n_estimators=4)


FOREST = {"n_initial_points": 5, "acq_func": "LCB", "n_points": 200, "base_estimator": few_trees()}


def made(**more):
    return skopt.Optimizer([(0.0, 1.0)] * DIM, **({"base_estimator": few_trees()} | QUICK | more))


def tune(optimizer, **more):
    usual = {"minimize": "loss", "trials": 14, "seed": 1, "progress": False, "lookahead": 2}
    return eh.tune(loss, make_mixed_space(), optimizer=optimizer, **(usual | more))


@pytest.mark.slow
def test_the_class_keeps_the_promises_of_an_optimizer():
    check_optimizer(skopt.Optimizer, base_estimator=few_trees(), **QUICK)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The objective has been evaluated at point")
def test_a_function_keeps_the_promises_of_an_optimizer():
    check_optimizer(skopt.forest_minimize, **FOREST)


@pytest.mark.parametrize(
    "optimizer",
    [
        made, lambda: eh.use(skopt.Optimizer, base_estimator=few_trees(), **QUICK),
        lambda: functools.partial(skopt.forest_minimize, **FOREST),
    ],
    ids=["object", "class", "function"],
)  # fmt: skip
def test_it_goes_on_where_it_was_to_the_same_table(optimizer, tmp_path):
    whole = tune(optimizer())
    tune(optimizer(), trials=8, store=tmp_path / "study.db").close()
    resumed = tune(optimizer(), store=tmp_path / "study.db", evaluator=eh.Threads(2))
    pd.testing.assert_frame_equal(untimed(resumed), untimed(whole))


def test_a_batch_is_spread_also_while_others_are_out():
    study = eh.Study(make_mixed_space(), minimize="loss", optimizer=made(), seed=1)
    for trial in study.ask(8):
        study.tell(trial, loss(trial.params))
    trials = [*study.ask(3), *study.ask(3)]
    assert len(np.unique([t.x for t in trials], axis=0)) == 6


def test_its_own_dimensions_are_mapped_onto_the_cube():
    dimensions = [
        skopt.space.Real(1e-3, 1e3, prior="log-uniform"), skopt.space.Real(-5.0, 5.0), skopt.space.Integer(1, 4),
        skopt.space.Categorical(["a", "b", "c"]), (0.0, 1.0), (10, 20),
    ]  # fmt: skip
    own = skopt.Optimizer(dimensions, base_estimator=few_trees(), n_initial_points=60)
    study = eh.tune(lambda p: p["x0"], cube(DIM), minimize="loss", optimizer=own, trials=60, seed=1, progress=False)
    X = np.array([t.x for t in study.trials])
    assert (X >= 0).all()
    assert (X <= 1).all()
    assert (np.ptp(X, axis=0) > 0.6).all()
    assert abs(X.mean(0) - 0.5).max() < 0.15
    assert len(np.unique(X[:, 2])) == 4
    assert len(np.unique(X[:, 3])) == 3


def test_what_was_evaluated_is_told():
    """The mixed space's constraint moves some proposals; the model learns of the places that were measured."""
    space = eh.Space({"a": eh.Integer(1, 9), "b": eh.Integer(1, 9)}, constraints=["a * b <= 9"])
    study = eh.tune(
        lambda p: p["a"] + p["b"], space, minimize="loss", optimizer=eh.use(skopt.Optimizer, base_estimator="RF", **QUICK),
        trials=12, seed=1, progress=False,
    )  # fmt: skip
    assert all(t.params["a"] * t.params["b"] <= 9 for t in study.trials)


def test_a_gaussian_process_works_too():
    study = tune(made(base_estimator="GP", n_initial_points=4), trials=6)
    assert len(study.trials) == 6


def test_baselines_are_told_to_the_model():
    study = eh.Study(
        {"x": eh.Continuous(-1, 1)}, minimize="loss", optimizer=skopt.Optimizer([(0.0, 1.0)], **QUICK), seed=1
    )
    for x in np.linspace(-1, 1, 9):
        study.attach({"x": float(x)}, (x - 0.5) ** 2)
    assert abs(study.ask(1)[0].params["x"] - 0.5) < 0.3, "five points known are enough for its model"


def test_what_an_object_was_told_before_is_known_to_its_model():
    mine = skopt.Optimizer([(0.0, 10.0)], **QUICK)
    for x in np.linspace(0.0, 10.0, 9):
        mine.tell([float(x)], (float(x) - 7.5) ** 2)
    study = eh.Study({"x": eh.Continuous(-1, 1)}, minimize="loss", optimizer=mine, seed=1)
    assert abs(study.ask(1)[0].params["x"] - 0.5) < 0.3, "7.5 of 10 is 0.5 between -1 and 1"
    assert len(mine.Xi) == 9


def test_a_function_ends_after_the_calls_that_its_user_wants():
    study = tune(functools.partial(skopt.forest_minimize, **FOREST, n_calls=9))
    assert len(study.trials) == 9


def test_a_function_with_a_gaussian_process_finds_the_bottom_of_a_bowl():
    gaussian = eh.use(skopt.gp_minimize, n_initial_points=5, n_points=500, acq_func="EI", n_restarts_optimizer=1)
    study = eh.tune(sphere, cube(2), minimize="loss", optimizer=gaussian, trials=14, seed=1, progress=False)
    assert study.best.metrics["loss"] < 0.01


def test_infeasible_trials_do_not_blind_the_model_of_a_function():
    forest = eh.use(skopt.forest_minimize, **FOREST)
    study = eh.tune(
        lambda p: {"loss": sphere(p), "size": p["x0"]}, cube(2), minimize="loss", constraints=["size <= 0"],
        optimizer=forest, trials=25, seed=1, progress=False,
    )  # fmt: skip
    assert study.best.feasible
    assert study.best.metrics["loss"] < 0.3


def test_one_made_for_another_number_of_genes_is_refused():
    with pytest.raises(eh.UsageError, match=r"made for 3 variables, and the space has 6 genes"):
        tune(skopt.Optimizer([(0.0, 1.0)] * 3))


def test_an_object_takes_no_options_and_a_class_no_dimensions():
    with pytest.raises(eh.UsageError, match="is a live object"):
        tune(eh.use(made(), acq_func="EI"))
    for owner in (skopt.Optimizer, skopt.gp_minimize):
        with pytest.raises(eh.UsageError, match="dimensions are made from the space"):
            tune(eh.use(owner, dimensions=[(0.0, 1.0)]))


@pytest.mark.parametrize("owner", [skopt.Optimizer, skopt.gp_minimize])
def test_a_misspelt_option_is_named_with_the_nearest(owner):
    with pytest.raises(eh.UsageError, match="did you mean 'acq_func'"):
        tune(eh.use(owner, acq_fun="EI"))


def test_a_criterion_that_needs_the_clock_is_refused():
    with pytest.raises(eh.UsageError, match="depend on the clock"):
        tune(made(acq_func="EIps"))
