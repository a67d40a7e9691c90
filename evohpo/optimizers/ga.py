"""Genetic algorithm for real, integer, categorical and binary chromosomes.

Reference: Holland (1975), Adaptation in Natural and Artificial Systems; De Jong (1975), An Analysis of the Behavior of
a Class of Genetic Adaptive Systems; for real genes Deb, Agrawal (1995), Simulated Binary Crossover.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from evohpo.errors import UsageError
from evohpo.optimizers import operators
from evohpo.optimizers.protocol import Population, Problem, Results
from evohpo.optimizers.registry import optimizer
from evohpo.optimizers.start import Newcomers, start

if TYPE_CHECKING:
    from collections.abc import Generator


@optimizer("ga", constraints=True, told="results", reference="Holland (1975); Deb, Agrawal (1995)")
def ga(
    problem: Problem,
    rng: np.random.Generator,
    *,
    population: int = 20,
    crossover: Literal["sbx", "uniform", "n-point"] = "sbx",
    points: int = 2,
    crossover_rate: float = 0.9,
    mutation_rate: float | None = None,
    eta_crossover: float = 5.0,
    eta_mutation: float = 20.0,
    tournament: int = 2,
    elites: float = 0.5,
) -> Generator[Population, Results, None]:
    """Tournament selection, crossover in pairs, mutation, and survival of the best among children and elites.

    It needs nothing of a gene but its cardinality: two-valued genes (all of them under the `Binary` encoding) flip.

    Args:
        problem: the task.
        rng: the source of all draws.
        population: individuals a generation, 1 or more.
        crossover: "sbx" blends real genes, "uniform" and "n-point" exchange whole genes, as binary chromosomes want it.
        points: cuts of the n-point crossover.
        crossover_rate: probability of a pair to be crossed.
        mutation_rate: probability of a gene to mutate; one gene a chromosome on average (1/dim) if None.
        eta_crossover: distribution index of sbx, smaller reaches farther.
        eta_mutation: distribution index of the polynomial mutation, smaller reaches farther.
        tournament: contestants for each parenthood; 1 selects blindly.
        elites: how many parents may outlive their generation: a count, or a fraction below 1. `elites=population` is
            the (mu + lambda) scheme, 0 lets everybody die.

    Raises:
        UsageError: an unknown crossover, or negative elites.
    """
    if crossover not in ("sbx", "uniform", "n-point"):
        raise UsageError(f"crossover = {crossover!r}: choose 'sbx', 'uniform' or 'n-point'")
    rate = 1.0 / max(problem.dim, 1) if mutation_rate is None else mutation_rate
    mixing, pairs = operators.unordered(problem.genes), (population + 1) // 2
    keep = operators.count("elites", elites, population)

    pool = yield from start(problem, rng, population)
    newcomers = Newcomers(problem)
    while True:
        parents = pool.take(operators.order(pool)[:population])
        mating = operators.tournament(len(parents), 2 * pairs, tournament, rng)
        mothers, fathers = mating[:pairs], mating[pairs:]
        A, B = parents.X[mothers], parents.X[fathers]
        if crossover == "sbx":
            C, D = operators.sbx(A, B, eta_crossover, mixing, rng)
        elif crossover == "uniform":
            C, D = operators.uniform(A, B, rng)
        else:
            C, D = operators.n_point(A, B, points, rng)
        crossed = rng.random((pairs, 1)) < crossover_rate
        X = np.concatenate([np.where(crossed, C, A), np.where(crossed, D, B)])[:population]
        operators.mutate(X, problem.genes, rate, eta_mutation, rng, cut=True)
        family, how = operators.family(parents.trials, mating, crossed, f"{crossover}+polynomial", "polynomial")

        children = yield Population(X, parents=family[:population], operator=how[:population])
        pool = newcomers.join(Results.concatenate([children, parents.take(slice(keep))]))
