"""Trials that come too late for their generation: the optimizer goes on without them, and is told of them when they end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evohpo.study.chronicle import Chronicle
    from evohpo.trials.trial import Trial


class Late:
    """The running trials of a study that nobody waits for any more."""

    def __init__(self, chronicle: Chronicle) -> None:
        self._chronicle, self._untold = chronicle, chronicle.conversation.untold

    def __contains__(self, trial: Trial) -> bool:
        return self._untold.passes(trial)

    def pass_over(self, trial: Trial) -> bool:
        """Let the optimizer go on without a running trial; return whether it can.

        Of its generation's results, that of the trial is its last report, or else a failure. When it has ended, its result is
        told as that of a point which was never asked. An optimizer that wants to know of every rung cannot go on.
        """
        if self._chronicle.conversation.levelled:
            return False
        self._chronicle.pass_over(trial)
        return True
