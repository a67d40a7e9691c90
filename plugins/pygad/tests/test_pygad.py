"""A live `pygad.GA`, as its users make it, and its class are optimizers of evohpo."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pygad
import pytest

import evohpo as eh
from evohpo.testing import check_optimizer
from tests.conftest import loss, make_mixed_space, untimed

DIM = 6  # genes of the mixed space


def made(**more):
    usual = {"num_generations": 5, "num_parents_mating": 4, "sol_per_pop": 8, "num_genes": DIM}
    gene_space = {"gene_space": {"low": 0.0, "high": 1.0}}
    return pygad.GA(fitness_func=lambda ga, solution, index: 0.0, suppress_warnings=True, **(usual | gene_space | more))


def tune(optimizer, **more):
    usual = {"minimize": "loss", "trials": 60, "seed": 1, "progress": False}
    return eh.tune(loss, make_mixed_space(), optimizer=optimizer, **(usual | more))


def genes(study):
    return np.array([trial.x for trial in study.trials])


def test_the_class_keeps_the_promises_of_an_optimizer():
    check_optimizer(pygad.GA)


@pytest.mark.parametrize("optimizer", [made, lambda: made(parent_selection_type="nsga2"), lambda: pygad.GA])
def test_it_goes_on_where_it_was_to_the_same_table(optimizer, tmp_path):
    whole = tune(optimizer())
    tune(optimizer(), trials=25, store=tmp_path / "study.db").close()
    resumed = tune(optimizer(), store=tmp_path / "study.db", evaluator=eh.Threads(2))
    pd.testing.assert_frame_equal(untimed(resumed), untimed(whole))


def test_a_generation_is_one_batch_without_the_elite_that_is_known():
    study = eh.Study(make_mixed_space(), minimize="loss", optimizer=made(keep_elitism=2), duplicates="evaluate", seed=1)
    first = study.ask(100)
    assert len(first) == 8
    for trial in first:
        study.tell(trial, loss(trial.params))
    assert len(study.ask(100)) <= 6


def test_it_searches_the_right_way():
    random = tune("random", trials=200).best.metrics["loss"]
    assert tune(made(), trials=200).best.metrics["loss"] < random


def test_its_number_of_generations_does_not_end_the_study():
    assert len(tune(made(num_generations=1)).trials) == 60


def test_its_stop_criteria_do():
    assert len(tune(made(stop_criteria="saturate_2"), trials=5000).trials) < 5000


@pytest.mark.parametrize(
    "gene_space",
    [
        {"low": -5.0, "high": 5.0},
        [0, 1, 2, 3],
        {"low": 0, "high": 8, "step": 2},
        [{"low": 0, "high": 10}, [1, 2, 4], range(5), [0.5, 1.5], {"low": -1, "high": 1}, [3, 7]],
    ],
)
def test_its_own_gene_space_is_mapped_onto_the_cube(gene_space):
    X = genes(tune(made(gene_space=gene_space), trials=120, duplicates="evaluate"))
    assert (X >= 0).all()
    assert (X <= 1).all()
    assert (np.ptp(X, axis=0) > 0.4).all()


def test_without_a_gene_space_the_initial_range_is_the_box():
    X = genes(tune(made(gene_space=None, init_range_low=2, init_range_high=4), trials=8))
    assert 0 < X.min() < 0.2
    assert 0.8 < X.max() < 1


def test_several_objectives_are_all_told_to_nsga2():
    def two(params):
        return {"a": params["x"] ** 2 + params["y"] ** 2, "b": (params["x"] - 1) ** 2 + params["y"] ** 2}

    space = {"x": eh.Continuous(-1, 1), "y": eh.Continuous(-1, 1)}
    ga = made(num_genes=2, parent_selection_type="nsga2", sol_per_pop=20, num_parents_mating=10)
    study = eh.tune(two, space, minimize=["a", "b"], optimizer=ga, trials=400, seed=1, progress=False)
    random = eh.tune(two, space, minimize=["a", "b"], optimizer="random", trials=400, seed=1, progress=False)
    assert study.hypervolume([2, 2]) > random.hypervolume([2, 2])


def test_one_made_for_another_number_of_genes_is_refused():
    with pytest.raises(eh.UsageError, match=r"made for 3 variables, and the space has 6 genes .*make it with 6"):
        tune(made(num_genes=3))


def test_what_the_study_sets_cannot_be_given():
    with pytest.raises(eh.UsageError, match="'num_genes' is set by the study"):
        tune(eh.use(pygad.GA, num_genes=6))


def test_an_unknown_option_of_the_class_is_answered_with_the_nearest():
    with pytest.raises(eh.UsageError, match="no option 'mutation_typ': did you mean 'mutation_type'"):
        tune(eh.use(pygad.GA, mutation_typ="random"))


def test_several_objectives_take_an_object():
    with pytest.raises(eh.UsageError, match="only of an object is it known that it has several objectives"):
        tune(eh.use(pygad.GA, parent_selection_type="nsga2"))


def test_the_last_step_of_a_gene_space_is_the_last_bin():
    X = genes(tune(made(gene_space={"low": 0, "high": 10, "step": 2}), duplicates="evaluate"))
    assert np.allclose(np.unique(X[:, [0, 3, 4, 5]].round(9)), [0.1, 0.3, 0.5, 0.7, 0.9])


def test_callbacks_are_kept():
    generations = []
    tune(eh.use(pygad.GA, on_generation=lambda ga: generations.append(ga.generations_completed)))
    assert generations[:2] == [1, 2]
