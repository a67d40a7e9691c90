"""CMA-ES with active covariance update, margins for discrete genes and restarts with growing populations.

Equation numbers are those of Hansen (2016), The CMA Evolution Strategy: A Tutorial, arXiv:1604.00772v1, weights of the
covariance those of version 2 (2023). Margins:
Hamano, Saito, Nomura, Shirakawa (2022), CMA-ES with margin; integers: Marty, Hansen, Auger, Semet, Heron (2024), LB+IC-CMA-ES:
two simple modifications of CMA-ES to handle mixed-integer problems. Restarts: Auger, Hansen (2005), A restart CMA evolution
strategy with increasing population size (IPOP).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.errors import UsageError
from evohpo.optimizers.operators import bounded, order
from evohpo.optimizers.protocol import Array, Population, Problem, Results
from evohpo.optimizers.registry import optimizer
from evohpo.space import OneHot

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

REFERENCE = "Hansen (2016); Hamano et al. (2022); Marty et al. (2024)"
# Draws of which the first one within bounds is a sample, as many each time so that the stream stays in step. With more, a
# mean near a bound sees nothing but the inside, is driven back, and takes that for progress: its step size explodes.
TRIES = 2
LEAST = 4  # samples an update needs to tell good directions from bad ones
# Largest standard deviation, as a share of a gene's range, at which a run has converged. Much below it, differences in
# fitness drown in rounding, machines rank differently, and a replay elsewhere would leave its record.
FLAT = 1e-6


@optimizer("es", constraints=True, encoding=OneHot(), told="results", reference=REFERENCE)
@optimizer("cmaes", constraints=True, encoding=OneHot(), told="results", reference=REFERENCE)
def cmaes(
    problem: Problem, rng: np.random.Generator, *, population: int | None = None, sigma: float = 0.2
) -> Generator[Population, Results, None]:
    """Sample a normal distribution and move it, shape and all, towards what ranks best; the middle is the first sample.

    Where results are inherited it begins at the best of these instead.

    A sample of which a continuous gene leaves [0, 1] is drawn anew, once; if it leaves again it is evaluated at the bound,
    and ranks the farther back the farther out it was (the penalty of Hansen's section B.5, for ranks), so that optima at
    bounds are found and the model keeps near them. Discrete genes keep a margin of probability in their neighbouring
    bins, so that they do not freeze. A run that has converged or stagnates starts anew from a random place with twice the
    population.

    Args:
        problem: the task.
        rng: the source of all draws.
        population: samples a generation; 4 + 3 ln(dim) if None. Fewer than four are evaluated in several batches.
        sigma: standard deviation of the first generation, as a share of a gene's range.

    Raises:
        UsageError: a population below 1.
    """
    if population is not None and population < 1:
        raise UsageError(f"population = {population}: a generation has at least 1 individual")
    size = 4 + int(3 * np.log(max(problem.dim, 1))) if population is None else population  # eq. 48
    samples, mean, first = max(size, LEAST), np.full(problem.dim, 0.5), True
    if problem.inherited is not None:
        mean = problem.inherited.X[order(problem.inherited)[0]].copy()
    while True:
        model = _Model(problem.genes, mean, sigma, samples)
        while not model.finished():
            Y, X = model.sample(rng)
            if first:
                Y[0], X[0] = 0.0, mean
            told = yield from _in_batches(X, size if size < LEAST else samples)
            by = order(told)
            model.learn(Y[model.demoted(Y, by)], (float(told.violation[by[0]]), float(told.F[by[0], 0])))
            if first and len(problem.known):
                both = Results.concatenate([told, problem.known])
                model.mean = both.X[order(both)[0]].copy()
            first = False
        samples, mean = 2 * samples, rng.random(problem.dim)


def _in_batches(X: Array, size: int) -> Generator[Population, Results, Results]:
    parts = []
    for i in range(0, len(X), size):
        parts.append((yield Population(X[i : i + size], operator="cmaes")))  # noqa: PERF401 - a comprehension cannot yield
    return Results.concatenate(parts)


def _categories(genes: Any) -> list[NDArray[np.int64]]:
    """Return the genes of each one-hot category: those continuous ones that share a parameter."""
    owners = [
        name if k == 0 else None for name, k in zip(getattr(genes, "parameter", ()), genes.cardinality, strict=False)
    ]
    shared = [name for name in dict.fromkeys(owners) if name is not None and owners.count(name) > 1]
    return [np.flatnonzero([owner == name for owner in owners]) for name in shared]


class _Model:
    """One run: mean, step size, covariance, the two paths, and the margins. Notation of the tutorial's figure 6."""

    def __init__(self, genes: Any, mean: Array, sigma: float, samples: int) -> None:
        n = len(mean)
        self.n, self.samples, self.mean, self.sigma = n, samples, mean, sigma
        # Recombination weights, negative ones for the worse half: eqs. 49 to 53.
        raw = np.log((samples + 1) / 2) - np.log(np.arange(1, samples + 1))
        mu = samples // 2
        self.mu = mu
        mueff = raw[:mu].sum() ** 2 / (raw[:mu] ** 2).sum()
        mueff_bad = raw[mu:].sum() ** 2 / (raw[mu:] ** 2).sum()
        self.c1 = 2 / ((n + 1.3) ** 2 + mueff)  # eq. 57
        self.cmu = min(1 - self.c1, 2 * (0.25 + mueff - 2 + 1 / mueff) / ((n + 2) ** 2 + mueff))  # eq. 58 of version 2
        definite = (1 - self.c1 - self.cmu) / (max(n, 1) * self.cmu)  # keeps C positive definite
        bad = min(1 + self.c1 / self.cmu, 1 + 2 * mueff_bad / (mueff + 2), definite)
        self.weights = np.where(raw >= 0, raw / raw[raw > 0].sum(), bad * raw / -raw[raw < 0].sum())
        self.mueff = mueff
        self.cs = (mueff + 2) / (n + mueff + 5)  # eq. 55
        self.damp = 1 + 2 * max(0.0, np.sqrt((mueff - 1) / (n + 1)) - 1) + self.cs
        self.cc = (4 + mueff / max(n, 1)) / (n + 4 + 2 * mueff / max(n, 1))  # eq. 56
        self.chi = np.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n**2)) if n else 1.0
        self.ps, self.pc, self.generation = np.zeros(n), np.zeros(n), 0
        self.best, self.stale = (np.inf, np.inf), 0
        self.k = np.asarray(genes.cardinality, np.int64)
        self.categories = _categories(genes)
        self.stretch = np.ones(n)  # A of the margin: what discrete genes are widened by
        self._set(np.eye(n))

    def _set(self, C: Array) -> None:
        # The symmetric root does not depend on the signs and the order of eigenvectors, in which machines differ.
        d, B = np.linalg.eigh((C + C.T) / 2)
        d = np.maximum(d, 1e-14 * d.max(initial=1e-300))
        self.C, self.root, self.inverse = C, (B * np.sqrt(d)) @ B.T, (B / np.sqrt(d)) @ B.T
        self.spread = self.sigma * np.sqrt(np.diag(C))  # standard deviation gene by gene

    def sample(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return steps `Y` `(samples, dim)` for the update, and the chromosomes to evaluate (eqs. 38 to 40)."""
        Z = rng.standard_normal((TRIES, self.samples, self.n)) @ self.root
        outside = np.abs(self.mean + self.sigma * self.stretch * Z - 0.5) > 0.5
        Y = Z[(outside & (self.k == 0)).any(2).argmin(0), np.arange(self.samples)]
        return Y, bounded(self.mean + self.sigma * self.stretch * Y)

    def demoted(self, Y: Array, by: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return `by`, the rows of the steps `Y` from best to worst, with those farther back that were brought within bounds.

        A row whose genes lay a standard deviation outside, in the root mean square, loses as many ranks as there are; one
        that lay half as far out loses a quarter of them.
        """
        V = self.mean + self.sigma * Y
        overshoot = np.where(self.k > 0, 0.0, V - bounded(V)) / np.maximum(self.spread, 1e-300)
        rank = np.arange(self.samples) + self.samples * (overshoot[by] ** 2).sum(1) / max(self.n, 1)
        return np.asarray(by[np.argsort(rank, kind="stable")])

    def learn(self, Y: Array, best: tuple[float, float]) -> None:
        """Update the distribution by the steps `Y`, best first, which are changed."""
        Y[: self.mu] = self._centred(Y[: self.mu])
        w, good = self.weights, self.weights[: self.mu]
        step = good @ Y[: self.mu]  # eq. 41
        mean = self.mean + self.sigma * step  # eq. 42
        self.mean = np.where(self.k > 0, mean, np.clip(mean, 0.0, 1.0))
        self.generation += 1
        pull = np.sqrt(self.cs * (2 - self.cs) * self.mueff)
        self.ps = (1 - self.cs) * self.ps + pull * (self.inverse @ step)  # eq. 43
        length = np.linalg.norm(self.ps)
        fair = np.sqrt(1 - (1 - self.cs) ** (2 * self.generation))
        h = float(length / fair < (1.4 + 2 / (self.n + 1)) * self.chi)
        self.pc = (1 - self.cc) * self.pc + h * np.sqrt(self.cc * (2 - self.cc) * self.mueff) * step  # eq. 45
        scaled = np.where(w >= 0, w, w * self.n / np.maximum(((Y @ self.inverse) ** 2).sum(1), 1e-12))  # eq. 46
        C = (1 + self.c1 * (1 - h) * self.cc * (2 - self.cc) - self.c1 - self.cmu * w.sum()) * self.C
        C = C + self.c1 * np.outer(self.pc, self.pc) + self.cmu * (Y.T * scaled) @ Y  # eq. 47
        growth = np.exp(min(1.0, self.cs / self.damp * (length / self.chi - 1)))  # eq. 44
        self.sigma = float(np.clip(self.sigma * growth, 1e-12, 1.0))
        self._set(C)
        self._keep_margin()
        self.stale = 0 if best < self.best else self.stale + 1
        self.best = min(best, self.best)

    def _centred(self, Y: Array) -> Array:
        """Return steps whose genes in another bin than the mean's go to the middle of it: the model then moves over at once.

        It is the integer centering of Marty et al. (2024), for steps of the better half only.
        """
        k = np.maximum(self.k, 1)
        bins = np.clip(np.floor(k * (self.mean + self.sigma * self.stretch * Y)), 0, k - 1)
        moved = (self.k > 1) & (bins != np.clip(np.floor(k * self.mean), 0, k - 1))
        return np.where(moved, ((bins + 0.5) / k - self.mean) / (self.sigma * self.stretch), Y)

    def finished(self) -> bool:
        """Is the distribution a point, or nothing better found for long (tutorial, section B.3)?"""
        patience = 20 + 30 * self.n / self.samples
        return self.stale > patience or (self.n > 0 and bool((self.spread * self.stretch).max() < FLAT))

    def _keep_margin(self) -> None:
        """Move the mean, and widen discrete genes, until other values than the mean's have probability alpha.

        Hamano et al. (2022), section 4, for genes that are read through bins. Of the genes of a one-hot category each
        is kept within reach of the greatest one: the rule for two bins, applied to their difference.
        """
        from scipy.special import ndtr, ndtri

        alpha = 1.0 / (max(self.n, 1) * self.samples)
        for choices in self.categories:
            m, s = self.mean[choices], self.spread[choices]
            top = m.argmax()
            self.mean[choices] = np.maximum(m, m[top] + ndtri(alpha) * np.hypot(s, s[top]))
        rows = np.flatnonzero(self.k > 1)
        k, m = self.k[rows], self.mean[rows]
        s = self.spread[rows] * self.stretch[rows]
        b = np.clip(np.floor(k * m), 0, k - 1)
        # At the ends there is one neighbour: bring the threshold to it within reach.
        edge = np.where(b == 0, 1, k - 1) / k
        reach = -ndtri(alpha) * s
        at_end = edge + np.sign(m - edge) * np.minimum(np.abs(m - edge), reach)
        # In between, the probabilities below and above are raised to alpha / 2, and mean and width follow.
        low, up = b / k, (b + 1) / k
        tiny = np.maximum(s, 1e-300)
        p_low, p_up = ndtr((low - m) / tiny), ndtr((m - up) / tiny)
        p_mid = 1 - p_low - p_up
        q_low, q_up = np.maximum(p_low, alpha / 2), np.maximum(p_up, alpha / 2)
        share = (1 - q_low - q_up - p_mid) / (q_low + q_up + p_mid - 3 * alpha / 2)
        z_low, z_up = -ndtri(q_low + share * (q_low - alpha / 2)), -ndtri(q_up + share * (q_up - alpha / 2))
        inside = (b > 0) & (b < k - 1)
        narrow = inside & ((p_low < alpha / 2) | (p_up < alpha / 2))  # elsewhere the two equations change nothing
        width = np.where(narrow, z_low + z_up, 1.0)
        between = np.where(narrow, (low * z_up + up * z_low) / width, m)
        self.mean[rows] = np.where(inside, between, at_end)
        wider = (up - low) / width / np.maximum(self.spread[rows], 1e-300)
        self.stretch[rows] = np.where(narrow, wider, self.stretch[rows])
