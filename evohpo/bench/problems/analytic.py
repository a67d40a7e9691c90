"""Problems made of landscapes: continuous, mixed-integer, conditional, noisy and constrained ones, optimum known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.bench.problems.landscapes import (
    LANDSCAPES,
    LEAST_DIM,
    QUADRATIC,
    WIDE,
    WITHIN,
    Array,
    centre,
    shape,
    stream,
)
from evohpo.bench.problems.problem import Problem
from evohpo.errors import UnknownName, UsageError
from evohpo.space import Categorical, Continuous, Integer, Ordinal, Space
from evohpo.trials.goals import Goals

if TYPE_CHECKING:
    from collections.abc import Mapping

LOSS = "loss"
NOISE = 0.05  # standard deviation of noise, as a share of the median of random points
RANDOM = 1000  # points that this median is of
BRANCHES = {"a": 0.0, "b": 1.0, "c": 4.0}  # of a conditional problem, with what each adds, in tenths of that median
LETTERS = "abcdefghijklmnop"


@dataclass(frozen=True, slots=True)
class Landscape:
    """One instance of a landscape as an objective of parameters x1, x2, ... in [-5, 5].

    Attributes:
        name: one of `LANDSCAPES`.
        dim: number of parameters.
        instance: where the optimum is and how it is turned.
        rotated: whether it is turned at all.
    """

    name: str
    dim: int
    instance: int = 1
    rotated: bool = True

    @property
    def optimum(self) -> Array:
        """Where the least value is, `(dim,)`."""
        return centre(self.name, self.dim, self.instance)

    def values(self, X: Array) -> Array:
        """Return `(n,)` for points `(n, dim)`."""
        return self.apart(X - self.optimum)

    def apart(self, D: Array) -> Array:
        """Return `(n,)` for differences from the optimum `(n, dim)`."""
        return shape(self.name, self.dim, self.instance, self.rotated)(D)

    @property
    def typical(self) -> float:
        """The median value of random points."""
        return _typical(self)

    def __call__(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Measure one configuration."""
        return {LOSS: float(self.values(_point(params, self.dim)[None])[0])}


@lru_cache(256)
def _typical(landscape: Landscape) -> float:
    rng = stream(landscape.name, landscape.dim, landscape.instance, 2)
    return float(np.median(landscape.values(rng.uniform(-WIDE, WIDE, (RANDOM, landscape.dim)))))


def _point(params: Mapping[str, Any], dim: int, prefix: str = "x") -> Array:
    return np.array([params[f"{prefix}{i}"] for i in range(1, dim + 1)], float)


def _params(point: Array, prefix: str = "x") -> dict[str, Any]:
    return {f"{prefix}{i}": float(value) for i, value in enumerate(point, 1)}


def _landscape(name: str, dim: int, instance: int, rotated: bool = True) -> Landscape:
    if name not in LANDSCAPES:
        raise UnknownName("landscape", name, LANDSCAPES)
    if dim < LEAST_DIM:
        raise UsageError(f"problem {name!r}: dim={dim} must be at least {LEAST_DIM}")
    if instance < 0:
        raise UsageError(f"problem {name!r}: instance={instance} must be at least 0")
    return Landscape(name, dim, instance, rotated)


def _cube(dim: int) -> dict[str, Any]:
    return {f"x{i}": Continuous(-WIDE, WIDE) for i in range(1, dim + 1)}


def _name(kind: str, dim: int, instance: int) -> str:
    return f"{kind}/{dim}" if instance == 1 else f"{kind}/{dim}/{instance}"


def continuous(name: str, dim: int = 5, instance: int = 1, *, rotated: bool = True) -> Problem:
    """Return a landscape over `dim` continuous parameters.

    Args:
        name: one of the landscapes, such as "rastrigin".
        dim: number of parameters, at least 2.
        instance: another number has its optimum elsewhere and is turned another way.
        rotated: False keeps the axes.

    Raises:
        UsageError: there is no such landscape, or a number is too small.

    Example:
        >>> problem = continuous("rastrigin", 3)
        >>> problem.objective(problem.solution)
        {'loss': 0.0}
    """
    landscape = _landscape(name, dim, instance, rotated)
    label = _name(name if rotated else f"axes-{name}", dim, instance)
    return Problem(
        label, landscape, Space(_cube(dim)), Goals.of(minimize=LOSS), 0.0, solution=_params(landscape.optimum)
    )


