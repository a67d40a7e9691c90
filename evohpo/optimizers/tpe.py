"""The tree-structured Parzen estimator: propose what is likely among good results and unlikely among the others.

Reference: Bergstra, Bardenet, Bengio, Kegl (2011), Algorithms for hyper-parameter optimization; Watanabe (2023),
Tree-structured Parzen estimator: understanding its algorithm components and their roles for better empirical performance;
Ozaki, Tanigaki, Watanabe, Onishi (2020), Multiobjective tree-structured Parzen estimator (several objectives); Falkner,
Klein, Hutter (2018), BOHB: robust and efficient hyperparameter optimization at scale (several rungs).
"""

from __future__ import annotations

import dataclasses
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from evohpo.errors import UsageError
from evohpo.optimizers.operators import Integers, Mask, order, phenotype
from evohpo.optimizers.parzen import Parzen
from evohpo.optimizers.protocol import Array, Population, Problem, Results
from evohpo.optimizers.registry import optimizer
from evohpo.trials.pareto import crowding, domination_ranks

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

MOST = 25  # good results the model is made of, at most: more of them are history
RECENT = 25  # other results with full weight; older ones fade
WINDOW = 500  # other results the model is made of, at most, so that proposals do not become dearer for ever
AGAIN = 8  # first points to try until one is new
WIDTH = 0.8  # bandwidth as a share of Scott's: the rule is for estimating densities, and this searches their top


