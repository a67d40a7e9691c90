"""Directions in the space of objectives that algorithms by decomposition aim at: points of the unit simplex.

References: Das, Dennis (1998), Normal-boundary intersection: a new method for generating the Pareto surface in nonlinear
multicriteria optimization problems; Deb, Jain (2014), An evolutionary many-objective optimization algorithm using
reference-point based nondominated sorting approach, part I.
"""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from evohpo.optimizers.protocol import Array


def das_dennis(m: int, divisions: int) -> Array:
    """Return the points of the unit simplex whose `m` coordinates are multiples of 1/`divisions`.

    >>> das_dennis(2, 4)[:, 0]
    array([0.  , 0.25, 0.5 , 0.75, 1.  ])
    >>> len(das_dennis(3, 12)), das_dennis(3, 0)
    (91, array([[0.33333333, 0.33333333, 0.33333333]]))
    """
    if divisions == 0:
        return np.full((1, m), 1.0 / m)
    parts = np.zeros((1, 0), np.int64)
    for _ in range(m - 1):  # every row goes on with all that its sum leaves
        left = divisions - parts.sum(1)
        rows = np.repeat(np.arange(len(parts)), left + 1)
        starts = np.repeat(np.cumsum(left + 1) - (left + 1), left + 1)
        parts = np.column_stack([parts[rows], np.arange(len(rows)) - starts])
    return np.column_stack([parts, divisions - parts.sum(1)]) / divisions


def directions(n: int, m: int) -> Array:
    """Return at most `n` evenly spread directions `(k, m)`, at least one; the corners are among them if `n >= m`.

    One layer while it has points inside the simplex, else an outer and an inner layer (Deb, Jain 2014, section V.B):
    with many objectives a single layer of some hundred points lies on the edges altogether.

    >>> [len(directions(100, m)) for m in (1, 2, 3, 5, 8)]
    [1, 100, 91, 85, 72]
    """
    if m == 1:
        return np.ones((1, 1))
    outer = _divisions(n, m)
    if outer >= m or outer == 0:
        return das_dennis(m, outer)
    layer = das_dennis(m, outer)
    inner = min(_divisions(n - len(layer), m), outer) if n > len(layer) else -1
    if inner < 0:
        return layer
    return np.concatenate([layer, 0.5 * das_dennis(m, inner) + 0.5 / m])


def subproblems(n: int, m: int) -> Array:
    """Return exactly `n` directions `(n, m)`: those of `directions`, and in the widest gaps some of a finer lattice.

    >>> subproblems(10, 3).shape, subproblems(3, 1).tolist()
    ((10, 3), [[1.0], [1.0], [1.0]])
    """
    if m == 1:
        return np.ones((n, 1))
    chosen = directions(n, m)
    if len(chosen) == n:
        return chosen
    finer = das_dennis(m, _divisions(min(20 * n, 20_000) + 10 * m, m))
    gap = np.full(len(finer), np.inf)
    for row in chosen:
        gap = np.minimum(gap, _apart(finer, row))
    for _ in range(n - len(chosen)):
        widest = finer[gap.argmax()]
        chosen = np.concatenate([chosen, widest[None]])
        gap = np.minimum(gap, _apart(finer, widest))
    return chosen


def _divisions(n: int, m: int) -> int:
    """Return into how many parts an edge can be divided so that at most `n` points come of it."""
    p = 0
    while comb(p + m, m - 1) <= n:  # C(H + m - 1, m - 1) points, here for H = p + 1
        p += 1
    return p


def _apart(X: Array, row: Array) -> Array:
    # Rounded, so that of equal gaps every machine takes the first.
    return np.asarray(np.round(((X - row) ** 2).sum(1), 12))
