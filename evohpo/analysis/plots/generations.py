"""How a generation's metrics are spread, and how alike its configurations are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.analysis.data import direction_of, metric_of
from evohpo.analysis.plots import palette
from evohpo.analysis.plots.axes import beyond, metric_axis, values_of
from evohpo.analysis.plots.frame import figure, graph_objects, panels, text
from evohpo.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from evohpo.study.study import Study

BOXES = 30  # generations that get a box each; of more, bands
QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
TEMPLATE = (
    "<b>generation %{x}</b>, %{customdata[0]} results<br>least %{customdata[1]:.5~g}<br>lower quarter %{customdata[2]:.5~g}"
    "<br>median %{customdata[3]:.5~g}<br>upper quarter %{customdata[4]:.5~g}<br>greatest %{customdata[5]:.5~g}<extra></extra>"
)


def generations(study: Study, metric: str | None = None) -> Any:
    """See `Plots.generations`."""
    metric = metric_of(study, metric)
    spread = _spread(study, metric)
    direction = direction_of(study, metric)
    axis, far = metric_axis(metric, spread[[*QUANTILES, "mean"]].to_numpy().ravel())
    split = panels(2, 1, shared_xaxes=True, row_heights=[0.7, 0.3], vertical_spacing=0.07)
    table = study.generations()
    notes = [_sizes(table), _reading(len(spread)), beyond(far)]
    made = figure(f"Spread of {text(metric)} by generation", " ".join(filter(None, notes)), 440, 4, split)
    for trace in (*(_boxes(spread) if len(spread) <= BOXES else _bands(spread)), *_lines(spread, direction)):
        made.add_trace(trace, row=1, col=1)
    go = graph_objects()
    diverse = table["diversity"].to_numpy(float)
    made.add_trace(
        go.Scatter(
            x=table["generation"], y=diverse, mode="lines+markers", name="diversity", showlegend=False,
            line={"color": palette.GREEN, "width": 2}, marker={"size": 5 if len(table) <= 60 else 1},
            hovertemplate="<b>generation %{x}</b><br>diversity %{y:.3f}<extra></extra>",
        ),
        row=2, col=1,
    )  # fmt: skip
    top = float(np.nanmax(diverse, initial=0.0)) if len(diverse) else 0.0
    made.update_yaxes(axis.layout(), row=1, col=1)
    made.update_yaxes(title={"text": "diversity"}, range=[0, max(1.15 * top, 0.05)], nticks=5, row=2, col=1)
    whole = {"tickformat": "~g"} | ({"dtick": 1} if len(spread) <= 12 else {})
    made.update_xaxes(whole)
    made.update_xaxes(title={"text": "generation"}, row=2, col=1)
    return made


def _reading(n: int) -> str:
    if n <= BOXES:
        return "Boxes: middle half; whiskers: least, greatest."
    return "Shaded: middle half, and least to greatest."


def _spread(study: Study, metric: str) -> pd.DataFrame:
    """Return a row a generation: quantiles, mean, least, greatest and count of the results that the optimizer asked for."""
    import pandas as pd

    asked = [t for t in study.trials if t.asked and t.fitness is not None]
    y = values_of(asked, metric)
    values = pd.Series(y, index=[t.generation for t in asked], dtype=float).dropna()
    if values.empty:
        raise UsageError(f"no trial that the optimizer proposed has a finite number as {metric!r} yet")
    groups = values.groupby(level=0)
    frame = pd.DataFrame({q: groups.quantile(q) for q in QUANTILES})
    return frame.assign(mean=groups.mean(), count=groups.size())


def _boxes(spread: pd.DataFrame) -> list[Any]:
    go = graph_objects()
    low, q1, median, q3, high = (spread[q].to_numpy() for q in QUANTILES)
    box = go.Box(
        x=spread.index.to_numpy(), q1=q1, median=median, q3=q3, lowerfence=low, upperfence=high, name="spread",
        fillcolor="rgba(0,114,178,0.18)", line={"color": palette.BLUE, "width": 1.2}, hoverinfo="skip",
    )  # fmt: skip
    return [box]


def _bands(spread: pd.DataFrame) -> list[Any]:
    go = graph_objects()
    x = spread.index.to_numpy()
    nothing = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    made = []
    for low, high, shade, name in ((0.0, 1.0, 0.12, "all"), (0.25, 0.75, 0.28, "middle half")):
        made.append(go.Scatter(x=x, y=spread[low].to_numpy(), **nothing))
        named = {"showlegend": True, "name": name, "fill": "tonexty", "fillcolor": f"rgba(0,114,178,{shade})"}
        made.append(go.Scatter(x=x, y=spread[high].to_numpy(), **(nothing | named)))
    return made


def _lines(spread: pd.DataFrame, direction: int) -> list[Any]:
    go = graph_objects()
    x, rows = spread.index.to_numpy(), np.round(spread[["count", *QUANTILES]].to_numpy(float), 12)
    mode = "lines+markers" if len(x) <= BOXES else "lines"
    made = []
    if direction:
        made.append(
            go.Scatter(
                x=x, y=spread[0.0 if direction > 0 else 1.0].to_numpy(), mode=mode, name="best",
                line={"color": palette.BEST, "width": 2}, marker={"size": 5}, hoverinfo="skip",
            )
        )  # fmt: skip
    made.append(
        go.Scatter(
            x=x, y=spread["mean"].to_numpy(), mode=mode, name="mean", customdata=rows, hovertemplate=TEMPLATE,
            line={"color": palette.ORANGE, "width": 2, "dash": "dot"}, marker={"size": 5},
        )
    )  # fmt: skip
    return made


def _sizes(table: pd.DataFrame) -> str:
    few, many = int(table["trials"].min()), int(table["trials"].max())
    count = "1 generation" if len(table) == 1 else f"{len(table)} generations"
    return f"{count} of {few if few == many else f'{few} to {many}'} trial{'s' * (many > 1)}."
