"""What a callback is: any of six methods, each called with the study when something has happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from evohpo.study import Study
    from evohpo.trials.trial import Trial


class Callback(Protocol):
    """Hears of what happens in a run. Any of the methods will do; a plain function of study and trial is `ended`.

    Calls come one at a time, on the thread that called `tune`, in the order in which the study records the events, and each
    after its event was committed to the store: what a callback is told is never lost again. What happened in earlier runs of
    the same store is not told again; it can be read from the study in `begin`. A callback is no part of the study: no
    decision and no column depends on it.

    An exception in a callback ends the run: workers are ended, the store is intact, the same call goes on. A note on the
    exception says which callback raised, on which event of which trial. The others are told of nothing more but `finish`.
    """

    def begin(self, study: Study) -> None:
        """A run begins; nothing has been started. The study holds what earlier runs left and what was attached."""

    def started(self, study: Study, trial: Trial) -> None:
        """A trial is with the evaluator: for the first time, again after a pause, or because an earlier run broke off.

        `trial.steps` says how far it has come. Duplicates that take an earlier result are not started.
        """

    def reported(self, study: Study, trial: Trial, step: int, metrics: dict[str, Any]) -> None:
        """A trial has reached `step` with `metrics`; the pruner has decided on it."""

    def paused(self, study: Study, trial: Trial) -> None:
        """A trial was paused after its last report. It is started again, or ends."""

    def ended(self, study: Study, trial: Trial) -> None:
        """A trial has come to its end: completed, stopped or failed, measured or a duplicate."""

    def finish(self, study: Study) -> None:
        """The run is over, however it ended; called once if `begin` returned.

        `study.stopped` says why, and is {} after an exception. The workers have ended, trials broken off are waiting.
        """


AnyCallback: TypeAlias = "Callback | Callable[[Study, Trial], Any]"
METHODS = ("begin", "started", "reported", "paused", "ended", "finish")
