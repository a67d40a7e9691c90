"""Estimation of distribution: learn gene by gene what the best have in common, and sample it.

Reference: Muehlenbein, Paass (1996), From recombination of genes to the estimation of distributions (UMDA); Larranaga,
Lozano (2002), Estimation of Distribution Algorithms (continuous UMDA).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evohpo.optimizers.operators import bins, bounded, count, order, unordered
from evohpo.optimizers.protocol import Array, Population, Problem, Results
from evohpo.optimizers.registry import optimizer
from evohpo.optimizers.start import Newcomers, start

if TYPE_CHECKING:
    from collections.abc import Generator


@optimizer(
    "eda", constraints=True, told="results", reference="Muehlenbein, Paass (1996), UMDA; Larranaga, Lozano (2002)"
)
def eda(
    problem: Problem,
    rng: np.random.Generator,
    *,
    population: int = 20,
    selected: float = 0.3,
    learning_rate: float = 0.7,
    floor: float = 1e-6,
) -> Generator[Population, Results, None]:
    """Fit a normal distribution to each continuous gene of the selected, a table of odds to each discrete one; sample.

    Ordered genes with more bins than individuals count as continuous. Every bin keeps some odds, so that no value is
    lost for good.

    Args:
        problem: the task.
        rng: the source of all draws.
        population: individuals a generation, 1 or more.
        selected: how many of the best the model is fitted to: a fraction below 1, or a count.
        learning_rate: weight of the newest model against the one before, in (0, 1]; 1 is UMDA, less is PBIL.
        floor: least standard deviation of a continuous gene.
    """
    k = np.asarray(problem.genes.cardinality)
    tabled = unordered(problem.genes) | ((k > 0) & (k <= population))
    table = _Table(k[tabled])
    mean, std = np.full(problem.dim, 0.5), np.full(problem.dim, 0.3)
    keep = max(1, count("selected", selected, population))

    pool = yield from start(problem, rng, population)
    newcomers = Newcomers(problem)
    while True:
        best = pool.take(order(pool)[:keep])
        if keep > 1:
            mean += learning_rate * (best.X.mean(0) - mean)
            std += learning_rate * (best.X.std(0, ddof=1) - std)
        else:  # one sample has no spread: follow it, and close in slowly
            mean, std = best.X[0].copy(), 0.95 * std
        table.learn(best.X[:, tabled], learning_rate)
        X = bounded(mean + np.maximum(std, floor) * rng.standard_normal((population, problem.dim)))
        X[:, tabled] = table.sample(rng.random((population, int(tabled.sum()))))
        told = yield Population(X, operator="umda")
        pool = newcomers.join(Results.concatenate([told, best]))


class _Table:
    """The odds of every bin of discrete genes, laid end to end, so that genes of any cardinality are one array."""

    def __init__(self, cardinality: np.ndarray) -> None:
        self.k = cardinality
        self.first = np.cumsum(cardinality) - cardinality
        self.width = np.repeat(cardinality, cardinality)
        self.odds = 1.0 / self.width

    def learn(self, U: Array, rate: float) -> None:
        """Move the odds towards those of rows `U` `(n, genes)`, one row's worth of them spread over all bins."""
        n = len(U)
        seen = np.bincount((self.first + bins(U, self.k)).ravel(), minlength=len(self.odds))
        self.odds += rate * ((seen + 1.0 / self.width) / (n + 1.0) - self.odds)

    def sample(self, u: Array) -> Array:
        """Return genes at the centres of the bins that uniform `u` `(n, genes)` falls in."""
        # The odds of each gene sum to 1, so gene j owns [j, j + 1] of the running sum over all of them.
        found = np.searchsorted(np.cumsum(self.odds), u + np.arange(len(self.k)), side="right") - self.first
        return np.asarray((np.clip(found, 0, self.k - 1) + 0.5) / self.k)
