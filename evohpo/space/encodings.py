"""Encodings: the two-way map between chromosomes, rows of genes in [0, 1], and configurations.

Every encoding goes through the unit matrix `U`, one gene a searched parameter, on which the space decodes by column.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from evohpo.errors import UsageError
from evohpo.space.scales import Array

if TYPE_CHECKING:
    from evohpo.space.space import Space

Config = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Genes:
    """What each gene of a chromosome is.

    Attributes:
        cardinality: `(dim,)` k for a gene that is read as one of k equal bins, 0 for a continuous one.
        ordered: `(dim,)` whether neighbouring values are alike.
        parameter: the name of the parameter each gene belongs to.
        kind: "continuous", "integer", "categorical", "ordinal" or "bit".
    """

    cardinality: NDArray[np.int64]
    ordered: NDArray[np.bool_]
    parameter: tuple[str, ...]
    kind: tuple[str, ...]


class Encoding(Protocol):
    """How an optimizer wants its chromosomes; bound to a space it becomes a codec."""

    def bind(self, space: Space) -> Codec:
        """Return the codec for `space`."""
        ...


class Codec:
    """An encoding bound to a space.

    Attributes:
        space: the space.
        dim: number of genes.
        genes: what each gene is.
    """

    def __init__(self, space: Space, genes: Genes) -> None:
        self.space, self.genes, self.dim = space, genes, len(genes.cardinality)

    def to_unit(self, X: Array) -> Array:
        """Return one gene a searched parameter, `(n, searched)`."""
        return X

    def from_unit(self, U: Array) -> Array:
        """Return chromosomes `(n, dim)` that decode as `U` does."""
        return U

    def decode(self, X: Array) -> list[Config]:
        """Return the configurations of `(n, dim)` chromosomes; genes outside [0, 1] count as at the bound."""
        U = self.to_unit(np.clip(np.asarray(X, float).reshape(-1, self.dim), 0, 1))
        columns, active = self.space.columns(U)
        return self.space.rows(columns, active, len(U))

    def encode(self, configs: Iterable[Mapping[str, Any]]) -> Array:
        """Return `(n, dim)` chromosomes of legal configurations; what does not apply gets the neutral 0.5."""
        return self.from_unit(self.unit(configs))

    def unit(self, configs: Iterable[Mapping[str, Any]]) -> Array:
        """Return the unit matrix of legal configurations."""
        searched = [(name, self.space.parameters[name]) for name in self.space.searched]
        rows = [[p.gene(c[name]) if name in c else 0.5 for name, p in searched] for c in configs]
        return np.array(rows, float).reshape(len(rows), len(searched))

    def repair(self, X: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Return chromosomes that satisfy the space's constraints, and which rows had to change; the rest stay as they are."""
        if not self.space.constraints:
            return X, np.zeros(len(X), bool)
        U = self.to_unit(np.clip(X, 0, 1))
        repaired, changed = self.space._repair(U)
        if changed.any():
            X = X.copy()
            X[changed] = self.from_unit(repaired[changed])
        return X, changed

    def snap(self, X: Array) -> Array:
        """Return each chromosome as the canonical one of what it decodes to; inactive genes stay as they are."""
        active = self.active(X)
        return np.where(active, self.encode(self.decode(X)), X)

    def active(self, X: Array) -> NDArray[np.bool_]:
        """Return `(n, dim)`: which genes have a say in what a chromosome decodes to."""
        _, active = self.space.columns(self.to_unit(np.clip(X, 0, 1)))
        everywhere = np.ones(len(X), bool)
        return np.array([active.get(name, everywhere) for name in self.genes.parameter]).reshape(self.dim, len(X)).T


@dataclass(frozen=True, slots=True)
class Real:
    """One gene a parameter, warped to its scale; integers and categories own equal bins. The default.

    Example:
        >>> from evohpo.space import Integer, Space
        >>> codec = Real().bind(Space({"layers": Integer(1, 4)}))
        >>> codec.decode([[0.0], [0.3], [1.0]])
        [{'layers': 1}, {'layers': 2}, {'layers': 4}]
    """

    def bind(self, space: Space) -> Codec:
        """Return the codec for `space`."""
        return Codec(space, _genes(space, {}))


@dataclass(frozen=True, slots=True)
class OneHot:
    """As `Real`, but an unordered category owns one gene a choice: the largest wins.

    For algorithms that do arithmetic on genes and would take neighbouring choices for alike.
    """

    def bind(self, space: Space) -> Codec:
        """Return the codec for `space`."""
        widths = {n: p.cardinality for n in space.searched if not (p := space.parameters[n]).ordered}
        return _OneHot(space, _genes(space, widths), widths)


class _OneHot(Codec):
    def __init__(self, space: Space, genes: Genes, widths: Mapping[str, int]) -> None:
        super().__init__(space, genes)
        self._widths = [widths.get(n, 0) for n in space.searched]

    def to_unit(self, X: Array) -> Array:
        columns, at = [], 0
        for k in self._widths:
            columns.append((X[:, at : at + k].argmax(1) + 0.5) / k if k else X[:, at])
            at += k or 1
        return np.array(columns).reshape(len(self._widths), len(X)).T

    def from_unit(self, U: Array) -> Array:
        parts = []
        for i, k in enumerate(self._widths):
            parts.append(np.eye(k)[np.minimum((U[:, i] * k).astype(int), k - 1)] if k else U[:, i : i + 1])
        return np.concatenate(parts, 1) if parts else U


