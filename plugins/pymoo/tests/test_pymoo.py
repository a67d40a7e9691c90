"""Live algorithms of pymoo, as their users make them, are optimizers of evohpo."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pymoo.algorithms.moo.dnsga2 import DNSGA2
from pymoo.algorithms.moo.moead import MOEAD, ParallelMOEAD
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.algorithms.moo.rnsga3 import RNSGA3
from pymoo.algorithms.moo.rvea import RVEA
from pymoo.algorithms.moo.sms import SMSEMOA
from pymoo.algorithms.soo.nonconvex.cmaes import CMAES
from pymoo.algorithms.soo.nonconvex.de import DE
from pymoo.algorithms.soo.nonconvex.direct import DIRECT
from pymoo.algorithms.soo.nonconvex.ga import BGA, GA
from pymoo.algorithms.soo.nonconvex.nelder import NelderMead
from pymoo.algorithms.soo.nonconvex.optuna import Optuna
from pymoo.algorithms.soo.nonconvex.pattern import PatternSearch
from pymoo.algorithms.soo.nonconvex.pso import PSO
from pymoo.constraints.eps import AdaptiveEpsilonConstraintHandling
from pymoo.core.mixed import MixedVariableGA
from pymoo.core.problem import Problem as Task
from pymoo.operators.sampling.rnd import random as uniform
from pymoo.termination import get_termination
from pymoo.util.ref_dirs import get_reference_directions

import evohpo as eh
from evohpo.testing import check_optimizer
from tests.conftest import loss, make_mixed_space, untimed

DIRECTIONS = get_reference_directions("das-dennis", 2, n_partitions=7)
MADE = {
    "GA": lambda: GA(pop_size=10),
    "DE": lambda: DE(pop_size=10),
    "PSO": lambda: PSO(pop_size=10),
    "CMAES": lambda: CMAES(),
    "NelderMead": lambda: NelderMead(),
    "PatternSearch": lambda: PatternSearch(),
    "DIRECT": lambda: DIRECT(),
    "MixedVariableGA": lambda: MixedVariableGA(pop_size=10),
    "NSGA2": lambda: NSGA2(pop_size=10),
    "NSGA3": lambda: NSGA3(ref_dirs=DIRECTIONS),
}


def tune(optimizer, **more):
    usual = {"minimize": "loss", "trials": 30, "seed": 1, "progress": False}
    return eh.tune(loss, make_mixed_space(), optimizer=optimizer, **(usual | more))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in ("GA", "NSGA2", "CMAES") else pytest.mark.slow) for name in MADE]
)
def test_it_keeps_the_promises_of_an_optimizer(name):
    expected = {"another_seed": "it draws nothing, but to break ties"} if name == "DIRECT" else None
    check_optimizer(MADE[name](), expected=expected)


@pytest.mark.parametrize("name", MADE)
def test_it_goes_on_where_it_was_to_the_same_table(name, tmp_path):
    whole = tune(MADE[name]())
    tune(MADE[name](), trials=13, store=tmp_path / "study.db").close()
    resumed = tune(MADE[name](), store=tmp_path / "study.db", evaluator=eh.Threads(2))
    pd.testing.assert_frame_equal(untimed(resumed), untimed(whole))


def test_a_generation_is_one_batch():
    study = eh.Study(make_mixed_space(), minimize="loss", optimizer=GA(pop_size=10), seed=1)
    assert len(study.ask(100)) == 10
    assert study.ask(1) == []


def test_a_class_is_made_with_the_options_given():
    study = eh.Study(make_mixed_space(), minimize="loss", optimizer=eh.use(GA, pop_size=6), seed=1)
    assert len(study.ask(100)) == 6


@pytest.mark.parametrize(
    ("optimizer", "size"), [(GA(), 7), (GA, 7), (CMAES(), 7), (GA(pop_size=10), 10), (eh.use(GA, pop_size=10), 10)]
)
def test_the_population_of_the_study_counts_where_the_algorithm_has_none_of_its_own(optimizer, size):
    study = eh.Study(make_mixed_space(), minimize="loss", optimizer=optimizer, population=7, seed=1)
    trials = study.ask(100)
    for trial in trials:  # the points that a CMAES starts from are no generation yet
        study.tell(trial, loss(trial.params))
    assert len(study.ask(100)) == size


def test_two_studies_do_not_disturb_each_other():
    alone = [t.params for t in tune(DE(pop_size=6)).trials]
    studies = [eh.Study(make_mixed_space(), minimize="loss", optimizer=DE(pop_size=6), seed=s) for s in (1, 2)]
    for _ in range(5):
        for study in studies:
            for trial in study.ask(6):
                study.tell(trial, loss(trial.params))
    assert [t.params for t in studies[0].trials] == alone


def test_the_object_itself_is_left_alone():
    algorithm = GA(pop_size=6)
    tune(algorithm)
    assert algorithm.problem is None
    assert [t.params for t in tune(algorithm).trials] == [t.params for t in tune(GA(pop_size=6)).trials]


def test_a_front_is_found_under_a_constraint():
    def two(params):
        x, y = params["x"], params["y"]
        return {"a": x**2 + y**2, "b": (x - 1) ** 2 + y**2, "size": x}

    space = {"x": eh.Continuous(-1, 1), "y": eh.Continuous(-1, 1)}
    study = eh.tune(
        two, space, minimize=["a", "b"], constraints=["size <= 0.5"], optimizer=NSGA2(pop_size=20), trials=600, seed=1,
        progress=False,
    )  # fmt: skip
    front = np.array([list(t.params.values()) for t in study.front()])
    assert front[:, 0].max() <= 0.5
    assert front[:, 0].max() > 0.45
    assert abs(front[:, 1]).max() < 0.1


ONE_OR_MORE = {
    "MOEAD": lambda: MOEAD(ref_dirs=DIRECTIONS),
    "ParallelMOEAD": lambda: ParallelMOEAD(ref_dirs=DIRECTIONS),
    "DNSGA2": lambda: DNSGA2(pop_size=8),
    "RVEA": lambda: RVEA(ref_dirs=DIRECTIONS),
    "SMSEMOA": lambda: SMSEMOA(pop_size=8),
    "RNSGA3": lambda: RNSGA3(ref_points=np.full((2, 2), 0.3), pop_per_ref_point=5),
    "NSGA3 as a class": lambda: NSGA3,
    "Optuna": lambda: Optuna(),
    "DE with an adaptive epsilon": lambda: AdaptiveEpsilonConstraintHandling(DE(pop_size=8)),
}


@pytest.mark.parametrize("name", ONE_OR_MORE)
@pytest.mark.parametrize("m", [1, 2])
def test_one_objective_or_two_with_a_constraint_are_searched(name, m):
    def measure(params):
        return {"a": loss(params), "b": params["layers"], "size": params["units"]}

    study = eh.tune(
        measure, make_mixed_space(), minimize=["a", "b"][:m], constraints=["size <= 100"], optimizer=ONE_OR_MORE[name](),
        population=9, trials=120, seed=1, progress=False,
    )  # fmt: skip
    assert len(study.trials) == 120
    assert any(trial.metrics["size"] <= 100 for trial in study.front())


def test_directions_for_another_number_of_objectives_are_refused():
    with pytest.raises(eh.UsageError, match="directions for 2 objectives, and the study has 3"):
        eh.tune(
            lambda p: {"a": 1.0, "b": 2.0, "c": 3.0}, make_mixed_space(), minimize=["a", "b", "c"],
            optimizer=NSGA3(ref_dirs=DIRECTIONS), trials=10, progress=False,
        )  # fmt: skip


def test_an_algorithm_ends_by_a_termination_of_its_own():
    algorithm = GA(pop_size=6)
    algorithm.termination = get_termination("n_gen", 3)
    study = tune(algorithm)
    assert len(study.trials) == 18
    assert study.stopped == {"optimizer": "has nothing more to propose"}


@pytest.mark.parametrize("optimizer", [CMAES(tolfun=1e-3), NelderMead(), PatternSearch()])
def test_one_that_has_converged_starts_again(optimizer):
    study = eh.tune(
        lambda p: p["x"] ** 2, {"x": eh.Continuous(-1, 1), "y": eh.Continuous(-1, 1)}, minimize="loss",
        optimizer=optimizer, trials=400, seed=1, progress=False,
    )  # fmt: skip
    assert len(study.trials) == 400


@pytest.mark.parametrize("optimizer", [GA(pop_size=10), MixedVariableGA(pop_size=10), BGA(pop_size=10)])
def test_known_points_are_in_the_first_population(optimizer):
    study = eh.Study(make_mixed_space(), minimize="loss", optimizer=optimizer, seed=1)
    best = {
        "learning_rate": 0.01, "layers": 3, "units": 64, "batch_size": 64, "solver": "sgd", "momentum": 0.9, "seed": 100
    }  # fmt: skip
    for momentum in (0.9, 0.8, 0.7):
        study.attach(best | {"momentum": momentum}, {"loss": -1.0 - momentum})
    first = study.ask(100)
    assert len(first) == 7  # the rest is known
    for trial in first:
        study.tell(trial, 100.0)
    assert any(60 <= t.params["units"] <= 68 and t.params["layers"] == 3 for t in study.ask(100))


def test_a_binary_algorithm_gets_bits():
    study = tune(BGA(pop_size=10), trials=200)
    X = np.array([t.x for t in study.trials])
    assert set(np.unique(X)) == {0.0, 1.0}
    assert X.shape[1] > 6
    assert study.best.metrics["loss"] < np.median([t.fitness[0] for t in study.trials[:10]])


def test_pymoo_elsewhere_is_not_seeded_by_a_study():
    tune(PatternSearch())
    task = Task(n_var=3, xl=0.0, xu=1.0)
    assert (uniform(task, 2) != uniform(task, 2)).any()


def test_an_option_that_cannot_be_taken_is_named():
    with pytest.raises(eh.UsageError, match="has no option 'pop_size'"):
        tune(eh.use(GA(pop_size=6), pop_size=7))
    with pytest.raises(eh.UsageError, match="has no option 'popsize': did you mean 'pop_size'"):
        tune(eh.use(GA, popsize=7))


def test_one_that_was_set_up_for_another_problem_is_refused():
    from pymoo.problems import get_problem

    with pytest.raises(eh.UsageError, match="set up for a problem of its own"):
        tune(GA(pop_size=6).setup(get_problem("sphere")))
