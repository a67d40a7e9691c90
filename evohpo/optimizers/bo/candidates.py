"""Where the models are asked: random configurations, and an evolution from the best that are known."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import TYPE_CHECKING

import numpy as np

from evohpo.optimizers.operators import reflect
from evohpo.optimizers.protocol import Array

if TYPE_CHECKING:
    from evohpo.optimizers.bo.domain import Domain

Score = Callable[[Array], Array]
RANDOM, MUTANTS = 512, 1024  # candidates to begin with, for `WIDE` genes or more
ROUNDS, ELITE, CHILDREN = 10, 48, 256  # of the evolution; children for `WIDE` genes or more
DECIMALS = 6  # of scores: what differs less is equal, so that no machine decides otherwise
WIDE, LEAST = 8, 0.25  # fewer genes need fewer candidates, but at least this share
SMALLEST, LARGEST = 0.003, 0.3  # step sizes of mutations
CROSSED = 0.25  # share of the mutants that have genes of another parent
IDLE = 0.1  # how much less a gene that does not apply is mutated


def mutants(parents: Array, n: int, domain: Domain, rng: np.random.Generator, largest: float = LARGEST) -> Array:
    """Return `(n, dim)` canonical children of random `parents`: few genes changed, by steps of all sizes.

    Genes that do not apply in a parent are drawn anew, for the children where they do. A child that crossed takes the other
    parent's.
    """
    dim = domain.dim
    mother, father = rng.integers(0, len(parents), (2, n))
    active = domain.active(parents)
    crossed = (rng.random((n, 1)) < CROSSED) & (rng.random((n, dim)) < 0.5)
    child = np.where(crossed, parents[father], parents[mother])
    idle = ~np.where(crossed, active[father], active[mother])
    weight = np.where(idle, IDLE, 1.0)
    share = rng.geometric(0.5, (n, 1)) / weight.sum(1, keepdims=True)
    changed = rng.random((n, dim)) < share * weight
    unchanged = np.flatnonzero(~changed.any(1))
    changed[unchanged, rng.integers(0, dim, len(unchanged))] = True
    size = np.exp(rng.uniform(np.log(SMALLEST), np.log(max(largest, 2 * SMALLEST)), (n, 1)))
    step = rng.standard_normal((n, dim)) * size
    step = np.sign(step) * np.maximum(np.abs(step), np.where(domain.genes.cardinality > 0, 1 / domain.distinct, 0.0))
    anew = rng.random((n, dim))
    child = np.where(changed, np.where(domain.nominal, anew, reflect(child + step)), np.where(idle, anew, child))
    return domain.canonical(child)


def evolve(score: Score, best: Array, unwanted: Set[bytes], domain: Domain, rng: np.random.Generator) -> Array:
    """Return the canonical chromosome `(dim,)` of the highest score that evolution finds.

    Args:
        score: gives rows `(n, dim)` their scores `(n,)`.
        best: `(k, dim)` rows to start from.
        unwanted: bytes of the rows that are not to be proposed, if there are others.
        domain: what the genes mean.
        rng: the source of all draws.
    """
    seen = set(unwanted)
    share = min(max(domain.dim / WIDE, LEAST), 1.0)
    anywhere = domain.canonical(rng.random((int(share * RANDOM), domain.dim)))
    near = mutants(best, int(share * MUTANTS), domain, rng)
    pool, scores = _judged(np.concatenate([anywhere, near]), seen, domain, score)
    if not len(pool):
        return np.asarray(anywhere[0])
    for i in range(ROUNDS):
        elite = np.argsort(-scores, kind="stable")[:ELITE]
        pool, scores = pool[elite], scores[elite]
        children = mutants(pool, int(share * CHILDREN), domain, rng, LARGEST / 2**i)
        children, values = _judged(children, seen, domain, score)
        pool, scores = np.concatenate([pool, children]), np.concatenate([scores, values])
    return np.asarray(pool[np.argmax(scores)])


def _judged(X: Array, seen: set[bytes], domain: Domain, score: Score) -> tuple[Array, Array]:
    """Return the rows of X that are legal and not `seen`, with their scores; from now on they are seen."""
    fresh = []
    for i, key in enumerate(map(np.ndarray.tobytes, X)):
        if key not in seen:
            seen.add(key)
            fresh.append(i)
    X = X[fresh]
    X = X[domain.legal(X)]
    return X, score(X).round(DECIMALS) if len(X) else np.empty(0)
