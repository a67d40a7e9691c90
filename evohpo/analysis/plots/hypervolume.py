"""How the volume that the front dominates grows with the trials."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.analysis.plots import palette
from evohpo.analysis.plots.frame import even, figure, graph_objects, number, text
from evohpo.errors import UsageError
from evohpo.trials import pareto

if TYPE_CHECKING:
    from evohpo.analysis.data import Floats
    from evohpo.study.study import Study

MOST, LEAST = 300, 16  # times that a volume of three or more dimensions is measured
EFFORT = 3_000_000  # of all of them together, in points of three-dimensional fronts: about a second


def hypervolume(study: Study) -> Any:
    """See `Plots.hypervolume`."""
    if len(study.goals.objectives) < 2:
        raise UsageError("one objective has no hypervolume: history() shows its best so far")
    reference = study.reference
    if not reference:
        raise UsageError("no trial is feasible yet, so that nothing is dominated")
    trials = [t for t in study.trials if t.feasible]
    F = np.array([t.fitness for t in trials], float)
    point = np.array([reference[m] for m in study.goals.metrics], float) * study.goals.signs
    numbers, volumes = grown(F, point)
    at = [trials[i].number for i in numbers] + [study.trials[-1].number]
    volumes = [*volumes, volumes[-1]]
    known = study.goals.thresholds
    named = ", ".join(
        f"{text(m, 24)}\u00a0=\u00a0{number(v)}{' (threshold)' if m in known else ''}" for m, v in reference.items()
    )
    worst = "" if all(m in known for m in reference) else " Where there is no threshold: the worst feasible value."
    subtitle = f"Volume between the front and the reference point {named}.{worst}"
    made = figure(f"Hypervolume of {' and '.join(text(m, 24) for m in study.goals.metrics)}", subtitle, 360)
    made.add_trace(
        graph_objects().Scatter(
            x=at, y=volumes, mode="lines", line={"color": palette.BLUE, "width": 2.5, "shape": "hv"},
            hovertemplate="up to trial %{x}<br>hypervolume %{y:.5~g}<extra></extra>",
        )
    )  # fmt: skip
    last = len(study.trials) - 1
    made.update_xaxes(title={"text": "trial"}, tickformat="~g", range=[-0.02 * last - 0.5, 1.02 * last + 0.5])
    low, high = volumes[0], volumes[-1]
    room = (high - low) or high or 1.0
    made.update_yaxes(
        title={"text": "hypervolume"}, tickformat="~g", range=[max(0, low - 0.1 * room), high + 0.08 * room]
    )
    return made


def grown(F: Floats, reference: Floats) -> tuple[list[int], list[float]]:
    """Return the rows of `F` `(n, m)` at which the volume up to `reference` `(m,)` grew, the first and last, and its values.

    With two objectives each row takes O(log n) beside what leaves the front, which happens once a row.

    >>> grown(np.array([[0.5, 0.5], [0.6, 0.6], [0.0, 0.9]]), np.array([1.0, 1.0]))
    ([0, 2], [0.25, 0.3])
    """
    rows, volumes = _plane(F, reference) if F.shape[1] == 2 else _space(F, reference)
    volumes = [float(f"{v:.10g}") for v in volumes]
    if not rows or rows[0] != 0:
        rows, volumes = [0, *rows], [0.0, *volumes]
    return rows, volumes


def _plane(F: Floats, reference: Floats) -> tuple[list[int], list[float]]:
    xs: list[float] = [-np.inf, float(reference[0])]  # of the front, ascending, and where it ends
    ys: list[float] = [float(reference[1]), -np.inf]
    total, rows, volumes = 0.0, [], []
    for i, (x, y) in enumerate(F.tolist()):
        if not (x < reference[0] and y < reference[1]):
            continue
        at = bisect_left(xs, x)
        left = at - 1
        if ys[left] <= y or (xs[at] == x and ys[at] <= y):
            continue
        gain, end = 0.0, at
        # columns to the right whose height is above y are cut down to it
        edge, height = x, ys[left]
        while ys[end] >= y:
            gain += (xs[end] - edge) * (height - y)
            edge, height = xs[end], ys[end]
            end += 1
        gain += (xs[end] - edge) * (height - y)
        xs[at:end], ys[at:end] = [x], [y]
        total += gain
        rows.append(i)
        volumes.append(total)
    return rows, volumes


def _space(F: Floats, reference: Floats) -> tuple[list[int], list[float]]:
    """Return the same in three or more dimensions: measured where the front changed, of many changes at some of them."""
    members, entered, most = np.empty((F.shape[1], 0)), [], 1  # a column a member
    for i in np.flatnonzero((reference > F).all(1)).tolist():
        f = F[i][:, None]
        if not (members <= f).all(0).any():
            beaten = (f <= members).all(0)
            members = np.hstack([members[:, ~beaten] if beaten.any() else members, f])
            entered.append(i)
            most = max(most, members.shape[1])
    times = int(np.clip(EFFORT / (most * max(1.0, most / 300) ** (2 * F.shape[1] - 6)), LEAST, MOST))
    steps = even(np.arange(len(entered)), times).tolist()
    return [entered[k] for k in steps], [pareto.hypervolume(F[entered[: k + 1]], reference) for k in steps]
