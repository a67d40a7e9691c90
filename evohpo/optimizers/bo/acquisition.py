"""How much configurations promise: logarithms of expected improvement and of the probability to be feasible."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import erfcx, log_ndtr, logsumexp, ndtr

if TYPE_CHECKING:
    from evohpo.optimizers.protocol import Array

LOG_ROOT_2PI = 0.5 * np.log(2 * np.pi)
NODES, WEIGHTS = np.polynomial.legendre.leggauss(6)


def log_improvement(mean: Array, std: Array, best: float) -> Array:
    """Return `(n,)` logarithms of the expected improvement on `best`, exact even where that underflows.

    Reference: Ament et al. (2023), Unexpected improvements to expected improvement for Bayesian optimization.
    """
    u = (best - mean) / std
    near, far = np.maximum(u, -1.0), np.minimum(u, -1.0)
    close = np.log(np.exp(-0.5 * near * near - LOG_ROOT_2PI) + near * ndtr(near))
    ratio = np.minimum(-far * erfcx(-far / np.sqrt(2)) * np.sqrt(np.pi / 2), 1.0)
    rest = np.where(far > -1e4, np.log1p(-np.minimum(ratio, 1 - 1e-15)), -2 * np.log(-far))
    return np.asarray(np.where(u > -1.0, close, -0.5 * far * far - LOG_ROOT_2PI + rest) + np.log(std))


def log_feasibility(mean: Array, std: Array) -> Array:
    """Return `(n,)` logarithms of the probability to be below 0."""
    return np.asarray(log_ndtr(-mean / std))


def log_hypervolume(mean: Array, std: Array, front: Array, reference: Array, directions: Array) -> Array:
    """Return `(n,)` logarithms of the expected hypervolume gained, up to a constant.

    The volume is the mean, over directions from the reference point, of how far the front reaches, to the power of the
    number of objectives; what one more independent point of normal distribution adds is integrated along each direction.

    Args:
        mean: `(n, m)` expected objectives.
        std: `(n, m)` their standard deviations.
        front: `(k, m)` objectives of the points that there are.
        reference: `(m,)` what is worse in an objective adds nothing.
        directions: `(d, m)` unit vectors, all positive.

    Reference: Golovin, Zhang (2020), Random hypervolume scalarizations for provable multi-objective black box optimization.
    """
    m = mean.shape[1]
    reached = ((reference - front)[:, None] / directions).min(2).max(0, initial=0.0)  # (d,)
    reachable = ((reference - mean + 4 * std)[:, None] / directions).min(2)  # (n, d)
    width = np.maximum(reachable - reached, 1e-3)
    t = reached[:, None] + width[..., None] * (NODES + 1) / 2  # (n, d, nodes)
    log = np.log(WEIGHTS) + np.log(width)[..., None] + (m - 1) * np.log(t)
    for j in range(m):
        log += log_ndtr((reference[j] - directions[:, j, None] * t - mean[:, j, None, None]) / std[:, j, None, None])
    return np.asarray(logsumexp(log, axis=(1, 2)))
