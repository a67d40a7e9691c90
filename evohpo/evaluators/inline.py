"""Runs trials one after the other in the calling process."""

from __future__ import annotations

from collections import deque
from time import perf_counter

from evohpo.closing import Closing
from evohpo.evaluators.calling import (
    Calling,
    End,
    Player,
    Scratch,
    Suspended,
    ended_early,
    require_objective,
    timed_out,
    timely,
)
from evohpo.evaluators.context import Verdict
from evohpo.evaluators.protocol import Event, Job, Paused, Reported, Started
from evohpo.evaluators.threads import Threads

NAME = "inline"


class Inline(Closing):
    """Runs one trial at a time, within `wait`, on the caller's thread.

    Nothing can be interrupted here: a trial's `timeout` is looked at between its steps and at its end. A function that
    takes a context may have to wait in `ctx.report` for the study, so it runs on a thread of its own.

    Example:
        >>> from evohpo.evaluators import Inline, Job
        >>> with Inline() as evaluator:
        ...     evaluator.submit(Job(0, {"x": 3.0}, lambda params: params["x"] ** 2))
        ...     evaluator.wait(None)[-1].value
        9.0
    """

    def __init__(self) -> None:
        self.capacity = 1
        self._queue: deque[Job] = deque()
        self._events: list[Event] = []
        self._calling: Calling | None = None
        self._job: Job | None = None
        self._player: Player | None = None  # None: the threads run the job
        self._verdict: Verdict | None = None
        self._threads = Threads(1, name=NAME)
        self._scratch = Scratch()
        self._suspended = Suspended()

    def submit(self, job: Job) -> None:
        """Take a job; it runs within `wait`.

        Raises:
            UsageError: the job has no objective.
        """
        require_objective(job)
        self._queue.append(job)

    def wait(self, timeout: float | None) -> list[Event]:
        """Run the next job to its end or its next step; `timeout` has no effect, what runs cannot be interrupted."""
        events, self._events = self._events, []
        if self._job is None:
            if events or not self._queue:
                return events
            self._begin(self._queue.popleft(), events)
        if self._player is None:
            events += self._threads.wait(timeout)
            if any(not isinstance(event, Started | Reported) for event in events):
                self._job = None
            return events
        try:
            event = self._player.send(self._verdict)
            self._verdict = Verdict.GO
            events.append(event)
            if isinstance(event, Paused):
                self._suspended.keep(event, self._player)
                self._job = self._player = None
        except StopIteration as stop:
            events.append(stop.value)
            self._job = self._player = None
        except BaseException:  # KeyboardInterrupt: the trial is over, its generator closed
            self._job = self._player = None
            raise
        return events

    def stop(self, number: int, pause: bool = False) -> None:
        """End or pause the job between two steps; one that waits for its turn fails, a paused one is forgotten."""
        if self._job is not None and self._job.number == number:
            if self._player is None:
                self._threads.stop(number, pause)
            else:
                self._verdict = Verdict.PAUSE if pause else Verdict.STOP
            return
        for job in self._queue:
            if job.number == number:
                self._queue.remove(job)
                self._events.append(
                    ended_early(job, Verdict.PAUSE if pause else Verdict.STOP, job.step, None, 0.0, NAME)
                )
                return
        self._suspended.drop(number)
        self._threads.stop(number)

    def close(self) -> None:
        """Close the running generator and forget all jobs."""
        player, self._player, self._job = self._player, None, None
        self._queue.clear()
        self._events.clear()
        if player is not None:
            player.close()
        self._suspended.close()
        self._threads.close()
        self._scratch.close()

    def _begin(self, job: Job, events: list[Event]) -> None:
        objective = require_objective(job)
        if self._calling is None or self._calling.objective is not objective:
            self._calling = Calling(objective)
        calling = self._calling
        self._job = job
        if calling.takes_context and not calling.generates:
            self._player = None
            self._threads.submit(job)
            return
        events.append(Started(job.number, NAME))
        self._player, self._verdict = self._suspended.take(job)
        if self._player is not None:
            return
        player = calling.play(job, NAME, self._scratch.directory(job) if calling.takes_context else None)
        self._player = player if job.timeout is None else _timed(player, job, job.timeout)
        self._verdict = None  # what starts a generator


def _timed(player: Player, job: Job, timeout: float) -> Player:
    """Play as `player` does, but let the job fail at the first step or end beyond `timeout` seconds."""
    spent, step, verdict = 0.0, job.step, None
    try:
        while True:
            began = perf_counter()
            end: End | None = None
            try:
                reported = player.send(verdict)
            except StopIteration as stop:
                end = stop.value
            spent += perf_counter() - began
            if end is not None:
                return timely(end, job, timeout)
            if spent > timeout:
                return timed_out(job, timeout, spent, step, NAME)
            step = reported.step
            verdict = yield reported
    finally:
        player.close()
