"""Repair: the legal chromosome near one that breaks an input constraint, for algorithms that know nothing of constraints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evohpo.errors import IllegalDefinition

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from evohpo.space.encodings import Codec
    from evohpo.space.scales import Array

    Bools = NDArray[np.bool_]

POOL = 256  # legal chromosomes kept to repair towards
NEAREST = 8  # of them tried for each chromosome
BATCH = 4096  # draws at once
DRAWS = 50  # batches before the constraints count as leaving nothing
HALVINGS = 22  # to a 4-millionth of the way
ROWS = 64  # repaired at once, so that distances to the pool stay small in memory


class Repair:
    """Moves chromosomes into what the constraints leave.

    A broken row takes the genes of the parameters in its broken constraints from the nearest legal chromosomes of a fixed
    pool (all genes, where that is not enough), goes back from each as far as it stays legal, and keeps the nearest of these
    points. The result depends on the row alone, not on its company. All of this happens on the unit matrix, one gene a
    searched parameter, and only on points that the codec can say.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._space = space = codec.space
        self._pool: Array | None = None
        related = []
        for constraint in space.constraints:
            names = set(constraint.names)
            for name in constraint.names:  # whether it applies is up to its parents
                names |= set(space.conditions[name].names) if name in space.conditions else set()
            related.append([n in names for n in space.searched])
        self._related = np.array(related, bool).reshape(len(space.constraints), len(space.searched))
        kinds = [space.parameters[n] for n in space.searched]
        self._choices = np.array([0 if p.ordered else p.cardinality for p in kinds])

    def pool(self) -> Array:
        """Return the pool, found by drawing at first need.

        Raises:
            IllegalDefinition: no draw was legal.
        """
        if self._pool is None:
            rng = np.random.default_rng(0)  # fixed: repair is a function of the space and the row
            found = [self._snapped(self._codec.unit([self._space.usual({})]))]
            found[0] = found[0][self._legal(found[0])]
            for _ in range(DRAWS):
                U = self._codec.to_unit(rng.random((BATCH, self._codec.dim)))
                found.append(U[self._legal(U)])
                if sum(map(len, found)) >= POOL:
                    break
            pool = np.concatenate(found)[:POOL]
            if not len(pool):
                texts = "; ".join(c.text for c in self._space.constraints)
                raise IllegalDefinition(
                    None, f"constraints leave nothing of the space, or too little to be found: {texts}"
                )
            self._pool = pool
        return self._pool

    def __call__(self, U: Array) -> tuple[Array, Bools]:
        """Return `U` with every row legal, and which rows changed."""
        ok = self._space.satisfied(U)
        bad = np.flatnonzero(~ok.all(1))
        U = U.copy()
        for rows in (bad[at : at + ROWS] for at in range(0, len(bad), ROWS)):
            movable = (~ok[rows] @ self._related).astype(bool)
            U[rows] = self._towards(U[rows], movable)
        return U, np.asarray(~ok.all(1))

    def around(self, u: Array, fixed: Bools) -> Array | None:
        """Return one row made legal without moving `fixed` genes, all of which apply; None if nothing helps."""
        names = [n for n, f in zip(self._space.searched, fixed, strict=True) if f and n in self._space.conditions]

        def legal(U: Array) -> Bools:
            _, active = self._space.columns(U)
            return np.asarray(self._legal(U) & np.all([np.ones(len(U), bool), *(active[n] for n in names)], axis=0))

        draws = np.random.default_rng(0).random((5 * BATCH, len(u)))
        for pool in (self.pool(), draws):
            near = np.where(fixed, u, pool)
            near = near[legal(near)]
            if len(near):
                best = near[self._gap(u[None], near).sum(1).argmin()]
                moved: Array = self._back(best[None], u[None], legal)[0]
                return moved
        return None

    def _legal(self, U: Array) -> Bools:
        return np.asarray(self._space.satisfied(U).all(1))

    def _snapped(self, U: Array) -> Array:
        return self._codec.to_unit(self._codec.from_unit(U))

    def _towards(self, U: Array, movable: Bools) -> Array:
        pool = self.pool()
        result = np.empty_like(U)
        rows = np.arange(len(U))
        for mask in (movable, np.ones_like(movable)):
            wanted = U[rows][:, None, :]
            distance = (self._gap(wanted, pool[None]) * mask[rows][:, None, :]).sum(2)
            near = np.argsort(distance, axis=1, kind="stable")[:, :NEAREST]
            candidates = np.where(mask[rows][:, None, :], pool[near], wanted)
            legal = self._legal(candidates.reshape(-1, U.shape[1])).reshape(candidates.shape[:2])
            wanted = np.broadcast_to(wanted, candidates.shape)
            candidates[legal] = self._back(candidates[legal], wanted[legal], self._legal)
            best = np.where(legal, self._gap(wanted, candidates).sum(2), np.inf).argmin(1)
            found = legal.any(1)
            result[rows[found]] = candidates[np.arange(len(rows)), best][found]
            rows = rows[~found]
            if not len(rows):
                break
        return result

    def _back(self, legal: Array, wanted: Array, is_legal: Callable[[Array], Bools]) -> Array:
        """Return the points nearest to `wanted` on the way from `legal` that halving finds legal."""
        for _ in range(HALVINGS):
            middle = self._snapped((legal + wanted) / 2)
            ok = is_legal(middle)[:, None]
            legal, wanted = np.where(ok, middle, legal), np.where(ok, wanted, middle)
        return legal

    def _gap(self, A: Array, B: Array) -> Array:
        """Return squared distances gene by gene; unordered choices are the same or not."""
        k = self._choices
        mine, theirs = (np.floor(np.minimum(V * k, k - 0.5)) for V in (A, B))
        return np.where(k > 0, mine != theirs, (A - B) ** 2)
