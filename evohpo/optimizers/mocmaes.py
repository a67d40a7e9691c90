"""MO-CMA-ES: a population of elitist CMA strategies, selected by fronts and by the hypervolume each contributes.

References: Igel, Hansen, Roth (2007), Covariance matrix adaptation for multi-objective optimization; Voss, Hansen, Igel
(2010), Improved step size adaptation for the MO-CMA-ES; Voss, Hansen, Igel (2009), Recombination for learning strategy
parameters in the MO-CMA-ES.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.errors import UsageError
from evohpo.optimizers import operators
from evohpo.optimizers.protocol import Array, Population, Problem, Results
from evohpo.optimizers.registry import optimizer
from evohpo.optimizers.start import start
from evohpo.space import Genes
from evohpo.trials.pareto import crowding, domination_ranks

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from evohpo.optimizers.operators import Integers

LEAST = 1e-6  # step size below which differences in fitness drown in rounding
MANY = 4  # objectives above which contributions to the hypervolume cost too much
# One child a parent (the paper's table 1, lambda = 1)
TARGET = 1.0 / 5.5  # share of steps that should succeed
SMOOTH = TARGET / (2.0 + TARGET)
THRESHOLD = 0.44


@optimizer("mo-cmaes", objectives="multi", constraints=True, told="results", reference="Igel, Hansen, Roth (2007)")
def mocmaes(
    problem: Problem,
    rng: np.random.Generator,
    *,
    population: int = 20,
    sigma: float = 0.2,
    recombination: float = 0.5,
    eta_crossover: float = 10.0,
) -> Generator[Population, Results, None]:
    """Every individual is the mean of its own normal distribution, which learns its size and shape from its successes.

    It is at its best on smooth problems of few continuous parameters that interact. It knows no way out of many local
    fronts, on which `moead` and `nsga2` find more.

    What differs from the paper, as it finds more in the few thousand evaluations that a tuner has: mothers are drawn by
    tournament instead of one after the other, some means are crossed with another individual before a step is added, and
    step sizes follow their success four times as fast in many dimensions.

    Genes beyond a bound are cut off there, so that an optimum at a bound is reached. Unordered genes know no
    distribution: they mutate, and so do ordered bins at times, so that they do not freeze when steps get small. Of a
    front that fits in part those survive who contribute most to its hypervolume; with more than four objectives the
    less crowded ones.

    Args:
        problem: the task.
        rng: the source of all draws.
        population: individuals, and children a generation, 1 or more.
        sigma: typical length of the first steps, as a share of a gene's range, above 0.
        recombination: probability of a mean to be crossed before the step; 0 is the paper's algorithm.
        eta_crossover: distribution index of that crossover, smaller reaches farther.

    Raises:
        UsageError: no step.
    """
    if not sigma > 0:
        raise UsageError(f"sigma = {sigma!r}: give a share of a gene's range above 0")
    discrete = _Discrete(problem.genes)
    parents = yield from start(problem, rng, population)
    n = len(parents)
    strategies = _Strategies.fresh(n, problem.dim, sigma / np.sqrt(max(problem.dim, 1)))
    while True:
        parents, strategies = _sorted(parents, strategies)
        mating = operators.tournament(n, 2 * n, 2, rng)
        mothers, fathers = mating[:n], mating[n:]
        A, B = parents.X[mothers], parents.X[fathers]
        mixed = operators.sbx(A, B, eta_crossover, discrete.unordered, rng)[0]
        crossed = rng.random((n, 1)) < recombination
        own = strategies.take(mothers)
        steps, X = own.sample(np.where(crossed, mixed, A), discrete.unordered, rng)
        discrete.mutate(X, rng)
        partners = np.where(crossed[:, 0], fathers, mothers)
        family = parents.trials[np.column_stack([mothers, partners])]
        told = yield Population(X, parents=family, operator=np.where(crossed[:, 0], "sbx+cma", "cma").tolist())

        pool = Results.concatenate([parents, told])
        ranks, alive = survivors(pool.F, pool.violation, n)
        better, level = ranks[n:] < ranks[mothers], ranks[n:] == ranks[mothers]
        stays = np.isin(np.arange(len(pool)), alive)
        succeeded = better | (level & stays[n:] & ~stays[mothers])  # the child precedes its mother
        children = own.adapted(succeeded, np.ones(n, np.int64)).turned(steps)
        tried = np.bincount(mothers, minlength=n)
        mothers_after = strategies.adapted(np.bincount(mothers, succeeded, n), tried)
        parents, strategies = pool.take(alive), mothers_after.joined(children).take(alive)


def _sorted(parents: Results, strategies: _Strategies) -> tuple[Results, _Strategies]:
    by = operators.order(parents)  # from best to worst, for the tournaments
    return parents.take(by), strategies.take(by)


def survivors(F: Array, violation: Array, n: int) -> tuple[Integers, Integers]:
    """Return all ranks `(k,)`, and the `n` rows that survive: of the front that fits in part those of most volume.

    Args:
        F: `(k, m)` fitness.
        violation: `(k,)` total violation.
        n: how many survive, at most `k`.
    """
    ranks = domination_ranks(F, violation)
    by_rank = np.argsort(ranks, kind="stable")
    last = ranks[by_rank[n - 1]]
    safe, torn = by_rank[ranks[by_rank] < last], np.flatnonzero(ranks == last)
    if violation[torn[0]] > 0 or len(safe) + len(torn) == n:
        return ranks, by_rank[:n]
    return ranks, np.concatenate([safe, torn[_most_volume(F[torn], n - len(safe))]])


def _most_volume(F: Array, n: int) -> Integers:
    """Return the `n` rows of a front that are left when the least contribution goes, again and again."""
    from moocore import hv_contributions

    left = np.arange(len(F))
    if F.shape[1] == 1:
        return left[-n:]  # all are equal: the newest, so that plateaus keep moving
    span = F.max(0) - F.min(0)
    scaled = (F - F.min(0)) / np.where(span > 0, span, 1.0)
    if F.shape[1] > MANY:
        return np.sort(np.argsort(-crowding(scaled, np.zeros(len(F), np.int64)), kind="stable")[:n])
    ends = np.zeros(len(F), bool)
    ends[scaled.argmin(0)] = True  # the ends of a front are worth more than any volume
    reference = np.full(F.shape[1], 1.2)
    while len(left) > n:
        volume = np.round(hv_contributions(scaled[left], ref=reference), 12) + 1e3 * ends[left]
        left = np.delete(left, np.flatnonzero(volume == volume.min())[-1])  # of equals the newest
    return left


@dataclass(frozen=True, slots=True)
class _Strategies:
    """The distributions of `n` individuals; notation of the paper's algorithms 1 to 3.

    Attributes:
        sigma: `(n,)` step sizes.
        success: `(n,)` smoothed shares of steps that succeeded.
        path: `(n, dim)` smoothed steps, p_c.
        C: `(n, dim, dim)` covariances.
        root: `(n, dim, dim)` their Cholesky factors.
    """

    sigma: Array
    success: Array
    path: Array
    C: Array
    root: Array

    @staticmethod
    def fresh(n: int, dim: int, sigma: float) -> _Strategies:
        """Return round distributions of size `sigma`."""
        eyes = np.tile(np.eye(dim), (n, 1, 1))
        return _Strategies(np.full(n, sigma), np.full(n, TARGET), np.zeros((n, dim)), eyes, eyes)

    def take(self, rows: Integers) -> _Strategies:
        """Return some of them."""
        return _Strategies(self.sigma[rows], self.success[rows], self.path[rows], self.C[rows], self.root[rows])

    def sample(self, X: Array, still: operators.Mask, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return a step from each row of `X` in units of sigma, and where it leads; genes that are `still` stay."""
        steps = np.einsum("nij,nj->ni", self.root, rng.standard_normal(X.shape))
        steps[:, still] = 0.0
        sigma = self.sigma[:, None]
        V = X + sigma * steps
        inside = np.clip(V, 0.0, 1.0)
        # Only what was cut off is computed back: differences lose digits when sigma is small, and replay needs them.
        return np.where(inside == V, steps, (inside - X) / sigma), inside

    def adapted(self, successes: NDArray[Any], trials: Integers) -> _Strategies:
        """Return them with step sizes that follow the share of successes, where there were trials (algorithm 2)."""
        share = successes / np.maximum(trials, 1)
        success = np.where(trials > 0, (1 - SMOOTH) * self.success + SMOOTH * share, self.success)
        damping = 1.0 + self.path.shape[1] / 8.0  # n / 2 in the paper
        growth = np.where(trials > 0, np.exp((success - TARGET) / (damping * (1 - TARGET))), 1.0)
        return replace(self, success=success, sigma=np.clip(self.sigma * growth, LEAST, 1.0))

    def turned(self, steps: Array) -> _Strategies:
        """Return them with covariances that have learned the `steps` `(n, dim)` (algorithm 3)."""
        dim = steps.shape[1]
        cc, ccov = 2.0 / (dim + 2.0), 2.0 / (dim**2 + 6.0)
        calm = (self.success < THRESHOLD)[:, None]  # else steps are much too small, and would stretch C along the path
        path = (1 - cc) * self.path + np.where(calm, np.sqrt(cc * (2 - cc)) * steps, 0.0)
        kept = (1 - ccov) + np.where(calm, 0.0, ccov * cc * (2 - cc))
        C = kept[:, :, None] * self.C + ccov * path[:, :, None] * path[:, None, :]
        diagonal = np.einsum("nii->ni", C)
        diagonal += 1e-12 * diagonal.max(1, initial=0.0, keepdims=True)  # keeps rounding from making it indefinite
        return replace(self, path=path, C=C, root=np.linalg.cholesky(C))

    def joined(self, other: _Strategies) -> _Strategies:
        """Return these, then the others."""
        return _Strategies(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))


class _Discrete:
    """The genes that are read through bins, and how they mutate."""

    def __init__(self, genes: Genes) -> None:
        self.unordered = operators.unordered(genes)
        k = np.asarray(genes.cardinality)
        self.columns = np.flatnonzero(k > 0)
        self.share = len(self.columns) / max(len(k), 1)
        self.genes = Genes(k[self.columns], np.asarray(genes.ordered, bool)[self.columns], (), ())

    def mutate(self, X: Array, rng: np.random.Generator) -> None:
        """Mutate a discrete gene or more of as many rows as discrete genes have a share in the chromosome, in place."""
        if not len(self.columns):
            return
        rows = np.flatnonzero(rng.random(len(X)) < self.share)
        part = X[np.ix_(rows, self.columns)]
        operators.mutate(part, self.genes, 1.0 / X.shape[1], 20.0, rng)
        X[np.ix_(rows, self.columns)] = part
