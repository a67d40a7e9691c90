"""What a trial says when the pointer is on it: number, status, metrics and parameters, in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evohpo.analysis.plots.frame import number, text
from evohpo.analysis.plots.palette import words_of
from evohpo.analysis.report.rows import shortened
from evohpo.trials.goals import as_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evohpo.study.study import Study
    from evohpo.trials.trial import Trial

METRICS, PARAMETERS = 8, 30  # lines of a box; it has to fit the screen
MANY, FEWER = 2000, 10  # so many trials carry the values of so many parameters: they have to be stored
ABSENT = "–"


@dataclass(frozen=True, slots=True)
class Hover:
    """The boxes of one figure: a template for all trials, and the data that fill it in, a row a trial."""

    template: str
    metrics: Sequence[str]
    parameters: Sequence[str]

    def rows(self, trials: Iterable[Trial]) -> list[list[Any]]:
        """Return what the template shows of each trial."""
        return [
            [t.number, text(words_of(t), 80)]
            + [_shown(t.metrics.get(name)) for name in self.metrics]
            + [_shown(t.params[name]) if name in t.params else ABSENT for name in self.parameters]
            for t in trials
        ]


def hover_of(study: Study, trials: Sequence[Trial], metrics: Iterable[str] = ()) -> Hover:
    """Return what can be said of these trials: `metrics` and the objectives first, then the other metrics.

    Of very many trials the first ten parameters, else the first thirty.
    """
    names = dict.fromkeys([*study.goals.metrics, *metrics])
    names |= dict.fromkeys(name for t in trials[:MANY] for name in t.metrics)
    shown = list(names)[:METRICS]
    parameters = study.space.searched[: PARAMETERS if len(trials) <= MANY else FEWER]
    lines = ["<b>Trial %{customdata[0]}</b> · %{customdata[1]}"]
    lines += [f"{text(name)} = <b>%{{customdata[{i}]}}</b>" for i, name in enumerate(shown, 2)]
    lines += [f"{text(name)} = %{{customdata[{i}]}}" for i, name in enumerate(parameters, 2 + len(shown))]
    left = len(study.space.searched) - len(parameters)
    lines += [f"<i>and {left} parameters more</i>"] if left else []
    return Hover("<br>".join(lines) + "<extra></extra>", shown, parameters)


def _shown(value: Any) -> Any:
    """Return a value short enough for a box, safe to be put into it."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bool) or value is None:
        return ABSENT if value is None else str(value)
    if isinstance(value, int) and abs(value) < 10**9:
        return value
    known = as_number(value)
    if known is None:
        return text(shortened(str(value)))
    short = float(number(known, 5)) if abs(known) < float("inf") else known
    return short if 1e-5 <= abs(short) < 1e9 else number(known, 5)  # JavaScript would write 1e300 in full
