"""Progress: every trial in its order, and the best so far."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.analysis.data import direction_of, metric_of
from evohpo.analysis.plots import palette
from evohpo.analysis.plots.axes import Axis, beyond, metric_axis, values_of
from evohpo.analysis.plots.frame import figure, number, panels, points, text
from evohpo.analysis.plots.hover import Hover, hover_of
from evohpo.errors import UsageError

if TYPE_CHECKING:
    from evohpo.study.study import Study
    from evohpo.trials.trial import Trial

FEET = 0.05  # of the axis below its lowest value is where trials without a result stand
FREE = 6  # panels, at most


def history(study: Study, metric: str | None = None) -> Any:
    """See `Plots.history`."""
    metrics = list(study.goals.metrics) if metric is None else [metric_of(study, metric)]
    trials = study.trials
    if not trials:
        raise UsageError("there are no trials yet")
    metrics, left = metrics[:FREE], len(metrics) - FREE
    present = {palette.kind_of(t) for t in trials}
    kinds = [kind for kind in palette.LOOKS if kind in present]
    hover = hover_of(study, trials, metrics, len(metrics))
    drawn = [_Panel(study, m, trials) for m in metrics]
    title = f"Progress of {text(metrics[0])}" if len(metrics) == 1 else "Progress of every objective"
    notes = [_standing(study, metrics), beyond(sum(p.far for p in drawn))]
    notes += [f"{left} more are not shown."] if left > 0 else []
    split = None if len(metrics) == 1 else panels(len(metrics), 1, shared_xaxes=True, vertical_spacing=0.06)
    made = figure(
        title, " ".join(filter(None, notes)), 380 if split is None else 210 * len(metrics), len(kinds) + 1, split
    )
    for row, panel in enumerate(drawn, 1):
        where = {} if split is None else {"row": row, "col": 1}
        for kind in kinds:
            made.add_trace(panel.points(kind, hover, row == 1), **where)
        for line in panel.best_so_far(row == 1):
            made.add_trace(line, **where)
        made.update_yaxes(panel.axis.layout() | panel.range, **where)
    bottom = {} if split is None else {"row": len(metrics), "col": 1}
    last = len(trials) - 1
    made.update_xaxes(range=[-0.02 * last - 0.5, 1.02 * last + 0.5], tickformat="~g", dtick=1 if last < 10 else None)
    made.update_xaxes(title={"text": "trial"}, **bottom)
    return made


class _Panel:
    """The trials in one metric."""

    def __init__(self, study: Study, metric: str, trials: list[Trial]) -> None:
        self.metric, self.trials = metric, trials
        self.direction = direction_of(study, metric)
        self.y = values_of(trials, metric)
        self.kinds = np.array([palette.kind_of(t) for t in trials])
        self.axis, self.far = metric_axis(metric, self.y)
        self.foot, self.range = _foot(self.axis)

    def points(self, kind: str, hover: Hover, legend: bool) -> Any:
        """Return the trials of one kind; at the foot those without a value."""
        look, rows = palette.LOOKS[kind], np.flatnonzero(self.kinds == kind)
        y = self.y[rows]
        return points(len(self.trials))(
            x=rows, y=np.where(np.isnan(y), self.foot, y), mode="markers", name=look.name, legendgroup=kind,
            showlegend=legend, customdata=hover.rows([self.trials[i] for i in rows]), hovertemplate=hover.template,
            marker=_marker(look, len(self.trials)),
        )  # fmt: skip

    def best_so_far(self, legend: bool) -> list[Any]:
        """Return the best feasible value up to each trial as a step line; none for what is no objective."""
        feasible = np.array([t.feasible for t in self.trials])
        z = np.where(feasible & np.isfinite(self.y), self.direction * self.y, np.inf)
        best = np.minimum.accumulate(z)
        steps = np.flatnonzero(best < np.append(np.inf, best[:-1]))
        if not self.direction or not len(steps):
            return []
        x = np.append(steps, len(z) - 1)
        go = points(0)
        line = go(
            x=x, y=self.direction * best[x], mode="lines", name="best so far", legendgroup="best", showlegend=legend,
            line={"shape": "hv", "color": palette.BEST, "width": 2}, hoverinfo="skip",
        )  # fmt: skip
        return [line]


def _marker(look: palette.Look, n: int) -> dict[str, Any]:
    size, opacity = (7, 0.85) if n <= 300 else (5, 0.6) if n <= 3000 else (4, 0.4)
    if look.symbol.endswith("open"):
        return {"symbol": look.symbol, "color": look.colour, "size": size + 1, "opacity": max(opacity, 0.6),
                "line": {"width": 1.5, "color": look.colour}}  # fmt: skip
    return {"symbol": look.symbol, "color": look.colour, "size": size, "opacity": opacity}


def _foot(axis: Axis) -> tuple[float, dict[str, Any]]:
    """Return where trials without a value stand, and a range with room for them."""
    low, high = (math.log10(v) if axis.log else v for v in axis.span)
    room = (high - low) or 1.0
    foot = low - 2 * FEET * room
    return (10**foot if axis.log else foot), {"range": [low - 3 * FEET * room, high + FEET * room]}


def _standing(study: Study, metrics: list[str]) -> str:
    """Return a sentence on the best trial, or on how many there are."""
    front = study.front()
    if not front:
        return "No trial is feasible yet." if any(t.fitness for t in study.trials) else "No trial has a result yet."
    if len(study.goals.metrics) > 1:
        members = "1 trial is" if len(front) == 1 else f"{len(front)} of {len(study.trials)} trials are"
        return f"{members} on the front."
    known = front[0].metrics.get(metrics[0])
    value = f", {text(metrics[0])} = {number(known)}" if isinstance(known, int | float) else ""
    return f"Best: trial {front[0].number}{value}."
