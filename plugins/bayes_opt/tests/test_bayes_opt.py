"""A live `BayesianOptimization`, as its users make it, and its class are optimizers of evohpo."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from bayes_opt import BayesianOptimization

import evohpo as eh
from evohpo.testing.problems import brittle, cube, sphere
from tests.conftest import loss, make_mixed_space, untimed

DIM = 6  # genes of the mixed space


def made(dim=DIM, **more):
    return BayesianOptimization(f=None, pbounds={f"x{i}": (0.0, 1.0) for i in range(dim)}, verbose=0, **more)


def tune(optimizer, space=None, objective=loss, **more):
    usual = {"minimize": "loss", "trials": 12, "seed": 1, "progress": False, "lookahead": 2}
    return eh.tune(objective, space or make_mixed_space(), optimizer=optimizer, **(usual | more))


@pytest.mark.parametrize("optimizer", [made, lambda: BayesianOptimization], ids=["object", "class"])
def test_it_goes_on_where_it_was_to_the_same_table(optimizer, tmp_path):
    whole = tune(optimizer())
    tune(optimizer(), trials=7, store=tmp_path / "study.db").close()
    resumed = tune(optimizer(), store=tmp_path / "study.db", evaluator=eh.Threads(2))
    pd.testing.assert_frame_equal(untimed(resumed), untimed(whole))


def test_the_seed_of_the_study_decides_and_the_object_is_left_alone():
    mine = made(random_state=3)
    tables = [[t.params for t in tune(mine, seed=seed).trials] for seed in (1, 1, 2)]
    assert tables[0] == tables[1]
    assert tables[0] != tables[2]
    assert len(mine.space) == 0


def test_it_finds_the_bottom_of_a_bowl_sooner_than_random_search():
    own = tune(made(3), cube(3), sphere, trials=25).best.metrics["loss"]
    assert own < tune("random", cube(3), sphere, trials=100).best.metrics["loss"]


def test_a_batch_is_spread_also_while_others_are_out():
    study = eh.Study(cube(3), minimize="loss", optimizer=made(3), seed=1)
    for trial in study.ask(6):
        study.tell(trial, sphere(trial.params))
    trials = [*study.ask(3), *study.ask(3)]
    assert len(np.unique([t.x for t in trials], axis=0)) == 6


def test_bounds_are_matched_by_name_and_mapped_onto_the_cube():
    bounds = {"x2": (-10.0, 0.0), "x0": (5.0, 6.0), "x1": (0.0, 100.0)}
    mine = BayesianOptimization(f=None, pbounds=bounds, verbose=0)
    study = eh.Study(cube(3), minimize="loss", optimizer=mine, seed=1)
    for x0 in (-1.0, -0.4, 0.1, 0.6, 0.9):
        for x2 in (-0.9, 0.3, 0.8):
            study.attach({"x0": x0, "x1": 0.0, "x2": x2}, 100 * (x0 - 0.6) ** 2 + 100 * (x2 + 0.9) ** 2)
    params = study.ask(1)[0].params
    assert abs(params["x0"] - 0.6) < 0.3
    assert params["x2"] < -0.6


def test_failed_and_infeasible_trials_and_extreme_values_are_survived():
    assert len(tune(made(4), cube(4), brittle, trials=15).trials) == 15
    assert len(tune(made(4), cube(4), lambda p: 1e300 * p["x0"], trials=10).trials) == 10
    study = tune(
        made(4), cube(4), lambda p: {"loss": sphere(p), "size": p["x0"]}, constraints=["size <= 0"], trials=20
    )  # fmt: skip
    assert study.best.feasible


def test_one_gene_is_searched():
    assert tune(made(1), cube(1), sphere).best.metrics["loss"] < 0.01


def test_one_made_for_another_number_of_genes_is_refused():
    with pytest.raises(eh.UsageError, match=r"made for 3 variables, and the space has 6 genes"):
        tune(made(3))


def test_what_the_study_sets_cannot_be_given():
    with pytest.raises(eh.UsageError, match="'pbounds' is set by the study"):
        tune(eh.use(BayesianOptimization, pbounds={}))
