"""What a model of the trials says: of one parameter, of two together, and of which pairs interact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.analysis.data import direction_of, measured, metric_of
from evohpo.analysis.plots import palette
from evohpo.analysis.plots.axes import Axis, axis_of, metric_axis, ticks
from evohpo.analysis.plots.frame import even, figure, graph_objects, number, text
from evohpo.analysis.plots.front import symbol_of
from evohpo.analysis.plots.hover import hover_of
from evohpo.analysis.plots.shades import shades
from evohpo.errors import UsageError

if TYPE_CHECKING:
    from evohpo.analysis.data import Floats
    from evohpo.study.study import Study
    from evohpo.trials.trial import Trial

POINTS = 1500  # trials shown over a surface
FEW = 0.005  # a share below is none
PAIRS = 12  # parameters whose interactions are shown


def effect(study: Study, parameter: str, metric: str | None = None) -> Any:
    """See `Plots.effect`."""
    from evohpo.analysis.effects import effect as effect_of

    frame = effect_of(study, parameter, metric)
    name, own = frame.attrs["metric"], axis_of(study, parameter)
    x = own.positions(frame["value"].tolist())
    mean, low, high = (frame[column].to_numpy(float) for column in ("mean", "low", "high"))
    axis, _ = metric_axis(name, np.concatenate([low, mean, high]))
    title = f"Effect of {text(parameter)} on {text(name)}"
    subtitle = (
        f"Mean over the trials of what a {_model(frame)} predicts, and the 95 % band of that mean. Marks below: trials."
    )
    made, go = figure(title, subtitle, 380), graph_objects()
    said = {
        "customdata": [[_value(v), number(a), number(b)] for v, a, b in zip(frame["value"], low, high, strict=True)],
        "hovertemplate": f"{text(parameter)} = %{{customdata[0]}}<br>{text(name)} = %{{y:.4~g}}"
        "<br>between %{customdata[1]} and %{customdata[2]}<extra></extra>",
    }
    line = {"color": palette.BLUE, "width": 2.5}
    if own.listed:
        whiskers = {"type": "data", "symmetric": False, "array": high - mean, "arrayminus": mean - low, "thickness": 2}
        made.add_trace(
            go.Scatter(
                x=x, y=mean, mode="markers", error_y=whiskers, marker={"size": 10, "color": palette.BLUE}, **said
            )
        )
    else:
        quiet = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
        made.add_trace(go.Scatter(x=x, y=low, **quiet))
        made.add_trace(go.Scatter(x=x, y=high, fill="tonexty", fillcolor="rgba(0,114,178,0.18)", **quiet))
        made.add_trace(go.Scatter(x=x, y=mean, mode="lines", line=line, **said))
    layout = axis.layout()
    made.add_trace(_rug(own.of(measured(study, name)[0]), own.listed, layout, axis.log))
    made.update_xaxes(own.axis.layout())
    made.update_yaxes(layout)
    return made


def _rug(x: Floats, listed: bool, layout: dict[str, Any], log: bool) -> Any:
    """Return a mark a trial at the lower edge: where there are none, the model guesses."""
    x = x[np.isfinite(x)]
    if len(x) > POINTS:
        x = even(np.sort(x), POINTS)
    if listed:
        x = x + 0.5 * ((np.arange(len(x)) * 0.618034) % 1 - 0.5)
    foot = layout["range"][0]
    return graph_objects().Scatter(
        x=x, y=np.full(len(x), 10**foot if log else foot), mode="markers", hoverinfo="skip", cliponaxis=False,
        marker={"symbol": "line-ns-open", "size": 9, "color": palette.SOFT, "opacity": 0.4},
    )  # fmt: skip


def contour(study: Study, a: str, b: str, metric: str | None = None) -> Any:
    """See `Plots.contour`."""
    from evohpo.analysis.effects import surface
    from evohpo.analysis.surrogate import surrogate_of

    metric = metric_of(study, metric)
    values_a, values_b, mean = surface(study, a, b, metric)
    across, up = axis_of(study, a), axis_of(study, b)
    x, y = across.positions(values_a), up.positions(values_b)
    direction = direction_of(study, metric)
    axis, _ = metric_axis(metric, mean.ravel())
    z = axis.scaled(mean)
    at, labels = ticks(axis)
    bar = {"title": {"text": text(metric, 16), "side": "top"}, "thickness": 12, "outlinewidth": 0}
    if axis.log:
        bar |= {"tickvals": at, "ticktext": labels}
    better = "better" if direction else "larger"
    model = _model(surrogate_of(study, metric))
    subtitle = f"Mean prediction of a {model}, the darker the {better}. Points: trials."
    made, go = figure(f"Predicted {text(metric)} by {text(a)} and {text(b)}", subtitle, 460), graph_objects()
    said = [
        [[_value(p), _value(q), number(v)] for p, v in zip(values_a, row, strict=True)]
        for q, row in zip(values_b, mean, strict=True)
    ]
    shared = {
        "z": z, "colorscale": shades(direction), "colorbar": bar, "customdata": said, "hoverongaps": False,
        "hovertemplate": f"{text(a)} = %{{customdata[0]}}<br>{text(b)} = %{{customdata[1]}}<br>"
                         f"{text(metric)} = %{{customdata[2]}}, predicted<extra></extra>",
    }  # fmt: skip
    if across.listed or up.listed or min(len(x), len(y)) < 3:
        made.add_trace(go.Heatmap(x=_edges(x, across.axis), y=_edges(y, up.axis), **shared))
    else:
        lines = {"coloring": "fill", "showlabels": False}
        made.add_trace(
            go.Contour(x=x, y=y, ncontours=18, contours=lines, line={"width": 0.4, "color": "white"}, **shared)
        )
    made.add_trace(_over(study, across, up, metric))
    made.update_xaxes(across.axis.layout())
    made.update_yaxes(up.axis.layout())
    return made


def _over(study: Study, across: Any, up: Any, metric: str) -> Any:
    """Return the trials that a surface was learned from, over it; of very many an even choice."""
    trials = measured(study, metric)[0]
    p, q = across.of(trials), up.of(trials)
    rows = np.flatnonzero(np.isfinite(p) & np.isfinite(q))
    if len(rows) > POINTS:
        rows = even(rows, POINTS)
    there: list[Trial] = [trials[i] for i in rows]
    hover = hover_of(study, there)
    shift = np.array([(t.number * 0.618034) % 1 - 0.5 for t in there])
    return graph_objects().Scatter(
        x=p[rows] + (0.5 * shift if across.listed else 0), y=q[rows] + (0.5 * shift[::-1] if up.listed else 0),
        mode="markers", customdata=hover.rows(there), hovertemplate=hover.template,
        marker={"size": 6 if len(there) <= 300 else 4, "color": palette.INK,
                "opacity": 0.75 if len(there) <= 300 else 0.5,
                "symbol": [symbol_of(t) for t in there], "line": {"width": 1, "color": "white"}},
    )  # fmt: skip


def _edges(at: Floats, axis: Axis) -> Floats:
    """Return the `n + 1` edges of cells around `n` positions."""
    z = np.log10(at) if axis.log else at
    middle = (z[1:] + z[:-1]) / 2
    half = (z[1] - z[0]) / 2 if len(z) > 1 else 0.5
    edges = np.concatenate([[z[0] - half], middle, [z[-1] + half]])
    return np.asarray(10**edges if axis.log else edges)


def interactions(study: Study, metric: str | None = None) -> Any:
    """See `Plots.interactions`."""
    from evohpo.analysis.effects import interactions as interactions_of

    frame = interactions_of(study, metric)
    if frame.empty:
        raise UsageError("an interaction takes two searched parameters, and the space has but one")
    names = list(dict.fromkeys(name for pair in zip(frame["a"], frame["b"], strict=True) for name in pair))
    every, names = len(names), names[:PAIRS]
    place = {name: i for i, name in enumerate(names)}
    n = len(names)
    z, h = np.full((n, n), np.nan), np.full((n, n), np.nan)
    for a, b, strength, friedman in frame.itertuples(index=False):
        if a in place and b in place:
            low, high = sorted((place[a], place[b]))
            z[high, low], h[high, low] = strength, friedman
    top = frame.iloc[0]
    name = text(frame.attrs["metric"])
    share = top["strength"]
    most = (
        f"most {text(top['a'], 24)} and {text(top['b'], 24)}, {100 * share:.0f} &#37;" if share >= FEW else "hardly any"
    )
    subtitle = f"Share of the variation of what a {_model(frame)} predicts that only both together explain: {most}."
    if every > PAIRS:
        subtitle += f" Shown are {PAIRS} of {every} parameters, those in the strongest pairs."
    made, go = figure(f"Interactions in {name}", subtitle, max(280, 60 + 34 * n)), graph_objects()
    labels = [text(name, 20) for name in names]
    said = [
        [[labels[j], labels[i], "" if np.isnan(h[i, j]) else number(h[i, j], 2)] for j in range(n)] for i in range(n)
    ]
    limit = max(float(np.nanmax(z)), 0.05)
    made.add_trace(
        go.Heatmap(
            z=z[1:, :-1], x=np.arange(n - 1), y=np.arange(1, n), customdata=[row[:-1] for row in said[1:]], zmin=0, zmax=limit,
            colorscale=palette.WORSE_TO_BETTER, xgap=2, ygap=2, hoverongaps=False,
            texttemplate="%{z:.0%}" if n <= 9 else None, textfont={"size": 11},
            colorbar={"tickformat": ".0%", "nticks": 5, "thickness": 12, "outlinewidth": 0,
                      "title": {"text": "share", "side": "top"}},
            hovertemplate="%{customdata[0]} and %{customdata[1]}<br>share of the variation %{z:.1%}"
                          "<br>H = %{customdata[2]}<extra></extra>",
        )
    )  # fmt: skip
    made.update_xaxes(tickvals=list(range(n - 1)), ticktext=labels[:-1], showgrid=False, showline=False, ticks="")
    made.update_yaxes(
        tickvals=list(range(1, n)), ticktext=labels[1:], showgrid=False, showline=False, ticks="", autorange="reversed"
    )
    return made


def _model(source: Any) -> str:
    """Return what the model is, from a surrogate or a frame made of one."""
    model = source.attrs["model"] if hasattr(source, "attrs") else source.model
    return {"forest": "random forest", "constant": "constant model"}.get(str(model), str(model))


def _value(value: Any) -> str:
    return number(value) if isinstance(value, float) else text(value)
