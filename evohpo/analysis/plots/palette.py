"""What colours and markers mean, the same in every plot.

Reference: Okabe, Ito (2008), Color universal design (colours that colour-blind people tell apart); Smith, van der Walt
(2015), A better default colormap for Matplotlib (viridis).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from evohpo.trials.trial import Trial

INK, SOFT, LINE, PAPER = "#1f2933", "#52606d", "#e4e9ef", "#ffffff"
BLUE, ORANGE, RED, GREEN, SKY, PINK, GREY = (
    "#0072b2", "#e69f00", "#d55e00", "#009e73", "#56b4e9", "#cc79a7", "#9aa5b1",
)  # fmt: skip
LIMIT = "#a3217a"  # what constraints ask for
BEST = INK  # the best so far, the front, the best trial
SERIES = (BLUE, ORANGE, GREEN, PINK, SKY, RED, INK, "#b8a400")  # operators, models: things without an order
ORDER = "Viridis"  # of trials, early to late
WORSE_TO_BETTER = [
    "#eef4fa",
    "#c6dcee",
    "#8fbfe0",
    "#4f97c8",
    "#1b6ca8",
    "#08406f",
]  # of a metric, the better the darker


class Look(NamedTuple):
    """How trials of one kind are drawn, and what the legend calls them."""

    name: str
    colour: str
    symbol: str


COMPLETED, INFEASIBLE, STOPPED, FAILED = "completed", "infeasible", "stopped", "failed"
LOOKS = {
    COMPLETED: Look("completed", BLUE, "circle"),
    INFEASIBLE: Look("infeasible", GREY, "circle-open"),
    STOPPED: Look("stopped early", ORANGE, "triangle-down"),
    FAILED: Look("failed", RED, "x-thin-open"),
    "running": Look("running", SKY, "diamond-open"),
    "paused": Look("paused", PINK, "diamond-open"),
    "waiting": Look("waiting", GREY, "diamond-open"),
}


def kind_of(trial: Trial) -> str:
    """Return the key of `LOOKS` for a trial: its status, or "infeasible" for a result that misses a constraint."""
    if trial.fitness is not None and trial.violation > 0:
        return INFEASIBLE
    return str(trial.status)


def words_of(trial: Trial) -> str:
    """Return a trial's status in words.

    >>> from evohpo.trials.trial import Status, Trial
    >>> words_of(Trial(3, {}, status=Status.STOPPED, fitness=(1.0,), violation=0.25))
    'stopped early, misses the constraints by 0.25'
    """
    words = LOOKS[trial.status].name
    if trial.fitness is not None and trial.violation > 0:
        words += f", misses the constraints by {trial.violation:.4g}"
    return words
