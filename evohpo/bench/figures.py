"""Figures of a comparison: curves, ranks, final values. A colour is an optimizer, the same in all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.analysis.plots import palette
from evohpo.analysis.plots.axes import beyond, metric_axis
from evohpo.analysis.plots.frame import even, figure, graph_objects, number, text
from evohpo.bench import statistics
from evohpo.errors import UsageError

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from evohpo.bench.comparison import Comparison
    from evohpo.bench.running import Floats

POINTS = 300  # of a curve
DASHES = ("solid", "dash", "dot", "dashdot")  # when there are more optimizers than colours
ROW = 34  # pixels


class Figures:
    """The figures of a comparison; each method returns a plotly figure.

    Args:
        comparison: the comparison.
    """

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison

    def curves(self, problem: str | None = None) -> Figure:
        """Draw the mean best so far against the trials, with its 95 % bootstrap interval.

        Args:
            problem: one of several; None shows the mean normalised regret over all of them.
        """
        comparison = self._comparison
        values, name, alone = _measured(comparison, problem)
        go = graph_objects()
        means, lows, highs = [], [], []
        for i in range(len(comparison.labels)):
            mine = values[:, i]
            low, high = statistics.interval(np.where(np.isfinite(mine), mine, 0.0))
            # where some run has nothing legal yet, there is no mean
            known = np.isfinite(mine).all((0, 1))
            means.append(np.where(known, mine.mean((0, 1)), np.nan))
            lows.append(np.where(known, low, np.nan))
            highs.append(np.where(known, high, np.nan))
        every = np.concatenate([*means, *lows, *highs])
        axis, far = metric_axis(name, every[np.isfinite(every)])
        what = f"Best {text(name)} so far" if alone else "Normalised regret"
        where = "" if problem is None and len(comparison.problems) > 1 else f" on {text(alone)}"
        subtitle = f"Mean of {_runs(comparison, problem)}; shaded: 95&#37; bootstrap interval. {beyond(far)}"
        if not alone:
            subtitle += " 0 is the optimum, 1 the median random configuration."
        made = figure(f"{what}{where}", subtitle, 420, legend=len(comparison.labels))
        at = even(np.arange(comparison.trials), POINTS)
        order = list(comparison.labels)
        for i, label in enumerate(order):
            colour, dash = _look(i)
            band = {
                "mode": "lines",
                "line": {"width": 0},
                "hoverinfo": "skip",
                "showlegend": False,
                "legendgroup": label,
            }
            made.add_trace(go.Scatter(x=at + 1, y=lows[i][at], **band))
            made.add_trace(
                go.Scatter(x=at + 1, y=highs[i][at], fill="tonexty", fillcolor=_shade(colour, len(order)), **band)
            )
        for i, label in enumerate(order):
            colour, dash = _look(i)
            made.add_trace(
                go.Scatter(
                    x=at + 1, y=means[i][at], mode="lines", name=text(label), legendgroup=label,
                    line={"color": colour, "width": 2.2, "dash": dash},
                    hovertemplate=f"<b>{text(label)}</b><br>after %{{x}} trials<br>{text(name)} = %{{y:.5~g}}<extra></extra>",
                )
            )  # fmt: skip
        made.update_xaxes(title={"text": "trials"}, tickformat="~g", range=[0, comparison.trials * 1.01])
        made.update_yaxes(axis.layout())
        return made

    def ranks(self, at: int | None = None) -> Figure:
        """Draw mean ranks over all pairs of problem and seed; bars join optimizers without a difference.

        Args:
            at: after so many trials; None for all.
        """
        comparison = self._comparison
        go, frame = graph_objects(), comparison.ranks(at)
        order = [list(comparison.labels).index(o) for o in frame["optimizer"]]
        differences = comparison.differences(at)
        level = differences.attrs["level"]
        same = np.eye(len(order), dtype=bool)
        for pair in differences.to_dict("records"):
            i, j = (list(comparison.labels).index(pair[s]) for s in ("a", "b"))
            same[i, j] = same[j, i] = not pair["better"]
        groups = statistics.alike(order, same)
        count = len(comparison.problems) * len(comparison.seeds)
        subtitle = f"Mean over {count} pairs of problem and seed, 1 is best; whiskers: 95&#37; bootstrap interval. "
        subtitle += f"Bars join those without a difference (signed-rank tests, level {number(level)}, corrected)."
        made = figure("Mean ranks", subtitle, 90 + ROW * len(order))
        labels = [text(o, 32) for o in frame["optimizer"]]
        rank = frame["rank"].to_numpy()
        made.add_trace(
            go.Scatter(
                x=rank, y=list(range(len(order))), mode="markers",
                marker={"size": 11, "color": [_look(i)[0] for i in order]},
                error_x={"type": "data", "symmetric": False, "array": frame["high"] - rank, "arrayminus": rank - frame["low"],
                         "color": palette.GREY, "thickness": 1.5, "width": 5},
                customdata=np.column_stack([frame["low"], frame["high"], frame["first"]]), text=labels,
                hovertemplate="<b>%{text}</b><br>mean rank %{x:.3f} (%{customdata[0]:.2f} to %{customdata[1]:.2f})"
                "<br>best in %{customdata[2]:.0%} of pairs<extra></extra>",
            )
        )  # fmt: skip
        top = max(len(order), float(frame["high"].max()))
        step = 0.035 * (top - 1)
        for k, (first, last) in enumerate(groups):
            x = top + (k + 1.5) * step
            made.add_trace(
                go.Scatter(
                    x=[x, x], y=[first - 0.2, last + 0.2], mode="lines", line={"color": palette.INK, "width": 5},
                    hovertemplate=f"no difference: {', '.join(labels[first : last + 1])}<extra></extra>",
                )
            )  # fmt: skip
        right = top + (len(groups) + 1.5) * step if groups else top + 0.05 * (top - 1)
        made.update_xaxes(
            title={"text": "mean rank"},
            range=[1 - 0.04 * (top - 1), right],
            tickformat="~g",
            dtick=1 if top <= 12 else None,
        )
        _rows(made, labels)
        return made

    def finals(self, problem: str | None = None, at: int | None = None) -> Figure:
        """Draw what each run found in the end, a point a run, with the median of each optimizer.

        Args:
            problem: one of several; None shows the normalised regrets on all of them.
            at: after so many trials; None for all.
        """
        comparison = self._comparison
        values, name, alone = _measured(comparison, problem)
        ends = values[:, :, :, comparison.when(at)].swapaxes(0, 1).reshape(len(comparison.labels), -1)
        known = ends[np.isfinite(ends)]
        if not len(known):
            raise UsageError("no run has found anything that meets the constraints")
        axis, far = metric_axis(name, known)
        go = graph_objects()
        order = [list(comparison.labels).index(o) for o in comparison.table(problem, at)["optimizer"]]
        title = f"What each run found{f' on {text(alone)}' if alone else ''}"
        subtitle = f"A point a run, {_runs(comparison, problem)} an optimizer; black: the median. {beyond(far)}"
        made = figure(title, subtitle, 90 + ROW * len(order))
        seeds = [f"seed {seed}" for seed in comparison.seeds] * (ends.shape[1] // len(comparison.seeds))
        where = [p.name for p in comparison.problems if alone in ("", p.name)]
        said = [f"{text(w)}, {s}" for w, s in zip(np.repeat(where, len(comparison.seeds)), seeds, strict=True)]
        for row, i in enumerate(order):
            name_of = text(comparison.labels[i])
            spread = row + 0.28 * _jitter(len(seeds))
            made.add_trace(
                go.Scatter(
                    x=np.where(np.isfinite(ends[i]), ends[i], np.nan), y=spread, mode="markers", text=said,
                    marker={"color": _look(i)[0], "size": 7, "opacity": 0.65},
                    hovertemplate=f"<b>{name_of}</b><br>%{{text}}<br>{text(name)} = %{{x:.5~g}}<extra></extra>",
                )
            )  # fmt: skip
            middle = float(np.median(ends[i]))
            if np.isfinite(middle):
                made.add_trace(
                    go.Scatter(
                        x=[middle, middle], y=[row - 0.34, row + 0.34], mode="lines", line={"color": palette.BEST, "width": 2.5},
                        hovertemplate=f"median {number(middle)}<extra></extra>",
                    )
                )  # fmt: skip
        made.update_xaxes(axis.layout())
        _rows(made, [text(comparison.labels[i], 32) for i in order])
        return made


def _measured(comparison: Comparison, problem: str | None) -> tuple[Floats, str, str]:
    """Return values `(problems, optimizers, seeds, trials)`, what they are, and the name of the problem if it is one."""
    if problem is None and len(comparison.problems) > 1:
        return comparison.regrets, "normalised regret", ""
    at = comparison.place(problem)
    asked = comparison.problems[at]
    return comparison.values(asked.name)[None], asked.measure, asked.name


def _runs(comparison: Comparison, problem: str | None) -> str:
    seeds = f"{len(comparison.seeds)} seed{'' if len(comparison.seeds) == 1 else 's'}"
    several = problem is None and len(comparison.problems) > 1
    return f"{seeds} on {len(comparison.problems)} problems" if several else seeds


def _rows(made: Any, labels: list[str]) -> None:
    """Name the rows, the first on top."""
    n = len(labels)
    made.update_yaxes(
        tickvals=list(range(n)), ticktext=labels, showgrid=True, ticks="", range=[n - 0.4, -0.6], zeroline=False
    )


def _look(i: int) -> tuple[str, str]:
    n = len(palette.SERIES)
    return palette.SERIES[i % n], DASHES[i // n % len(DASHES)]


def _shade(colour: str, many: int) -> str:
    """Return a colour so pale that many bands over each other can still be told apart."""
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},{min(0.14, 0.5 / many):.3f})"


def _jitter(n: int) -> Floats:
    """Return `(n,)` evenly spread numbers in [-1, 1] in an order without a pattern (golden ratio)."""
    return np.asarray(2 * (np.arange(n) * 0.6180339887498949 % 1) - 1)
