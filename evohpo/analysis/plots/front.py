"""The front: trials that no other one beats in every objective, and all the others."""

from __future__ import annotations

import itertools
from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.analysis.data import metric_of
from evohpo.analysis.plots import palette
from evohpo.analysis.plots.axes import Axis, beyond, metric_axis, value_of, values_of
from evohpo.analysis.plots.frame import figure, graph_objects, number, order_bar, panels, points, text
from evohpo.analysis.plots.hover import Hover, hover_of
from evohpo.errors import UsageError
from evohpo.trials.trial import Status

if TYPE_CHECKING:
    from evohpo.study.study import Study
    from evohpo.trials.trial import Trial

MOST = 4  # objectives whose pairs are shown


def front(study: Study, x: str | None = None, y: str | None = None) -> Any:
    """See `Plots.front`."""
    pairs, left = _pairs(study, x, y)
    shown = dict.fromkeys(itertools.chain(*pairs))
    trials = [t for t in study.trials if t.fitness is not None and isfinite(value_of(t, pairs[0][0]))]
    if not trials:
        raise UsageError("no trial has a result yet")
    axes = {metric: metric_axis(metric, values_of(trials, metric)) for metric in shown}
    members = [t for t in study.front() if t.fitness is not None]
    hollow = any(t.violation > 0 for t in trials)
    stopped = any(t.status is Status.STOPPED for t in trials)
    split = None
    if len(pairs) > 1:
        rows, columns = _grid(pairs)
        split = panels(
            len(rows), len(columns), horizontal_spacing=0.09, vertical_spacing=0.1,
            specs=[[{} if (a, b) in pairs else None for a in columns] for b in rows],
        )  # fmt: skip
    notes = [_counts(members, trials), "Hollow: misses a constraint." if hollow else ""]
    notes += ["Triangle: stopped early." if stopped else "", beyond(sum(far for _, far in axes.values()))]
    notes += [f"{left} more are not shown." if left else ""]
    names = " and ".join(text(name) for name in shown) if len(shown) == 2 else "every pair of objectives"
    height = 440 if split is None else 300 * len(rows)
    made = figure(f"Front of {names}", " ".join(filter(None, notes)), height, 0, split)
    made.update_layout(coloraxis=order_bar(study.trials[-1].number))
    hover = hover_of(study, trials, shown, len(pairs))
    for a, b in pairs:
        where = {} if split is None else {"row": rows.index(b) + 1, "col": columns.index(a) + 1}
        for trace in _pair(study, a, b, trials, members, hover):
            made.add_trace(trace, **where)
        first, last = not where or columns.index(a) == 0, not where or rows.index(b) == len(rows) - 1
        limits_a, limits_b = _limits(study, a), _limits(study, b)
        made.update_xaxes(_including(axes[a][0], limits_a).layout(last), **where)
        made.update_yaxes(_including(axes[b][0], limits_b).layout(first), **where)
        for sign, value in limits_a:
            side = "top left" if value > sum(axes[a][0].span) / 2 else "top right"
            made.add_vline(value, **_dashes(f"{text(a, 16)} {sign} {number(value)}", side, split is None), **where)
        for sign, value in limits_b:
            made.add_hline(
                value, **_dashes(f"{text(b, 16)} {sign} {number(value)}", "top right", split is None), **where
            )
    return made


def _pairs(study: Study, x: str | None, y: str | None) -> tuple[list[tuple[str, str]], int]:
    """Return the pairs of metrics to show, and how many objectives are left out."""
    objectives = list(study.goals.metrics)
    if x is not None or y is not None or len(objectives) == 2:
        a = metric_of(study, x) if x is not None else next((m for m in objectives if m != y), objectives[0])
        b = metric_of(study, y) if y is not None else next((m for m in objectives if m != a), a)
        if a == b:
            raise UsageError(f"a front takes two metrics, and {a!r} is the only one given: name another, y=...")
        return [(a, b)], 0
    if len(objectives) == 1:
        raise UsageError("one objective has no front, but a best trial: see history(); or name two metrics, x= and y=")
    return list(itertools.combinations(objectives[:MOST], 2)), max(0, len(objectives) - MOST)


