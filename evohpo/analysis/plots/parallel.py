"""All parameters and metrics side by side: a line a trial."""

from __future__ import annotations

import math
from html import unescape
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.analysis.data import direction_of, metric_of
from evohpo.analysis.plots import palette
from evohpo.analysis.plots.axes import Axis, axis_of, light, metric_axis, ticks, value_of, values_of
from evohpo.analysis.plots.chosen import chosen
from evohpo.analysis.plots.frame import even, figure, graph_objects, text
from evohpo.analysis.plots.shades import shades
from evohpo.errors import UsageError

if TYPE_CHECKING:
    from evohpo.analysis.data import Floats
    from evohpo.study.study import Study
    from evohpo.trials.trial import Trial

PARAMETERS, METRICS = 12, 4  # axes, at most
LINES, BEST = 1000, 200  # trials, at most, the best among them
APART = 0.12  # of an axis below it is the place of trials to which the parameter does not apply
ABSENT = "–"


def parallel(study: Study, metric: str | None = None) -> Any:
    """See `Plots.parallel`."""
    metric = metric_of(study, metric)
    trials = [t for t in study.trials if t.fitness is not None and math.isfinite(value_of(t, metric))]
    if not trials:
        raise UsageError(f"no trial has a finite number as {metric!r} yet")
    names, note = chosen(study, metric, PARAMETERS)
    every, (trials, y) = len(trials), _thinned(trials, values_of(trials, metric), direction_of(study, metric))
    others = [m for m in study.goals.metrics if m != metric][: METRICS - 1]
    dimensions = []
    for name in names:
        own = axis_of(study, name)
        dimensions.append(_dimension(own.axis, own.of(trials), len(names)))
    measured = [(m, values_of(trials, m)) for m in (*others, metric)]
    dimensions += [_dimension(metric_axis(m, values)[0], values, len(names)) for m, values in measured]
    direction = direction_of(study, metric)
    notes = [
        f"A line a trial, the darker the {'better' if direction else 'larger'}. Drag along an axis to select.",
        note,
    ]
    notes += (
        [f"Lines: the best {BEST} of {every} trials and an even choice of the others."] if len(trials) < every else []
    )
    go = graph_objects()
    made = figure(f"Parameters and {text(metric)}", " ".join(filter(None, notes)), 420)
    made.add_trace(
        go.Parcoords(
            dimensions=dimensions, labelangle=-24 if len(dimensions) > 5 else 0, labelside="top",
            labelfont={"size": 12, "color": palette.INK}, tickfont={"size": 11, "color": palette.INK},
            rangefont={"size": 1, "color": "rgba(0,0,0,0)"},
            line={"color": _ranks(y), "colorscale": shades(direction, lines=True), "cmin": 0, "cmax": 1, "showscale": False},
            unselected={"line": {"color": palette.LINE, "opacity": 0.3}},
        )
    )  # fmt: skip
    top = made.layout.margin.t + (70 if len(dimensions) > 5 else 36)
    made.update_layout(margin={"t": top, "b": 28, "l": 60, "r": 40}, height=made.layout.height + 60)
    return made


def _thinned(trials: list[Trial], y: Floats, direction: int) -> tuple[list[Trial], Floats]:
    """Return at most so many trials and their values: with more there would be one dark area."""
    if len(trials) <= LINES:
        return trials, y
    order = np.argsort((direction or 1) * y, kind="stable")
    kept = np.sort(np.concatenate([order[:BEST], even(order[BEST:], LINES - BEST)]))
    return [trials[i] for i in kept], y[kept]


def _ranks(y: Floats) -> Floats:
    """Return the ranks of values as shares in [0, 1], which spread evenly over the shades; equal ones share theirs."""
    _, place, count = np.unique(y, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count + 1) / 2
    return np.asarray(middle[place] / max(len(y) - 1, 1)) if len(count) > 1 else np.full(len(y), 0.5)


def _dimension(axis: Axis, positions: Floats, count: int) -> dict[str, Any]:
    """Return one axis, with a place of its own for trials without a value."""
    z = axis.scaled(positions)
    low, high = (float(v) for v in axis.scaled(np.array(axis.span)))
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
