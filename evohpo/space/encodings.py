"""Encodings: the two-way map between chromosomes, rows of genes in [0, 1], and configurations.

Every encoding goes through the unit matrix `U`, one gene a searched parameter, on which the space decodes by column.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from evohpo.errors import IllegalValue, UnknownName, UsageError
from evohpo.space.parameters import bins
from evohpo.space.repair import Repair

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from evohpo.space.parameters import Parameter
    from evohpo.space.scales import Array
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

    neutral = True  # genes that do not apply are encoded as 0.5

    def __init__(self, space: Space, genes: Genes) -> None:
        self.space, self.genes, self.dim = space, genes, len(genes.cardinality)
        self._owner = np.array([space.searched.index(n) for n in genes.parameter], np.int64)
        self.repairer = Repair(self)

    def to_unit(self, X: Array) -> Array:
        """Return one gene a searched parameter, `(n, searched)`."""
        return X

    def from_unit(self, U: Array) -> Array:
        """Return chromosomes `(n, dim)` that decode as `U` does."""
        return U

    def decode(self, X: ArrayLike) -> list[Config]:
        """Return the configurations of `(n, dim)` chromosomes; genes outside [0, 1] count as at the bound.

        Raises:
            UsageError: not a matrix with `dim` columns, or a gene is NaN.
        """
        U = self.to_unit(self._matrix(X))
        columns, active = self.space.columns(U)
        return self.space.rows(columns, active, len(U))

    def encode(self, configs: Iterable[Mapping[str, Any]]) -> Array:
        """Return `(n, dim)` chromosomes of legal configurations; what does not apply gets the neutral 0.5 (bits do not)."""
        configs = list(configs)
        X = self.from_unit(self.unit(configs))
        if self.neutral and self.space.conditions and configs:
            there = np.array([[name in c for name in self.space.searched] for c in configs])
            X = np.where(there[:, self._owner], X, 0.5)
        return X

    def unit(self, configs: Iterable[Mapping[str, Any]]) -> Array:
        """Return the unit matrix of legal configurations.

        Raises:
            IllegalValue: a value that is none of its parameter's choices.
        """
        searched = [(name, self.space.parameters[name]) for name in self.space.searched]
        rows = [[_gene(name, p, c[name]) if name in c else 0.5 for name, p in searched] for c in configs]
        return np.array(rows, float).reshape(len(rows), len(searched))

    def repair(self, X: Any) -> tuple[Any, NDArray[np.bool_]]:
        """Return chromosomes that satisfy the space's constraints, and which rows had to change.

        Rows that are legal stay as they are, and in the others the genes of parameters that did not have to move.
        """
        if not self.space.constraints:
            return X, np.zeros(len(X), bool)
        X = self._matrix(X)
        U = self.to_unit(X)
        repaired, changed = self.repairer(U)
        if changed.any():
            moved = (repaired != U)[:, self._owner]
            X = np.where(moved, self.from_unit(repaired), X)
        return X, changed

    def snap(self, X: Any) -> Any:
        """Return each chromosome as the canonical one of what it decodes to; inactive genes stay as they are."""
        return np.where(self.active(X), self.encode(self.decode(X)), X)

    def active(self, X: Any) -> NDArray[np.bool_]:
        """Return `(n, dim)`: which genes have a say in what a chromosome decodes to."""
        U = self.to_unit(self._matrix(X))
        _, active = self.space.columns(U)
        everywhere = np.ones(len(U), bool)
        return (
            np.array([active.get(name, everywhere) for name in self.genes.parameter], bool).reshape(self.dim, len(U)).T
        )

    def _matrix(self, X: ArrayLike) -> Array:
        """Return `X` as a matrix within [0, 1]; one row may come alone."""
        X = np.asarray(X, np.float64)
        if X.ndim == 1 and len(X) in (0, self.dim):
            X = X.reshape(1 if len(X) else 0, self.dim)
        if X.ndim != 2 or X.shape[1] != self.dim:
            raise UsageError(f"chromosomes are a matrix with {self.dim} columns, one a gene, not of shape {X.shape}")
        if np.isnan(X).any():
            raise UsageError(f"a chromosome has a gene that is not a number (row {np.isnan(X).any(1).argmax()})")
        bounded: Array = np.minimum(np.maximum(X, 0.0), 1.0)
        return bounded


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
            parts.append(np.eye(k)[bins(U[:, i], k)] if k else U[:, i : i + 1])
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
            UsageError: too few bits for a parameter's values, or more than 52, or more values than 2**31.
            UnknownName: bits for a parameter that is not searched.
        """
        by_name = self.bits if isinstance(self.bits, Mapping) else dict.fromkeys(space.searched, self.bits)
        for name in by_name:
            if name not in space.searched:
                raise UnknownName("searched parameter", str(name), space.searched)
        widths = {n: self._width(n, space.parameters[n], by_name.get(n)) for n in space.searched}
        return _Binary(space, _genes(space, widths, bits=True), widths, self.gray)

    def _width(self, name: str, parameter: Parameter, given: int | None) -> int:
        if parameter.cardinality:
            usual = max(1, (parameter.cardinality - 1).bit_length())
            least, most = usual, 31
        else:
            # codes are 1 / (2^b - 1) apart: of these many bits, the narrowest value has one too
            usual = math.ceil(math.log2(1 / parameter.narrowest + 1)) if parameter.narrowest else 16
            least, most = 1, 52
        if usual > most:
            raise UsageError(
                f"Binary(): {name!r} has too many values, more than 2**31; give it a step, or another encoding"
            )
        b = usual if given is None else given
        if isinstance(b, bool) or not isinstance(b, int) or not least <= b <= most:
            raise UsageError(
                f"Binary(bits={self.bits!r}): {name!r} takes {least} to {most} bits (usually {usual}), not {b!r}"
            )
        return b


