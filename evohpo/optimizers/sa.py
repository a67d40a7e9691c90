"""Simulated annealing: chains that climb ever less often and take ever smaller steps.

Reference: Kirkpatrick, Gelatt, Vecchi (1983), Optimization by simulated annealing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evohpo.optimizers.operators import Integers, mutate, order, where
from evohpo.optimizers.protocol import Array, Population, Problem, Results
from evohpo.optimizers.registry import optimizer
from evohpo.optimizers.start import Newcomers, start

if TYPE_CHECKING:
    from collections.abc import Generator

MEMORY = 200  # recent results that a difference in fitness is measured against


@optimizer("sa", constraints=True, told="results", reference="Kirkpatrick, Gelatt, Vecchi (1983)")
def sa(
    problem: Problem,
    rng: np.random.Generator,
    *,
    population: int = 5,
    hot: float = 0.05,
    cold: float = 0.001,
    reach: float = 0.3,
    precision: float = 0.01,
    steps: int = 100,
) -> Generator[Population, Results, None]:
    """Chains move to a mutant if it is better, or else with probability exp(-rise / temperature).

    After every move the worse half of the chains goes on from where the better half is: chains that never meet divide
    the budget by their number (measured: five of them lost to random search on an 8-D sphere at 200 evaluations).

    The rise is measured in ranks, as the share of recent results that lie between the two: units and outliers do not
    matter. Temperature and step size fall geometrically over the budget.

    Args:
        problem: the task; its budget sets the schedule.
        rng: the source of all draws.
        population: parallel chains, 1 or more.
        hot: temperature at the start; 0.05 accepts a rise by a twentieth of the recent results with odds of 1/e.
        cold: temperature at the end.
        reach: step size at the start, as a share of a gene's range.
        precision: step size at the end.
        steps: generations of the schedule where no budget is known.
    """
    budget = problem.budget or population * (steps + 1)
    moves = max(1, budget // max(population, 1) - 1)
    rate = 1.0 / max(problem.dim, 1)

    chains = yield from start(problem, rng, population)
    newcomers = Newcomers(problem)
    memory, move = chains, 0
    while True:
        progress = min(1.0, move / moves)
        temperature = hot * (cold / hot) ** progress
        step = reach * (precision / reach) ** progress
        X = chains.X.copy()
        mutate(X, problem.genes, rate, 1.0 / step, rng)
        told = yield Population(X, parents=chains.trials[:, None], operator="neighbour")
        memory = _recent(Results.concatenate([memory, told]))
        rise = _height(told, memory) - _height(chains, memory)
        accepted = rng.random(len(chains)) < np.exp(-np.maximum(rise, 0.0) / temperature)
        chains, move = newcomers.settle(where(accepted, told, chains)), move + 1
        chains = chains.take(_exchange(order(chains)))


def _exchange(best_first: Integers) -> Integers:
    """Return `(n,)`: which chain each one goes on from."""
    n = len(best_first)
    half = (n + 1) // 2
    source = np.arange(n)
    source[best_first[half:]] = best_first[: n - half]
    return source


def _recent(results: Results) -> Results:
    return results.take(slice(-MEMORY, None))


def _height(rows: Results, memory: Results) -> Array:
    """Return `(k,)`: the share of `memory` that is strictly better than each row."""
    both = Results.concatenate([rows, memory])
    by = order(both)
    new = np.diff(both.F[by, 0], prepend=np.nan) != 0
    new |= np.diff(both.violation[by], prepend=np.nan) != 0
    remembered: Integers = np.cumsum(by >= len(rows)) - (by >= len(rows))  # of the memory, rows that come before
    better = np.maximum.accumulate(np.where(new, remembered, 0))  # equal rows share the first one's count
    height = np.empty(len(both))
    height[by] = better / len(memory)
    return height[: len(rows)]
