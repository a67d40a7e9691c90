"""What the writers for tracking services share: the study never waits for the service, and nothing is written twice."""

from __future__ import annotations

import threading
import warnings
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from evohpo.callbacks.records import BestSoFar, Head, Names, Record, head_of, numbers, record_of
from evohpo.errors import EvohpoWarning

if TYPE_CHECKING:
    from collections.abc import Callable

    from evohpo.study import Study
    from evohpo.trials.trial import Trial

PATIENCE = 30.0  # seconds without any progress after which a service is given up at the end of a run


@dataclass
class Written:
    """What of a study is with a service.

    Attributes:
        steps: by trial, the last step reported.
        ended: trials that are there with their ends.
        points: after how many trials the best so far was last written.
    """

    steps: dict[int, int] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    points: int = 0


class Writer:
    """Writes a study to a tracking service while it runs: a run a trial, and one for the study as a whole.

    What is to be written is carried to a thread of its own, so that a slow service holds nothing up. If the service fails,
    there is one warning and nothing more is written in this run; the study goes on. The next run of the same study, with a
    writer for the same place, first writes what is missing there, whatever the reason: a failure, a kill, or that the
    study had no writer before.

    A writer for another service overrides the methods with an underscore. They run on the thread, one at a time.
    """

    service = ""
    forbidden = r"(?!)"  # characters that names must not have there, as a pattern
    patience = PATIENCE

    # ---- what it hears as a callback

    def begin(self, study: Study) -> None:
        """Open the service, and write what is missing."""
        self._names = Names(self.forbidden)
        self._head = head_of(study, self._names)
        self._best = BestSoFar(study.goals, self._names)
        self._written, self._open_trials = Written(), set[int]()
        self._sender, self._warned = Sender(self.service), False
        past = [(self._record(t), self._reports(t)) for t in study.trials if t.ended or t.reports]
        self._send(self._catch_up, past)

    def started(self, study: Study, trial: Trial) -> None:  # noqa: ARG002 - callbacks are given both
        """Open the trial's run."""
        self._send(self._do_start, self._record(trial))

    def reported(self, study: Study, trial: Trial, step: int, metrics: dict[str, Any]) -> None:  # noqa: ARG002
        """Write a step."""
        self._send(self._do_report, trial.number, step, numbers(metrics, self._names))

    def paused(self, study: Study, trial: Trial) -> None:  # noqa: ARG002
        """Put the trial's run aside."""
        self._send(self._do_pause, trial.number)

    def ended(self, study: Study, trial: Trial) -> None:  # noqa: ARG002
        """Write how the trial ended, and what the study has achieved by then."""
        self._send(self._do_end, self._record(trial))

    def finish(self, study: Study) -> None:
        """Write what is left, and close; wait no longer than something gets through now and then."""
        whole = bool(study.stopped) and not study.stopped.get("interrupted")
        self._send(
            self._do_close,
            self._head.facts | {"stopped": str(study.stopped)} if study.stopped else self._head.facts,
            whole,
        )
        if not self._sender.close(self.patience):
            self._warn(f"did not answer for {self.patience:g} seconds")
        self._look()

    # ---- what another service overrides; on the thread

    def _open(self, head: Head) -> Written:
        """Open or make the study's run; return what is there already."""
        raise NotImplementedError

    def _start(self, record: Record) -> None:
        """Open or make a trial's run."""
        raise NotImplementedError

    def _report(self, number: int, step: int, metrics: dict[str, float]) -> None:
        """Write a step of a trial."""
        raise NotImplementedError

    def _end(self, record: Record) -> None:
        """Write a trial's `final` metrics and facts, and close its run."""
        raise NotImplementedError

    def _leave(self, number: int) -> None:
        """Close the run of a trial that has not ended: it is paused, or the study ends."""

    def _point(self, ended: int, values: dict[str, float]) -> None:
        """Write what the study has achieved after so many trials."""
        raise NotImplementedError

    def _close(self, facts: dict[str, str], whole: bool) -> None:
        """Close the study's run; `whole` unless it was broken off."""
        raise NotImplementedError

    # ---- to the thread

    def _record(self, trial: Trial) -> Record:
        return record_of(trial, self._head, self._names)

    def _reports(self, trial: Trial) -> list[tuple[int, dict[str, float]]]:
        return [(step, numbers(metrics, self._names)) for step, metrics in trial.reports or ()]

    def _send(self, call: Callable[..., None], *arguments: Any) -> None:
        self._look()
        self._sender.send(call, *arguments)

    def _look(self) -> None:
        if (error := self._sender.error) is not None:
            self._warn(f"{type(error).__name__}: {error}")

    def _warn(self, what: str) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"{self.service}: {what}. Nothing more is written there in this run, and the study goes on; its next run writes "
                "what is missing",
                EvohpoWarning,
                stacklevel=2,
            )

    # ---- on the thread

    def _catch_up(self, past: list[tuple[Record, list[tuple[int, dict[str, float]]]]]) -> None:
        self._written = self._open(self._head)
        for record, reports in past:
            if record.number not in self._written.ended and (record.ended or reports):
                self._do_start(record)
                for step, metrics in reports:
                    self._do_report(record.number, step, metrics)
            if record.ended:
                self._do_end(record)
            else:
                self._do_pause(record.number)

    def _do_start(self, record: Record) -> None:
        if record.number not in self._open_trials:
            self._start(record)
            self._open_trials.add(record.number)

    def _do_report(self, number: int, step: int, metrics: dict[str, float]) -> None:
        if step > self._written.steps.get(number, 0):
            self._report(number, step, metrics)
            self._written.steps[number] = step

    def _do_pause(self, number: int) -> None:
        if number in self._open_trials:
            self._open_trials.discard(number)
            self._leave(number)

    def _do_end(self, record: Record) -> None:
        if record.number not in self._written.ended:
            self._do_start(record)  # a duplicate, or one that was paused
            self._end(record)
            self._written.ended.add(record.number)
            self._open_trials.discard(record.number)
        values = self._best.add(record.fitness)
        if values and self._best.ended > self._written.points:
            self._point(self._best.ended, values)

    def _do_close(self, facts: dict[str, str], whole: bool) -> None:
        for number in sorted(self._open_trials):
            self._leave(number)
        self._open_trials.clear()
        self._close(facts, whole)


class Sender:
    """A thread that makes calls in the order in which they were sent, until one raises.

    Attributes:
        error: what a call raised.
    """

    def __init__(self, name: str) -> None:
        self.error: Exception | None = None
        self._calls: SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]] | None] = SimpleQueue()
        self._made, self._given_up = 0, False
        self._thread = threading.Thread(target=self._run, name=f"evohpo {name}", daemon=True)
        self._thread.start()

    def send(self, call: Callable[..., None], *arguments: Any) -> None:
        """Have a call made soon."""
        if self.error is None:
            self._calls.put((call, arguments))

    def close(self, patience: float) -> bool:
        """Wait until all is done; return False if nothing was done for `patience` seconds, and do not wait for the rest."""
        self._calls.put(None)
        while self._thread.is_alive():
            made = self._made
            self._thread.join(patience)
            if self._thread.is_alive() and self._made == made:
                self._given_up = True
                return False
        return True

    def _run(self) -> None:
        while not self._given_up and self.error is None and (sent := self._calls.get()) is not None:
            call, arguments = sent
            try:
                call(*arguments)
            except Exception as error:  # noqa: BLE001 - whatever a service raises costs the study nothing
                self.error = error
            self._made += 1
