"""Scrambled Sobol points: random search without clumps and holes.

Reference: Sobol (1967), On the distribution of points in a cube; Owen (1998), Scrambling Sobol and Niederreiter-Xing
points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evohpo.optimizers.registry import optimizer

if TYPE_CHECKING:
    from evohpo.optimizers.protocol import Array, Problem, Results

CHUNK = 64  # a power of two: the points of a call are balanced among themselves


@optimizer("sobol", objectives="multi", constraints=True, told="results", reference="Sobol (1967); Owen (1998)")
class Sobol:
    """A low-discrepancy sequence; always has more, learns nothing."""

    def __init__(self, problem: Problem, rng: np.random.Generator) -> None:
        from scipy.stats import qmc

        self.sequence = qmc.Sobol(problem.dim, seed=rng)

    def ask(self, n: int) -> Array:
        """Return at least `n` rows, a multiple of 64; how the sequence is cut into calls does not change it."""
        calls = -(-max(n, 1) // CHUNK)
        return np.concatenate([self.sequence.random(CHUNK) for _ in range(calls)])

    def tell(self, results: Results) -> None:
        """Ignore results."""
