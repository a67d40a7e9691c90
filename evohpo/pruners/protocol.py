"""What a pruner is: it sees every report and says whether the trial goes on."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evohpo.trials.trial import Trial


class Decision(StrEnum):
    """Whether a trial that reported goes on."""

    CONTINUE = "continue"
    STOP = "stop"
    PAUSE = "pause"


@runtime_checkable
class Pruner(Protocol):
    """Decides at each report of a trial whether more steps are worth it."""

    def report(self, trial: Trial, step: int, value: Sequence[float]) -> Decision:
        """Return what is to become of `trial`, whose fitness at `step` is `value` (one number an objective, minimised)."""
        ...
