"""Live toolboxes and strategies of DEAP, as their users make them, are optimizers of evohpo."""

from __future__ import annotations

import array
import random

import numpy as np
import pandas as pd
import pytest
from deap import algorithms, base, cma, creator, tools

import evohpo as eh
from evohpo.testing import check_optimizer
from evohpo.testing.problems import cube, sphere
from tests.conftest import loss, make_mixed_space, untimed
from tests.live import objects

DIM = 6  # genes of the mixed space


def operators(select=tools.selTournament, **arguments):
    """A toolbox that registers no individuals, so that it fits any space."""
    toolbox = base.Toolbox()
    toolbox.register("mate", tools.cxSimulatedBinaryBounded, eta=15, low=0.0, up=1.0)
    toolbox.register("mutate", tools.mutPolynomialBounded, eta=15, low=0.0, up=1.0, indpb=0.3)
    toolbox.register("select", select, **(arguments or {"tournsize": 3}))
    return toolbox


def one_plus_lambda():
    random.seed(1)
    parent = objects.deap_toolbox().individual()
    return cma.StrategyOnePlusLambda(parent, sigma=0.3, lambda_=6)


def many_objectives():
    random.seed(1)
    return cma.StrategyMultiObjective(objects.deap_toolbox().population(n=6), sigma=0.3, mu=6, lambda_=6)


def generate_update():
    strategy = cma.Strategy(centroid=[0.5] * DIM, sigma=0.3)
    toolbox = objects.deap_toolbox()
    del toolbox.mate, toolbox.mutate, toolbox.select
    toolbox.register("generate", strategy.generate, creator.Individuallist)
    toolbox.register("update", strategy.update)
    return toolbox


MADE = {
    "eaSimple": objects.deap_simple,
    "eaMuPlusLambda": objects.deap_plus,
    "eaMuCommaLambda": objects.deap_comma,
    "numpy": objects.deap_numpy,
    "nsga2": objects.deap_nsga2,
    "nsga3": objects.deap_nsga3,
    "pso": objects.deap_pso,
    "cma": objects.deap_cma,
    "one plus lambda": one_plus_lambda,
    "multi-objective cma": many_objectives,
    "generate and update": generate_update,
}


def tune(optimizer, space=None, objective=loss, **more):
    usual = {"minimize": "loss", "trials": 40, "seed": 1, "progress": False}
    return eh.tune(objective, space or make_mixed_space(), optimizer=optimizer, **(usual | more))


@pytest.mark.parametrize(
    "optimizer",
    [
        operators(),
        eh.use(operators(), algorithm=algorithms.eaMuPlusLambda, lambda_=10),
        eh.use(operators(), algorithm=algorithms.eaMuCommaLambda, mu=5, lambda_=20),
        operators(tools.selNSGA2, nd="standard"),
    ],
    ids=["eaSimple", "eaMuPlusLambda", "eaMuCommaLambda", "nsga2"],
)
def test_it_keeps_the_promises_of_an_optimizer(optimizer):
    check_optimizer(optimizer)


@pytest.mark.parametrize("name", MADE)
def test_it_goes_on_where_it_was_to_the_same_table(name, tmp_path):
    whole = tune(MADE[name]())
    tune(MADE[name](), trials=17, store=tmp_path / "study.db").close()
    resumed = tune(MADE[name](), store=tmp_path / "study.db", evaluator=eh.Threads(2))
    pd.testing.assert_frame_equal(untimed(resumed), untimed(whole))


@pytest.mark.parametrize("name", MADE)
def test_it_searches_the_right_way(name):
    """On a bowl in the middle of the cube, the median of the last trials is better than that of the first."""
    space = eh.Space({f"x{i}": eh.Continuous(-1, 1) for i in range(DIM)})
    losses = [t.fitness[0] for t in tune(MADE[name](), space, sphere, trials=400, duplicates="evaluate").trials]
    assert np.median(losses[-60:]) < 0.5 * np.median(losses[:20])


