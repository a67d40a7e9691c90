"""What an optimizer of cmaes is built from, and which of its variables is which gene."""

from __future__ import annotations

import copy
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cmaes  # type: ignore[import-untyped]
import numpy as np

from evohpo.errors import UsageError
from evohpo.optimizers.adapting import check_size, seed_from

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from evohpo.optimizers.protocol import Array, Problem

SIGMA = 0.25  # first standard deviation as a share of a gene's range
MANY = 1000  # discrete genes with more values are continuous to cmaes, which holds all values of an integer in memory
NEED_TWO = (cmaes.SepCMA, cmaes.XNES, cmaes.DXNESIC, cmaes.MAPCMA, cmaes.CatCMA)  # refuse a single real variable


@dataclass(frozen=True, slots=True)
class Setup:
    """What an optimizer is built from. Its `n` normal variables are the real ones, then the integers.

    Attributes:
        kind: its class.
        arguments: what it is made with, all but the mean, the population and the seed.
        mean: `(n,)` where its first run starts.
        low: `(n,)` least values of its variables, those of 0 in a gene.
        high: `(n,)` largest values, those of 1.
        dim: number of genes.
        columns: the genes of the normal variables; those beyond are dummies.
        levels: the values of each integer, in ascending order; CatCMAwM alone tells integers apart.
        categories: the genes of the categorical variables; those beyond are dummies.
    """

    kind: Any
    arguments: Mapping[str, Any]
    mean: Array
    low: Array
    high: Array
    dim: int
    columns: NDArray[np.int64]
    levels: Sequence[Array] = ()
    categories: Sequence[int] = ()

    def build(self, mean: Array, size: int | None, rng: np.random.Generator) -> Any:
        """Return a new optimizer. It gets copies: SepCMA changes the array that it is given as its mean."""
        arguments = copy.deepcopy(dict(self.arguments))
        return self.kind(mean=mean.copy(), population_size=size, seed=seed_from(rng), **arguments)

    def genes(self, solutions: Sequence[Any]) -> Array:
        """Return what `ask` gave as rows of the unit cube."""
        X = np.full((len(solutions), self.dim), 0.5)
        V = np.array([self._normal(s) for s in solutions])
        U = np.clip((V - self.low) / (self.high - self.low), 0.0, 1.0)
        for i, values in enumerate(self.levels, len(self.low) - len(self.levels)):
            U[:, i] = np.searchsorted(values, V[:, i]) / (len(values) - 1)
        X[:, self.columns] = U[:, : len(self.columns)]
        for i, gene in enumerate(self.categories):
            chosen = np.array([self._one_hot(s)[i] for s in solutions])
            X[:, gene] = (chosen.argmax(1) + 0.5) / self._values[i]
        return X

    def told(self, solution: Any) -> Any:
        """Return what `tell` wants of what `ask` gave."""
        return solution[1] if issubclass(self.kind, cmaes.CMAwM) else solution

    @property
    def _values(self) -> Sequence[int]:
        """How many values each categorical variable has."""
        values: Sequence[int] = self.arguments["cat_num" if "cat_num" in self.arguments else "c_space"]
        return values

    def _normal(self, solution: Any) -> Array:
        if issubclass(self.kind, cmaes.CatCMAwM):
            return np.concatenate([part for part in (solution.x, solution.z) if part is not None] or [np.empty(0)])
        vector: Array = solution[0] if issubclass(self.kind, cmaes.CMAwM | cmaes.CatCMA) else solution
        return vector

    def _one_hot(self, solution: Any) -> NDArray[np.bool_]:
        chosen: NDArray[np.bool_] = solution.c if issubclass(self.kind, cmaes.CatCMAwM) else solution[1]
        return chosen


# ---- which gene is what


@dataclass(frozen=True, slots=True)
class _Parts:
    """The genes that are real, integer and categorical variables of a kind of optimizer."""

    real: NDArray[np.int64]
    integer: NDArray[np.int64]
    categories: NDArray[np.int64]


