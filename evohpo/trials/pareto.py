"""Domination, crowding and hypervolume, for minimised fitness `F` `(n, m)` and total constraint violation `(n,)`."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def domination_ranks(F: Floats, violation: Floats | None = None) -> NDArray[np.int64]:
    """Return `(n,)` ranks by constrained domination, 0 is best; equal rows share a rank.

    Feasible rows come first, front by front. Infeasible rows come behind all of them, one rank a level of violation.

    Reference: Deb, Pratap, Agarwal, Meyarivan (2002), A fast and elitist multiobjective genetic algorithm: NSGA-II,
    definition 1.

    >>> domination_ranks(np.array([[1.0, 2.0], [2.0, 1.0], [2.0, 2.0], [0.0, 0.0]]), np.array([0.0, 0.0, 0.0, 0.5]))
    array([0, 0, 1, 2])
    """
    from moocore import pareto_rank

    feasible = np.ones(len(F), bool) if violation is None else violation <= 0
    ranks = np.zeros(len(F), np.int64)
    if feasible.any():
        ranks[feasible] = pareto_rank(F[feasible])
    if violation is not None and not feasible.all():
        behind = ranks[feasible].max() + 1 if feasible.any() else 0
        ranks[~feasible] = behind + np.unique(violation[~feasible], return_inverse=True)[1]
    return ranks


def crowding(F: Floats, ranks: NDArray[np.int64]) -> Floats:
    """Return `(n,)` crowding distances, each row among those of its own rank; infinite at a front's ends.

    Every objective is divided by its range in the front, so that units do not matter.

    Reference: Deb et al. (2002), section III.B.

    >>> crowding(np.array([[0.0, 4.0], [1.0, 2.0], [4.0, 0.0]]), np.array([0, 0, 0]))
    array([inf,  2., inf])
    """
    distance = np.zeros(len(F))
    for column in F.T:
        by = np.lexsort((column, ranks))
        f, r = column[by], ranks[by]
        first = np.diff(r, prepend=-1) != 0
        last = np.roll(first, -1)
        low, high = np.flatnonzero(first), np.flatnonzero(last)
        span = np.repeat(f[high] - f[low], high - low + 1)
        gap = np.roll(f, -1) - np.roll(f, 1)
        share = np.divide(gap, span, out=np.zeros(len(f)), where=span > 0)
        share[first | last] = np.inf
        distance[by] += share
    return distance


def hypervolume(F: Floats, reference: ArrayLike) -> float:
    """Return the volume that the rows of `F` dominate up to `reference` `(m,)`; rows beyond it count nothing.

    >>> hypervolume(np.array([[0.0, 0.5], [0.5, 0.0], [2.0, 2.0]]), [1, 1])
    0.75
    """
    from moocore import hypervolume as volume

    inside = F[(np.asarray(reference) > F).all(1)]
    return float(volume(inside, ref=np.asarray(reference, float))) if len(inside) else 0.0


def front(F: Floats, violation: Floats | None = None) -> NDArray[np.bool_]:
    """Return `(n,)`: which rows are feasible and dominated by no feasible one; equal rows are all in, or all out."""
    feasible = np.ones(len(F), bool) if violation is None else violation <= 0
    mask = feasible.copy()
    mask[feasible] = domination_ranks(F[feasible]) == 0
    return mask
