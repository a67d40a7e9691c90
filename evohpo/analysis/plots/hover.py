"""What a trial says when the pointer is on it: number, status, metrics and parameters, in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evohpo.analysis.plots.frame import text
from evohpo.analysis.plots.palette import words_of
from evohpo.trials.goals import as_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evohpo.study.study import Study
    from evohpo.trials.trial import Trial

METRICS, PARAMETERS = 6, 30  # lines of a box, at most: it has to fit the screen
VALUES = 200_000  # that all boxes of a figure may hold: about 1.6 MB
LOOKED = 1000  # trials whose metrics are looked through
ABSENT = "–"


@dataclass(frozen=True, slots=True)
class Hover:
    """The boxes of one figure: a template for all trials, and the data that fill it in, a row a trial."""

    template: str
    metrics: Sequence[str]
    parameters: Sequence[str]

    def rows(self, trials: Iterable[Trial]) -> list[list[Any]]:
        """Return what the template shows of each trial."""
        metrics, parameters = self.metrics, self.parameters
        return [
            [t.number, _standing(t)]
            + [_shown(t.metrics.get(name)) for name in metrics]
            + [_shown(t.params[name]) if name in t.params else ABSENT for name in parameters]
            for t in trials
        ]


def hover_of(study: Study, trials: Sequence[Trial], metrics: Iterable[str] = (), panels: int = 1) -> Hover:
    """Return what can be said of these trials: the objectives and `metrics` first, then other metrics and parameters.

    As many parameters, in the space's order, as the page can hold: of 10,000 trials about a dozen. Each trial is in so many
    `panels`.
    """
    names = dict.fromkeys([*study.goals.metrics, *metrics])
    names |= dict.fromkeys(name for t in trials[:LOOKED] for name in t.metrics)
    room = VALUES // (max(len(trials), 1) * panels) - 2
    shown = list(names)[: max(1, min(METRICS, room // 2))]
    parameters = study.space.searched[: max(1, min(PARAMETERS, room - len(shown)))]
    lines = ["<b>Trial %{customdata[0]}</b> · %{customdata[1]}"]
    lines += [f"{text(name)} = <b>%{{customdata[{i}]}}</b>" for i, name in enumerate(shown, 2)]
    lines += [f"{text(name)} = %{{customdata[{i}]}}" for i, name in enumerate(parameters, 2 + len(shown))]
    left = len(study.space.searched) - len(parameters)
    lines += [f"<i>and {left} more</i>"] if left else []
    return Hover("<br>".join(lines) + "<extra></extra>", shown, parameters)


def _standing(trial: Trial) -> str:
    """Return the status in words, with the user's label or the error."""
    words = words_of(trial)
    if trial.label:
        words += f" ({text(trial.label)})"
    return f"{words}: {text(trial.error, 80)}" if trial.error else words


def _shown(value: Any) -> Any:
    """Return a value short enough for a box, safe to be put into it."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bool) or value is None:
        return ABSENT if value is None else str(value)
    number_of = as_number(value)
    if number_of is None:
        return text(value)
    short = f"{number_of:.5g}"
    return (
        short if "e" in short or "n" in short else float(short)
    )  # JavaScript writes 1e300 in full, and knows no nan in JSON
