"""A Gaussian process with a length scale a gene and stretched scales, fitted to its most probable parameters.

Reference: Rasmussen, Williams (2006), Gaussian processes for machine learning; Snoek et al. (2014), Input warping for
Bayesian optimization of non-stationary functions; Hvarfner et al. (2024), Vanilla Bayesian optimization performs great in
high dimensions (the prior on length scales).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_solve, cholesky, lapack, solve_triangular
from scipy.optimize import minimize

if TYPE_CHECKING:
    from evohpo.optimizers.bo.domain import Domain
    from evohpo.optimizers.protocol import Array

ROOT5 = 5**0.5
BIAS = 1.0  # variance of the constant mean, which is integrated out
TRUST, DOUBT = 0.7, 0.5  # what lessons of earlier studies count for together, and the standard deviation: data decide
JITTER = 1e-6
DECIMALS = 3  # of fitted parameters: so that the last bits, in which machines differ, do not grow
EDGE = 1e-5  # the derivatives of a warp are infinite at the ends
# priors: what is usual, and the standard deviation of its logarithm
LENGTH = (
    1.0,
    1.0,
)  # of genes, times the root of how many apply at once: that far apart two random rows are; else as it is
STRETCH = 1.0, 0.4  # exponents of a Kumaraswamy distribution function
SIGNAL = 1.0, 1.0  # variances, of losses whose variance is 1
NOISE = 1e-3, 1.5


@dataclass(frozen=True, slots=True)
class Prior:
    """Normal priors on the logarithms of parameters: means and standard deviations, and the bounds of the search."""

    mean: Array
    std: Array
    low: Array
    high: Array


class Parameters:
    """The layout of a vector of log parameters: length scales, stretch twice, signal and noise variance.

    Args:
        domain: what the coordinates mean.
        stretched: whether scales are stretched.
        lessons: columns behind the coordinates that say what each earlier study lets one expect.
    """

    def __init__(self, domain: Domain, stretched: bool, lessons: int = 0) -> None:
        self.domain, self.lessons, g = domain, lessons, domain.scales
        self.bent = np.flatnonzero(domain.stretchable) if stretched else np.empty(0, np.int64)
        b = len(self.bent)
        self.lengths, self.a, self.b = slice(0, g), slice(g, g + b), slice(g + b, g + 2 * b)
        self.signal, self.noise = g + 2 * b, g + 2 * b + 1
        kinds = [(self.lengths, LENGTH, 0.02, 200.0), (slice(g, g + 2 * b), STRETCH, 0.22, 4.5)]
        kinds += [(slice(g + 2 * b, g + 2 * b + 1), SIGNAL, 0.05, 20.0), (slice(g + 2 * b + 1, None), NOISE, 1e-6, 1.0)]
        mean, std, low, high = np.empty((4, g + 2 * b + 2))
        for where, (usual, spread), least, most in kinds:
            mean[where], std[where], low[where], high[where] = np.log(usual), spread, np.log(least), np.log(most)
        mean[: domain.dim] += 0.5 * np.log(max(domain.active_genes, 1.0))
        self.prior = Prior(mean, std, low, high)

    def scaled(self, theta: Array, features: Array) -> Array:
        """Return coordinates `(n, f)` of features, stretched and in length scales."""
        W = features[:, : len(self.domain.owner)]
        if len(self.bent):
            W = W.copy()
            a, b = np.exp(theta[self.a]), np.exp(theta[self.b])
            x = np.clip(features[:, self.bent], EDGE, 1 - EDGE)
            W[:, self.bent] = 1 - (1 - x**a) ** b
        return np.asarray(W * np.exp(-theta[self.lengths])[self.domain.owner])

    def trend(self, features: Array) -> tuple[Array, Array]:
        """Return the mean `(n,)` before there are results, and `(n, k)` what is linear in it, each of unknown weight.

        That is a constant, and what earlier studies let one expect: a little of all of them, and results say how much of each.
        """
        said = features[:, len(self.domain.owner) :]
        constant = np.full((len(features), 1), np.sqrt(BIAS))
        if not self.lessons:
            return np.zeros(len(features)), constant
        basis = np.concatenate([constant, said * (DOUBT / np.sqrt(self.lessons))], 1)
        return TRUST * said.mean(1), basis


def squared_distances(A: Array, B: Array) -> Array:
    """Return `(n, m)` squared distances of the rows of A and B."""
    r2 = A @ B.T
    r2 *= -2
    r2 += (A * A).sum(1)[:, None]
    r2 += (B * B).sum(1)
    return np.asarray(np.maximum(r2, 0.0, out=r2))


def matern(r2: Array) -> Array:
    """Return the Matern 5/2 kernel of squared distances."""
    s = np.sqrt(r2)
    s *= ROOT5
    k = s / 3  # in place, since this is where the time goes
    k += 1
    k *= s
    k += 1
    k *= np.exp(np.negative(s, out=s), out=s)
    return np.asarray(k)


class Likelihood:
    """Minus the log of likelihood times priors, with its gradient."""

    def __init__(self, layout: Parameters, features: Array, z: Array) -> None:
        mean, basis = layout.trend(features)
        self.layout, self.features, self.z, self.linear = layout, features, z - mean, basis @ basis.T
        x = np.clip(features[:, layout.bent], EDGE, 1 - EDGE)
        self.x, self.log_x = x, np.log(x)

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """Return its value, up to a constant, and its gradient at parameters `theta`."""
        layout, n = self.layout, len(self.z)
        scale = np.exp(-theta[layout.lengths])[layout.domain.owner]
        Z = layout.scaled(theta, self.features)
        signal, noise = np.exp(theta[layout.signal]), np.exp(theta[layout.noise])
        r2 = squared_distances(Z, Z)
        np.fill_diagonal(r2, 0.0)
        s = ROOT5 * np.sqrt(r2)
        decay = np.exp(-s)
        K = signal * (1 + s + s * s / 3) * decay
        full = K + self.linear
        full[np.diag_indices(n)] += noise + JITTER
        try:
            L = cholesky(full, lower=True, check_finite=False)
        except np.linalg.LinAlgError:
            return 1e10, np.zeros_like(theta)
        alpha = cho_solve((L, True), self.z, check_finite=False)
        inverse, _ = lapack.dpotri(L, lower=1)
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        A = 0.5 * (inverse - np.outer(alpha, alpha))
        value = 0.5 * float(self.z @ alpha) + float(np.log(np.diag(L)).sum())
        gradient = np.zeros_like(theta)
        M = A * (-(5 / 6) * signal * (1 + s) * decay)  # by squared distance
        sums, MZ = M.sum(1), M @ Z
        by_feature = -4 * ((sums[:, None] * Z * Z).sum(0) - (Z * MZ).sum(0))
        gradient[layout.lengths] = np.bincount(layout.domain.owner, by_feature, layout.domain.scales)
        if len(layout.bent):
            a, b = np.exp(theta[layout.a]), np.exp(theta[layout.b])
            power = self.x**a
            rest = 1 - power
            own = scale[layout.bent]
            for where, V in (
                (layout.a, a * b * rest ** (b - 1) * power * self.log_x * own),
                (layout.b, -b * rest**b * np.log(rest) * own),
            ):
                ZV, MZV = Z[:, layout.bent] * V, MZ[:, layout.bent] * V
                gradient[where] = 4 * ((sums[:, None] * ZV).sum(0) - MZV.sum(0))
        gradient[layout.signal] = float((A * K).sum())
        gradient[layout.noise] = noise * float(np.trace(A))
        prior = layout.prior
        off = (theta - prior.mean) / prior.std
        return value + 0.5 * float(off @ off), gradient + off / prior.std


class GaussianProcess:
    """A posterior: what `n` observations say about any configuration.

    Args:
        layout: what the parameters mean.
        theta: the parameters.
        features: `(n, f)` coordinates of what was observed.
        z: `(n,)` warped losses.
    """

    def __init__(self, layout: Parameters, theta: Array, features: Array, z: Array) -> None:
        self.layout, self.theta, self.features, self.z = layout, theta, features, z
        self.scaled = layout.scaled(theta, features)
        self.signal = float(np.exp(theta[layout.signal]))
        self.noise = float(np.exp(theta[layout.noise]))
        mean, self.basis = layout.trend(features)
        K = self.signal * matern(squared_distances(self.scaled, self.scaled))
        K[np.diag_indices(len(z))] = self.signal + self.noise + JITTER
        K += self.basis @ self.basis.T
        L = cholesky(K, lower=True, check_finite=False)
        self.inverse_root = solve_triangular(L, np.eye(len(z)), lower=True, check_finite=False)
        self.alpha = self.inverse_root.T @ (self.inverse_root @ (z - mean))

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation, without noise, at `(m, f)` coordinates."""
        before, basis = self.layout.trend(features)
        k = self.signal * matern(squared_distances(self.layout.scaled(self.theta, features), self.scaled))
        k += basis @ self.basis.T
        mean = before + k @ self.alpha
        root = k @ self.inverse_root.T
        variance = self.signal + (basis * basis).sum(1) - (root * root).sum(1)
        return mean, np.sqrt(np.maximum(variance, 1e-10))

    def with_fantasies(self, features: Array) -> GaussianProcess:
        """Return the process that saw its own mean at `(m, f)` coordinates, too: less doubt, no news."""
        if not len(features):
            return self
        mean, _ = self.predict(features)
        return GaussianProcess(
            self.layout, self.theta, np.concatenate([self.features, features]), np.concatenate([self.z, mean])
        )


def fit(layout: Parameters, features: Array, z: Array, starts: list[Array], steps: int) -> Array:
    """Return the most probable parameters found from `starts`."""
    likelihood = Likelihood(layout, features, z)
    bounds = list(zip(layout.prior.low, layout.prior.high, strict=True))
    found = [
        minimize(likelihood, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": steps})
        for start in starts
    ]
    best = min(found, key=lambda one: float(one.fun))
    return np.asarray(best.x.round(DECIMALS))
