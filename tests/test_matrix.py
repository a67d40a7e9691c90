"""Every optimizer on every kind of problem: it finishes, stays in the space, and beats random search where it should."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

import evohpo as eh
from tests.conftest import loss, make_mixed_space

NAMES = sorted(
    info.name
    for info in eh.available_optimizers().values()
    if info.origin == "evohpo" or info.name.startswith("inspyred.")
)
SEEDS = 5
# of these a trial costs as much as a hundred of the others', and is to be worth more than three random ones
DEAR = ("auto", "bo")

# what is not meant to beat random search, and why
NO_BETTER = {
    "pbt": "it trains one population in steps; of trials without steps it makes ten small generations",
    "random": "is random search",
    "sobol": "is random search, spread evenly",
    "grid": "looks at every corner in turn",
    "inspyred.aco": "ant colonies choose among components, not along a scale",
    "nsga2": "is made for several objectives",
    "inspyred.es": "steps that adapt themselves need longer than this to find their size",
}

FOR_SEVERAL = {"nsga2", "paes", "inspyred.nsga2", "inspyred.paes"}


def shifted_sphere(params):
    return sum((value - 0.3) ** 2 for value in params.values())


def breaks(params):
    """Fails for 30 of 100 configurations, by a rule the optimizer cannot see."""
    if math.sin(1e4 * sum(v for v in params.values() if isinstance(v, float))) > 0.588:
        raise FloatingPointError("loss is nan")
    return shifted_sphere(params)


def two(params):
    return {"loss": params["a"] ** 2 + params["b"], "size": (params["a"] - 1) ** 2 + params["b"]}


def constrained(params):
    return {"loss": shifted_sphere(params), "seconds": params["a"] + params["b"]}


def cube(n):
    return {chr(97 + i) if n <= 26 else f"x{i}": eh.Continuous(-1, 1) for i in range(n)}


PROBLEMS = {
    "continuous": (shifted_sphere, cube(8), {"minimize": "loss"}),
    "mixed": (loss, make_mixed_space(), {"minimize": "loss"}),
    "one": (shifted_sphere, cube(1), {"minimize": "loss"}),
    "sixty": (shifted_sphere, cube(60), {"minimize": "loss"}),
    "two-objectives": (two, {"a": eh.Continuous(-2, 2), "b": eh.Continuous(0, 1)}, {"minimize": ["loss", "size"]}),
    "constraint": (constrained, cube(4), {"minimize": "loss", "constraints": ["seconds <= -0.2"]}),
    "failures": (breaks, cube(4), {"minimize": "loss"}),
}


def score(study):
    """Smaller is better: the best value, or minus the hypervolume."""
    if len(study.goals.objectives) > 1:
        return -study.hypervolume([5, 10])
    best = study.best
    return best.fitness[0] if best.feasible else 1e3 + best.violation


def trials(problem, optimizer):
    if optimizer in DEAR:
        return 60
    return 600 if problem == "sixty" else 200  # ten generations move nothing in sixty dimensions


def search(optimizer, problem, seed):
    objective, space, goals = PROBLEMS[problem]
    budget = trials(problem, optimizer)
    if optimizer == "grid":
        optimizer = eh.use("grid", resolution=2 if problem in ("sixty", "continuous") else 3)
    return eh.tune(objective, space, optimizer=optimizer, trials=budget, seed=seed, progress=False, **goals)


@functools.cache
def by_random_search(problem):
    return float(np.median([score(search("random", problem, seed)) for seed in range(3 * SEEDS)]))


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("optimizer", [pytest.param(n, marks=pytest.mark.slow) if n in DEAR else n for n in NAMES])
def test_every_optimizer_works_on_every_problem(optimizer, problem):
    if (optimizer, problem) == ("grid", "sixty"):
        pytest.skip("a grid of 60 dimensions has more points than atoms")
    studies = [search(optimizer, problem, seed) for seed in range(SEEDS)]
    for study in studies:
        assert len(study.trials) == trials(problem, optimizer) or "optimizer" in study.stopped
        assert all(t.ended for t in study.trials)
        for trial in study.trials:
            study.space.validate(trial.params)
        failed = sum(t.failed for t in study.trials)
        assert failed == 0 or problem == "failures"
    several = problem == "two-objectives"
    if problem != "one" and (optimizer in FOR_SEVERAL if several else optimizer not in NO_BETTER):  # one gene is easy
        assert np.median([score(s) for s in studies]) < by_random_search(problem)
