"""Runs trials on threads of this process: for objectives that wait, or compute outside the interpreter."""

from __future__ import annotations

import threading
from collections import deque
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any

from evohpo.closing import Closing
from evohpo.evaluators.calling import (
    Calling,
    Scratch,
    Suspended,
    check_limits,
    check_workers,
    ended_early,
    require_objective,
    timed_out,
    timely,
)
from evohpo.evaluators.context import Verdict
from evohpo.evaluators.protocol import Event, Job, Reported, Started

if TYPE_CHECKING:
    from pathlib import Path

GRACE = 2.0  # seconds a trial stopped in the middle of a step, or at close, has to come to an end
LONGEST = 86_400.0  # seconds of one wait for the system, which has a limit of its own
FOREVER = float("inf")


class _Task:
    """A job under way. `posted` is what its thread tells the evaluator, `verdicts` what that answers."""

    __slots__ = (
        "abandoned",
        "asked",
        "began",
        "deadline",
        "directory",
        "job",
        "metrics",
        "step",
        "thread",
        "verdict",
        "verdicts",
    )

    def __init__(self, job: Job, directory: Path) -> None:
        self.job, self.directory = job, directory
        self.verdicts: SimpleQueue[Verdict] = SimpleQueue()
        self.verdict = Verdict.GO
        self.thread: threading.Thread | None = None
        self.began, self.deadline = 0.0, FOREVER
        self.step, self.metrics = job.step, None
        self.asked: float | None = None  # when its last report came, while it waits for the verdict
        self.abandoned = False


