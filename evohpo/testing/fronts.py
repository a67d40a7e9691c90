"""Problems of several objectives whose fronts are known, for tests and comparisons of optimizers.

References: Zitzler, Deb, Thiele (2000), Comparison of multiobjective evolutionary algorithms: empirical results (ZDT);
Deb, Thiele, Laumanns, Zumbado (2005), Scalable test problems for evolutionary multiobjective optimization (DTLZ2); Jain,
Deb (2014), An evolutionary many-objective optimization algorithm using reference-point based nondominated sorting
approach, part II (C1-DTLZ1); Osyczka, Kundu (1995), A new method to solve generalized multicriteria optimization problems
using the simple genetic algorithm (OSY); Tanaka, Watanabe, Furukawa, Tanino (1995), GA-based decision support system for
multicriteria optimization (TNK).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import evohpo as eh
from evohpo.optimizers.directions import das_dennis
from evohpo.trials.pareto import front, hypervolume

Array = NDArray[np.float64]
Shape = Callable[[Array, Array], Array]  # the second objective by the first and the distance g
MARGIN = 0.1  # how far beyond the worst end of the front the reference point lies, as a share of the front's range


@dataclass(frozen=True, slots=True)
class FrontProblem:
    """A problem of `m` minimised objectives `f1`, `f2`, ... in `dim` continuous parameters `x1`, `x2`, ...

    Called with a dict of parameters it is an objective: it returns a dict with the objectives and, where there are
    constraints, the metric `violation`, which is to be 0.

    Attributes:
        name: as in the literature.
        low: `(dim,)` lower bounds.
        high: `(dim,)` upper bounds.
        objectives: returns F `(n, m)` of points `(n, dim)` in their own units.
        constraints: returns `(n, c)` of such points, at most 0 where a constraint is met; None for a free problem.
        optimal: returns points of the front `(n, m)` for about `n`; evenly spread enough for its hypervolume.
        ideal: `(m,)` the least of each objective on the front.
        nadir: `(m,)` the greatest of each objective on the front.
        volume: the hypervolume of the front as `hypervolume` measures it.

    Example:
        >>> problem = FRONTS["ZDT1"]
        >>> study = eh.tune(problem, problem.space, minimize=problem.metrics, trials=20, seed=1, progress=False)
        >>> problem.hypervolume(np.array([t.fitness for t in study.trials])) < problem.volume
        True
    """

    name: str
    low: Array
    high: Array
    objectives: Callable[[Array], Array]
    constraints: Callable[[Array], Array] | None
    optimal: Callable[[int], Array]
    ideal: Array
    nadir: Array
    volume: float

    @property
    def dim(self) -> int:
        """Number of parameters."""
        return len(self.low)

    @property
    def m(self) -> int:
        """Number of objectives."""
        return len(self.ideal)

    @property
    def space(self) -> eh.Space:
        """The parameters with their ranges."""
        bounds = zip(self.low, self.high, strict=True)
        return eh.Space({f"x{i}": eh.Continuous(float(a), float(b)) for i, (a, b) in enumerate(bounds, 1)})

    @property
    def metrics(self) -> list[str]:
        """What is to be minimised."""
        return [f"f{j}" for j in range(1, self.m + 1)]

    @property
    def limits(self) -> list[str]:
        """The outcome constraints of a study: one, or none."""
        return [] if self.constraints is None else ["violation <= 0"]

    def evaluate(self, U: Array) -> tuple[Array, Array]:
        """Return fitness `(n, m)` and total violation `(n,)` of chromosomes `U` `(n, dim)` in [0, 1]."""
        X = self.low + np.asarray(U) * (self.high - self.low)
        broken = np.zeros(len(X)) if self.constraints is None else np.maximum(self.constraints(X), 0.0).sum(1)
        return self.objectives(X), broken

    def __call__(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Measure one configuration."""
        x = np.array([[params[f"x{i}"] for i in range(1, self.dim + 1)]])
        F, V = self.evaluate((x - self.low) / (self.high - self.low))
        measured = dict(zip(self.metrics, F[0].tolist(), strict=True))
        return measured if self.constraints is None else {**measured, "violation": float(V[0])}

    def hypervolume(self, F: Array, violation: Array | None = None) -> float:
        """Return what the feasible rows of `F` dominate, in units of the front's box from ideal to nadir.

        The reference point lies a tenth of the front's range beyond the nadir.
        """
        scaled = (F - self.ideal) / (self.nadir - self.ideal)
        return hypervolume(scaled[front(scaled, violation)], np.full(self.m, 1.0 + MARGIN))


