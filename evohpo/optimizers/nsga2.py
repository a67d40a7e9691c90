"""NSGA-II: elitist non-dominated sorting with crowding, for several objectives and constraints.

Reference: Deb, Pratap, Agarwal, Meyarivan (2002), A fast and elitist multiobjective genetic algorithm: NSGA-II.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evohpo.optimizers import operators
from evohpo.optimizers.protocol import Array, Population, Problem, Results
from evohpo.optimizers.registry import optimizer
from evohpo.optimizers.start import start

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
    eta_crossover: float = 10.0,
    eta_mutation: float = 20.0,
) -> Generator[Population, Results, None]:
    """Parents and children compete; fronts survive in order, the last one that fits in part by crowding.

    A child that equals a parent or an earlier child is mutated once more, so that discrete spaces do not fill the
    population with copies. With one objective it is an elitist GA.

    Args:
        problem: the task.
        rng: the source of all draws.
        population: individuals a generation, 1 or more.
        crossover_rate: probability of a pair to be crossed.
        mutation_rate: probability of a gene to mutate; one gene a chromosome on average (1/dim) if None.
        eta_crossover: distribution index of sbx, smaller reaches farther.
        eta_mutation: distribution index of the polynomial mutation, smaller reaches farther.
    """
    rate = 1.0 / max(problem.dim, 1) if mutation_rate is None else mutation_rate
    mixing = operators.unordered(problem.genes)
    pairs = (population + 1) // 2

    pool = yield from start(problem, rng, population)
    while True:
        # Sorted by rank and crowding, a tournament is the crowded comparison (section III.B): the lower row wins.
        parents = pool.take(operators.order(pool)[:population])
        mating = operators.tournament(len(parents), 2 * pairs, 2, rng)
        mothers, fathers = mating[:pairs], mating[pairs:]
        A, B = parents.X[mothers], parents.X[fathers]
        C, D = operators.sbx(A, B, eta_crossover, mixing, rng)
        crossed = rng.random((pairs, 1)) < crossover_rate
        X = np.concatenate([np.where(crossed, C, A), np.where(crossed, D, B)])[:population]
        operators.mutate(X, problem.genes, rate, eta_mutation, rng)
        again = X.copy()
        operators.mutate(again, problem.genes, rate, eta_mutation, rng)
        seen = operators.phenotype(np.concatenate([parents.X, X]), problem.genes)
        X = np.where(_repeated(seen)[len(parents) :, None], again, X)
        family, how = operators.family(parents.trials, mating, crossed, "sbx+polynomial", "polynomial")

        children = yield Population(X, parents=family[:population], operator=how[:population])
        pool = Results.concatenate([parents, children])


def _repeated(X: Array) -> np.ndarray:
    """Return `(n,)`: which rows are bit for bit equal to an earlier one."""
    if not X.shape[1]:
        return np.arange(len(X)) > 0
    rows = np.ascontiguousarray(X).view(np.dtype((np.void, X.itemsize * X.shape[1])))[:, 0]
    repeated = np.ones(len(X), bool)
    repeated[np.unique(rows, return_index=True)[1]] = False
    return repeated
