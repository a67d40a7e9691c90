"""Runs recorded learning curves on simulated workers with a virtual clock: a schedule of days is studied in milliseconds."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from evohpo.closing import Closing
from evohpo.evaluators.calling import ended_early
from evohpo.evaluators.context import Verdict
from evohpo.evaluators.protocol import Event, Finished, Job, Paused, Reported, Started
from evohpo.tables import by_column, table

if TYPE_CHECKING:
    import pandas as pd

Point: TypeAlias = tuple[
    int, dict[str, Any], float
]  # step, metrics, and the seconds that it took since the step before
Curve: TypeAlias = Sequence[Point]


@dataclass(slots=True)
class _Run:
    """A job on a worker."""

    job: Job
    curve: Curve
    worker: int
    began: float
    at: int  # index of the next point
    step: int  # last one reported
    metrics: dict[str, Any] | None = None
    verdict: Verdict = Verdict.GO
    resumed: str = ""


@dataclass(slots=True)
class Simulated(Closing):
    """An evaluator whose workers only advance a clock.

    Events of one moment come in the order of trials' numbers, so that a simulation repeats itself exactly. A pause frees the
    worker at once; a trial that goes on does not pay for its earlier steps again, unless `rerun` is set.

    Args:
        curve: returns the curve of a configuration, points in the order of their steps.
        capacity: simulated workers; 0 leaves it to the study.
        overhead: virtual seconds before the first step of a trial, and of one that goes on.
        rerun: a trial that goes on takes its earlier steps again, as where no checkpoint is kept.

    Attributes:
        elapsed: virtual seconds so far.
        segments: worker, trial, start, end, first and last step of everything that ran.
        reports: time, trial, step and metrics of every report.
    """

    curve: Callable[[Mapping[str, Any]], Curve]
    capacity: int = 0
    overhead: float = 0.0
    rerun: bool = False
    elapsed: float = 0.0
    segments: list[tuple[int, int, float, float, int, int]] = field(default_factory=list)
    reports: list[tuple[float, int, int, dict[str, Any]]] = field(default_factory=list)
    _queue: deque[Job] = field(default_factory=deque)
    _runs: dict[int, _Run] = field(default_factory=dict)
    _agenda: list[tuple[float, int]] = field(default_factory=list)  # when which trial reaches its next point
    _held: list[int] = field(default_factory=list)  # they reported; the next wait lets them go on
    _events: list[Event] = field(default_factory=list)
    _free: list[int] = field(default_factory=list)
    _hired: int = 0

    def submit(self, job: Job) -> None:
        """Start a job on a free worker, or queue it."""
        self._queue.append(job)
        self._fill()

    def wait(self, timeout: float | None) -> list[Event]:  # noqa: ARG002 - real time does not pass here
        """Advance the clock to the next moment at which something happens; return all that happens then."""
        for number in self._held:
            self._release(self._runs[number])
        self._held.clear()
        self._fill()
        if not self._events and self._agenda:
            self.elapsed = self._agenda[0][0]
            while self._agenda and self._agenda[0][0] <= self.elapsed:
                self._reach(self._runs[heapq.heappop(self._agenda)[1]])
        events, self._events = self._events, []
        return events

    def stop(self, number: int, pause: bool = False) -> None:
        """End or pause a job at its report."""
        verdict = Verdict.PAUSE if pause else Verdict.STOP
        if (run := self._runs.get(number)) is not None:
            run.verdict = verdict
            return
        for job in self._queue:
            if job.number == number:
                self._queue.remove(job)
                self._events.append(ended_early(job, verdict, job.step, None, 0.0, ""))
                return

    def close(self) -> None:
        """Forget all jobs; the clock and the records stay."""
        self._queue.clear()
        self._runs.clear()
        self._agenda.clear()
        self._held.clear()
        self._events.clear()
        self._free.clear()
        self._hired = 0

    def timeline(self) -> pd.DataFrame:
        """Return what ran where and when, a row for each stretch: worker, number, start, end, from_step, to_step."""
        names = ("worker", "number", "start", "end", "from_step", "to_step")
        return table(by_column([dict(zip(names, segment, strict=True)) for segment in self.segments], names))

    def history(self) -> pd.DataFrame:
        """Return every report with the virtual time at which it came: seconds, number, step, and the metrics."""
        rows = [
            {"seconds": at, "number": number, "step": step, **metrics} for at, number, step, metrics in self.reports
        ]
        return table(by_column(rows, ("seconds", "number", "step")))

    @property
    def utilization(self) -> float:
        """The share of the workers' time that they were busy, in [0, 1]."""
        busy = sum(end - start for _, _, start, end, _, _ in self.segments)
        return busy / (self.elapsed * self.capacity) if self.elapsed and self.capacity else 0.0

    # ---- what happens

    def _fill(self) -> None:
        while self._queue and len(self._runs) < self.capacity:
            job = self._queue.popleft()
            if not self._free:
                self._hired += 1
                heapq.heappush(self._free, self._hired)
            curve = self.curve(job.params)
            at = 0 if self.rerun else sum(point[0] <= job.step for point in curve)
            resumed = ("re-run" if self.rerun else "checkpoint") if job.step else ""
            run = _Run(job, curve, heapq.heappop(self._free), self.elapsed, at, job.step, resumed=resumed)
            self._runs[job.number] = run
            self._events.append(Started(job.number, f"simulated-{run.worker}"))
            self._go_on(run, self.overhead)

    def _go_on(self, run: _Run, seconds: float = 0.0) -> None:
        """Put the next point of a trial that is to be reported on the agenda, or its end."""
        while run.at < len(run.curve):
            seconds += run.curve[run.at][2]
            run.at += 1
            if run.curve[run.at - 1][0] > run.job.step:
                break
        else:
            run.at += 1  # beyond the last point
        heapq.heappush(self._agenda, (self.elapsed + seconds, run.job.number))

    def _reach(self, run: _Run) -> None:
        number = run.job.number
        if run.at > len(run.curve):
            seconds, worker = self._leave(run)
            self._events.append(Finished(number, run.metrics, seconds, run.step, worker))
            return
        run.step, run.metrics, _ = run.curve[run.at - 1]
        self.reports.append((self.elapsed, number, run.step, run.metrics))
        self._events.append(Reported(number, run.step, dict(run.metrics), run.resumed))
        run.resumed = ""
        self._held.append(number)

    def _release(self, run: _Run) -> None:
        """Let a trial that reported go on, or end as the study wants it."""
        if run.verdict is Verdict.GO:
            self._go_on(run)
            return
        seconds, worker = self._leave(run)
        if run.verdict is Verdict.PAUSE:
            self._events.append(Paused(run.job.number, run.step, seconds, worker))
        else:
            self._events.append(Finished(run.job.number, run.metrics, seconds, run.step, worker, stopped=True))

    def _leave(self, run: _Run) -> tuple[float, str]:
        """Free the worker of a trial; return the seconds it was there, and the worker's name."""
        del self._runs[run.job.number]
        heapq.heappush(self._free, run.worker)
        self.segments.append((run.worker, run.job.number, run.began, self.elapsed, run.job.step, run.step))
        return self.elapsed - run.began, f"simulated-{run.worker}"