class Threads(Closing):
    """Runs up to `workers` trials at once on threads of this process.

    A thread cannot be killed. A trial that takes longer than its timeout fails, and its thread is left to itself: what
    it returns later is ignored and another thread takes its place, but whatever it holds (memory, a lock, a core) it
    goes on holding until it ends. Where trials may hang, use `Processes`.

    Args:
        workers: how many trials run at once; None leaves it to the study.
        timeout: seconds a trial may run; a job's own timeout goes before it.
        name: what the threads are called.

    Raises:
        UsageError: an argument that makes no sense.
    """

    def __init__(self, workers: int | None = None, timeout: float | None = None, *, name: str = "thread") -> None:
        check_limits(workers, timeout=timeout)
        self.capacity = workers or 0
        self.timeout = timeout
        self._name = name
        self._scratch = Scratch()
        self._suspended = Suspended()
        self._queue: deque[Job] = deque()
        self._tasks: dict[int, _Task] = {}
        self._held: list[_Task] = []
        self._events: list[Event] = []
        self._started = 0
        self._threads: set[threading.Thread] = set()
        self._inbox: SimpleQueue[_Task | None] = SimpleQueue()
        self._outbox: SimpleQueue[tuple[_Task, Event]] = SimpleQueue()

    def submit(self, job: Job) -> None:
        """Start a job, or queue it while `capacity` others run.

        Raises:
            UsageError: the job has no objective.
        """
        check_workers(self)
        require_objective(job)
        self._queue.append(job)
        self._fill()

    def wait(self, timeout: float | None) -> list[Event]:
        """Block until something happens, at most `timeout` seconds; returns at once when there is no job."""
        for task in self._held:
            if task.asked is not None:
                task.deadline += monotonic() - task.asked  # time the study took is not the trial's
                task.asked = None
                if task.verdict is not Verdict.GO:
                    task.deadline = monotonic() + GRACE  # to tidy up
            task.verdicts.put(task.verdict)
        self._held.clear()
        self._fill()
        events, self._events = self._events, []
        limit = FOREVER if timeout is None else monotonic() + timeout
        while True:
            now = monotonic()
            soonest = min((t.deadline for t in self._tasks.values() if t.asked is None), default=FOREVER)
            pause = 0.0 if events or not self._tasks else max(0.0, min(limit, soonest) - now)
            try:
                self._take(*self._outbox.get(timeout=min(pause, LONGEST)), events)
                while True:
                    self._take(*self._outbox.get_nowait(), events)
            except Empty:
                pass
            self._expire(events)
            self._fill()
            if events or not self._tasks or monotonic() >= limit:
                return events

    def stop(self, number: int, pause: bool = False) -> None:
        """End or pause a job at its report; one within a step ends at its next report or is given up after 2 s.

        A paused one is forgotten.
        """
        verdict = Verdict.PAUSE if pause else Verdict.STOP
        if (task := self._tasks.get(number)) is not None:
            task.verdict = verdict
            if task not in self._held and not pause:
                task.deadline = min(task.deadline, monotonic() + GRACE)
            return
        for job in self._queue:
            if job.number == number:
                self._queue.remove(job)
                self._events.append(ended_early(job, verdict, job.step, None, 0.0, ""))
                return
        self._suspended.drop(number)

    def close(self) -> None:
        """Stop all jobs; threads that do not end within 2 s are left to themselves."""
        self._queue.clear()
        self._events.clear()
        self._held.clear()
        for task in self._tasks.values():
            self._abandon(task)
        self._tasks.clear()
        for _ in self._threads:
            self._inbox.put(None)
        until = monotonic() + GRACE
        for thread in self._threads:
            thread.join(max(0.0, until - monotonic()))
        self._threads.clear()
        self._inbox, self._outbox = SimpleQueue(), SimpleQueue()
        self._suspended.close()
        self._scratch.close()

    def _fill(self) -> None:
        while self._queue and len(self._tasks) < self.capacity:
            job = self._queue.popleft()
            task = self._tasks[job.number] = _Task(job, self._scratch.directory(job))
            if len(self._threads) < len(self._tasks):
                self._started += 1
                name = self._name if self.capacity == 1 else f"{self._name}-{self._started}"
                thread = threading.Thread(
                    target=_work, args=(self._inbox, self._outbox, self._suspended, name), name=name, daemon=True
                )
                self._threads.add(thread)
                thread.start()
            self._inbox.put(task)

    def _take(self, task: _Task, event: Event, events: list[Event]) -> None:
        if task.abandoned:
            return
        if isinstance(event, Started):
            if (timeout := self._timeout(task)) is not None:
                task.deadline = min(task.deadline, task.began + timeout)
        elif isinstance(event, Reported):
            task.step, task.metrics = event.step, event.metrics
            if task.verdict is not Verdict.GO:  # stopped in the middle of the step
                task.verdicts.put(task.verdict)
                return
            task.asked = monotonic()
            self._held.append(task)
        else:
            del self._tasks[task.job.number]
            event = timely(event, task.job, self._timeout(task))
        events.append(event)

    def _expire(self, events: list[Event]) -> None:
        now = monotonic()
        for task in [t for t in self._tasks.values() if t.deadline <= now and t.asked is None]:
            self._abandon(task)
            del self._tasks[task.job.number]
            seconds, worker = 0.0, ""
            if task.thread is not None:  # None: it was stopped before any thread had taken it up
                self._threads.discard(task.thread)
                seconds, worker = now - task.began, task.thread.name
            if task.verdict is not Verdict.GO:
                events.append(ended_early(task.job, task.verdict, task.step, task.metrics, seconds, worker))
            else:
                timeout = self._timeout(task)
                assert timeout is not None
                events.append(timed_out(task.job, timeout, seconds, task.step, worker))

    def _timeout(self, task: _Task) -> float | None:
        return self.timeout if task.job.timeout is None else task.job.timeout

    @staticmethod
    def _abandon(task: _Task) -> None:
        task.abandoned = True
        task.verdicts.put(Verdict.STOP)


def _work(
    inbox: SimpleQueue[_Task | None], outbox: SimpleQueue[tuple[_Task, Event]], suspended: Suspended, name: str
) -> None:
    """Run jobs until told to end; what each thread does."""
    calling: Calling | None = None
    while (task := inbox.get()) is not None:
        if task.abandoned:
            continue
        objective = require_objective(task.job)
        if calling is None or calling.objective is not objective:
            calling = Calling(objective)

        def report(step: int, metrics: Any, resumed: str, task: _Task = task) -> Verdict:
            outbox.put((task, Reported(task.job.number, step, metrics, resumed)))
            return task.verdicts.get()

        task.began, task.thread = monotonic(), threading.current_thread()
        outbox.put((task, Started(task.job.number, name)))
        end = calling.drive(task.job, name, task.directory, report, suspended)
        outbox.put((task, end))
        if _given_up(task):
            return
        del task, objective, end  # let go of the trial's data while waiting for the next


def _given_up(task: _Task) -> bool:
    return task.abandoned  # set by another thread meanwhile
