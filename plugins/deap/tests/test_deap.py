"""Live toolboxes and strategies of DEAP, as their users make them, are optimizers of evohpo."""

from __future__ import annotations

import array
import random
from multiprocessing.pool import ThreadPool

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


def active():
    random.seed(1)
    return cma.StrategyActiveOnePlusLambda(objects.deap_toolbox().individual(), 0.3, [0.0] * DIM, lambda_=6)


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
    "active one plus lambda": active,
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
        pytest.param(eh.use(operators(), algorithm=algorithms.eaMuPlusLambda, lambda_=10), marks=pytest.mark.slow),
        pytest.param(
            eh.use(operators(), algorithm=algorithms.eaMuCommaLambda, mu=5, lambda_=20), marks=pytest.mark.slow
        ),
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


def test_the_bounds_of_the_operators_are_the_ends_of_the_parameters():
    toolbox = base.Toolbox()
    toolbox.register(
        "individual", lambda: objects.deap_toolbox().individual.func(list, lambda: random.uniform(-5, 5), n=4)
    )
    toolbox.register("mate", tools.cxSimulatedBinaryBounded, eta=15, low=-5.0, up=5.0)
    toolbox.register("mutate", tools.mutPolynomialBounded, eta=5, low=-5.0, up=5.0, indpb=1.0)
    toolbox.register("select", tools.selTournament, tournsize=3)
    study = tune(toolbox, cube(4), sphere, trials=400)
    X = np.array([t.x for t in study.trials])
    assert X[:20].std() > 0.2
    assert np.mean((X > 0) & (X < 1)) > 0.9
    assert study.best.metrics["loss"] < 0.02


def test_particles_may_have_bounds_of_their_own():
    toolbox = objects.deap_pso()
    toolbox.register("particle", toolbox.particle.func, size=4, pmin=-6, pmax=6, smin=-3, smax=3)
    study = tune(toolbox, cube(4), sphere, trials=600)
    assert np.array([t.x for t in study.trials[:20]]).std() > 0.2
    assert study.best.metrics["loss"] < 0.05


def test_integers_of_a_toolbox_stay_integers():
    toolbox = objects.deap_toolbox()
    toolbox.register("attribute", random.randint, 0, 10)
    toolbox.register("individual", tools.initRepeat, creator.Individuallist, toolbox.attribute, n=DIM)
    toolbox.register("mate", tools.cxTwoPoint)
    toolbox.register("mutate", tools.mutUniformInt, low=0, up=10, indpb=0.3)
    X = np.array([t.x for t in tune(toolbox, cube(DIM), sphere, trials=200).trials])
    assert set(np.unique(np.round(10 * X, 9))) == set(range(11))


def test_a_toolbox_that_flips_bits_gets_bits():
    if not hasattr(creator, "Bits"):
        creator.create("Bits", array.array, typecode="b", fitness=creator.FitnessMin)
    toolbox = base.Toolbox()
    toolbox.register("attribute", random.randint, 0, 1)
    toolbox.register("individual", tools.initRepeat, creator.Bits, toolbox.attribute, n=8)
    toolbox.register("mate", tools.cxTwoPoint)
    toolbox.register("mutate", tools.mutFlipBit, indpb=0.1)
    toolbox.register("select", tools.selTournament, tournsize=3)
    space = {"x": eh.Integer(0, 15), "y": eh.Integer(0, 15)}
    study = tune(toolbox, eh.Space(space), lambda p: (p["x"] - 11) ** 2 + (p["y"] - 6) ** 2, trials=300)
    assert set(np.unique([t.x for t in study.trials])) == {0.0, 1.0}
    assert study.best.metrics["loss"] == 0
    del toolbox.individual
    assert tune(toolbox, eh.Space(space), lambda p: p["x"], trials=200).best.metrics["loss"] == 0


@pytest.mark.parametrize("mate", [tools.cxOnePoint, tools.cxTwoPoint])
def test_arrays_of_numpy_are_crossed_as_lists_are(mate):
    params = []
    for container in (list, np.ndarray):
        toolbox = objects.deap_toolbox(container)
        toolbox.register("mate", mate)
        params.append([t.params for t in tune(toolbox, trials=100).trials])
    assert params[0] == params[1]


def test_individuals_that_cannot_hold_a_fitness_are_taken():
    for container in (list, np.array):
        toolbox = operators()
        toolbox.register("individual", lambda container=container: container([random.random() for _ in range(4)]))
        assert tune(toolbox, cube(4), sphere, trials=200).best.metrics["loss"] < 0.1


