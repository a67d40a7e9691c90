"""Parzen estimators on chromosomes: a mixture of one product kernel an observation, and of the uniform distribution.

Densities are relative to the uniform one, so a gene that does not apply, in a chromosome or in an observation, has the
factor 1: parameters that are active together are modelled together, and those of other branches have no say.

Reference: Bergstra, Bardenet, Bengio, Kegl (2011), Algorithms for hyper-parameter optimization; Watanabe (2023),
Tree-structured Parzen estimator: understanding its algorithm components and their roles for better empirical performance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evohpo.optimizers.operators import Integers, Mask, bins, unordered

if TYPE_CHECKING:
    from evohpo.optimizers.protocol import Array
    from evohpo.space import Genes

MANY = 1_000  # bins beyond which an ordered gene is as good as continuous


class Parzen:
    """A density on [0, 1]^dim, to draw from and to look up.

    Continuous genes have normal kernels truncated to [0, 1], ordered bins the masses of such kernels, and an unordered gene
    keeps its value but for a share that goes to all values alike.

    Args:
        X: `(n, dim)` observations, discrete genes at the centres of their bins.
        active: `(n, dim)` genes that apply.
        weights: `(n + 1,)` of the observations, and last of the uniform distribution; they need not add up to 1.
        bandwidth: `(dim,)` standard deviations of the kernels.
        share: `(dim,)` of unordered genes, how much of a kernel goes to all values alike.
        genes: cardinality and order of each gene.
    """

    def __init__(self, X: Array, active: Mask, weights: Array, bandwidth: Array, share: Array, genes: Genes) -> None:
        from scipy.special import ndtr

        self.X, self.active, self.weights, self.bandwidth, self.share = X, active, weights, bandwidth, share
        self.k = np.asarray(genes.cardinality, np.int64)
        self.whole = unordered(genes)
        binned = ~self.whole & (self.k > 1) & (self.k <= MANY)
        self.smooth, self.binned = np.flatnonzero(~self.whole & ~binned), np.flatnonzero(binned)
        self.loose = np.flatnonzero(self.whole & (self.k > 1))
        self.low, self.high = ndtr(-X / bandwidth), ndtr((1.0 - X) / bandwidth)  # what truncation leaves
        self.bins = bins(X, np.maximum(self.k, 1))

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Return `(n, dim)` draws, discrete genes at the centres of their bins; takes `n (2 dim + 1)` numbers."""
        from scipy.special import ndtri

        u, v = rng.random((n, len(self.k))), rng.random((n, len(self.k)))
        total = np.cumsum(self.weights)
        kernel = np.minimum(np.searchsorted(total, rng.random(n) * total[-1], side="right"), len(self.X))
        free = kernel == len(self.X)
        i = np.where(free, 0, kernel)
        if not len(self.X):
            return self._centred(u)
        near = self.X[i] + self.bandwidth * ndtri(self.low[i] + u * (self.high[i] - self.low[i]))
        kept = np.where(v < self.share, u, self.X[i])
        drawn = np.where(self.whole, kept, np.clip(near, 0.0, 1.0))
        return self._centred(np.where(free[:, None] | ~self.active[i], u, drawn))

    def _centred(self, X: Array) -> Array:
        return np.where(self.k > 0, (bins(X, np.maximum(self.k, 1)) + 0.5) / np.maximum(self.k, 1), X)

    def log_density(self, X: Array, active: Mask) -> Array:
        """Return `(m,)`: the logarithm of the density at `X` `(m, dim)`, relative to the uniform one."""
        exponent = np.zeros((len(X), len(self.X) + 1))
        exponent[:, :-1] = self._log_kernels(X, active)
        weights = self.weights / self.weights.sum()
        top = exponent.max(1, keepdims=True)
        return np.asarray(np.log(np.exp(exponent - top) @ weights) + top[:, 0])

    def _log_kernels(self, X: Array, active: Mask) -> Array:
        from scipy.spatial.distance import cdist

        n = len(self.X)
        total = np.zeros((len(X), n))
        if not n:
            return total
        everywhere = bool(active.all() and self.active.all())
        at = bins(X, np.maximum(self.k, 1))
        if len(self.smooth):
            j, s = self.smooth, self.bandwidth[self.smooth]
            scale = np.log(np.maximum(self.high[:, j] - self.low[:, j], 1e-300) * (s * np.sqrt(2 * np.pi)))
            if everywhere:
                total -= 0.5 * cdist(X[:, j] / s, self.X[:, j] / s, "sqeuclidean") + scale.sum(1)
            else:
                term = -0.5 * ((X[:, None, j] - self.X[None, :, j]) / s) ** 2 - scale
                total += np.where(self._both(active, j), term, 0.0).sum(2)
        for gene in self.binned.tolist():
            distance = np.abs(at[:, gene, None] - self.bins[None, :, gene])
            mass = _masses(int(self.k[gene]), float(self.bandwidth[gene]))
            term = np.log(mass)[distance] - np.log((self.high[:, gene] - self.low[:, gene]) / self.k[gene])
            total += term if everywhere else np.where(active[:, gene, None] & self.active[None, :, gene], term, 0.0)
        if len(self.loose):
            j = self.loose
            miss = self.share[j]
            hit = miss + (1 - miss) * self.k[j]
            term = np.where(at[:, None, j] == self.bins[None, :, j], np.log(hit), np.log(miss))
            total += (term if everywhere else np.where(self._both(active, j), term, 0.0)).sum(2)
        return total

    def _both(self, active: Mask, j: Integers) -> Mask:
        return np.asarray(active[:, None, j] & self.active[None, :, j])


def _masses(k: int, bandwidth: float) -> Array:
    """Return `(k,)`: the mass of a normal kernel at a bin's centre in bins at a distance of 0, 1, ... bins."""
    from scipy.special import ndtr

    edges = (np.arange(k + 1) - 0.5) / (k * bandwidth)
    # beyond the centre masses are taken from the lower tail, which is exact far out
    return np.asarray(np.maximum(ndtr(-edges[:-1]) - ndtr(-edges[1:]), 1e-300))
