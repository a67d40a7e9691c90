"""Stragglers: the last trials of a generation, which the others' workers wait for."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

from evohpo.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evohpo.study import Study
    from evohpo.trials.trial import Trial


TICK = 0.1  # seconds between looks for stragglers
LEAST = 1.0  # seconds that every trial is given, to be handed over and to begin


class Stragglers:
    """Chooses trials to be ended because most of their generation has ended, and workers are idle.

    It is given as much time as half of the others took, and a second at least. A trial that has reported ends as stopped,
    with its last report; another one has failed. An optimizer that never waits has no stragglers.

    Args:
        quorum: the share of a generation that has to end, in (0, 1]; None for all of it.

    Raises:
        UsageError: no such share.
    """

    def __init__(self, quorum: float | None) -> None:
        if quorum is not None and not 0 < quorum <= 1:
            raise UsageError(f"quorum={quorum!r}: must be a share of a generation above 0 and at most 1, such as 0.8")
        self._quorum = None if quorum == 1 else quorum
        self._began: dict[int, float] = {}
        self._late: set[int] = set()

    @property
    def patience(self) -> float | None:
        """Seconds after which to look again, None if there is nothing to look for."""
        return None if self._quorum is None else TICK

    def started(self, trial: Trial) -> None:
        """Note that a trial begins, or goes on."""
        if self._quorum is not None:
            self._began[trial.number] = time.monotonic()

    def late(self, study: Study, running: Iterable[Trial]) -> list[Trial]:
        """Return the running trials that are to be ended now; each once."""
        if self._quorum is None:
            return []
        now, found, usual = time.monotonic(), [], dict[int, float]()
        for trial in running:
            g = trial.generation
            if not trial.asked or trial.number in self._late or study.ledger.share_ended(g) < self._quorum:
                continue
            if g not in usual:
                usual[g] = median(t.seconds for t in study.trials if t.asked and t.ended and t.generation == g)
            if now - self._began[trial.number] > max(LEAST, usual[g]):
                found.append(trial)
        self._late.update(trial.number for trial in found)
        return found

    def reason(self, trial: Trial) -> str | None:
        """Return why a trial that gave no result was ended, None if it was not ended here."""
        if trial.number not in self._late:
            return None
        return f"too late: its generation went on when {100 * (self._quorum or 1):.0f} % of it had ended"
