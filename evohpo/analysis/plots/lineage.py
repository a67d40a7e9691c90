"""The family of a trial: from which others it descends, and by which operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.analysis.data import direction_of
from evohpo.analysis.plots import palette
from evohpo.analysis.plots.axes import metric_axis, values_of
from evohpo.analysis.plots.frame import figure, graph_objects, text
from evohpo.analysis.plots.hover import hover_of
from evohpo.analysis.plots.shades import shaded
from evohpo.errors import UsageError

if TYPE_CHECKING:
    from evohpo.study.study import Study
    from evohpo.trials.trial import Trial

MOST, LINKS = 140, 240  # ancestors and links, at most: the nearest
NUMBERED = 45  # of so many at most each carries its number
SWEEPS = 8


def lineage(study: Study, trial: Trial | int | None = None) -> Any:
    """See `Plots.lineage`."""
    frame = study.lineage(_given(study, trial))
    root = int(frame["number"].iloc[0])
    if len(frame) == 1:
        if not any(t.parents for t in study.trials):
            raise UsageError(f"{study.optimizer!r} does not tell which trials descend from which")
        raise UsageError(f"trial {root} descends from no other one")
    every = len(frame)
    crowd = int((frame["parents"].map(len).cumsum() <= LINKS).sum())
    frame = frame.head(max(2, min(MOST, crowd)))
    kept = {int(n) for n in frame["number"]}
    links = {
        int(n): [p for p in parents if p in kept] for n, parents in zip(frame["number"], frame["parents"], strict=True)
    }
    levels, name = _levels(study, links)
    x = _places(links, levels)
    metric = study.goals.metrics[0]
    trials = [study.trials[n] for n in links]
    y = values_of(trials, metric)
    axis, _ = metric_axis(metric, y)
    depth = int(frame["depth"].max())
    note = f"{every - 1} ancestor{'s' * (every > 2)}" + (
        f", shown are the nearest {len(kept) - 1}" if every > len(kept) else ""
    )
    note += f", {depth} step{'s' * (depth > 1)} of descent. Points: {text(metric)}, the better the darker."
    operators = list(dict.fromkeys(study.trials[n].operator for n, parents in links.items() if parents))
    rows = len(set(levels.values()))
    height = int(np.clip(70 + 46 * rows, 300, 760))
    made = figure(f"Family of trial {root}", note, height, len(operators) if any(operators) else 0)
    for i, operator in enumerate(operators):
        made.add_trace(_edges(study, links, levels, x, operator, palette.SERIES[i % len(palette.SERIES)]))
    look = shaded(axis, y, direction_of(study, metric), text(metric, 16))
    made.add_trace(_nodes(study, trials, root, look, [x[n] for n in links], [levels[n] for n in links]))
    made.update_xaxes(visible=False, range=[-0.06, 1.08])
    top, bottom = min(levels.values()), max(levels.values())
    room = max(0.6, 0.03 * (bottom - top))
    made.update_yaxes(
        title={"text": name}, range=[bottom + room, top - room], tickformat="~g", dtick=max(1, -(-(bottom - top) // 12))
    )
    return made


def _nodes(study: Study, trials: list[Trial], root: int, look: dict[str, Any], x: list[float], y: list[int]) -> Any:
    """Return the trials as points; those without a value are crosses."""
    hover, numbered = hover_of(study, trials), len(trials) <= NUMBERED
    missing = ~np.isfinite(look["color"])
    size = [18 if t.number == root else 12 if numbered else 8 for t in trials]
    edge = [2.5 if t.number == root or gone else 1 for t, gone in zip(trials, missing, strict=True)]
    return graph_objects().Scatter(
        x=x, y=y, mode="markers+text", showlegend=False, customdata=hover.rows(trials), hovertemplate=hover.template,
        text=[str(t.number) if numbered or t.number == root else "" for t in trials], textposition="middle right",
        textfont={"size": 11, "color": palette.SOFT},
        marker=look | {"color": np.where(missing, look["cmin"], look["color"]), "size": size, "opacity": 1,
                       "symbol": ["x-thin" if gone else "circle" for gone in missing],
                       "line": {"width": edge, "color": palette.INK}},
    )  # fmt: skip


def _given(study: Study, trial: Trial | int | None) -> Trial | int:
    if trial is not None:
        return trial
    return study.best if len(study.goals.metrics) == 1 else study.knee()


def _levels(study: Study, links: dict[int, list[int]]) -> tuple[dict[int, int], str]:
    """Return the row of each trial, and what rows are: generations, if parents always come from earlier ones."""
    generation = {n: study.trials[n].generation for n in links}
    if all(generation[p] < generation[n] for n, parents in links.items() for p in parents):
        return generation, "generation"
    levels: dict[int, int] = {}
    for n in sorted(links):  # parents come before their children
        levels[n] = 1 + max((levels[p] for p in links[n]), default=-1)
    return levels, "steps of descent"


def _places(links: dict[int, list[int]], levels: dict[int, int]) -> dict[int, float]:
    """Return where in its row each trial stands, in [0, 1], so that few lines cross.

    Rows are ordered by the mean place of the parents and of the children in turn.

    Reference: Sugiyama, Tagawa, Toda (1981), Methods for visual understanding of hierarchical system structures.
    """
    rows: dict[int, list[int]] = {}
    for n in sorted(links):
        rows.setdefault(levels[n], []).append(n)
    children: dict[int, list[int]] = {n: [] for n in links}
    for n, parents in links.items():
        for p in parents:
            children[p].append(n)
    place: dict[int, float] = {}
    for row in rows.values():
        place |= _spread(row)
    for sweep in range(SWEEPS):
        kin = links if sweep % 2 else children
        for level in sorted(rows, reverse=sweep % 2 == 0):
            around = {n: float(np.mean([place[k] for k in kin[n]])) if kin[n] else place[n] for n in rows[level]}
            rows[level].sort(key=lambda n: (around[n], n))
            place |= _spread(rows[level])
    return place


def _spread(row: list[int]) -> dict[int, float]:
    """Return even places for a row, around the middle."""
    width = min(1.0, 0.16 * (len(row) - 1))
    ends = (0.5 - width / 2, 0.5 + width / 2)
    return dict(zip(row, np.linspace(*ends, len(row)).tolist() if len(row) > 1 else [0.5], strict=True))


def _edges(
    study: Study, links: dict[int, list[int]], levels: dict[int, int], x: dict[int, float], operator: str, colour: str
) -> Any:
    """Return the lines to the parents of all trials that one operator made."""
    across: list[float | None] = []
    down: list[float | None] = []
    for n, parents in links.items():
        if study.trials[n].operator == operator:
            for p in parents:
                across += [x[p], x[n], None]
                down += [levels[p], levels[n], None]
    return graph_objects().Scatter(
        x=across, y=down, mode="lines", name=text(operator or "operator not told", 24), hoverinfo="skip",
        line={"color": colour, "width": 1.6 if len(links) <= NUMBERED else 0.9}, opacity=0.8,
    )  # fmt: skip
