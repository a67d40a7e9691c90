"""Of many results those that a model is made of: its cost grows with the third power of their number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from evohpo.optimizers.operators import Integers


def thinned(best_first: Integers, most: int) -> Integers:
    """Return at most `most` of the rows `best_first`: the best ones, and as many evenly spread among all others."""
    if len(best_first) <= most:
        return best_first
    spread = np.linspace(most // 2, len(best_first) - 1, most - most // 2).round().astype(np.int64)
    return np.concatenate([best_first[: most // 2], best_first[spread]])