def _grid(pairs: list[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """Return the metrics of the rows and of the columns."""
    return list(dict.fromkeys(b for _, b in pairs)), list(dict.fromkeys(a for a, _ in pairs))


def _pair(study: Study, a: str, b: str, trials: list[Trial], members: list[Trial], hover: Hover) -> list[Any]:
    """Return the points of two metrics; of a study with these two objectives also the staircase through its front."""
    go = graph_objects()
    n = len(trials)
    size, opacity = (9, 0.9) if n <= 300 else (6, 0.75) if n <= 3000 else (4, 0.6)
    on = {t.number for t in members}
    others = [t for t in trials if t.number not in on]
    made = [
        points(n)(
            x=values_of(others, a), y=values_of(others, b), mode="markers", name="trials", showlegend=False,
            customdata=hover.rows(others), hovertemplate=hover.template,
            marker={"color": _numbers(others), "coloraxis": "coloraxis", "size": size, "line": {"width": 0 if n > 300 else 0.5}}
                   | _distinguished(others, opacity),
        )
    ]  # fmt: skip
    members = sorted(members, key=lambda t: value_of(t, a))
    x, y = values_of(members, a), values_of(members, b)
    if set(study.goals.metrics) == {a, b} and members:
        smaller = next(not o.maximize for o in study.goals.objectives if o.metric == a)
        made.append(
            go.Scatter(
                x=x, y=y, mode="lines", name="front", showlegend=False, hoverinfo="skip",
                line={"color": palette.BEST, "width": 1.5, "shape": "hv" if smaller else "vh"},
            )
        )  # fmt: skip
    made.append(
        go.Scatter(
            x=x, y=y, mode="markers", name="on the front", showlegend=False, customdata=hover.rows(members),
            hovertemplate=hover.template,
            marker={"color": _numbers(members), "coloraxis": "coloraxis", "size": size + 3,
                    "symbol": [symbol_of(t) for t in members], "line": {"width": 1.5, "color": palette.BEST}},
        )
    )  # fmt: skip
    return made


def _numbers(trials: list[Trial]) -> Any:
    return np.array([t.number for t in trials], np.int32)


def _distinguished(trials: list[Trial], opacity: float) -> dict[str, Any]:
    """Return symbols and opacities, a list of each only where trials differ."""
    if all(t.violation == 0 and t.status is Status.COMPLETED for t in trials):
        return {"symbol": "circle", "opacity": opacity}
    faint = [opacity if t.violation == 0 else 0.65 * opacity for t in trials]
    return {"symbol": [symbol_of(t) for t in trials], "opacity": faint}


def symbol_of(trial: Trial) -> str:
    """Return the marker of a trial whose colour tells something else: hollow where it misses a constraint."""
    shape = palette.LOOKS[str(trial.status)].symbol
    return f"{shape}-open" if trial.violation > 0 else shape


def _limits(study: Study, metric: str) -> list[tuple[str, float]]:
    """Return the bounds that outcome constraints set to one metric alone, each with its sign."""
    known = {"baseline": study.goals.baseline.get(metric)}
    bounds = [bound for constraint in study.goals.constraints for bound in constraint.bounds(metric, known)]
    return sorted({("≥" if lower else "≤", float(value)) for lower, value in bounds if np.isfinite(value)})


def _including(axis: Axis, limits: list[tuple[str, float]]) -> Axis:
    """Return the axis with room for bounds, where these are not far out."""
    low, high = axis.span
    near = [v for _, v in limits if abs(v - (low + high) / 2) <= 1.5 * (high - low) and (v > 0 or not axis.log)]
    return replace(axis, span=(min([low, *near]), max([high, *near])))


def _dashes(label: str, position: str, labelled: bool) -> dict[str, Any]:
    look: dict[str, Any] = {"line": {"color": palette.LIMIT, "dash": "dash", "width": 1.3}}
    if labelled:
        look |= {
            "annotation": {"text": label, "font": {"size": 11.5, "color": palette.LIMIT}},
            "annotation_position": position,
        }
    return look


def _counts(members: list[Trial], trials: list[Trial]) -> str:
    if not members:
        return "No trial is feasible yet."
    return f"{len(members)} of {len(trials)} trials with a result {'is' if len(members) == 1 else 'are'} on the front."