def test_only_individuals_that_changed_are_evaluated_and_as_one_batch():
    study = eh.Study(
        cube(4), minimize="loss", optimizer=eh.use(operators(), cxpb=0.3, mutpb=0.2), population=20, seed=1
    )
    first = study.ask(100)
    assert len(first) == 20
    for trial in first:
        study.tell(trial, sphere(trial.params))
    assert 0 < len(study.ask(100)) < 20
    assert study.ask(1) == []


def test_an_algorithm_of_the_users_own_is_run():
    def steady(population, toolbox, ngen):
        for individual, values in zip(population, toolbox.map(toolbox.evaluate, population), strict=True):
            individual.fitness.values = values
        for _ in range(ngen):
            a, b = map(toolbox.clone, toolbox.select(population, 2))
            toolbox.mate(a, b)
            toolbox.mutate(a)
            a.fitness.values = toolbox.evaluate(a)
            population.sort(key=lambda individual: individual.fitness)
            population[0] = max(population[0], a, key=lambda individual: individual.fitness)

    study = tune(eh.use(operators(), algorithm=steady), cube(4), sphere, trials=300)
    assert study.best.metrics["loss"] < 0.01


def test_a_class_that_maximises_is_told_what_to_minimise():
    if not hasattr(creator, "FitnessMax"):
        creator.create("FitnessMax", base.Fitness, weights=(1.0, 1.0, 1.0))
        creator.create("Maximiser", array.array, typecode="d", fitness=creator.FitnessMax)
    toolbox = operators()
    toolbox.register("individual", tools.initRepeat, creator.Maximiser, random.random, n=4)
    assert tune(toolbox, cube(4), sphere, trials=400).best.metrics["loss"] < 0.05


def test_genes_that_leave_the_cube_are_put_back():
    toolbox = operators()
    toolbox.register("mutate", tools.mutGaussian, mu=0.0, sigma=3.0, indpb=1.0)
    study = tune(toolbox, cube(4), sphere, trials=100)
    X = np.array([t.x for t in study.trials])
    assert ((X == 0) | (X == 1)).any()


def test_two_toolboxes_in_one_process_do_not_disturb_each_other():
    alone = [t.params for t in tune(operators(), population=6).trials]
    studies = [
        eh.Study(make_mixed_space(), minimize="loss", optimizer=operators(), population=6, seed=s) for s in (1, 2)
    ]
    for _ in range(7):
        for study in studies:
            for trial in study.ask(6):
                study.tell(trial, loss(trial.params))
    params = [t.params for t in studies[0].trials]
    assert params[:36] == alone[:36]


def test_known_points_are_in_the_first_population():
    study = eh.Study(cube(2), minimize="loss", optimizer=eh.use(operators(), cxpb=1.0, mutpb=0.0), population=8, seed=1)
    for x in (0.25, 0.3, 0.35, 0.4):
        study.attach({"x0": x, "x1": x}, 0.001 * x)
    first = study.ask(100)
    assert len(first) == 4
    for trial in first:
        study.tell(trial, 10.0)
    assert all(0.2 < t.params["x0"] < 0.45 for t in study.ask(100)[:2])


def test_a_strategy_that_has_converged_starts_again():
    study = tune(cma.Strategy(centroid=[0.9], sigma=0.1), cube(1), sphere, trials=1500, duplicates="evaluate")
    assert len(study.trials) == 1500


def test_wrong_sizes_and_toolboxes_without_operators_are_named():
    with pytest.raises(eh.UsageError, match=r"made for 3 variables, and the space has 6 genes"):
        tune(cma.Strategy(centroid=[0.5] * 3, sigma=0.3))
    with pytest.raises(eh.UsageError, match="needs mate, mutate and select"):
        tune(base.Toolbox())
    with pytest.raises(eh.UsageError, match="reference points for 2 objectives, and the study has 3"):
        tune(
            objects.deap_nsga3(), objective=lambda p: {"a": 1.0, "b": 1.0, "c": 1.0}, minimize=["a", "b", "c"]
        )  # fmt: skip
    with pytest.raises(eh.UsageError, match="'cxpb'"):
        tune(eh.use(operators(), cxbp=0.5))