# ---- some of the parameters are categories, levels and whole numbers


@dataclass(frozen=True, slots=True)
class Mixed:
    """A landscape of which four parameters in five take few values; the optimum is among them.

    Parameters take turns: a category of 4, an ordinal of 4, integers of 8 and 16 values, a continuous one. Their values are
    evenly spread over [-4, 4]; those of categories stand in no order.

    Reference: Tusar, Brockhoff, Hansen (2019), Mixed-integer benchmark problems for single- and bi-objective optimization.
    """

    landscape: Landscape

    def levels(self, i: int) -> Array | None:
        """Return the positions of the values of parameter `i`, counted from 0; None for a continuous one."""
        count = (4, 4, 8, 16, 0)[i % 5]
        if not count:
            return None
        even = np.linspace(-WITHIN, WITHIN, count)
        rng = stream(self.landscape.name, self.landscape.dim, self.landscape.instance, 3, i)
        return rng.permutation(even) if i % 5 == 0 else even

    @property
    def best(self) -> list[int]:
        """The number of the optimal value of each parameter; -1 for continuous ones."""
        every = map(self.levels, range(self.landscape.dim))
        nearest = zip(every, self.landscape.optimum, strict=True)
        return [-1 if levels is None else int(np.abs(levels - x).argmin()) for levels, x in nearest]

    def parameters(self) -> dict[str, Any]:
        """Return the space's parameters."""
        kinds = (
            Categorical(list(LETTERS[:4])), Ordinal([1, 2, 4, 8]), Integer(0, 7), Integer(0, 15), Continuous(-WIDE, WIDE),
        )  # fmt: skip
        return {f"x{i + 1}": kinds[i % 5] for i in range(self.landscape.dim)}

    def solution(self) -> dict[str, Any]:
        """Return the optimal configuration."""
        names: tuple[Any, ...] = (LETTERS, (1, 2, 4, 8), range(8), range(16))
        x = self.landscape.optimum
        return {f"x{i + 1}": float(x[i]) if at < 0 else names[i % 5][at] for i, at in enumerate(self.best)}

    def __call__(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Measure one configuration."""
        levels, numbers = _tables(self)
        D = np.empty(self.landscape.dim)
        for i, (at, best) in enumerate(zip(levels, numbers, strict=True)):
            value = params[f"x{i + 1}"]
            D[i] = value - best if at is None else at[_level(value, i % 5)] - best
        return {LOSS: float(self.landscape.apart(D[None])[0])}


@lru_cache(256)
def _tables(mixed: Mixed) -> tuple[list[Array | None], list[float]]:
    """Return the positions of each parameter's values, and of its optimal one."""
    levels = [mixed.levels(i) for i in range(mixed.landscape.dim)]
    optimal = zip(levels, mixed.best, mixed.landscape.optimum, strict=True)
    return levels, [float(x) if at is None else float(at[best]) for at, best, x in optimal]


def _level(value: Any, kind: int) -> int:
    return LETTERS.index(value) if kind == 0 else int(value).bit_length() - 1 if kind == 1 else int(value)


def mixed(name: str, dim: int = 10, instance: int = 1) -> Problem:
    """Return a landscape over categories, ordinals, integers and continuous parameters, see `Mixed`.

    Raises:
        UsageError: as `continuous`.
    """
    objective = Mixed(_landscape(name, dim, instance))
    return Problem(
        _name(f"mixed-{name}", dim, instance), objective, Space(objective.parameters()), Goals.of(minimize=LOSS), 0.0,
        solution=objective.solution(),
    )  # fmt: skip


# ---- parameters that only apply where another has some value


@dataclass(frozen=True, slots=True)
class Conditional:
    """A choice of three branches, each with parameters and a landscape of its own; only one of them holds the optimum."""

    name: str
    dim: int
    instance: int

    def landscape(self, branch: str) -> Landscape:
        """Return the landscape of a branch."""
        return Landscape(self.name, self.dim, 1000 * self.instance + LETTERS.index(branch))

    def __call__(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Measure one configuration."""
        branch = params["branch"]
        landscape = self.landscape(branch)
        x = _point(params, self.dim, branch)
        return {LOSS: float(landscape.values(x[None])[0]) + 0.1 * BRANCHES[branch] * landscape.typical}


def conditional(name: str, dim: int = 3, instance: int = 1) -> Problem:
    """Return three landscapes behind a choice: `branch`, and `dim` parameters of each branch that only apply there.

    Raises:
        UsageError: as `continuous`.
    """
    _landscape(name, dim, instance)
    objective = Conditional(name, dim, instance)
    space: dict[str, Any] = {"branch": Categorical(list(BRANCHES))}
    for branch in BRANCHES:
        space |= {f"{branch}{i}": Continuous(-WIDE, WIDE, when={"branch": branch}) for i in range(1, dim + 1)}
    return Problem(
        _name(f"conditional-{name}", dim, instance), objective, Space(space), Goals.of(minimize=LOSS), 0.0,
        solution={"branch": "a", **_params(objective.landscape("a").optimum, "a")},
    )  # fmt: skip


# ---- noise


@dataclass(frozen=True, slots=True)
class Noisy:
    """A landscape with normal noise, drawn from the trial's own seed."""

    landscape: Landscape
    deviation: float

    def __call__(self, params: Mapping[str, Any], ctx: Any) -> dict[str, float]:
        """Measure one configuration, other than the last time."""
        noise = float(np.random.default_rng(ctx.seed).standard_normal())
        return {LOSS: self.landscape(params)[LOSS] + self.deviation * noise}

    def truth(self, params: Mapping[str, Any]) -> float:
        """Return the value without noise."""
        return self.landscape(params)[LOSS]


def noisy(name: str, dim: int = 5, instance: int = 1, *, noise: float = NOISE) -> Problem:
    """Return a landscape that is measured with noise; what was found is judged by its value without.

    Args:
        name: one of the landscapes.
        dim: number of parameters.
        instance: where the optimum is.
        noise: standard deviation, as a share of the median of random points.

    Raises:
        UsageError: as `continuous`, or a negative `noise`.
    """
    if not noise >= 0:
        raise UsageError(f"problem {name!r}: noise={noise!r} must be at least 0")
    landscape = _landscape(name, dim, instance)
    objective = Noisy(landscape, noise * landscape.typical)
    return Problem(
        _name(f"noisy-{name}", dim, instance), objective, Space(_cube(dim)), Goals.of(minimize=LOSS), 0.0,
        solution=_params(landscape.optimum), truth=objective.truth,
    )  # fmt: skip


# ---- outcome constraints


@dataclass(frozen=True, slots=True)
class Constrained:
    """A convex landscape cut by a plane that leaves its unconstrained optimum outside.

    The plane goes through a chosen point along the level set there, and what is legal lies uphill of it: a convex function is
    nowhere uphill less than at that point, which so is the optimum.
    """

    landscape: Landscape

    @property
    def optimum(self) -> Array:
        """Where the least legal value is, `(dim,)`."""
        return _cut(self)[0]

    def __call__(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Measure one configuration: its loss, and how far it lies beyond the plane."""
        x = _point(params, self.landscape.dim)
        at, normal = _cut(self)
        return {LOSS: float(self.landscape.values(x[None])[0]), "beyond": float(normal @ (at - x))}


@lru_cache(256)
def _cut(constrained: Constrained) -> tuple[Array, Array]:
    """Return a point `(dim,)` of the plane, the optimum, and the unit vector that points to what is legal."""
    landscape = constrained.landscape
    dim = landscape.dim
    drawn = stream(landscape.name, dim, landscape.instance, 4).uniform(-WITHIN, WITHIN, dim)
    at = ((drawn + landscape.optimum) / 2).round(4)
    # a step into the imaginary gives the gradient of a polynomial to the last digit
    steps = (at - landscape.optimum) + 1e-30j * np.eye(dim)
    gradient = np.imag(landscape.apart(steps)) / 1e-30
    return at, gradient / np.linalg.norm(gradient)


def constrained(name: str, dim: int = 5, instance: int = 1) -> Problem:
    """Return a quadratic landscape with the outcome constraint `beyond <= 0`, met with its optimum on the bound.

    Raises:
        UsageError: as `continuous`, or a landscape that is not quadratic.
    """
    if name not in QUADRATIC:
        raise UnknownName("constrained landscape", name, QUADRATIC)
    objective = Constrained(_landscape(name, dim, instance))
    solution = _params(objective.optimum)
    return Problem(
        _name(f"constrained-{name}", dim, instance), objective, Space(_cube(dim)),
        Goals.of(minimize=LOSS, constraints=["beyond <= 0"]), objective(solution)[LOSS], solution=solution,
    )  # fmt: skip
