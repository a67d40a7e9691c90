"""Learning curves: a line a trial over its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.analysis.data import direction_of
from evohpo.analysis.plots import palette
from evohpo.analysis.plots.axes import beyond, metric_axis
from evohpo.analysis.plots.frame import even, figure, graph_objects, text
from evohpo.analysis.plots.hover import hover_of
from evohpo.errors import UnknownName, UsageError
from evohpo.trials.goals import as_number

if TYPE_CHECKING:
    from evohpo.analysis.data import Floats
    from evohpo.study.study import Study
    from evohpo.trials.trial import Trial

LINES, BEST = 300, 60  # curves at most, the best among them
STEPS = 100  # points of a curve, at most
WIDTH = {palette.COMPLETED: 1.3, palette.STOPPED: 1.0}


def curves(study: Study, metric: str | None = None) -> Any:
    """See `Plots.curves`."""
    metric = _metric(study, metric)
    every = [(t, line) for t in study.trials if t.reports and len((line := _line(t, metric))[0])]
    if not every:
        raise UsageError(f"no trial has reported a finite number as {metric!r}")
    direction = direction_of(study, metric)
    best = _best(study, [t for t, _ in every])
    shown = _thinned(every, direction)
    axis, far = metric_axis(metric, np.concatenate([line[1] for _, line in shown]))
    stopped = sum(palette.kind_of(t) == palette.STOPPED or str(t.status) == "stopped" for t, _ in every)
    notes = [f"{len(every)} trial{'s' * (len(every) > 1)}, {stopped} of them stopped early."]
    if len(shown) < len(every):
        notes.append(f"Shown are {len(shown)}: the best {BEST} and an even choice of the others.")
    kinds = [kind for kind in palette.LOOKS if any(_kind(t) == kind for t, _ in shown)]
    made = figure(
        f"Learning curves of {text(metric)}", " ".join([*notes, beyond(far)]), 420, len(kinds) + (best is not None)
    )
    hover = hover_of(study, [t for t, _ in shown], [metric])
    for kind in kinds:
        mine = [(t, line) for t, line in shown if _kind(t) == kind and t is not best]
        for trace in _traces(mine, kind, metric, hover):
            made.add_trace(trace)
    for t, line in shown:
        if best is not None and t is best:
            made.add_trace(_highlighted(best, line, metric))
    last = max(float(line[0][-1]) for _, line in shown)
    whole = {"dtick": 1} if last <= 10 else {}
    made.update_xaxes(title={"text": "step"}, tickformat="~g", rangemode="tozero", **whole)
    made.update_yaxes(axis.layout())
    return made


def _metric(study: Study, metric: str | None) -> str:
    reported = dict.fromkeys(name for t in study.trials for _, metrics in t.reports or () for name in metrics)
    if not reported:
        raise UsageError(
            "no trial has reported a step: an objective that trains in steps yields its metrics after each"
        )
    if metric is None:
        return next((m for m in study.goals.metrics if m in reported), next(iter(reported)))
    if metric not in reported:
        raise UnknownName("reported metric", str(metric), reported)
    return metric


def _line(trial: Trial, metric: str) -> tuple[Floats, Floats]:
    """Return the steps and values that a trial has reported, at most a hundred, the last among them."""
    known = [(step, as_number(metrics.get(metric))) for step, metrics in trial.reports or ()]
    rows = np.array([(s, v) for s, v in known if v is not None and np.isfinite(v)], float).reshape(-1, 2)
    if len(rows) > STEPS:
        rows = even(rows, STEPS)
    return rows[:, 0], np.clip(rows[:, 1], -1e100, 1e100)


def _kind(trial: Trial) -> str:
    return str(trial.status)


def _best(study: Study, trials: list[Trial]) -> Trial | None:
    if len(study.goals.metrics) > 1:
        return None
    best = study.ledger.best
    return best if best is not None and any(t is best for t in trials) else None


def _thinned(every: list[Any], direction: int) -> list[Any]:
    if len(every) <= LINES:
        return every
    last = np.array([line[1][-1] for _, line in every])
    best = np.argsort((direction or 1) * last, kind="stable")[:BEST]
    others = np.setdiff1d(np.arange(len(every)), best)
    kept = np.concatenate([best, even(others, LINES - BEST)])
    return [every[i] for i in np.sort(kept)]


def _traces(mine: list[Any], kind: str, metric: str, hover: Any) -> list[Any]:
    """Return the curves of one kind as one line with gaps, and their ends with all that is to say of the trials."""
    if not mine:
        return []
    go, look = graph_objects(), palette.LOOKS[kind]
    x, y, who = [], [], []
    for t, (steps, values) in mine:
        x += [*steps.tolist(), None]
        y += [*values.tolist(), None]
        who += [t.number] * (len(steps) + 1)
    opacity = 0.75 if len(mine) <= 20 else 0.45 if len(mine) <= 100 else 0.25
    said = f"<b>Trial %{{customdata}}</b> · {look.name}<br>step %{{x}}<br>{text(metric)} = %{{y:.5~g}}<extra></extra>"
    lines = go.Scatter(
        x=x, y=y, mode="lines", name=look.name, legendgroup=kind, customdata=who, hovertemplate=said, opacity=opacity,
        line={"color": look.colour, "width": WIDTH.get(kind, 1.0)},
    )  # fmt: skip
    ends = go.Scatter(
        x=[line[0][-1] for _, line in mine], y=[line[1][-1] for _, line in mine], mode="markers", name=look.name,
        legendgroup=kind, showlegend=False, customdata=hover.rows([t for t, _ in mine]), hovertemplate=hover.template,
        marker={"color": look.colour, "size": 7 if len(mine) <= 100 else 5, "opacity": 0.9, "symbol": look.symbol,
                "line": {"width": 1.5 if look.symbol.endswith("open") else 0, "color": look.colour}},
    )  # fmt: skip
    return [lines, ends]


def _highlighted(trial: Trial, line: tuple[Floats, Floats], metric: str) -> Any:
    said = f"<b>Trial {trial.number}</b> · the best<br>step %{{x}}<br>{text(metric)} = %{{y:.5~g}}<extra></extra>"
    return graph_objects().Scatter(
        x=line[0], y=line[1], mode="lines" if len(line[0]) > 1 else "markers", name=f"best: trial {trial.number}",
        hovertemplate=said, line={"color": palette.BEST, "width": 3}, marker={"color": palette.BEST, "size": 9},
    )  # fmt: skip
