"""Choosing from a front: the knee, and the compromise that weights ask for. Fitness `F` `(n, m)` is minimised.

Both look at objectives as shares of their range in the front, so that units do not matter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def shares(F: Floats) -> Floats:
    """Return `(n, m)`: 0 for the best value of an objective in the front, 1 for the worst; 0 where all are equal."""
    low, span = F.min(0), np.ptp(F, 0)
    return np.asarray(np.divide(F - low, span, out=np.zeros(F.shape), where=span > 0))


def knee(F: Floats) -> int:
    """Return the row that lies farthest below the plane through the ends of the front: to gain there costs most.

    Reference: Das (1999), On characterizing the "knee" of the Pareto curve based on normal-boundary intersection.

    >>> knee(np.array([[0.0, 10.0], [1.0, 2.0], [9.0, 1.0], [10.0, 0.0]]))
    1
    """
    return int(shares(F).sum(1).round(12).argmin())


def compromise(F: Floats, weights: ArrayLike) -> int:
    """Return the row whose largest weighted distance from the best values is the smallest; of equals, the smaller sum.

    Unlike a weighted sum it can reach every row of a front, those in its hollows too. A weight of 0 leaves an objective out.

    Reference: Steuer, Choo (1983), An interactive weighted Tchebycheff procedure for multiple objective programming.

    >>> F = np.array([[0.0, 10.0], [4.0, 4.0], [10.0, 0.0]])
    >>> compromise(F, [1, 1]), compromise(F, [5, 1])
    (1, 0)
    """
    distance = shares(F) * np.asarray(weights, float)
    return int(np.lexsort((distance.sum(1).round(12), distance.max(1).round(12)))[0])