@dataclass(frozen=True, slots=True)
class Binary:
    """0/1 genes: the parameters' binary codes one after the other, for classic genetic algorithms.

    A gene of 0.5 or more is a 1. A discrete parameter with k values reads its b-bit code c as value `floor(c k / 2^b)`, so
    every code is legal; a continuous one as `c / (2^b - 1)` of its range, so both ends are reached.

    Attributes:
        bits: bits a parameter: one number for all, or by name. By default as few as its values need, 16 if continuous.
        gray: code neighbours so that they differ in one bit (Gray 1953).

    Example:
        >>> from evohpo.space import Continuous, Integer, Space
        >>> space = Space({"units": Integer(0, 7), "rate": Continuous(0.0, 0.07, step=0.01)})
        >>> codec = Binary(bits=3, gray=False).bind(space)
        >>> codec.encode([{"units": 5, "rate": 0.03}]).astype(int)
        array([[1, 0, 1, 0, 1, 1]])
    """

    bits: int | Mapping[str, int] | None = None
    gray: bool = True

    def bind(self, space: Space) -> Codec:
        """Return the codec for `space`.

        Raises:
            UsageError: too few bits for a parameter's values, or more than 52.
        """
        widths = {}
        for name in space.searched:
            size = space.parameters[name].size
            needed = 16 if size == math.inf else max(1, math.ceil(math.log2(size)))
            if size != math.inf and not space.parameters[name].cardinality:
                needed = min(needed + 6, 52)  # a log scale crowds its small values into few codes
            given = self.bits.get(name) if isinstance(self.bits, Mapping) else self.bits
            widths[name] = needed if given is None else given
            if not 1 <= widths[name] <= 52 or (space.parameters[name].cardinality > 2 ** widths[name]):
                raise UsageError(f"Binary(bits={self.bits!r}): {name!r} needs {needed} to 52 bits, not {widths[name]}")
        return _Binary(space, _genes(space, widths, bits=True), widths, self.gray)


class _Binary(Codec):
    def __init__(self, space: Space, genes: Genes, widths: Mapping[str, int], gray: bool) -> None:
        super().__init__(space, genes)
        self._parts = [(widths[n], space.parameters[n].cardinality) for n in space.searched]
        self._gray = gray

    def to_unit(self, X: Array) -> Array:
        columns, at = [], 0
        for b, k in self._parts:
            bits = X[:, at : at + b] >= 0.5
            if self._gray:
                bits = np.logical_xor.accumulate(bits, axis=1)
            code = bits.astype(np.int64) @ (1 << np.arange(b - 1, -1, -1, dtype=np.int64))
            columns.append((code * k // 2**b + 0.5) / k if k else code / (2**b - 1))
            at += b
        return np.array(columns).reshape(len(self._parts), len(X)).T

    def from_unit(self, U: Array) -> Array:
        parts = []
        for i, (b, k) in enumerate(self._parts):
            if k:
                index = np.minimum((U[:, i] * k).astype(np.int64), k - 1)
                code = -(-index * 2**b // k)  # the first code of its value
            else:
                code = np.rint(U[:, i] * (2**b - 1)).astype(np.int64)
            if self._gray:
                code = code ^ (code >> 1)
            parts.append((code[:, None] >> np.arange(b - 1, -1, -1, dtype=np.int64)) & 1)
        return np.concatenate(parts, 1).astype(float) if parts else U


@dataclass(frozen=True, slots=True)
class Index:
    """Genes that are all discrete: a parameter's values, or `resolution` levels of it, both ends included.

    Attributes:
        resolution: levels of a parameter without equal bins of its own (continuous, or on a log scale).
    """

    resolution: int = 21

    def bind(self, space: Space) -> Codec:
        """Return the codec for `space`."""
        if self.resolution < 2:
            raise UsageError(f"Index(resolution={self.resolution!r}): needs at least 2 levels")
        return _Index(space, _genes(space, {}, self.resolution), self.resolution)


class _Index(Codec):
    def __init__(self, space: Space, genes: Genes, resolution: int) -> None:
        super().__init__(space, genes)
        self._own = np.array([space.parameters[n].cardinality > 0 for n in space.searched], bool)
        self._levels = resolution

    def to_unit(self, X: Array) -> Array:
        level = np.minimum((X * self._levels).astype(int), self._levels - 1)
        return np.where(self._own, X, level / (self._levels - 1))

    def from_unit(self, U: Array) -> Array:
        level = np.rint(U * (self._levels - 1))
        return np.where(self._own, U, (level + 0.5) / self._levels)


@dataclass(frozen=True, slots=True)
class Configs:
    """No chromosomes: for optimizers with spaces of their own, which propose configurations."""

    def bind(self, space: Space) -> Codec:
        """Return a codec without genes."""
        none = Genes(np.empty(0, np.int64), np.empty(0, bool), (), ())
        return _Configs(space, none)


class _Configs(Codec):
    def decode(self, X: Any) -> list[Config]:
        return [self.space.validate(config) for config in X]

    def encode(self, configs: Iterable[Mapping[str, Any]]) -> Any:
        return [self.space.validate(config) for config in configs]

    def repair(self, X: Any) -> Any:
        return X, np.zeros(len(X), bool)

    def snap(self, X: Any) -> Any:
        return X


def _genes(space: Space, widths: Mapping[str, int], resolution: int = 0, bits: bool = False) -> Genes:
    """Return the genes of a codec in which parameter `n` owns `widths[n]` genes, one where it is not named."""
    cardinality, ordered, parameter, kind = [], [], [], []
    for name in space.searched:
        p = space.parameters[name]
        for _ in range(widths.get(name, 1)):
            cardinality.append(2 if bits else 0 if name in widths else p.cardinality or resolution)
            ordered.append(p.ordered and not bits)
            parameter.append(name)
            kind.append("bit" if bits else type(p).__name__.lower())
    return Genes(np.array(cardinality, np.int64), np.array(ordered, bool), tuple(parameter), tuple(kind))