class _Binary(Codec):
    neutral = False

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
            # of a discrete value the first code there is
            code = -(-bins(U[:, i], k) * 2**b // k) if k else np.rint(U[:, i] * (2**b - 1)).astype(np.int64)
            if self._gray:
                code = code ^ (code >> 1)
            parts.append((code[:, None] >> np.arange(b - 1, -1, -1, dtype=np.int64)) & 1)
        return np.concatenate(parts, 1).astype(float) if parts else U


@dataclass(frozen=True, slots=True)
class Index:
    """Genes that are all discrete: a parameter's values, or `resolution` levels of it, both ends included.

    Attributes:
        resolution: levels of a parameter without equal bins of its own (continuous, or on a log scale with more values).
    """

    resolution: int = 21

    def bind(self, space: Space) -> Codec:
        """Return the codec for `space`.

        Raises:
            UsageError: fewer than two levels.
        """
        if isinstance(self.resolution, bool) or not isinstance(self.resolution, int) or self.resolution < 2:
            raise UsageError(f"Index(resolution={self.resolution!r}): needs at least 2 levels")
        return _Index(space, self.resolution)


class _Index(Codec):
    def __init__(self, space: Space, resolution: int) -> None:
        self._levels: dict[int, Array] = {}  # by column, the genes of a parameter's levels
        for i, name in enumerate(space.searched):
            p = space.parameters[name]
            if not p.cardinality:
                self._levels[i] = np.array([p.gene(value) for value in p.levels(resolution)])
        super().__init__(space, _genes(space, {}, {space.searched[i]: len(u) for i, u in self._levels.items()}))

    def to_unit(self, X: Array) -> Array:
        U = X.copy()
        for i, levels in self._levels.items():
            U[:, i] = levels[bins(X[:, i], len(levels))]
        return U

    def from_unit(self, U: Array) -> Array:
        X = U.copy()
        for i, levels in self._levels.items():
            X[:, i] = (np.abs(U[:, i, None] - levels).argmin(1) + 0.5) / len(levels)
        return X


@dataclass(frozen=True, slots=True)
class Configs:
    """No chromosomes: for optimizers with spaces of their own, which propose configurations."""

    def bind(self, space: Space) -> Codec:
        """Return a codec without genes."""
        return _Configs(space, Genes(np.empty(0, np.int64), np.empty(0, bool), (), ()))


class _Configs(Codec):
    def decode(self, X: Any) -> list[Config]:
        return [self.space.validate(config) for config in X]

    def encode(self, configs: Iterable[Mapping[str, Any]]) -> Any:
        return [self.space.validate(config) for config in configs]

    def repair(self, X: Any) -> tuple[Any, NDArray[np.bool_]]:
        X = [self.space.narrowed(config) for config in X]
        changed = np.array([not self.space.feasible(config) for config in X], bool)
        if changed.any():
            repaired, _ = self.space.repair(self.space.encode(X))
            X = [new if bad else old for new, bad, old in zip(self.space.decode(repaired), changed, X, strict=True)]
        return X, changed

    def snap(self, X: Any) -> Any:
        return self.encode(X)

    def active(self, X: Any) -> NDArray[np.bool_]:
        return np.ones((len(X), 0), bool)


def _gene(name: str, parameter: Any, value: Any) -> float:
    try:
        gene: float = parameter.gene(value)
    except (ValueError, TypeError) as error:
        raise IllegalValue(name, value, str(error)) from None
    return gene


def _genes(
    space: Space, widths: Mapping[str, int], levels: Mapping[str, int] | None = None, bits: bool = False
) -> Genes:
    """Return the genes of a codec in which parameter `n` owns `widths[n]` genes, one where it is not named."""
    cardinality, ordered, parameter, kind = [], [], [], []
    for name in space.searched:
        p = space.parameters[name]
        for _ in range(widths.get(name, 1)):
            cardinality.append(2 if bits else 0 if name in widths else p.cardinality or (levels or {}).get(name, 0))
            ordered.append(p.ordered and not bits)
            parameter.append(name)
            kind.append("bit" if bits else type(p).__name__.lower())
    return Genes(np.array(cardinality, np.int64), np.array(ordered, bool), tuple(parameter), tuple(kind))
