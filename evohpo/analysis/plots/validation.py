"""How far the model is to be trusted: each trial as it was, and as the others predict it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.analysis.plots import palette
from evohpo.analysis.plots.axes import beyond, metric_axis
from evohpo.analysis.plots.frame import even, figure, graph_objects, number, text
from evohpo.analysis.plots.hover import hover_of

if TYPE_CHECKING:
    from evohpo.study.study import Study

POINTS = 1000  # trials, at most


def cross_validation(study: Study, metric: str | None = None) -> Any:
    """See `Plots.cross_validation`."""
    from evohpo.analysis.validation import cross_validation as validation_of

    frame = validation_of(study, metric)
    facts, every = frame.attrs, len(frame)
    if every > POINTS:
        frame = frame.iloc[even(np.arange(every), POINTS)]
    observed, predicted = frame["observed"].to_numpy(float), frame["predicted"].to_numpy(float)
    low, high = frame["low"].to_numpy(float), frame["high"].to_numpy(float)
    axis, far = metric_axis(facts["metric"], np.concatenate([observed, predicted]))
    if axis.log:  # an interval may reach below 0, a log axis does not
        low = np.maximum(low, axis.span[0] / 10)
    name = text(facts["metric"])
    made = figure(f"Prediction of {name} from the other trials", _verdict(facts, every, far), 440)
    trials = [study.trials[int(n)] for n in frame["number"]]
    hover = hover_of(study, trials, [facts["metric"]])
    rows = [
        [*row, number(p), number(a), number(b)]
        for row, p, a, b in zip(hover.rows(trials), predicted, low, high, strict=True)
    ]
    at = len(rows[0]) - 3
    said = hover.template.replace("<extra></extra>", "")
    said += f"<br>predicted %{{customdata[{at}]}}, between %{{customdata[{at + 1}]}} and %{{customdata[{at + 2}]}}<extra></extra>"
    go, many = graph_objects(), len(frame) > 200
    whiskers = {
        "type": "data", "symmetric": False, "array": high - predicted, "arrayminus": predicted - low, "width": 0,
        "thickness": 0.6 if many else 1.2, "color": "rgba(0,114,178,0.3)",
    }  # fmt: skip
    ends = list(axis.span)
    made.add_trace(
        go.Scatter(
            x=ends, y=ends, mode="lines", hoverinfo="skip", line={"color": palette.INK, "dash": "dash", "width": 1.2}
        )
    )
    made.add_trace(
        go.Scatter(
            x=observed, y=predicted, mode="markers", error_y=whiskers, customdata=rows, hovertemplate=said,
            marker={"color": palette.BLUE, "size": 4 if many else 7, "opacity": 0.8},
        )
    )  # fmt: skip
    made.update_xaxes(axis.layout() | {"title": {"text": f"{name}, observed"}})
    made.update_yaxes(axis.layout() | {"title": {"text": f"{name}, predicted"}})
    return made


def _verdict(facts: dict[Any, Any], n: int, far: int) -> str:
    model = {"forest": "random forest"}.get(facts["model"], facts["model"])
    if np.isnan(facts["r2"]):
        return f"All {n} values are equal: there is nothing to predict."
    shown = f" Shown are {POINTS} of {n} trials." if n > POINTS else ""
    return (
        f"R² = {facts['r2']:.2f}; {100 * facts['coverage']:.0f} &#37; of the 95 &#37; intervals hold the observed value "
        f"({text(model)}, {n} trials). On the dashed line predictions are exact.{shown} {beyond(far)}"
    )
