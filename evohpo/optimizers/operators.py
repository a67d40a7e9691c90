"""Selection, crossover and mutation as functions on arrays, shared by the algorithms of this folder.

Genes live in [0, 1]. A gene of cardinality k > 0 is read as bin `min(floor(k u), k - 1)`. Bins without an order (and
those of two values, where order means nothing) are never averaged: they come from a parent or are drawn anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evohpo.errors import UsageError
from evohpo.optimizers.protocol import Array, Population, Results
from evohpo.trials.pareto import crowding, domination_ranks

if TYPE_CHECKING:
    from evohpo.space import Genes

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]


# Ranking


def order(results: Results) -> Integers:
    """Return the rows from best to worst, ties in the order they came.

    Single-objective: less violation first, then less fitness. Multi-objective: by constrained domination, then the less
    crowded first.

    Reference: Deb (2000), An efficient constraint handling method for genetic algorithms.
    """
    if results.F.shape[1] == 1:
        return np.lexsort((results.F[:, 0], results.violation))
    ranks = domination_ranks(results.F, results.violation)
    return np.lexsort((-crowding(results.F, ranks), ranks))


def no_worse(a: Results, b: Results) -> Mask:
    """Return `(k,)`, row by row: is single-objective `a` at least as good as `b`? Equals pass: plateaus keep moving."""
    fitter = (a.violation == b.violation) & (a.F[:, 0] <= b.F[:, 0])
    return np.asarray((a.violation < b.violation) | fitter)


def where(mask: Mask, a: Results, b: Results) -> Results:
    """Return the rows of `a` where `mask` holds and those of `b` elsewhere; keys are dropped."""
    wide = mask[:, None]
    return Results(
        np.where(wide, a.X, b.X), np.where(wide, a.F, b.F), np.where(mask, a.violation, b.violation),
        np.where(mask, a.steps, b.steps), np.where(mask, a.failed, b.failed), np.where(mask, a.numbers, b.numbers),
        trials=np.where(mask, a.trials, b.trials),
    )  # fmt: skip


def tournament(n: int, k: int, size: int, rng: np.random.Generator) -> Integers:
    """Return `k` winners of tournaments of `size` among `n` rows that are sorted from best to worst."""
    return np.asarray(rng.integers(0, n, (k, size)).min(1))


def in_turn(n: int, k: int, rng: np.random.Generator) -> Integers:
    """Return `k` rows of `n` in random order, each as often as any other (or once more)."""
    rounds = [rng.permutation(n) for _ in range(-(-k // n))]
    return np.concatenate(rounds)[:k]


def duels(results: Results, distance: Array, k: int, rng: np.random.Generator) -> Integers:
    """Return `k` winners of duels: who dominates the other wins, else who is less crowded, else the earlier row.

    Ranks do not count, so that a row far from the others is not outdone by rows it has nothing to do with. It is the
    tournament of the NSGA-II code, in which all rows fight equally often (of an odd number one rests in each round).

    Args:
        results: `n` rows.
        distance: `(n,)` crowding distances.
        k: how many winners.
        rng: the source of all draws.
    """
    n = len(results)
    if n == 1:
        return np.zeros(k, np.int64)
    rounds = [rng.permutation(n)[: n - n % 2].reshape(-1, 2) for _ in range(-(-k // (n // 2)))]
    a, b = np.sort(np.concatenate(rounds)[:k], axis=1).T
    va, vb, fa, fb = results.violation[a], results.violation[b], results.F[a], results.F[b]
    better, worse = _dominates(va, vb, fa, fb), _dominates(vb, va, fb, fa)
    return np.asarray(np.where(better | (~worse & (distance[a] >= distance[b])), a, b))


def _dominates(va: Array, vb: Array, fa: Array, fb: Array) -> Mask:
    fitter = (va <= 0) & (vb <= 0) & (fa <= fb).all(1) & (fa < fb).any(1)
    return np.asarray((va < vb) | fitter)


def count(name: str, share: float, n: int) -> int:
    """Return how many of `n` rows an option means that is a fraction below 1, or a count from 1 on; at most `n`.

    Raises:
        UsageError: `share` is negative.

    >>> count("elites", 0.25, 20), count("elites", 3, 20), count("elites", 0, 20)
    (5, 3, 0)
    """
    if share < 0:
        raise UsageError(f"{name} = {share!r}: give a fraction in [0, 1) or a count of individuals")
    return min(n, int(share) if share >= 1 else round(share * n))


# Genes


def unordered(genes: Genes) -> Mask:
    """Return `(dim,)`: the genes whose values must not be averaged."""
    cardinality = np.asarray(genes.cardinality)
    return np.asarray((cardinality > 0) & (~np.asarray(genes.ordered, bool) | (cardinality <= 2)))


def bins(U: Array, cardinality: Integers) -> Integers:
    """Return the bins of genes `U` of `cardinality` > 0 (arrays that broadcast)."""
    return np.minimum((U * cardinality).astype(np.int64), cardinality - 1)


def phenotype(X: Array, genes: Genes) -> Array:
    """Return `X` with every discrete gene at the centre of its bin: equal rows are equal configurations."""
    k = np.asarray(genes.cardinality)
    return np.where(k > 0, (bins(X, k) + 0.5) / np.maximum(k, 1), X) + 0.0  # + 0.0 turns -0.0 into 0.0


def bounded(X: Array) -> Array:
    """Return `X` cut off at 0 and 1; for a few rows a third of what np.clip costs."""
    return np.asarray(np.minimum(np.maximum(X, 0.0), 1.0))


def reflect(X: Array) -> Array:
    """Fold the real line into [0, 1] like a paper strip: nothing piles up at the bounds and nothing is drawn again."""
    return np.asarray(np.abs(X - 2.0 * np.rint(0.5 * X)))


def at_least_one(U: Array, rate: float | Array, rng: np.random.Generator) -> Mask:
    """Return where uniform `U` `(n, dim)` falls below `rate`, and one random gene in rows where it never does."""
    n, dim = U.shape
    mask, lucky = rate > U, rng.integers(0, max(dim, 1), n)
    if dim:
        empty = np.flatnonzero(~mask.any(1))
        mask[empty, lucky[empty]] = True
    return mask


# Crossover: two matrices of parents in, two of children out


def sbx(A: Array, B: Array, eta: float, mixing: Mask, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return the children of simulated binary crossover; half of the genes is crossed, half stays.

    Args:
        A: `(k, dim)` first parents.
        B: `(k, dim)` second parents.
        eta: distribution index; children stay nearer to their parents with a greater one (2 to 30).
        mixing: `(dim,)` genes that are exchanged whole instead of blended.
        rng: draws `2 k dim` numbers.

    Reference: Deb, Agrawal (1995), Simulated binary crossover for continuous search space, eqs. 7 to 9.
    """
    u, w = rng.random(A.shape), rng.random(A.shape)
    t = np.maximum(2.0 * np.minimum(u, 1.0 - u), 1e-12)
    beta = t ** np.copysign(1.0 / (eta + 1.0), 0.5 - u)  # contracting (eq. 8) or expanding (eq. 9)
    if mixing.any():
        beta[:, mixing] = 1.0
    # Children of -beta are those of beta exchanged: signs are drawn, so that no child sticks to one parent's side.
    shift = (0.5 * (w < 0.5)) * (1.0 - np.copysign(beta, 0.25 - w)) * (B - A)
    return bounded(A + shift), bounded(B - shift)


