"""NSGA-II: elitist non-dominated sorting with crowding, for several objectives and constraints.

Reference: Deb, Pratap, Agarwal, Meyarivan (2002), A fast and elitist multiobjective genetic algorithm: NSGA-II.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evohpo.optimizers import operators
from evohpo.optimizers.protocol import Population, Problem, Results
from evohpo.optimizers.registry import optimizer
from evohpo.optimizers.start import Newcomers, start
from evohpo.trials.pareto import crowding, domination_ranks

if TYPE_CHECKING:
    from collections.abc import Generator


@optimizer("nsga2", objectives="multi", constraints=True, told="results", reference="Deb et al. (2002)")
def nsga2(
    problem: Problem,
    rng: np.random.Generator,
    *,
    population: int = 40,
    crossover_rate: float = 0.9,
    mutation_rate: float | None = None,
    eta_crossover: float = 15.0,
    eta_mutation: float = 20.0,
) -> Generator[Population, Results, None]:
    """Parents and children compete; fronts survive in order, the last one that fits in part by crowding.

    Parents are drawn as in the authors' code, see `operators.duels`; children are crossed and mutated as `operators.vary`
    says. With one objective it is an elitist GA.

    Args:
        problem: the task.
        rng: the source of all draws.
        population: individuals a generation, 1 or more.
        crossover_rate: probability of a pair to be crossed.
        mutation_rate: probability of a gene to mutate; one gene a chromosome on average (1/dim) if None.
        eta_crossover: distribution index of sbx, smaller reaches farther.
        eta_mutation: distribution index of the polynomial mutation; half of the children take a quarter of it.
    """
    pairs = (population + 1) // 2

    pool = yield from start(problem, rng, population)
    newcomers = Newcomers(problem)
    while True:
        ranks = domination_ranks(pool.F, pool.violation)
        distance = crowding(pool.F, ranks)
        best = np.lexsort((-distance, ranks))[:population]  # the crowded comparison, section III.B
        parents = pool.take(best)
        mating = operators.duels(parents, distance[best], 2 * pairs, rng)
        children = yield operators.breed(
            parents, mating, population, problem.genes, rng, crossover_rate=crossover_rate, mutation_rate=mutation_rate,
            eta_crossover=eta_crossover, eta_mutation=eta_mutation,
        )  # fmt: skip
        pool = newcomers.join(Results.concatenate([parents, children]))
