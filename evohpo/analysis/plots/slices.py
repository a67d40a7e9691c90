"""One parameter at a time: the metric against its value, a point a trial."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.analysis.data import metric_of
from evohpo.analysis.plots.axes import ParameterAxis, axis_of, beyond, light, metric_axis, value_of, values_of
from evohpo.analysis.plots.chosen import chosen
from evohpo.analysis.plots.frame import figure, order_bar, panels, points, text
from evohpo.analysis.plots.front import symbol_of
from evohpo.analysis.plots.hover import hover_of
from evohpo.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evohpo.analysis.data import Floats
    from evohpo.study.study import Study
    from evohpo.trials.trial import Trial

PANELS = 12  # parameters, unless named
POINTS = 12_000  # in all panels together whose boxes tell everything
LETTERS = 18  # of all labels below a narrow panel
JITTER = 0.5  # of the room between two categories
GOLDEN = 0.6180339887498949  # its multiples spread evenly over [0, 1), whatever their number


def slices(study: Study, metric: str | None = None, parameters: Sequence[str] | None = None) -> Any:
    """See `Plots.slices`."""
    metric = metric_of(study, metric)
    names, note = _names(study, metric, parameters)
    trials = [t for t in study.trials if t.fitness is not None and isfinite(value_of(t, metric))]
    if not trials:
        raise UsageError(f"no trial has a finite number as {metric!r} yet")
    y = values_of(trials, metric)
    axis, far = metric_axis(metric, y)
    columns = 1 if len(names) == 1 else 2 if len(names) <= 4 else 3
    rows = -(-len(names) // columns)
    height = 360 if rows == 1 else 200 * rows
    split = panels(
        rows, columns, shared_yaxes=True, horizontal_spacing=0.03, vertical_spacing=min(64 / height, 0.9 / rows),
        specs=[[{} if r * columns + c < len(names) else None for c in range(columns)] for r in range(rows)],
    )  # fmt: skip
    notes = ["Hollow: misses a constraint." if any(t.violation > 0 for t in trials) else "", note, beyond(far)]
    made = figure(f"How {text(metric)} depends on each parameter", " ".join(filter(None, notes)), height, 0, split)
    made.update_layout(coloraxis=order_bar(study.trials[-1].number))
    for i, name in enumerate(names):
        where = {"row": i // columns + 1, "col": i % columns + 1}
        own = axis_of(study, name)
        made.add_trace(_panel(study, own, trials, y, len(names)), **where)
        made.update_xaxes(own.axis.layout(longest=18, most=4, letters=LETTERS), **where)
        made.update_yaxes(axis.layout(where["col"] == 1), **where)
    return made


def _names(study: Study, metric: str, parameters: Sequence[str] | None) -> tuple[list[str], str]:
    if parameters is None:
        return chosen(study, metric, PANELS)
    names = [parameters] if isinstance(parameters, str) else list(parameters)
    for name in names:
        if name not in study.space.searched:
            raise UnknownName("searched parameter", str(name), study.space.searched)
    if not names:
        raise UsageError("name at least one parameter, or leave parameters= out")
    return names, ""


def _panel(study: Study, own: ParameterAxis, trials: list[Trial], y: Floats, count: int) -> Any:
    """Return the trials in one parameter; where it does not apply there is none."""
    x = own.of(trials)
    rows = np.flatnonzero(np.isfinite(x))
    there, numbers = [trials[i] for i in rows], np.array([trials[i].number for i in rows], np.int32)
    if own.listed:  # side by side instead of on top of each other
        x = x + JITTER * ((np.array([t.number for t in trials]) * GOLDEN) % 1 - 0.5)
    n = len(trials)
    size, opacity = (7, 0.85) if n <= 300 else (5, 0.7) if n <= 3000 else (3, 0.6)
    if n * count <= POINTS:
        hover = hover_of(study, trials)
        said: dict[str, Any] = {"customdata": hover.rows(there), "hovertemplate": hover.template}
    else:
        name = "" if own.listed else f"<br>{text(own.axis.name)} = %{{x:.5~g}}"
        said = {
            "customdata": numbers,
            "hovertemplate": f"<b>Trial %{{customdata}}</b>{name}<br>%{{y:.5~g}}<extra></extra>",
        }
    mixed = any(t.violation > 0 or str(t.status) != "completed" for t in there)
    return points(n * count)(
        x=light(x[rows]), y=light(y[rows]),
        mode="markers", showlegend=False, name=text(own.axis.name),
        marker={"color": numbers, "coloraxis": "coloraxis", "size": size, "opacity": opacity,
                "symbol": [symbol_of(t) for t in there] if mixed else "circle"},
        **said,
    )  # fmt: skip