def uniform(A: Array, B: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return children that take every gene from either parent with equal odds (Syswerda 1989)."""
    swap = rng.random(A.shape) < 0.5
    return np.where(swap, B, A), np.where(swap, A, B)


def n_point(A: Array, B: Array, points: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return children that exchange every second segment between up to `points` cuts (De Jong 1975).

    Cuts fall between genes; two that fall together cancel out, as if there were fewer.
    """
    k, dim = A.shape
    cuts = rng.integers(1, max(dim, 2), (k, points))
    swap = (np.arange(dim)[None, :, None] >= cuts[:, None, :]).sum(2) % 2 == 1
    return np.where(swap, B, A), np.where(swap, A, B)


def family(
    numbers: Integers, mating: Integers, crossed: Mask, crossing: str, cloning: str
) -> tuple[Integers, list[str]]:
    """Return the parents' trial numbers `(2 k, 2)` of the children of `k` pairs, and how each child was made.

    A child that was not crossed descends from its own side alone, which is named twice.

    Args:
        numbers: trial numbers of the rows that could mate.
        mating: `(2 k,)` rows of the `k` mothers, then of the `k` fathers.
        crossed: `(k, 1)` which pairs were crossed.
        crossing: name of the operator that made the crossed children.
        cloning: name of the one that made the others.
    """
    both = np.tile(crossed[:, 0], 2)
    partner = np.where(both, np.roll(mating, len(mating) // 2), mating)
    return numbers[np.column_stack([mating, partner])], np.where(both, crossing, cloning).tolist()


# Mutation


def mutate(
    X: Array,
    genes: Genes,
    rate: float,
    eta: float | Array,
    rng: np.random.Generator,
    *,
    every_row: bool = True,
    cut: bool = False,
) -> None:
    """Mutate every gene of `X` with probability `rate`, and at least one gene a row unless that is 0, in place.

    Continuous genes and ordered bins move by polynomial mutation (ordered bins by one bin at least), unordered bins are
    drawn from the others, two-valued ones flip to 0 or 1.

    Args:
        X: `(n, dim)` fresh chromosomes; copying them would cost more than mutating them.
        genes: cardinality and order of each gene.
        rate: probability of a gene to mutate.
        eta: distribution index, one or `(n,)`; steps get smaller with a greater one (a step has the size of 1/eta).
        rng: draws `n dim + 2 n` numbers.
        every_row: whether a row in which no gene is hit gets one mutated all the same.
        cut: whether steps are as long near a bound as elsewhere and cut off there, so that the bound itself is reached;
            else the distribution is squeezed into the room that is left.

    Reference: Deb, Tiwari (2008), Omni-optimizer: a generic evolutionary algorithm for single and multi-objective
    optimization (highly disruptive polynomial mutation, the one of the NSGA-II code).
    """
    if rate <= 0:
        return
    U, spare = rng.random(X.shape), rng.random(len(X))
    at = np.flatnonzero(at_least_one(U, rate, rng) if every_row else rate > U)
    rows, columns = np.divmod(at, max(X.shape[1], 1))
    drawn = U.take(at)
    u = np.where(drawn < rate, drawn / max(rate, 1e-300), spare[rows])  # below the rate it is uniform again
    x, k = X.take(at), np.asarray(genes.cardinality)[columns]
    v, room = 2.0 * np.minimum(u, 1.0 - u), 1.0 if cut else np.where(u < 0.5, x, 1.0 - x)
    power = eta[rows] + 1.0 if isinstance(eta, np.ndarray) else eta + 1.0
    size = 1.0 - (v + (1.0 - v) * (1.0 - room) ** power) ** (1.0 / power)
    moved = bounded(np.where(u < 0.5, x - size, x + size))
    if k.any():
        old, reached = bins(x, k), bins(moved, k)
        step = np.where(u < 0.5, np.minimum(reached, old - 1), np.maximum(reached, old + 1))
        step = np.where(step < 0, 1, np.where(step >= k, k - 2, step))  # at an end the only way is back
        other = (old + 1 + (u * (k - 1)).astype(np.int64)) % np.maximum(k, 1)  # any bin but the old one
        new = np.where(unordered(genes)[columns], other, np.maximum(step, 0))
        centre = np.where(k == 2, new, (new + 0.5) / np.maximum(k, 1))
        moved = np.where(k == 0, moved, np.where(k == 1, x, centre))
    X.put(at, moved)


# All of it


def vary(X: Array, parents: Array, genes: Genes, rate: float | None, eta: float, rng: np.random.Generator) -> Array:
    """Return children of crossings `X` `(n, dim)` mutated, none of them equal to a parent or an earlier child if it can be.

    Some children stay as they are and half of the others reach out farther, with a quarter of `eta`: that finds more of
    fronts that lie behind local ones or in pieces. A child that is there already mutates once more, so that discrete
    spaces do not fill the population with copies.

    Args:
        X: children of crossings; changed in place.
        parents: `(k, dim)` what children must not equal.
        genes: cardinality and order of each gene.
        rate: probability of a gene to mutate; one gene a chromosome on average (1/dim) if None.
        eta: distribution index of `mutate`.
        rng: the source of all draws.
    """
    rate = 1.0 / max(X.shape[1], 1) if rate is None else rate
    mutate(X, genes, rate, np.where(rng.random(len(X)) < 0.5, eta, eta / 4.0), rng, every_row=False)
    again = X.copy()
    mutate(again, genes, rate, eta, rng)
    seen = phenotype(np.concatenate([parents, X]), genes)
    return np.where(repeated(seen)[len(parents) :, None], again, X)


def breed(
    parents: Results,
    mating: Integers,
    n: int,
    genes: Genes,
    rng: np.random.Generator,
    *,
    crossover_rate: float,
    mutation_rate: float | None,
    eta_crossover: float,
    eta_mutation: float,
) -> Population:
    """Return `n` children of pairs by simulated binary crossover and what `vary` does.

    Args:
        parents: individuals that may mate.
        mating: `(2 k,)` rows of the `k` mothers, then of the `k` fathers, `2 k >= n`.
        n: how many children are wanted.
        genes: cardinality and order of each gene.
        rng: the source of all draws.
        crossover_rate: probability of a pair to be crossed.
        mutation_rate: probability of a gene to mutate, see `vary`.
        eta_crossover: distribution index of `sbx`.
        eta_mutation: distribution index of `mutate`, see `vary`.
    """
    pairs = len(mating) // 2
    A, B = parents.X[mating[:pairs]], parents.X[mating[pairs:]]
    C, D = sbx(A, B, eta_crossover, unordered(genes), rng)
    crossed = rng.random((pairs, 1)) < crossover_rate
    X = np.concatenate([np.where(crossed, C, A), np.where(crossed, D, B)])[:n]
    X = vary(X, parents.X, genes, mutation_rate, eta_mutation, rng)
    relatives, how = family(parents.trials, mating, crossed, "sbx+polynomial", "polynomial")
    return Population(X, parents=relatives[:n], operator=how[:n])


def repeated(X: Array) -> Mask:
    """Return `(n,)`: which rows are bit for bit equal to an earlier one."""
    if not X.shape[1]:
        return np.arange(len(X)) > 0
    rows = np.ascontiguousarray(X).view(np.dtype((np.void, X.itemsize * X.shape[1])))[:, 0]
    again = np.ones(len(X), bool)
    again[np.unique(rows, return_index=True)[1]] = False
    return again
