"""Particle swarm optimization, with coefficients that converge fast.

Reference: Kennedy, Eberhart (1995), Particle swarm optimization; Trelea (2003), The particle swarm optimization algorithm:
convergence analysis and parameter selection; Bratton, Kennedy (2007), Defining a standard for particle swarm optimization;
at bounds Helwig, Branke, Mostaghim (2013), Experimental analysis of bound handling techniques in particle swarm optimization.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from evohpo.errors import UsageError
from evohpo.optimizers.operators import Integers, bounded, no_worse, order, unordered, where
from evohpo.optimizers.protocol import Population, Problem, Results
from evohpo.optimizers.registry import optimizer
from evohpo.optimizers.start import Newcomers, start

if TYPE_CHECKING:
    from collections.abc import Generator


@optimizer("pso", constraints=True, told="results", reference="Kennedy, Eberhart (1995); Trelea (2003)")
def pso(
    problem: Problem,
    rng: np.random.Generator,
    *,
    population: int = 20,
    topology: Literal["global", "ring"] = "global",
    neighborhood_size: int = 3,
    inertia: float = 0.6,
    cognitive: float = 1.7,
    social: float = 1.7,
    max_velocity: float = 0.2,
) -> Generator[Population, Results, None]:
    """Every particle is drawn to the best place it has seen and to the best one its neighbours have seen.

    A particle that leaves [0, 1] is stopped at the bound in that gene, so that optima at bounds are found; reflected, it
    would only come near them. Unordered genes have no velocity: each is kept, or copied from one of the two best places,
    or (once a chromosome, on average) drawn anew. The parents of a place are the one before it and these two.

    Args:
        problem: the task.
        rng: the source of all draws.
        population: particles, 1 or more.
        topology: who is a neighbour: everyone ("global", converges fast), or those next to a particle ("ring").
        neighborhood_size: how many particles, itself included, a neighbourhood of the ring has.
        inertia: share of the velocity that is kept; with 0.7298 and pulls of 1.49618, the constriction of Clerc and
            Kennedy (2002), swarms converge more slowly than with Trelea's values.
        cognitive: greatest pull to the particle's own best place.
        social: greatest pull to the neighbourhood's best place.
        max_velocity: greatest step a gene makes in one generation, as a share of its range.

    Raises:
        UsageError: an unknown topology, or an empty neighbourhood.
    """
    if topology not in ("global", "ring"):
        raise UsageError(f"topology = {topology!r}: choose 'global' or 'ring'")
    if neighborhood_size < 1:
        raise UsageError(
            f"neighborhood_size = {neighborhood_size!r}: a particle counts as its own neighbour, give 1 or more"
        )
    n, dim, whole = population, problem.dim, unordered(problem.genes)
    size = n if topology == "global" else min(neighborhood_size, n)

    best = yield from start(problem, rng, n)
    newcomers = Newcomers(problem)
    X, here = best.X, best.trials
    V = rng.uniform(-1.0, 1.0, (n, dim)) * max_velocity
    while True:
        lead = _leaders(order(best), size)
        leader = best.X[lead]
        pull = cognitive * rng.random((n, dim)) * (best.X - X) + social * rng.random((n, dim)) * (leader - X)
        V = np.clip(inertia * V + pull, -max_velocity, max_velocity)
        moved = X + V
        V = np.where((moved < 0.0) | (moved > 1.0), 0.0, V)
        moved = bounded(moved)
        if whole.any():
            u, fresh = rng.random((n, dim)), rng.random((n, dim))
            rare = 1.0 / dim
            copied = np.where(u < 0.35, best.X, np.where(u < 0.7, leader, X))
            moved = np.where(whole, np.where(u > 1.0 - min(rare, 0.3), fresh, copied), moved)
        X = moved

        family = np.column_stack([here, best.trials, best.trials[lead]])
        told = yield Population(X, parents=family, operator="flight")
        here = told.trials
        best = newcomers.settle(where(no_worse(told, best), told, best))


def _leaders(best_first: Integers, size: int) -> Integers:
    """Return `(n,)`: for each particle the best one among `size` neighbours on a ring around it."""
    n = len(best_first)
    if size >= n:
        return np.full(n, best_first[0])
    rank = np.empty(n, np.int64)
    rank[best_first] = np.arange(n)
    around = np.stack([np.roll(rank, shift) for shift in range(-(size // 2), size - size // 2)])
    return np.asarray(best_first[around.min(0)])
