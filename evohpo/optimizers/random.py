"""Random search: the yardstick, and the right choice for embarrassingly parallel first looks.

Reference: Bergstra, Bengio (2012), Random search for hyper-parameter optimization.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evohpo.optimizers.registry import optimizer

if TYPE_CHECKING:
    import numpy as np

    from evohpo.optimizers.protocol import Array, Problem, Results

CHUNK = 64  # rows a call: what is not needed now is queued, so large studies ask seldom


@optimizer("random", objectives="multi", constraints=True, told="results", reference="Bergstra, Bengio (2012)")
class Random:
    """Uniform, independent points; always has more, learns nothing."""

    def __init__(self, problem: Problem, rng: np.random.Generator) -> None:
        self.dim, self.rng = problem.dim, rng

    def ask(self, n: int) -> Array:
        """Return at least `n` rows; how the stream is cut into calls does not change it."""
        return self.rng.random((max(n, CHUNK), self.dim))

    def tell(self, results: Results) -> None:
        """Ignore results."""
