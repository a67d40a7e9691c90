"""Landscapes with their least value, 0, at a known place: turned and shifted by the number of an instance.

They follow the functions of the same names in the BBOB suite in spirit, not digit by digit: no landscape has an offset, so
that what an optimizer found is how far it is from the optimum.

Reference: Hansen, Finck, Ros, Auger (2009), Real-parameter black-box optimization benchmarking 2009: noiseless functions
definitions. Schwefel: Liang, Qu, Suganthan (2013), Problem definitions for the CEC 2014 competition. Gallagher's peaks:
Gallagher, Yuan (2006), A general-purpose tunable landscape generator.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Shape: TypeAlias = Callable[[Array], Array]  # values (n,) of differences from the optimum (n, dim)

WIDE = 5.0  # parameters lie in [-5, 5]
WITHIN = 4.0  # and the optimum in [-4, 4]
LEAST_DIM = 2
PEAKS = 21
VALLEY = 420.968746359982  # where z sin(sqrt(z)) is greatest within [0, 500]


@lru_cache(256)
def shape(name: str, dim: int, instance: int, rotated: bool = True) -> Shape:
    """Return a landscape as a function of the difference from its optimum, the same for the same arguments.

    Args:
        name: one of `LANDSCAPES`.
        dim: number of parameters, at least 2.
        instance: another one is turned another way.
        rotated: False keeps the axes, so that separable landscapes can be searched parameter by parameter.
    """
    rng = stream(name, dim, instance)
    R, Q = rotation(dim, rng), rotation(dim, rng)
    if not rotated:
        R = Q = np.eye(dim)
    raw = LANDSCAPES[name](dim, Q, rng)
    return lambda D: raw(D @ R.T)


def centre(name: str, dim: int, instance: int) -> Array:
    """Return `(dim,)`: where the optimum of an instance is."""
    return stream(name, dim, instance, 1).uniform(-WITHIN, WITHIN, dim).round(4)


def stream(name: str, *key: int) -> np.random.Generator:
    """Return the generator that belongs to a name and numbers."""
    return np.random.default_rng([zlib.crc32(name.encode()), *key])


def rotation(dim: int, rng: np.random.Generator) -> Array:
    """Return an orthogonal matrix `(dim, dim)`, uniformly distributed.

    Reference: Mezzadri (2007), How to generate random matrices from the classical compact groups.
    """
    Q, R = np.linalg.qr(rng.standard_normal((dim, dim)))
    return np.asarray(Q * np.sign(np.diag(R)))


def _powers(dim: int, condition: float) -> Array:
    """Return `(dim,)` from 1 to `condition`, each the same factor above the one before."""
    return condition ** (np.arange(dim) / (dim - 1))


def _sphere(dim: int, Q: Array, rng: np.random.Generator) -> Shape:  # noqa: ARG001 - all have the same arguments
    return lambda Z: (Z**2).sum(1)


def _ellipsoid(dim: int, Q: Array, rng: np.random.Generator) -> Shape:  # noqa: ARG001
    weights = _powers(dim, 1e6)
    return lambda Z: Z**2 @ weights


def _discus(dim: int, Q: Array, rng: np.random.Generator) -> Shape:  # noqa: ARG001
    return lambda Z: 1e6 * Z[:, 0] ** 2 + (Z[:, 1:] ** 2).sum(1)


def _bent_cigar(dim: int, Q: Array, rng: np.random.Generator) -> Shape:  # noqa: ARG001
    return lambda Z: Z[:, 0] ** 2 + 1e6 * (Z[:, 1:] ** 2).sum(1)


def _sharp_ridge(dim: int, Q: Array, rng: np.random.Generator) -> Shape:  # noqa: ARG001
    return lambda Z: Z[:, 0] ** 2 + 100 * np.sqrt((Z[:, 1:] ** 2).sum(1))


def _different_powers(dim: int, Q: Array, rng: np.random.Generator) -> Shape:  # noqa: ARG001
    exponents = 2 + 4 * np.arange(dim) / (dim - 1)
    return lambda Z: np.sqrt((np.abs(Z) ** exponents).sum(1))


def _rosenbrock(dim: int, Q: Array, rng: np.random.Generator) -> Shape:  # noqa: ARG001
    scale = max(1.0, dim**0.5 / 8)

    def value(Z: Array) -> Array:
        Y = scale * Z + 1
        return np.asarray((100 * (Y[:, :-1] ** 2 - Y[:, 1:]) ** 2 + (Y[:, :-1] - 1) ** 2).sum(1))

    return value


def _step(dim: int, Q: Array, rng: np.random.Generator) -> Shape:  # noqa: ARG001
    stretch, weights = np.sqrt(_powers(dim, 10.0)), _powers(dim, 100.0)

    def value(Z: Array) -> Array:
        Y = Z * stretch
        flat = np.where(np.abs(Y) > 0.5, np.floor(0.5 + Y), np.floor(0.5 + 10 * Y) / 10) @ Q.T
        return 0.1 * np.maximum(np.abs(Y[:, 0]) / 1e4, flat**2 @ weights)

    return value


def _attractive_sector(dim: int, Q: Array, rng: np.random.Generator) -> Shape:
    side, stretch = rng.choice([-1.0, 1.0], dim), np.sqrt(_powers(dim, 10.0))

    def value(Z: Array) -> Array:
        Y = (Z * stretch) @ Q.T
        return np.asarray(((np.where(Y * side > 0, 100.0, 1.0) * Y) ** 2).sum(1) ** 0.9)

    return value


def _rastrigin(dim: int, Q: Array, rng: np.random.Generator) -> Shape:  # noqa: ARG001
    return lambda Z: 10 * (dim - np.cos(2 * np.pi * Z).sum(1)) + (Z**2).sum(1)


def _ackley(dim: int, Q: Array, rng: np.random.Generator) -> Shape:  # noqa: ARG001
    def value(Z: Array) -> Array:
        near = -20 * np.expm1(-0.2 * np.sqrt((Z**2).mean(1)))
        return np.asarray(near - np.e * np.expm1(np.cos(2 * np.pi * Z).mean(1) - 1))

    return value


def _griewank(dim: int, Q: Array, rng: np.random.Generator) -> Shape:  # noqa: ARG001
    roots = np.sqrt(np.arange(1, dim + 1))
    return lambda Z: 1 + ((10 * Z) ** 2).sum(1) / 4000 - np.cos(10 * Z / roots).prod(1)


def _schaffer(dim: int, Q: Array, rng: np.random.Generator) -> Shape:  # noqa: ARG001
    stretch = np.sqrt(_powers(dim, 10.0))

    def value(Z: Array) -> Array:
        Y = (Z @ Q.T) * stretch
        s = np.sqrt(Y[:, :-1] ** 2 + Y[:, 1:] ** 2)
        return np.asarray((np.sqrt(s) + np.sqrt(s) * np.sin(50 * s**0.2) ** 2).mean(1) ** 2)

    return value


def _schwefel(dim: int, Q: Array, rng: np.random.Generator) -> Shape:  # noqa: ARG001
    def term(Y: Array) -> Array:
        return Y * np.sin(np.sqrt(np.abs(Y)))

    def value(Z: Array) -> Array:
        Y = 100 * Z + VALLEY
        beyond = np.maximum(np.abs(Y) - 500, 0)
        folded = np.where(beyond > 0, np.sign(Y) * (500 - beyond % 500), Y)
        lost = term(np.array([VALLEY]))[0] - term(folded) + beyond**2 / (1e4 * dim)
        return np.asarray(lost.sum(1))

    return value


def _gallagher(dim: int, Q: Array, rng: np.random.Generator) -> Shape:  # noqa: ARG001
    """Return the distance to the highest of `PEAKS` bells, of which the one at 0 reaches 10 and the others up to 9.1."""
    peaks = np.concatenate([np.zeros((1, dim)), rng.uniform(-WIDE, WIDE, (PEAKS - 1, dim))])
    heights = np.r_[10.0, np.linspace(1.1, 9.1, PEAKS - 1)]
    conditions = np.r_[1000.0, rng.permutation(_powers(PEAKS - 1, 1e6))] ** 0.5
    weights = np.array([rng.permutation(_powers(dim, c)) / c**0.5 for c in conditions])

    def value(Z: Array) -> Array:
        far = ((Z[:, None, :] - peaks) ** 2 * weights).sum(2)
        return np.asarray((10 - (heights * np.exp(-far / (2 * dim))).max(1)) ** 2)

    return value


LANDSCAPES: dict[str, Callable[[int, Array, np.random.Generator], Shape]] = {
    "sphere": _sphere, "ellipsoid": _ellipsoid, "discus": _discus, "bent-cigar": _bent_cigar, "sharp-ridge": _sharp_ridge,
    "different-powers": _different_powers, "rosenbrock": _rosenbrock, "step": _step,
    "attractive-sector": _attractive_sector, "rastrigin": _rastrigin, "ackley": _ackley, "griewank": _griewank,
    "schaffer": _schaffer, "schwefel": _schwefel, "gallagher": _gallagher,
}  # fmt: skip
QUADRATIC = ("sphere", "ellipsoid", "discus", "bent-cigar")