def _parts(kind: Any, problem: Problem, binary: bool = True) -> _Parts:
    """Return which gene is what to `kind`; with `binary`, genes of two values are categories, as cmaes recommends."""
    k, ordered = problem.genes.cardinality, problem.genes.ordered
    integer = category = np.zeros(problem.dim, bool)
    if issubclass(kind, cmaes.CatCMA | cmaes.CatCMAwM):
        category = (k > 1) & ~ordered
    if issubclass(kind, cmaes.CatCMAwM):
        category = category | (k == 2) & binary
        integer = (k > 1) & (k <= MANY) & ~category
    return _Parts(*(np.flatnonzero(mask) for mask in (~integer & ~category, integer, category)))


def for_genes(kind: Any, problem: Problem, options: Mapping[str, Any]) -> Setup:
    """Return the setup of an optimizer made for the problem: all its variables lie in [0, 1].

    Args:
        kind: its class.
        problem: the task.
        options: arguments of the class; `mean` is a number, or one a gene.
    """
    parts, k = _parts(kind, problem), problem.genes.cardinality
    columns = np.concatenate([parts.real, parts.integer])
    levels = [np.linspace(0.0, 1.0, k[i]) for i in parts.integer]
    n = max(len(columns), 2 if issubclass(kind, NEED_TWO) else 0)
    options = dict(options)
    center = _one_each("mean", options.pop("mean", 0.5), problem.dim)[columns]
    mean = np.concatenate([center, np.full(n - len(columns), 0.5)])
    arguments: dict[str, Any] = {}
    if issubclass(kind, cmaes.CatCMAwM):
        arguments["x_space"] = [[0.0, 1.0]] * len(parts.real) or None
        arguments["z_space"] = levels or None
        arguments["c_space"] = k[parts.categories].tolist() or None
    else:
        arguments |= {"sigma": SIGMA, "bounds": np.tile([0.0, 1.0], (n, 1))}
    if issubclass(kind, cmaes.CatCMA):
        arguments["cat_num"] = k[parts.categories] if len(parts.categories) else np.array([2])  # it needs a category
    if issubclass(kind, cmaes.CMAwM):
        arguments["steps"] = np.where((k > 1) & (k <= MANY), 1 / np.maximum(k - 1, 1), 0.0)
    return Setup(
        kind, arguments | options, mean, np.zeros(n), np.ones(n), problem.dim, columns, levels,
        parts.categories.tolist(),
    )  # fmt: skip


def _one_each(option: str, given: Any, n: int) -> Array:
    values = np.asarray(given, float)
    if values.shape not in ((), (n,)):
        raise UsageError(f"{option}: give a number, or {n} of them, not an array of shape {values.shape}")
    return np.broadcast_to(values, n)


# ---- one like the user's

ATTRIBUTES = {
    "sigma": "_sigma", "cov": "_C", "n_max_resampling": "_n_max_resampling", "lr_adapt": "_lr_adapt",
    "momentum_r": "_r", "min_eigenvalue": "_min_eigenvalue", "margin": "_q_min", "cat_num": "_K", "c_space": "_K",
    "cat_param": "_q",
}  # fmt: skip
"""By argument of a constructor, where an optimizer keeps it."""


def like(name: str, optimizer: Any, problem: Problem, options: Mapping[str, Any]) -> Setup:
    """Return the setup of an optimizer with the settings of the user's, its mean, sigma and covariance.

    Args:
        name: for messages.
        optimizer: the user's.
        problem: the task.
        options: arguments of the class that take the place of the user's own.

    Raises:
        UsageError: it was made for other variables than the problem has.
    """
    kind, inner = type(optimizer), _inner(optimizer)
    parts, levels = _matching(name, optimizer, problem), _levels(optimizer)
    takes = inspect.signature(kind).parameters
    arguments = {arg: getattr(inner, at) for arg, at in ATTRIBUTES.items() if arg in takes and hasattr(inner, at)}
    low, high = _box(optimizer)
    if issubclass(kind, cmaes.CatCMAwM):
        n = len(low) - len(levels)
        arguments |= {"x_space": np.stack([low, high], 1)[:n].tolist() or None, "z_space": levels or None}
    else:
        arguments["bounds"] = np.stack([low, high], 1)
    if issubclass(kind, cmaes.CMAwM):
        arguments["steps"] = steps = np.zeros(optimizer.dim)
        steps[optimizer._discrete_idx] = optimizer._discrete_space_step
        usual = 1 / (optimizer.dim * optimizer.population_size)  # it changes with the population
        if getattr(optimizer, "margin", usual) != usual:
            arguments["margin"] = optimizer.margin
    options = dict(options)
    mean = _one_each("mean", options.pop("mean", _mean(optimizer)), len(low))
    columns, categories = np.concatenate([parts.real, parts.integer]), parts.categories.tolist()
    return Setup(kind, arguments | options, mean, low, high, problem.dim, columns, levels, categories)


