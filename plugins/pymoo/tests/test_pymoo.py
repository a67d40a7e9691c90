"""Live algorithms of pymoo, as their users make them, are optimizers of evohpo."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.algorithms.soo.nonconvex.cmaes import CMAES
from pymoo.algorithms.soo.nonconvex.de import DE
from pymoo.algorithms.soo.nonconvex.ga import GA
from pymoo.algorithms.soo.nonconvex.nelder import NelderMead
from pymoo.algorithms.soo.nonconvex.pattern import PatternSearch
from pymoo.algorithms.soo.nonconvex.pso import PSO
from pymoo.core.mixed import MixedVariableGA
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
    "MixedVariableGA": lambda: MixedVariableGA(pop_size=10),
    "NSGA2": lambda: NSGA2(pop_size=10),
    "NSGA3": lambda: NSGA3(ref_dirs=DIRECTIONS),
}

UNSEEDED = dict.fromkeys(
    [
        "same_seed",
        "maximize_is_minimize",
        "resume",
        "same_for_any_workers",
        "clock",
        "independent_instances",
        "after_an_abort",
        "any_request_size",
        "identity",
        "resume_at_every_event",
    ],
    "exploration_move draws from np.random.default_rng() without a seed (pymoo 0.6.2)",
)


def tune(optimizer, **more):
    usual = {"minimize": "loss", "trials": 30, "seed": 1, "progress": False}
    return eh.tune(loss, make_mixed_space(), optimizer=optimizer, **(usual | more))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "MixedVariableGA" else ()) for name in MADE]
)
def test_it_keeps_the_promises_of_an_optimizer(name):
    check_optimizer(MADE[name](), expected=UNSEEDED if name == "PatternSearch" else None)


@pytest.mark.parametrize("name", [name for name in MADE if name != "PatternSearch"])
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


def test_the_population_of_the_study_counts():
    study = eh.Study(make_mixed_space(), minimize="loss", optimizer=GA(pop_size=10), population=7, seed=1)
    for _ in range(2):
        trials = study.ask(100)
        assert len(trials) == 7
        for trial in trials:
            study.tell(trial, loss(trial.params))


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


def test_one_that_has_converged_starts_again():
    study = eh.tune(
        lambda p: p["x"] ** 2, {"x": eh.Continuous(-1, 1), "y": eh.Continuous(-1, 1)}, minimize="loss",
        optimizer=CMAES(tolfun=1e-3), trials=400, seed=1, progress=False,
    )  # fmt: skip
    assert len(study.trials) == 400


def test_an_option_that_an_object_cannot_take_is_named():
    with pytest.raises(eh.UsageError, match="has no option 'pop_size'"):
        tune(eh.use(GA(pop_size=6), pop_size=7))


def test_one_that_was_set_up_for_another_problem_is_refused():
    from pymoo.problems import get_problem

    with pytest.raises(eh.UsageError, match="set up for a problem of its own"):
        tune(GA(pop_size=6).setup(get_problem("sphere")))