def _linear(Z: Array) -> Array:
    return np.asarray(1 + 9 * Z.mean(1))


def _many_valleys(Z: Array) -> Array:
    return np.asarray(1 + 10 * Z.shape[1] + (Z**2 - 10 * np.cos(4 * np.pi * Z)).sum(1))


def _uneven(Z: Array) -> Array:
    return np.asarray(1 + 9 * Z.mean(1) ** 0.25)


def _root(f: Array, g: Array) -> Array:
    return np.asarray(1 - np.sqrt(f / g))


def _square(f: Array, g: Array) -> Array:
    return np.asarray(1 - (f / g) ** 2)


def _broken(f: Array, g: Array) -> Array:
    return np.asarray(1 - np.sqrt(f / g) - f / g * np.sin(10 * np.pi * f))


def _plane(n: int) -> Array:
    """Return about `n` points of the triangle on which the three objectives add up to 0.5."""
    return das_dennis(3, max(1, round(np.sqrt(2 * n)))) / 2


def _sphere(n: int) -> Array:
    """Return about `n` points of the positive part of the unit sphere."""
    points = _plane(n)
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True))


def _dtlz2(X: Array) -> Array:
    g = 1 + ((X[:, 2:] - 0.5) ** 2).sum(1)
    a, b = X[:, 0] * np.pi / 2, X[:, 1] * np.pi / 2
    return np.column_stack([g * np.cos(a) * np.cos(b), g * np.cos(a) * np.sin(b), g * np.sin(a)])


def _dtlz1(X: Array) -> Array:
    Z = X[:, 2:] - 0.5
    g = 0.5 * (1 + 100 * (Z.shape[1] + (Z**2 - np.cos(20 * np.pi * Z)).sum(1)))
    return np.column_stack([g * X[:, 0] * X[:, 1], g * X[:, 0] * (1 - X[:, 1]), g * (1 - X[:, 0])])


def _c1_dtlz1(X: Array) -> Array:
    F = _dtlz1(X)
    return np.asarray(F[:, [2]] / 0.6 + (F[:, :2] / 0.5).sum(1, keepdims=True) - 1)


def _osy(X: Array) -> Array:
    centre = np.array([2.0, 2, 1, 4, 1])
    near = (X[:, :5] - centre) ** 2
    return np.column_stack([-(25 * near[:, 0] + near[:, 1:].sum(1)), (X**2).sum(1)])


def _osy_limits(X: Array) -> Array:
    a, b, c, d, e, f = X.T
    met = [(a + b - 2) / 2, (6 - a - b) / 6, (2 - b + a) / 2, (2 - a + 3 * b) / 2, (4 - (c - 3) ** 2 - d) / 4]
    return -np.column_stack([*met, ((e - 3) ** 2 + f - 4) / 4])