def has_range(optimizer: Any) -> bool:
    """Return whether it says what its variables range over: by bounds, or by a mean inside the unit cube."""
    return bool(np.isfinite(_bounds(optimizer)).all()) or _means_genes(optimizer)


def _inner(optimizer: Any) -> Any:
    return getattr(optimizer, "_cma", optimizer)  # a CMAwM wraps a CMA


def _mean(optimizer: Any) -> Array:
    mean: Array = getattr(_inner(optimizer), "_mean", np.empty(0))  # there may be categories alone
    return mean


def _levels(optimizer: Any) -> list[Array]:
    return [np.unique(row) for row in getattr(optimizer, "_z_space", ())]  # padded with the last value


def _bounds(optimizer: Any) -> Array:
    """Return its own bounds `(n, 2)`, infinite where it has none."""
    if isinstance(optimizer, cmaes.CatCMAwM):
        rows = [*getattr(optimizer, "_x_space", ()), *((values[0], values[-1]) for values in _levels(optimizer))]
        return np.array(rows, float).reshape(-1, 2)
    own = _inner(optimizer)._bounds
    return np.tile([-np.inf, np.inf], (len(_mean(optimizer)), 1)) if own is None else np.array(own, float)


def _means_genes(optimizer: Any) -> bool:
    mean = _mean(optimizer)
    return bool(np.isinf(_bounds(optimizer)).all() and (mean > 0).all() and (mean < 1).all())


def _box(optimizer: Any) -> tuple[Array, Array]:
    """Return least and largest values of its variables: its bounds, the genes' own, or two deviations around its mean."""
    bounds, mean = _bounds(optimizer), _mean(optimizer)
    if _means_genes(optimizer):
        return np.zeros(len(mean)), np.ones(len(mean))
    inner = _inner(optimizer)
    C = np.asarray(getattr(inner, "_C", np.ones(len(mean))))  # SepCMA keeps the diagonal alone
    reach = 2 * getattr(inner, "_sigma", 0.0) * np.sqrt(np.diag(C) if C.ndim == 2 else C)
    low, high = bounds.T
    return np.where(np.isfinite(low), low, mean - reach), np.where(np.isfinite(high), high, mean + reach)


def _matching(name: str, optimizer: Any, problem: Problem) -> _Parts:
    """Return which genes its variables are.

    Raises:
        UsageError: it was made for other variables than the problem has.
    """
    kind = type(optimizer)
    if not issubclass(kind, cmaes.CatCMA | cmaes.CatCMAwM):
        check_size(name, optimizer.dim, problem)
        return _parts(kind, problem)
    integers, values = len(_levels(optimizer)), np.asarray(getattr(optimizer, "_K", ())).tolist()
    own = len(_mean(optimizer)) - integers, integers, values
    for binary in (True, False):
        parts = _parts(kind, problem, binary)
        there = len(parts.real), len(parts.integer), problem.genes.cardinality[parts.categories].tolist()
        if own == there:
            return parts
    raise UsageError(
        f"optimizer {name!r} was made for {_described(*own)}, and the space has {_described(*there)}: make it with "
        "these, or hand over its class"
    )


def _described(real: int, integer: int, values: Sequence[int]) -> str:
    parts = [f"{real} real"] + [f"{integer} integer"] * (integer > 0)
    return f"{' and '.join(parts)} variables and categories of {values} values"
