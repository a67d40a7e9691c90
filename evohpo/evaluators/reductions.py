"""How the values of a metric over time become the one that counts, and numbers kept in single precision."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

REDUCTIONS: dict[str, Callable[[Sequence[float]], float]] = {
    "last": lambda values: values[-1],
    "first": lambda values: values[0],
    "max": max,
    "min": min,
    "mean": statistics.fmean,
}


def single(value: float) -> float:
    """Return a value that was kept in single precision as it was most likely printed: 0.8792, not 0.8791999816894531."""
    import numpy as np

    return float(str(np.float32(value)))
