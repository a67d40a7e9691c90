"""What a pruner is: it sees every report and says whether the trial goes on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evohpo.trials.goals import Goals
    from evohpo.trials.trial import Trial


class Decision(StrEnum):
    """Whether a trial that reported goes on."""

    CONTINUE = "continue"
    STOP = "stop"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a pruner may know of the study that it works for.

    Attributes:
        goals: objectives and outcome constraints; `goals.violation(metrics)` of a trial's last report.
        max_steps: the last step of a trial, where the space tells it.
        seed: the root of the pruner's draws.
    """

    goals: Goals | None = None
    max_steps: int | None = None
    seed: int = 0


@runtime_checkable
class Pruner(Protocol):
    """Decides at each report of a trial whether more steps are worth it.

    A pruner with no more than `report` will do. It may also have:

    - `begin(setting)`: called once, on a copy of its own for every study.
    - `started(trial)`, `resumed(trial)` and `ended(trial)`: a trial is about to run, to run on after a pause, or is over.
    - `decide() -> (number, Decision) | None`: what becomes of a paused trial: it goes on (asked only when a worker is free)
      or is to end; None while nothing is decided.
    - `close()`: no new trial comes before paused ones are decided on.
    - `completes(trial) -> bool`: whether a trial that it stops has come to its natural end.
    - `rungs`: the steps at which it compares, where it does not at each.
    - `max_steps`: the step at which it ends every trial.

    All that happened is told to it again when a study goes on, so it needs no memory of its own.
    """

    def report(self, trial: Trial, step: int, value: Sequence[float]) -> Decision:
        """Return what is to become of `trial`, whose fitness at `step` is `value` (one number an objective, minimised)."""
        ...
