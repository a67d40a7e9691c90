"""Repair: the legal chromosome near one that breaks an input constraint, for algorithms that know nothing of constraints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evohpo.errors import IllegalDefinition
from evohpo.space.scales import Array

if TYPE_CHECKING:
    from evohpo.space.encodings import Codec
    from evohpo.space.space import Space

POOL = 256  # legal chromosomes kept to repair towards
NEAREST = 8  # of them tried for each chromosome
DRAWS = 50  # batches of 4,096 draws before the constraints count as leaving nothing
HALVINGS = 30


class Repair:
    """Moves chromosomes into what the constraints leave.

    A broken row takes the genes of the parameters in its broken constraints from the nearest legal chromosome of a fixed
    pool (all genes, where that is not enough), and then goes back as far as it stays legal. The result depends on the row
    alone, not on its company.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._pool: Array | None = None
        searched = space.searched
        related = []
        for constraint in space.constraints:
            names = set(constraint.names)
            for name in constraint.names:  # whether it applies is up to its parents
                names |= set(space.conditions[name].names) if name in space.conditions else set()
            related.append([n in names for n in searched])
        self._related = np.array(related, bool).reshape(len(space.constraints), len(searched))
        self._unordered = np.array([not space.parameters[n].ordered for n in searched], bool)

    def pool(self, codec: Codec) -> Array:
        """Return the pool, found by drawing at first need.

        Raises:
            IllegalDefinition: no draw was legal.
        """
        if self._pool is None:
            rng = np.random.default_rng(0)  # fixed: repair is a function of the space and the row
            found = [codec.unit([c]) for c in self._middles()]
            for _ in range(DRAWS):
                U = rng.random((4096, codec.dim))
                found.append(U[self._space.satisfied(U).all(1)])
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

    def _middles(self) -> list[dict[str, object]]:
        config: dict[str, object] = {}
        for name, parameter in self._space.parameters.items():
            if self._space._applies(name, config):
                config[name] = parameter.value if name not in self._space.searched else parameter.middle()
        return [config] if self._space.feasible(config) else []

    def __call__(self, U: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Return `U` with every row legal, and which rows changed."""
        ok = self._space.satisfied(U)
        bad = ~ok.all(1)
        if not bad.any():
            return U, bad
        U = U.copy()
        movable = ((~ok[bad])[:, :, None] & self._related[None]).any(1)
        U[bad] = self._towards(U[bad], movable)
        return U, bad

    def row(self, u: Array, fixed: NDArray[np.bool_]) -> Array | None:
        """Return one row made legal without moving `fixed` genes; None if no member of the pool helps."""
        pool = self.pool(self._space._real)
        candidates = np.where(fixed, u, pool)
        legal = self._space.satisfied(candidates).all(1)
        if not legal.any():
            rng = np.random.default_rng(0)
            candidates = np.where(fixed, u, rng.random((20_000, len(u))))
            legal = self._space.satisfied(candidates).all(1)
            if not legal.any():
                return None
        near = candidates[legal]
        best = near[self._distance(u[None], near)[0].argmin()]
        return self._back(best[None], u[None])[0]

    def _towards(self, U: Array, movable: NDArray[np.bool_]) -> Array:
        pool = self.pool(self._space._real)
        result = np.empty_like(U)
        open_ = np.ones(len(U), bool)
        for mask in (movable, np.ones_like(movable)):
            rows = np.flatnonzero(open_)
            if not len(rows):
                break
            near = np.argsort(self._distance(U[rows], pool, mask[rows]), axis=1, kind="stable")[:, :NEAREST]
            candidates = np.where(mask[rows][:, None, :], pool[near], U[rows][:, None, :])
            legal = self._space.satisfied(candidates.reshape(-1, U.shape[1])).all(1).reshape(near.shape)
            found = legal.any(1)
            first = candidates[np.arange(len(rows)), legal.argmax(1)][found]
            result[rows[found]] = self._back(first, U[rows[found]])
            open_[rows[found]] = False
        return result

    def _back(self, legal: Array, wanted: Array) -> Array:
        """Return the points nearest to `wanted` on the way from `legal` that halving finds legal."""
        for _ in range(HALVINGS):
            middle = (legal + wanted) / 2
            ok = self._space.satisfied(middle).all(1)[:, None]
            legal, wanted = np.where(ok, middle, legal), np.where(ok, wanted, middle)
        return legal

    def _distance(self, U: Array, pool: Array, mask: NDArray[np.bool_] | None = None) -> Array:
        """Return `(rows, pool)` squared distances over the genes in `mask`; unordered genes are the same or not."""
        gap = np.abs(U[:, None, :] - pool[None])
        gap = np.where(self._unordered, gap > 0.5 / 64, gap**2)
        return np.asarray((gap if mask is None else gap * mask[:, None, :]).sum(2))
