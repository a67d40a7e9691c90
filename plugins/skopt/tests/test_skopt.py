"""A live `skopt.Optimizer`, as its users make it, and its class are optimizers of evohpo."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import skopt
from skopt.learning import ExtraTreesRegressor

import evohpo as eh
from evohpo.testing import check_optimizer
from evohpo.testing.problems import cube
from tests.conftest import loss, make_mixed_space, untimed

DIM = 6  # genes of the mixed space
QUICK = {"n_initial_points": 5, "acq_func": "LCB", "acq_optimizer_kwargs": {"n_points": 200}}


def few_trees():
    return ExtraTreesRegressor(n_estimators=4)


def made(**more):
    return skopt.Optimizer([(0.0, 1.0)] * DIM, **({"base_estimator": few_trees()} | QUICK | more))


def tune(optimizer, **more):
    usual = {"minimize": "loss", "trials": 14, "seed": 1, "progress": False, "lookahead": 2}
    return eh.tune(loss, make_mixed_space(), optimizer=optimizer, **(usual | more))


@pytest.mark.slow
def test_the_class_keeps_the_promises_of_an_optimizer():
    check_optimizer(skopt.Optimizer, base_estimator=few_trees(), **QUICK)


@pytest.mark.parametrize(
    "optimizer",
    [made, lambda: eh.use(skopt.Optimizer, base_estimator=few_trees(), **QUICK)],
    ids=["object", "class"],
)
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


def test_one_made_for_another_number_of_genes_is_refused():
    with pytest.raises(eh.UsageError, match=r"made for 3 variables, and the space has 6 genes"):
        tune(skopt.Optimizer([(0.0, 1.0)] * 3))


def test_an_object_takes_no_options_and_a_class_no_dimensions():
    with pytest.raises(eh.UsageError, match="is a live object"):
        tune(eh.use(made(), acq_func="EI"))
    with pytest.raises(eh.UsageError, match="dimensions are made from the space"):
        tune(eh.use(skopt.Optimizer, dimensions=[(0.0, 1.0)]))
