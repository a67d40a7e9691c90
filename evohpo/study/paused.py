"""Paused trials: which of them goes on, and when those end that nobody waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evohpo.pruners import Decision
from evohpo.trials.trial import Status

if TYPE_CHECKING:
    from evohpo.study.chronicle import Chronicle
    from evohpo.trials.trial import Trial


class Paused:
    """The paused trials of a study, and what its pruner decides on them."""

    def __init__(self, chronicle: Chronicle) -> None:
        self._chronicle, self._ledger = chronicle, chronicle.ledger
        self._closed = False  # whether the pruner was told that no new trial comes

    def promote(self) -> Trial | None:
        """Let the trial run on that the pruner puts first; None if it puts none. Ends those that it gives up."""
        decide = getattr(self._chronicle.pruner, "decide", None)
        while decide is not None and self._ledger.counts[Status.PAUSED] and (decided := decide()) is not None:
            number, decision = decided
            trial: Trial = self._ledger.trials[number]
            if decision is Decision.STOP:
                self._chronicle.end_early(trial)
                continue
            self._chronicle.go_on(trial)
            return trial
        return None

    def unblock(self) -> bool:
        """If all that is under way are paused trials, have them decided on or end them; return whether something changed."""
        counts = self._ledger.counts
        if counts[Status.RUNNING] or not counts[Status.PAUSED]:
            return False
        if not self._closed:
            self._closed = True
            self._chronicle.close_rungs()
            return True
        return self.end()

    def end(self) -> bool:
        """End them all with their last reports; return whether there were any."""
        if not self._ledger.counts[Status.PAUSED]:
            return False
        for trial in [t for t in self._ledger.unfinished if t.status is Status.PAUSED]:
            self._chronicle.end_early(trial)
        return True

    def reopen(self) -> None:
        """Take it that a new trial has come."""
        self._closed = False
