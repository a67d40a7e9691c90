"""An algorithm of the demo's own: all that bringing one takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import evohpo as eh

if TYPE_CHECKING:
    from collections.abc import Generator


@eh.optimizer("nine-lines", reference="the nine lines in evohpo/demo/own.py")
def nine_lines(
    problem: eh.Problem, rng: np.random.Generator, population: int = 20, weight: float = 0.8, crossover: float = 0.9
) -> Generator[Any, Any, None]:
    """Differential evolution in nine lines: add the difference of two to a third, keep what is better."""
    X = rng.random((population, problem.dim))
    F = yield X  # a whole generation, evaluated in parallel somewhere
    while True:
        a, b, c = (X[rng.permutation(population)] for _ in range(3))
        children = np.where(rng.random(X.shape) < crossover, np.clip(a + weight * (b - c), 0, 1), X)
        G = yield children
        better = G < F
        X, F = np.where(better[:, None], children, X), np.where(better, G, F)
