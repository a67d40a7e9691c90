"""Who worked when: a bar a trial, a row a worker."""

from __future__ import annotations

import itertools
from bisect import bisect, insort
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evohpo.analysis.plots import palette
from evohpo.analysis.plots.frame import figure, graph_objects, number, text
from evohpo.analysis.plots.hover import hover_of
from evohpo.analysis.plots.spells import Spell, spells_of, without_breaks
from evohpo.errors import UsageError

if TYPE_CHECKING:
    from evohpo.study.study import Study

LANES = 40  # rows, at most
APART = 800  # pixels of a wide page: bars are merged whose gap is not seen there
BARS = 4000
TOUCH = 1e-6  # seconds: one begins when the other ends


class Bar(NamedTuple):
    """One or several spells in a row, of trials of one kind."""

    kind: str
    begin: float
    end: float
    spells: list[Spell]


def timeline(study: Study) -> Any:
    """See `Plots.timeline`."""
    known = spells_of(study)
    if not known:
        raise UsageError("no trial has been started by this study yet: attached results have no time of their own")
    spells, breaks = without_breaks(known)
    lanes = _lanes(spells)
    names = list(lanes)[:LANES]
    begin, end = min(s.begin for s in spells), max(s.end for s in spells)
    busy = sum(_covered(lane) for lane in lanes.values())
    idle = 1 - busy / (len(lanes) * (end - begin)) if end > begin else 0.0
    workers = f"{len(lanes)} worker{'s' * (len(lanes) > 1)}"
    note = f"{workers}, idle {100 * max(idle, 0):.0f} &#37; of {_duration(end - begin)}. Gaps are idle time."
    if len(lanes) > LANES:
        note += f" Shown are {LANES} of them."
    bars = {name: _merged(study, lanes[name], (end - begin) / APART) for name in names}
    many = sum(map(len, bars.values())) > BARS
    if many:
        bars = {name: _merged(study, lanes[name], (end - begin) / 100) for name in names}
    kinds = [k for k in palette.LOOKS if any(bar.kind == k for row in bars.values() for bar in row)]
    made = figure("Workers over time", note, 90 + 30 * len(names), len(kinds))
    hover = hover_of(study, [study.trials[s.number] for s in spells])
    for kind in kinds:
        made.add_trace(_bars(study, kind, bars, hover))
    for at, length in breaks:
        said = {"text": f"break of {_duration(length)}", "font": {"size": 11, "color": palette.SOFT}}
        made.add_vline(at, line={"color": palette.SOFT, "dash": "dot", "width": 1.5}, annotation=said)
    made.update_layout(barmode="overlay", bargap=0.25)
    room = 0.01 * (end - begin) or 0.5
    made.update_xaxes(
        title={"text": "seconds since the first start"}, range=[-room, end - begin + room], tickformat="~g"
    )
    labels = [text(name, 18) for name in names]
    made.update_yaxes(
        title={"text": "worker"}, tickvals=list(range(len(names))), ticktext=labels, range=[len(names) - 0.4, -0.6],
        showgrid=False,
    )  # fmt: skip
    return made


def _bars(study: Study, kind: str, bars: dict[str, list[Bar]], hover: Any) -> Any:
    rows = [(lane, bar) for lane, name in enumerate(bars) for bar in bars[name] if bar.kind == kind]
    look = palette.LOOKS[kind]
    said = []
    single = all(len(bar.spells) == 1 for _, bar in rows)
    if single:
        said = hover.rows([study.trials[bar.spells[0].number] for _, bar in rows])
        template = hover.template.replace("<extra></extra>", "")
    else:
        said = [[_numbers(bar), look.name] for _, bar in rows]
        template = "<b>%{customdata[0]}</b> · %{customdata[1]}"
    at = len(said[0])
    said = [[*row, number(bar.end - bar.begin, 3)] for row, (_, bar) in zip(said, rows, strict=True)]
    return graph_objects().Bar(
        base=[round(bar.begin, 4) for _, bar in rows], x=[round(bar.end - bar.begin, 4) for _, bar in rows],
        y=[lane for lane, _ in rows], orientation="h", name=look.name, customdata=said, width=0.72,
        hovertemplate=f"{template}<br>from %{{base:.4~g}} s on, for %{{customdata[{at}]}} s<extra></extra>",
        marker={"color": look.colour, "opacity": 0.9, "line": {"width": 0.8 if len(rows) < 600 else 0, "color": palette.PAPER}},
    )  # fmt: skip


def _numbers(bar: Bar) -> str:
    numbers = sorted({s.number for s in bar.spells})
    return f"Trial {numbers[0]}" if len(numbers) == 1 else f"{len(numbers)} trials, {numbers[0]} to {numbers[-1]}"


def _lanes(spells: list[Spell]) -> dict[str, list[Spell]]:
    """Return the spells of each worker in order.

    Who works on a trial is known when it has ended. A spell of nobody known is put where none overlaps, in a row of its own
    if there is no room.
    """
    lanes: dict[str, list[Spell]] = {}
    for s in sorted(spells):
        if s.worker:
            lanes.setdefault(s.worker, []).append(s)
    for s in sorted(spells):
        if not s.worker:
            lane = next((row for row in lanes.values() if _fits(row, s)), None)
            if lane is None:
                lane = lanes.setdefault(next(f"{i}" for i in itertools.count(1) if f"{i}" not in lanes), [])
            insort(lane, s)
    return dict(sorted(lanes.items(), key=lambda item: (len(item[0]), item[0])))


def _fits(row: list[Spell], s: Spell) -> bool:
    """Return whether nobody worked in this row meanwhile."""
    at = bisect(row, s)
    before = row[at - 1] if at else None
    free = before is None or (before.end <= s.begin + TOUCH and not before.open)
    return free and (at == len(row) or (s.end <= row[at].begin + TOUCH and not s.open))


def _covered(spells: list[Spell]) -> float:
    """Return how long a worker worked, in seconds."""
    total, until = 0.0, -np.inf
    for s in sorted(spells):
        total += max(0.0, s.end - max(s.begin, until))
        until = max(until, s.end)
    return total


def _merged(study: Study, spells: list[Spell], gap: float) -> list[Bar]:
    """Return bars of which no two of one kind are nearer than `gap` seconds while both are shorter than ten of these."""
    made: list[Bar] = []
    for s in sorted(spells):
        kind = s.kind or str(study.trials[s.number].status)
        last = made[-1] if made else None
        short = (
            max(s.end - s.begin, last.spells[-1].end - last.spells[-1].begin) < 3 * gap if last is not None else False
        )
        if last is not None and short and last.kind == kind and s.begin - last.end < gap:
            made[-1] = Bar(kind, last.begin, max(last.end, s.end), [*last.spells, s])
        else:
            made.append(Bar(kind, s.begin, s.end, [s]))
    return made


def _duration(seconds: float) -> str:
    """Return a time in words.

    >>> _duration(0.25), _duration(42), _duration(600), _duration(7200)
    ('0.25 seconds', '42 seconds', '10 minutes', '2 hours')
    """
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} seconds"
