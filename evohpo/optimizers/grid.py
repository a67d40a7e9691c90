"""Grid search: every combination of evenly spaced values, each once."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from evohpo.errors import UsageError
from evohpo.optimizers.registry import optimizer

if TYPE_CHECKING:
    import numpy as np

    from evohpo.optimizers.protocol import Array, Problem, Results

CHUNK = 64  # rows a call; what is not needed now is queued


@optimizer("grid", objectives="multi", constraints=True, told="results", finite=True)
class Grid:
    """All points of a grid, then no more; ends by itself.

    Args:
        problem: the task; its space makes the grid.
        rng: unused, a grid has nothing to draw.
        resolution: values a parameter with more values than that is cut down to, ends included.

    Raises:
        UsageError: the problem has no space to take a grid from.
    """

    def __init__(self, problem: Problem, rng: np.random.Generator, *, resolution: int = 10) -> None:  # noqa: ARG002
        if problem.space is None:
            raise UsageError("optimizer 'grid' needs problem.space; for a bare unit cube take 'sobol'")
        self.encoding = problem.encoding
        self.points: Any = iter(problem.space.grid(resolution))

    def ask(self, n: int) -> Array | None:
        """Return the next rows of the grid, None after the last one."""
        configs = list(islice(self.points, max(n, CHUNK)))
        return self.encoding.encode(configs) if configs else None

    def tell(self, results: Results) -> None:
        """Ignore results."""
