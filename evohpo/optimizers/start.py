"""The first population of every generational algorithm, and what is done with points that were known before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evohpo.errors import UsageError
from evohpo.optimizers.operators import no_worse, order
from evohpo.optimizers.protocol import Array, Population, Problem, Results

if TYPE_CHECKING:
    from collections.abc import Generator


def latin_hypercube(n: int, dim: int, rng: np.random.Generator) -> Array:
    """Return `(n, dim)` points of which every gene visits each of `n` equal strata of [0, 1] once.

    Raises:
        UsageError: `n`, the population, is below 1.

    Reference: McKay, Beckman, Conover (1979), A comparison of three methods for selecting values of input variables.
    """
    if n < 1:
        raise UsageError(f"population = {n}: a generation has at least 1 individual")
    strata = rng.permuted(np.tile(np.arange(n), (dim, 1)), axis=1).T
    return np.asarray((strata + rng.random((n, dim))) / n)


def start(problem: Problem, rng: np.random.Generator, n: int) -> Generator[Population, Results, Results]:
    """Yield a Latin hypercube of `n` rows and return the best `n` of its results and of all that was known before.

    Without known points the results keep the order of the rows. Where as many are inherited they are returned at once. Use it
    as `told = yield from start(problem, rng, n)`.
    """
    if (inherited := problem.inherited) is not None and len(inherited) >= n > 0:
        return inherited.take(order(inherited)[:n])
    told = yield Population(latin_hypercube(n, problem.dim, rng), operator="latin hypercube")
    if not len(problem.known):
        return told
    both = Results.concatenate([told, problem.known])
    return both.take(order(both)[: len(told)])


class Newcomers:
    """Points that became known since the last look, though nobody asked for them here: immigrants, results attached.

    An algorithm looks once a generation, and lets them compete: with `join` where the best of a pool survive, with
    `settle` where everybody has a place.

    Args:
        problem: the task; what it knows by now is no news.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem, self._seen = problem, len(problem.known)

    def _look(self) -> Results:
        known, seen = self._problem.known, self._seen
        self._seen = len(known)
        return known.take(slice(seen, None))

    def join(self, pool: Results) -> Results:
        """Return `pool` with the newcomers behind its rows."""
        new = self._look()
        return Results.concatenate([pool, new]) if len(new) else pool

    def settle(self, members: Results) -> Results:
        """Return single-objective `members` with the best newcomers in the places of the worst, if they are no worse."""
        new = self._look()
        if not len(new):
            return members
        k = min(len(new), len(members))
        guests, places = order(new)[:k], order(members)[::-1][:k]
        better = no_worse(new.take(guests), members.take(places))
        source = np.arange(len(members))
        source[places[better]] = len(members) + guests[better]
        return Results.concatenate([members, new]).take(source)
