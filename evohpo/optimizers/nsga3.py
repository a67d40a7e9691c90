"""NSGA-III: non-dominated sorting whose last front is thinned out along reference directions, for many objectives.

Reference: Deb, Jain (2014), An evolutionary many-objective optimization algorithm using reference-point based
nondominated sorting approach, part I; Jain, Deb (2014), part II: handling constraints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evohpo.optimizers import operators
from evohpo.optimizers.directions import directions
from evohpo.optimizers.protocol import Array, Population, Problem, Results
from evohpo.optimizers.registry import optimizer
from evohpo.optimizers.start import Newcomers, start
from evohpo.trials.pareto import domination_ranks

if TYPE_CHECKING:
    from collections.abc import Generator

    from evohpo.optimizers.operators import Integers

CELLS = 1 << 22  # distances that are held at once


@optimizer("nsga3", objectives="multi", constraints=True, told="results", reference="Deb, Jain (2014)")
def nsga3(
    problem: Problem,
    rng: np.random.Generator,
    *,
    population: int = 40,
    crossover_rate: float = 1.0,
    mutation_rate: float | None = None,
    eta_crossover: float = 20.0,
    eta_mutation: float = 20.0,
) -> Generator[Population, Results, None]:
    """Parents and children compete; of the last front that fits in part those stay whose directions are least served.

    There are as many directions as an even lattice of at most `population` has. Objectives are scaled by what the
    front spans, so their units do not matter. With one objective it is an elitist GA.

    Args:
        problem: the task.
        rng: the source of all draws.
        population: individuals a generation, 1 or more.
        crossover_rate: probability of a pair to be crossed.
        mutation_rate: probability of a gene to mutate; one gene a chromosome on average (1/dim) if None.
        eta_crossover: distribution index of sbx; greater than that of `nsga2`, as parents of many objectives lie far apart.
        eta_mutation: distribution index of the polynomial mutation; half of the children take a quarter of it.
    """
    pairs = (population + 1) // 2
    pool = yield from start(problem, rng, population)
    newcomers = Newcomers(problem)
    niches = _Niches(directions(population, problem.n_objectives))
    while True:
        parents = pool.take(niches.survivors(pool, population, rng))
        mating = _pick(parents, 2 * pairs, rng)
        children = yield operators.breed(
            parents, mating, population, problem.genes, rng, crossover_rate=crossover_rate, mutation_rate=mutation_rate,
            eta_crossover=eta_crossover, eta_mutation=eta_mutation,
        )  # fmt: skip
        pool = newcomers.join(Results.concatenate([parents, children]))


def _pick(parents: Results, k: int, rng: np.random.Generator) -> Integers:
    """Return `k` rows, in turn; of two the one that violates less (part II, algorithm 2)."""
    a, b = operators.in_turn(len(parents), 2 * k, rng).reshape(2, k)
    if parents.F.shape[1] == 1:  # sorted from best to worst
        return np.asarray(np.minimum(a, b))
    return np.asarray(np.where(parents.violation[a] <= parents.violation[b], a, b))


class _Niches:
    """The directions, and what is known of where the front begins and ends."""

    def __init__(self, lattice: Array) -> None:
        self.unit = lattice / np.linalg.norm(lattice, axis=1, keepdims=True)
        m = lattice.shape[1]
        self.ideal, self.span, self.extremes = np.full(m, np.inf), np.ones(m), np.empty((0, m))

    def survivors(self, pool: Results, n: int, rng: np.random.Generator) -> Integers:
        """Return the `n` rows of `pool` that survive (part I, algorithm 1)."""
        if pool.F.shape[1] == 1:
            return operators.order(pool)[:n]
        ranks = domination_ranks(pool.F, pool.violation)
        by_rank = np.argsort(ranks, kind="stable")
        last = ranks[by_rank[min(n, len(pool)) - 1]]
        safe, torn = np.flatnonzero(ranks < last), np.flatnonzero(ranks == last)
        if pool.violation[by_rank[0]] <= 0:
            self._learn(pool.F[ranks == 0])
        if len(safe) + len(torn) <= n or pool.violation[torn[0]] > 0:
            return by_rank[:n]
        rows = np.concatenate([torn, safe])
        niche, distance = self._associate(self._scaled(pool.F[rows]))
        k = len(torn)
        served = np.bincount(niche[k:], minlength=len(self.unit))
        chosen = _serve(niche[:k], distance[:k], served, n - len(safe), rng)
        return np.concatenate([safe, torn[chosen]])

    def _learn(self, F: Array) -> None:
        """Learn from the first front: the ideal point, and the points nearest to each axis (part I, section IV.C)."""
        self.ideal = np.minimum(self.ideal, F.min(0))
        self.span = _positive(F.max(0) - self.ideal)
        candidates = np.concatenate([self.extremes, F])
        weights = np.where(np.eye(F.shape[1], dtype=bool), 1.0, 1e6)
        achieved = ((candidates - self.ideal) / self.span)[:, None, :] * weights  # eq. 4
        self.extremes = candidates[achieved.max(2).argmin(0)]

    def _scaled(self, F: Array) -> Array:
        """Return `F` with the ideal point at 0 and the intercepts of the plane through the extremes at 1 (eq. 5)."""
        plane = (self.extremes - self.ideal) / self.span
        intercepts = np.ones(len(plane))
        if abs(np.linalg.det(plane)) > 1e-6:
            inverse = np.linalg.solve(plane, intercepts)
            # A plane that does not cut an axis, or beyond all that is there, says nothing: the front's own end does.
            worst = (F.max(0) - self.ideal) / self.span
            cut = 1.0 / np.where(inverse > 1e-6, inverse, 1.0)
            intercepts = np.where(inverse > 1e-6, np.clip(cut, 1e-6, np.maximum(worst, 1.0)), 1.0)
        return np.asarray((F - self.ideal) / (self.span * intercepts))

    def _associate(self, scaled: Array) -> tuple[Integers, Array]:
        """Return the nearest direction of each row and the squared distance to it (part I, algorithm 3)."""
        block = max(1, CELLS // len(self.unit))
        parts = [self._nearest(scaled[i : i + block]) for i in range(0, len(scaled), block)]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def _nearest(self, scaled: Array) -> tuple[Integers, Array]:
        apart = (scaled**2).sum(1)[:, None] - (scaled @ self.unit.T) ** 2
        apart = np.round(apart, 9)  # of two that are equally near every machine takes the first
        niche = apart.argmin(1)
        return niche, apart[np.arange(len(niche)), niche]


def _serve(niche: Integers, distance: Array, served: Integers, k: int, rng: np.random.Generator) -> Integers:
    """Return `k` rows, one after the other from a niche that has the least by then (part I, algorithm 4).

    A niche that has none takes its nearest row first; else and further on any. So the i-th row that a niche would take
    makes it one of `served + i` rows, and what is least of that comes first.
    """
    dice = rng.random(len(niche))
    key = dice.copy()
    nearest = np.lexsort((dice, distance, niche))
    nearest = nearest[np.diff(niche[nearest], prepend=-1) != 0]
    key[nearest[served[niche[nearest]] == 0]] = -1.0
    by = np.lexsort((key, niche))
    first = np.searchsorted(niche[by], niche[by])
    level = np.empty(len(niche), np.int64)
    level[by] = served[niche[by]] + np.arange(len(niche)) - first
    return np.lexsort((rng.random(len(niche)), level))[:k]


def _positive(span: Array) -> Array:
    return np.where(span > 0, span, 1.0)
