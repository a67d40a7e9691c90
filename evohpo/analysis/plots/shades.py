"""Shades of one colour for a metric, for both directions: the better the darker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.analysis.plots import palette
from evohpo.analysis.plots.axes import Axis, ticks

if TYPE_CHECKING:
    from evohpo.analysis.data import Floats


def shades(direction: int, lines: bool = False) -> list[str]:
    """Return the colours from small to large values of a metric; without the pale ones for what stands on white.

    Args:
        direction: 1 for a metric to be made small, -1 for one to be made large, 0 for one that is no objective.
        lines: whether lines or points are coloured.
    """
    scale = palette.WORSE_TO_BETTER[2:] if lines else palette.WORSE_TO_BETTER
    return scale[::-1] if direction > 0 else list(scale)


def shaded(axis: Axis, y: Floats, direction: int, title: str) -> dict[str, Any]:
    """Return how points are coloured by a metric, with a colour bar; values beyond the axis have its last shades."""
    low, high = (float(v) for v in axis.scaled(np.array(axis.span)))
    ends = (low, high) if high > low else (low - 0.5, high + 0.5)
    bar = {"title": {"text": title, "side": "top"}, "thickness": 12, "outlinewidth": 0}
    bar |= dict(zip(("tickvals", "ticktext"), ticks(axis), strict=True))
    return {"color": np.clip(axis.scaled(y), low, high), "colorscale": shades(direction, lines=True), "cmin": ends[0],
            "cmax": ends[1], "showscale": True, "colorbar": bar}  # fmt: skip
