"""An algorithm of one's own, as anybody might bring it: differential evolution in nine lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.optimizers import optimizer

if TYPE_CHECKING:
    from collections.abc import Generator


@optimizer("nine-lines", reference="written in the demo: differential evolution, Storn, Price (1997)")
def nine_lines(
    problem: Any, rng: np.random.Generator, population: int = 20, weight: float = 0.8, crossover: float = 0.9
) -> Generator[Any, Any, None]:
    """Differential evolution, rand/1/bin."""
    X = rng.random((population, problem.dim))
    F = yield X
    while True:
        a, b, c = (X[rng.permutation(population)] for _ in range(3))
        children = np.where(rng.random(X.shape) < crossover, np.clip(a + weight * (b - c), 0, 1), X)
        G = yield children
        better = G < F
        X, F = np.where(better[:, None], children, X), np.where(better, G, F)
