"""Differential evolution, by default with the self-adaptation of JADE.

Reference: Storn, Price (1997), Differential evolution, a simple and efficient heuristic for global optimization over
continuous spaces; Zhang, Sanderson (2009), JADE: adaptive differential evolution with optional external archive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from evohpo.errors import UsageError
from evohpo.optimizers.operators import Integers, at_least_one, bounded, no_worse, order, unordered, where
from evohpo.optimizers.protocol import Array, Population, Problem, Results
from evohpo.optimizers.registry import optimizer
from evohpo.optimizers.start import Newcomers, start

if TYPE_CHECKING:
    from collections.abc import Generator

STRATEGIES = ("rand/1/bin", "best/1/bin", "current-to-pbest/1")


def others(n: int, k: int, rng: np.random.Generator) -> Integers:
    """Return `(k, n)`: for each of `n` rows `k` further rows, all distinct while there are enough (`n > k`).

    Draw from the rows that are left and step over the taken ones: a fixed number of draws, no permutation a row.
    """
    taken = np.arange(n)[None, :]
    for j in range(k):
        pick = rng.integers(0, max(n - 1 - j, 1), n)
        for t in np.sort(taken, axis=0):
            pick = pick + (pick >= t)
        taken = np.vstack([taken, pick % n])
    return taken[1:]


@optimizer("de", constraints=True, told="results", reference="Storn, Price (1997); Zhang, Sanderson (2009), JADE")
def de(
    problem: Problem,
    rng: np.random.Generator,
    *,
    population: int = 20,
    strategy: Literal["rand/1/bin", "best/1/bin", "current-to-pbest/1"] = "current-to-pbest/1",
    weight: float = 0.5,
    crossover: float = 0.9,
    adapt: float = 0.1,
    best: float = 0.2,
) -> Generator[Population, Results, None]:
    """Add differences of individuals to individuals; a child replaces its parent if it is no worse.

    Genes beyond a bound are set to it, so that optima at bounds are found. Unordered genes know no difference: they come
    whole from one of the donors. With fewer than four individuals donors repeat, and a population of one only mixes with its
    own past. A child's parents are the individual it may replace, the one it leads to or starts from, and the two whose
    difference is added.

    Args:
        problem: the task.
        rng: the source of all draws.
        population: individuals a generation, 1 or more.
        strategy: where a mutant starts: a random individual, the best, or on the way to one of the best.
        weight: F, the factor on differences, in (0, 2]; the starting value where it adapts.
        crossover: CR, the probability of a gene to come from the mutant; the starting value where it adapts.
        adapt: c of JADE, how fast weight and crossover follow what succeeds; 0 keeps them fixed for everyone.
        best: p of JADE, the share of the population that "pbest" is drawn from.

    Raises:
        UsageError: an unknown strategy.
    """
    if strategy not in STRATEGIES:
        raise UsageError(f"strategy = {strategy!r}: choose one of {', '.join(map(repr, STRATEGIES))}")
    n, dim, whole = population, problem.dim, unordered(problem.genes)
    mu_F, mu_CR = weight, crossover

    parents = yield from start(problem, rng, n)
    newcomers = Newcomers(problem)
    while True:
        X, numbers = parents.X, parents.trials
        F = np.clip(mu_F + 0.1 * rng.standard_cauchy((n, 1)), 0.1, 1.0) if adapt else np.full((n, 1), weight)
        CR = np.clip(mu_CR + 0.1 * rng.standard_normal((n, 1)), 0.0, 1.0) if adapt else np.full((n, 1), crossover)
        r1, r2, r3 = others(n, 3, rng)
        elite = order(parents)[: max(1, round(best * n))]
        pbest = elite[rng.integers(0, len(elite), n)]
        base = {"rand/1/bin": r1, "best/1/bin": np.full(n, elite[0]), "current-to-pbest/1": np.arange(n)}[strategy]
        mutants = X[base] + F * (X[r2] - X[r3])
        lead = base
        if strategy == "current-to-pbest/1":  # JADE eq. 6
            mutants, lead = mutants + F * (X[pbest] - X), pbest
        mutants = mix(bounded(mutants), X[lead], X[r2], whole, rng)
        children = np.where(at_least_one(rng.random((n, dim)), CR, rng), mutants, X)
        family = np.column_stack([numbers, numbers[lead], numbers[r2], numbers[r3]])

        told = yield Population(children, parents=family, operator=strategy)
        success = no_worse(told, parents)
        if adapt and success.any():  # JADE eqs. 8, 10, 11: Lehmer mean of F, arithmetic mean of CR
            mu_F = (1 - adapt) * mu_F + adapt * float((F[success] ** 2).sum() / F[success].sum())
            mu_CR = (1 - adapt) * mu_CR + adapt * float(CR[success].mean())
        parents = newcomers.settle(where(success, told, parents))


def mix(mutants: Array, lead: Array, donor: Array, whole: np.ndarray, rng: np.random.Generator) -> Array:
    """Return mutants whose unordered genes come from the lead, a donor or, rarely, from anywhere."""
    if not whole.any():
        return mutants
    u, fresh = rng.random(mutants.shape), rng.random(mutants.shape)
    choice = np.where(u < 0.1, fresh, np.where(u < 0.4, donor, lead))
    return np.where(whole, choice, mutants)
