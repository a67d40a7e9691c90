"""Stragglers: the last trials of a generation, which the others' workers wait for."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

from evohpo.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evohpo.evaluators.protocol import Evaluator
    from evohpo.study import Study
    from evohpo.trials.trial import Trial


TICK = 0.1  # seconds between looks for stragglers
LEAST = 1.0  # seconds that every trial is given, to be handed over and to begin


class Stragglers:
    """Sees to trials that most of their generation has outrun, while workers are idle.

    Such a trial is given as much time as half of the others took, and a second at least. Then the optimizer goes on without it:
    it knows the trial's last report, or takes it for a failure, and is told its result when it ends. It is ended when the next
    generation has come so far too, or when nothing else runs: with its last report, or as failed. An optimizer that wants to
    know of every rung cannot be told late: its stragglers are ended at once. One that never waits has none.

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
        self._ended: set[int] = set()

    @property
    def patience(self) -> float | None:
        """Seconds after which to look again, None if there is nothing to look for."""
        return None if self._quorum is None else TICK

    def started(self, trial: Trial) -> None:
        """Note that a trial begins, or goes on."""
        if self._quorum is not None:
            self._began[trial.number] = time.monotonic()

    def pass_over(self, study: Study, evaluator: Evaluator, running: Mapping[int, Trial], over: bool) -> bool:
        """Let the optimizer go on without its stragglers, and end those it has waited for long enough.

        Args:
            study: whose trials they are.
            evaluator: what runs them.
            running: those that run.
            over: there will be no new trials.

        Returns:
            Whether there may be new proposals now.
        """
        if self._quorum is None or not running:
            return False
        stuck = all(trial in study.late for trial in running.values()) and (over or len(running) >= evaluator.capacity)
        for trial in running.values():
            if trial in study.late and (stuck or study.ledger.share_ended(trial.generation + 1) >= self._quorum):
                self._end(trial, evaluator)
        if over or len(running) >= evaluator.capacity:
            return False
        found = [trial for trial in self._stragglers(study, running) if trial.number not in self._ended]
        for trial in found:
            if not study.late.pass_over(trial):
                self._end(trial, evaluator)
        return any(trial in study.late for trial in found)

    def reason(self, trial: Trial) -> str | None:
        """Return why a trial that gave no result was ended, None if it was not ended here."""
        if trial.number not in self._ended:
            return None
        return f"too late: its generation went on when {100 * (self._quorum or 1):.0f} % of it had ended"

    def _end(self, trial: Trial, evaluator: Evaluator) -> None:
        if trial.number not in self._ended:
            self._ended.add(trial.number)
            evaluator.stop(trial.number)

    def _stragglers(self, study: Study, running: Mapping[int, Trial]) -> list[Trial]:
        """Return the running trials that are too late, and that the optimizer waits for."""
        now, found, usual = time.monotonic(), [], dict[int, float]()
        for trial in running.values():
            g = trial.generation
            if not trial.asked or trial in study.late or study.ledger.share_ended(g) < (self._quorum or 1):
                continue
            if g not in usual:
                usual[g] = median(t.seconds for t in study.trials if t.asked and t.ended and t.generation == g)
            if now - self._began[trial.number] > max(LEAST, usual[g]):
                found.append(trial)
        return found
