"""The genes of a space as a parametrization of nevergrad, and the way between its values and chromosomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nevergrad as ng  # type: ignore[import-untyped]
import numpy as np

from evohpo.optimizers.adapting import genes_of, levels_of

if TYPE_CHECKING:
    from evohpo.optimizers.protocol import Array
    from evohpo.space import Genes

FEW = 16  # nevergrad's advice: an integer for wide ranges, a choice with transitions for narrow ones


class Parameters:
    """A parametrization made of genes.

    Where all of them are continuous it is an array in [0, 1], else a tuple with a part for each gene: a continuous one is a
    scalar in [0, 1], a discrete one with many ordered values an integer, with few of them a choice with transitions, without
    an order a choice. New individuals are drawn from the whole range, and a standard deviation is a sixth of it.

    Attributes:
        root: the parametrization.
    """

    def __init__(self, genes: Genes) -> None:
        self._k = np.asarray(genes.cardinality)
        self._array = not self._k.any()
        if self._array:
            self.root = _ranged(ng.p.Array(init=np.full(len(self._k), 0.5)), 0.0, 1.0)
        else:
            self.root = ng.p.Tuple(*map(_part, self._k.tolist(), genes.ordered.tolist()))

    def chromosome(self, value: Any) -> Array:
        """Return a value of the parametrization as a chromosome `(dim,)`."""
        return genes_of(np.array(value, float), self._k)

    def value(self, x: Array) -> Any:
        """Return the value that a chromosome stands for."""
        levels = levels_of(x, self._k)
        return (
            levels if self._array else tuple(int(v) if k else v for v, k in zip(levels.tolist(), self._k, strict=True))
        )

    def same(self, x: Array, y: Array) -> bool:
        """Return whether two chromosomes stand for the same value, but for rounding."""
        return bool((np.abs(levels_of(x, self._k) - levels_of(y, self._k)) < 1e-9).all())


def _part(k: int, ordered: bool) -> Any:
    if not k:
        return _ranged(ng.p.Scalar(init=0.5), 0.0, 1.0)
    if not ordered:
        return ng.p.Choice(k)
    if k <= FEW:
        return ng.p.TransitionChoice(k)
    # half a unit more at each end, so that the first and the last value have equal shares too
    return _ranged(ng.p.Scalar(init=(k - 1) / 2), -0.5, k - 0.5).set_integer_casting()


def _ranged(data: Any, low: float, high: float) -> Any:
    return data.set_mutation(sigma=(high - low) / 6).set_bounds(low, high, full_range_sampling=True)