def _osy_front(n: int) -> Array:
    """Return points of the five pieces given in Deb (2001), Multi-objective optimization using evolutionary algorithms."""
    t = np.linspace(0, 1, max(2, n // 5))
    first = 4.056 + 0.944 * t
    pieces: list[tuple[Any, Any, Any, Any]] = [
        (5, 1, 1 + 4 * t, 5),
        (5, 1, 1 + 4 * t, 1),
        (first, (first - 2) / 3, 1, 1),
        (0, 2, 1 + 2.732 * t, 1),
        (t, 2 - t, 1, 1),
    ]
    points = [np.column_stack(np.broadcast_arrays(a, b, c, 0.0 * t, e, 0.0)) for a, b, c, e in pieces]
    F = _osy(np.concatenate(points))
    return F[front(F)]


def _tnk_limits(X: Array) -> Array:
    a, b = X.T
    wave = 0.1 * np.cos(16 * np.arctan2(a, b))
    return np.column_stack([1 + wave - a**2 - b**2, (a - 0.5) ** 2 + (b - 0.5) ** 2 - 0.5])


def _tnk_front(n: int) -> Array:
    angle = np.linspace(0, np.pi / 2, n)
    r = np.sqrt(1 + 0.1 * np.cos(16 * angle))
    F = np.column_stack([r * np.sin(angle), r * np.cos(angle)])
    F = F[((F - 0.5) ** 2).sum(1) <= 0.5]
    return np.asarray(F[front(F)])


def _zdt(
    name: str, dim: int, g: Callable[[Array], Array], f2: Shape, volume: float,
    ideal: Sequence[float] = (0, 0), nadir: Sequence[float] = (1, 1),
) -> FrontProblem:  # fmt: skip
    """Return a problem whose first parameter says where on the front, and whose others say how far from it."""

    def objectives(X: Array) -> Array:
        f1 = 1 - np.exp(-4 * X[:, 0]) * np.sin(6 * np.pi * X[:, 0]) ** 6 if name == "ZDT6" else X[:, 0]
        G = g(X[:, 1:])
        return np.column_stack([f1, G * f2(f1, G)])

    def optimal(n: int) -> Array:
        f1 = np.linspace(ideal[0], 1, n)
        F = np.column_stack([f1, f2(f1, np.ones(n))])
        return F[front(F)]

    wide = 5.0 if name == "ZDT4" else 0.0
    low, high = np.r_[0.0, np.full(dim - 1, -wide)], np.r_[1.0, np.full(dim - 1, wide or 1.0)]
    return FrontProblem(name, low, high, objectives, None, optimal, np.array(ideal), np.array(nadir), volume)


LEAST = 0.2807753188  # of the first objective of ZDT6
_PROBLEMS = (
    _zdt("ZDT1", 30, _linear, _root, 0.876667),
    _zdt("ZDT2", 30, _linear, _square, 0.543333),
    _zdt("ZDT3", 30, _linear, _broken, 0.727453, (0, -0.773369), (0.851833, 1)),
    _zdt("ZDT4", 10, _many_valleys, _root, 0.876667),
    _zdt("ZDT6", 10, _uneven, _square, 0.616408, (LEAST, 0), (1, 1 - LEAST**2)),
    FrontProblem(
        "DTLZ2", np.zeros(12), np.ones(12), _dtlz2, None, _sphere, np.zeros(3), np.ones(3), 1.331 - np.pi / 6
    ),
    FrontProblem(
        "C1-DTLZ1", np.zeros(7), np.ones(7), _dtlz1, _c1_dtlz1, _plane, np.zeros(3), np.full(3, 0.5), 1.331 - 1 / 6
    ),
    FrontProblem(
        "OSY", np.array([0.0, 0, 1, 0, 1, 0]), np.array([10.0, 10, 5, 6, 5, 10]), _osy, _osy_limits, _osy_front,
        np.array([-274.0, 4]), np.array([-42.0, 76]), 0.968863,
    ),
    FrontProblem(
        "TNK", np.full(2, 1e-12), np.full(2, np.pi), np.copy, _tnk_limits, _tnk_front,
        np.full(2, 0.041665), np.full(2, 1.03845), 0.518884,
    ),
)  # fmt: skip
FRONTS = {problem.name: problem for problem in _PROBLEMS}
"""Problems by name."""