@optimizer(
    "tpe", objectives="multi", constraints=True, fidelity=True, told="results",
    reference="Bergstra et al. (2011); Watanabe (2023); Falkner et al. (2018), BOHB",
)  # fmt: skip
class TPE:
    """Draws candidates from a density of the good results and takes the one whose odds against the others are best.

    The densities are joint ones of all parameters that are active together. Good are the best by violation of the outcome
    constraints, then by fitness; with several objectives by non-domination rank, of the last front those that together
    dominate most. What is still running counts among the others, so that a batch spreads out. Of trials that a pruner looks
    at it learns at the largest step that enough of them came to: with `Hyperband` it is BOHB.

    The first proposal is the space's default, then come scrambled Sobol points until there is something to learn from. The
    same configuration is not proposed twice while there are others among the candidates. It always has a proposal.

    Args:
        problem: the task.
        rng: the source of all draws.
        gamma: share of the results that counts as good, in (0, 1); never more than 25, with several objectives early on as
            many as there are objectives and one more: of a front a single point would say too little.
        prior_weight: weight of the uniform distribution in both densities, in results; above 0.
        candidates: draws a proposal is chosen from, 1 or more; more of them search more greedily.
        startup: results to have before the model is used, given points included.

    Raises:
        UsageError: an option outside its range.
    """

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        *,
        gamma: float = 0.1,
        prior_weight: float = 1.0,
        candidates: int = 64,
        startup: int = 6,
    ) -> None:
        from scipy.stats import qmc

        if not (0 < gamma < 1 and prior_weight > 0 and candidates >= 1):
            raise UsageError(
                f"tpe(gamma={gamma}, prior_weight={prior_weight}, candidates={candidates}): gamma is above 0 and below 1, "
                "prior_weight above 0, and there is 1 candidate or more"
            )
        self.problem, self.rng = problem, rng
        self.gamma, self.prior_weight, self.candidates, self.startup = gamma, prior_weight, candidates, startup
        self.sobol = qmc.Sobol(problem.dim, seed=rng)
        self.told: list[Results] = []
        self.asked = self.given = 0
        self.running: dict[int | None, Array] = {}  # by key, those of which nothing was told
        self.seen: set[Hashable] = set()  # configurations told or running
        self.learned: tuple[Results, int, Parzen] | None = (
            None  # the results to learn from, how many are good, their density
        )
        self.conditional = problem.space is not None and bool(problem.space.conditions)

    def tell(self, results: Results) -> None:
        """Keep results, those at rungs too."""
        new = np.ones(len(results), bool)  # not as they were proposed: repaired, or from elsewhere
        for i, key in enumerate(results.keys):
            new[i] = not np.array_equal(self.running.pop(key, ()), results.X[i])
        self.given += int((results.numbers < 0).sum())
        self.told.append(dataclasses.replace(results, keys=()))
        self.seen.update(self._configurations(results.X[new]))
        self.learned = None

    def ask(self, n: int) -> Population:
        """Return `n` rows, each chosen as if those before it were running."""
        rows, how = [], []
        keys = list(range(self.asked, self.asked + max(n, 1)))
        for key in keys:
            x, operator = self._propose()
            self.running[key] = x
            self.asked += 1
            rows.append(x)
            how.append(operator)
        return Population(np.array(rows), operator=how, keys=keys)

    def _propose(self) -> tuple[Array, str]:
        if self.asked + self.given == 0 and self.problem.space is not None:
            return self._new(iter(self.problem.encoding.encode([self.problem.space.default()]))), "default"
        if self.asked + self.given < self.startup or not self.told:
            return self._new(self.sobol.random(1)[0] for _ in range(AGAIN)), "sobol"
        if self.learned is None:
            self.learned = self._learn()
        ranked, good, likely = self.learned
        X = likely.sample(self.candidates, self.rng)
        active = self._active(X)
        odds = likely.log_density(X, active) - self._others(ranked.take(slice(good, None))).log_density(X, active)
        best_first = np.argsort(-np.round(odds, 9), kind="stable")  # rounded: machines differ in the last digits
        return self._new(iter(X[best_first])), "tpe"

    def _new(self, rows: Iterator[Array]) -> Array:
        """Return the first row that is no configuration told or running, else the first one; from now on it is seen."""
        first = next(rows)
        for row in chain([first], rows):
            configurations = self._configurations(row[None])
            if not configurations & self.seen:
                self.seen |= configurations
                return np.asarray(row)
        return np.asarray(first)

    def _configurations(self, X: Array) -> set[Hashable]:
        space = self.problem.space
        return set() if space is None else {space.key(config) for config in self.problem.encoding.decode(X)}

    def _active(self, X: Array) -> Mask:
        return self.problem.encoding.active(X) if self.conditional else np.ones(X.shape, bool)

    # ---- the model

    def _learn(self) -> tuple[Results, int, Parzen]:
        """Return the results to learn from, the good ones first and the others in the order they came; and the good density."""
        self.told = [Results.concatenate(self.told)]
        told = at_level(self.told[0], self.startup, self.problem.max_steps)
        good = self._good(told)
        by = best_first(told, good)
        ranked = told.take(np.concatenate([by[:good], np.sort(by[good:])[-WINDOW:]]))
        weights = np.log(good + 1) - np.log(np.arange(good) + 1)  # the better, the more, as in an evolution strategy
        return ranked, good, self._density(ranked.X[:good], weights * good / weights.sum())

    def _good(self, told: Results) -> int:
        """Return how many results are good: of several objectives at least one each and one between, up to half."""
        n, m = told.F.shape
        front = min(m + 1, (n + 1) // 2) if m > 1 else 1
        return min(max(int(np.ceil(self.gamma * n)), front), MOST)

    def _others(self, others: Results) -> Parzen:
        running = np.array(list(self.running.values())).reshape(len(self.running), self.problem.dim)
        weights = np.ones(len(others) + len(running))
        old = max(len(weights) - RECENT, 0)
        weights[:old] = np.linspace(1.0 / max(len(weights), 1), 1.0, old)
        return self._density(np.concatenate([others.X, running]), weights)

    def _density(self, X: Array, weights: Array) -> Parzen:
        """Return the density of observations: Scott's bandwidths by what was observed and a uniform share."""
        genes, prior = self.problem.genes, self.prior_weight
        k = np.asarray(genes.cardinality)
        X, active = phenotype(X, genes), self._active(X)
        n = active.sum(0)
        mean = np.where(active, X, 0.0).sum(0) / np.maximum(n, 1)
        square = (np.where(active, X - mean, 0.0) ** 2).sum(0) + prior * (1 / 12 + (mean - 0.5) ** 2)
        dim = active.sum(1).mean() if len(X) else self.problem.dim
        scott = np.sqrt(square / (n + prior)) * np.maximum(n, 1) ** (-1.0 / (dim + 4))
        least = np.maximum(1.0 / np.minimum(n + 1, 100), np.where(k > 0, 0.5 / np.maximum(k, 1), 0.0))
        # To the other values of an unordered gene goes half a result's weight in all: with Laplace's count, one a value,
        # spaces of many categories look the same everywhere for too long.
        share = np.full(len(k), 0.5 * prior / (0.5 * prior + len(X) + 1))
        return Parzen(X, active, np.append(weights, prior), np.maximum(WIDTH * scott, least), share, genes)


def at_level(told: Results, enough: int, max_steps: int | None) -> Results:
    """Return the results to compare: at the largest step that `enough` trials came to, a trial once.

    Trials that ran to their own ends are compared with each other whatever their last step. Failed trials are bad
    at any step.
    """
    rungs = np.unique(told.steps[~told.final])
    if max_steps is not None:
        rungs = rungs[rungs < max_steps]
    ended = told.final & ~np.isin(told.steps, rungs)
    level = np.where(ended, np.inf, told.steps)
    levels, counts = np.unique(level[~told.failed], return_counts=True)
    if len(levels) > 1:
        full = levels[counts >= enough]
        told = told.take((level == (full[-1] if len(full) else levels[counts.argmax()])) | told.failed)
    names = np.where(told.trials < 0, -1 - np.arange(len(told)), told.trials)
    last = len(told) - 1 - np.unique(names[::-1], return_index=True)[1]
    return told.take(np.sort(last))


def best_first(results: Results, good: int) -> Integers:
    """Return the rows from best to worst, so that the first `good` are the better set.

    With several objectives that set is filled front by front; the front that does not fit gives up, one after the other,
    the row whose hypervolume would be missed least.

    Reference: Beume, Naujoks, Emmerich (2007), SMS-EMOA: multiobjective selection based on dominated hypervolume.
    """
    if results.F.shape[1] == 1:
        return order(results)
    from moocore import hv_contributions

    ranks = domination_ranks(results.F, results.violation)
    by = np.argsort(ranks, kind="stable")
    last = ranks[by[good - 1]]
    start, rows = int((ranks < last).sum()), np.flatnonzero(ranks == last)
    sparse_first = np.argsort(-crowding(results.F[rows], ranks[rows]), kind="stable")
    by[start : start + len(rows)] = rows[sparse_first]
    rows = rows[np.sort(sparse_first[: 2 * MOST])]  # of a large front those in its crowds have no chance
    F = results.F[rows]
    F = (F - F.min(0)) / np.maximum(F.max(0) - F.min(0), 1e-12)
    kept, gone = list(range(len(rows))), []
    while len(kept) > 1:
        missed = np.round(hv_contributions(F[kept], ref=np.full(F.shape[1], 1.1)), 12)
        gone.append(kept.pop(int(missed.argmin())))
    by[start : start + len(rows)] = rows[[*kept, *gone[::-1]]]
    return by