def test_an_evolution_strategy_with_step_sizes_of_its_own():
    toolbox = objects.deap_toolbox()
    make = toolbox.individual

    def with_steps():
        individual = make()
        individual.strategy = [random.uniform(0.05, 0.3) for _ in individual]
        return individual

    toolbox.register("individual", with_steps)
    toolbox.register("mate", tools.cxESBlend, alpha=0.1)
    toolbox.register("mutate", tools.mutESLogNormal, c=1.0, indpb=0.3)
    search = eh.use(toolbox, algorithm=algorithms.eaMuCommaLambda, mu=8, lambda_=40)
    assert tune(search, cube(DIM), sphere, trials=600, duplicates="evaluate").best.metrics["loss"] < 0.05


@pytest.mark.parametrize("select", [tools.selNSGA2, tools.selSPEA2])
def test_selection_for_several_objectives_does_with_one(select):
    arguments = {"nd": "log"} if select is tools.selNSGA2 else {}
    toolbox = objects.deap_toolbox()
    toolbox.register("select", select, **arguments)
    assert tune(toolbox, cube(DIM), sphere, trials=400).best.metrics["loss"] < 0.3


def test_the_size_that_a_population_is_registered_with_counts():
    toolbox = objects.deap_toolbox()
    toolbox.register("population", tools.initRepeat, list, toolbox.individual, n=13)
    assert len(eh.Study(make_mixed_space(), minimize="loss", optimizer=toolbox, seed=1).ask(100)) == 13
    study = eh.Study(make_mixed_space(), minimize="loss", optimizer=toolbox, population=9, seed=1)
    assert len(study.ask(100)) == 9


def test_a_toolbox_with_the_map_of_a_pool_stays_as_it_is():
    with ThreadPool(1) as pool:  # which cannot be copied
        toolbox = objects.deap_toolbox()
        toolbox.register("map", pool.map)
        toolbox.register("evaluate", lambda individual: (sum(individual),))
        before = dict(vars(toolbox))
        assert len(tune(toolbox).trials) == 40
        assert vars(toolbox) == before


def test_the_creator_of_the_process_is_left_alone():
    before = dict(vars(creator))
    tune(operators())
    tune(objects.deap_cma())
    assert vars(creator) == before


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


@pytest.mark.parametrize("within", ["alone", "a toolbox"])
def test_a_strategy_that_has_converged_starts_again_with_twice_as_many(within):
    strategy = cma.Strategy(centroid=[0.9], sigma=0.1, lambda_=8)
    toolbox = base.Toolbox()
    toolbox.register("generate", strategy.generate, objects.deap_toolbox().individual.args[0])
    toolbox.register("update", strategy.update)
    study = eh.Study(
        cube(1), minimize="loss", optimizer=strategy if within == "alone" else toolbox, seed=1, duplicates="evaluate"
    )
    sizes = set()
    while len(study.trials) < 2500:
        trials = study.ask(1000)
        sizes.add(len(trials))
        for trial in trials:
            study.tell(trial, sphere(trial.params))
    assert {8, 16, 32} <= sizes


def test_the_population_of_the_study_is_that_of_a_strategy_without_one():
    for strategy, size in (
        (cma.Strategy(centroid=[0.5] * 4, sigma=0.3), 11), (cma.Strategy(centroid=[0.5] * 4, sigma=0.3, lambda_=6), 6)
    ):  # fmt: skip
        study = eh.Study(cube(4), minimize="loss", optimizer=strategy, population=11, seed=1)
        assert len(study.ask(100)) == size


def test_a_parent_that_was_judged_by_another_objective_is_judged_again():
    strategy = one_plus_lambda()
    strategy.parent.fitness.values = (-1e9,)
    assert tune(strategy, cube(DIM), sphere, trials=400, duplicates="evaluate").best.metrics["loss"] < 0.01


def test_wrong_sizes_and_toolboxes_without_operators_are_named():
    with pytest.raises(eh.UsageError, match=r"made for 3 variables, and the space has 6 genes"):
        tune(cma.Strategy(centroid=[0.5] * 3, sigma=0.3))
    with pytest.raises(eh.UsageError, match="needs mate, mutate and select"):
        tune(base.Toolbox())
    with pytest.raises(eh.UsageError, match="reference points for 2 objectives, and the study has 3"):
        tune(
            objects.deap_nsga3(), objective=lambda p: {"a": 1.0, "b": 1.0, "c": 1.0}, minimize=["a", "b", "c"]
        )  # fmt: skip
    far = objects.deap_toolbox()
    far.register("attribute", random.uniform, -5, 5)
    far.register("individual", tools.initRepeat, creator.Individuallist, far.attribute, n=DIM)
    for name, operator in (("mate", tools.cxTwoPoint), ("mutate", tools.mutShuffleIndexes)):
        far.register(name, operator)
    with pytest.raises(eh.UsageError, match=r"makes genes from -4\.9\d+ to 4\.\d+: make them in \[0, 1\]"):
        tune(far)
    with pytest.raises(eh.UsageError, match="'cxpb'"):
        tune(eh.use(operators(), cxbp=0.5))
