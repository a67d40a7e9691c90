"""All parameters and metrics side by side: a line a trial."""

from __future__ import annotations

import math
from html import unescape
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.analysis.data import direction_of, metric_of
from evohpo.analysis.plots import palette
from evohpo.analysis.plots.axes import Axis, axis_of, light, metric_axis, value_of, values_of
from evohpo.analysis.plots.chosen import chosen
from evohpo.analysis.plots.frame import figure, graph_objects, number, text
from evohpo.errors import UsageError

if TYPE_CHECKING:
    from evohpo.analysis.data import Floats
    from evohpo.study.study import Study

PARAMETERS, METRICS = 12, 4  # axes, at most
APART = 0.12  # of an axis below it is the place of trials to which the parameter does not apply
ABSENT = "–"


def parallel(study: Study, metric: str | None = None) -> Any:
    """See `Plots.parallel`."""
    metric = metric_of(study, metric)
    trials = [t for t in study.trials if t.fitness is not None and math.isfinite(value_of(t, metric))]
    if not trials:
        raise UsageError(f"no trial has a finite number as {metric!r} yet")
    names, note = chosen(study, metric, PARAMETERS)
    y = values_of(trials, metric)
    others = [m for m in study.goals.metrics if m != metric][: METRICS - 1]
    dimensions = []
    for name in names:
        own = axis_of(study, name)
        dimensions.append(_dimension(own.axis, own.of(trials), len(names)))
    measured = [(m, values_of(trials, m)) for m in (*others, metric)]
    dimensions += [_dimension(metric_axis(m, values)[0], values, len(names)) for m, values in measured]
    axis, _ = metric_axis(metric, y)
    direction = direction_of(study, metric)
    better = "better" if direction else "larger"
    subtitle = f"A line a trial, the darker the {better}. Drag along an axis to select. {note}"
    go = graph_objects()
    made = figure(f"Parameters and {text(metric)}", subtitle, 420)
    made.add_trace(
        go.Parcoords(
            dimensions=dimensions, labelangle=-24 if len(dimensions) > 5 else 0, labelside="top",
            labelfont={"size": 12, "color": palette.INK}, tickfont={"size": 11, "color": palette.INK},
            rangefont={"size": 1, "color": "rgba(0,0,0,0)"},
            line=colours(axis, y, direction, text(metric)) | {"showscale": False},
            unselected={"line": {"color": palette.LINE, "opacity": 0.3}},
        )
    )  # fmt: skip
    top = made.layout.margin.t + (70 if len(dimensions) > 5 else 36)
    made.update_layout(margin={"t": top, "b": 28, "l": 60, "r": 40}, height=made.layout.height + 60)
    return made


def colours(axis: Axis, y: Floats, direction: int, title: str) -> dict[str, Any]:
    """Return how values are coloured, the better the darker, with a colour bar."""
    z = np.clip(_scaled(axis, y), *(_scaled(axis, np.array(axis.span))))
    low, high = (float(v) for v in _scaled(axis, np.array(axis.span)))
    scale = palette.WORSE_TO_BETTER[::-1] if direction > 0 else palette.WORSE_TO_BETTER
    at, labels = ticks(axis)
    bar = {
        "title": {"text": title, "side": "top"},
        "thickness": 12,
        "outlinewidth": 0,
        "tickvals": at,
        "ticktext": labels,
    }
    ends = (low, high) if high > low else (low - 0.5, high + 0.5)
    return {"color": z, "colorscale": scale[2:] if direction <= 0 else scale[:-2], "cmin": ends[0], "cmax": ends[1],
            "showscale": True, "colorbar": bar}  # fmt: skip


def ticks(axis: Axis) -> tuple[list[float], list[str]]:
    """Return positions, on a log axis as exponents of ten, and their labels."""
    if axis.ticks is not None:
        return axis.ticks
    low, high = axis.span
    if axis.log:
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        step = max(1, -(-(last - first) // 6))
        values = [10.0**e for e in range(first, last + 1, step)]
        if len(values) < 2:
            values = [low, (low * high) ** 0.5, high]
        return [math.log10(v) for v in values], [number(v, 3) for v in values]
    values = _round_values(low, high)
    return values, [number(v, 6) for v in values]


def _dimension(axis: Axis, positions: Floats, count: int) -> dict[str, Any]:
    """Return one axis, with a place of its own for trials without a value."""
    z = _scaled(axis, positions)
    low, high = (float(v) for v in _scaled(axis, np.array(axis.span)))
    if high <= low:
        low, high = low - 0.5, high + 0.5
    at, labels = ticks(axis)
    missing = np.isnan(z)
    z = np.clip(z, low, high)
    if missing.any():
        below = low - APART * (high - low)
        z, at, labels, low = np.where(missing, below, z), [below, *at], [ABSENT, *labels], below
    label = text(axis.name, 22 if count <= 4 else 14)
    return {"label": label, "values": light(z), "range": [low, high], "tickvals": at,
            "ticktext": [unescape(word) for word in labels]}  # fmt: skip  # plain text, unlike on other axes


def _scaled(axis: Axis, values: Floats) -> Floats:
    return np.log10(values) if axis.log else values


def _round_values(low: float, high: float) -> list[float]:
    """Return about five round numbers in a range."""
    if high <= low:
        return [low]
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * f for f in (1, 2, 2.5, 5, 10) if power * f >= raw)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]
