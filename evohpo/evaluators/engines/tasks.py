"""The study's side of every engine: which trial is where, what it reported, what it is told, when it starts again."""

from __future__ import annotations

import math
import secrets
import sys
import warnings
from collections import deque
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from evohpo.closing import Closing
from evohpo.errors import EvohpoWarning, UsageError
from evohpo.evaluators.calling import Scratch, check_limits, check_workers, ended_early, require_objective
from evohpo.evaluators.context import Verdict
from evohpo.evaluators.engines.seat import Packed, Parcel, Terms
from evohpo.evaluators.packing import pack_details, pack_objective
from evohpo.evaluators.protocol import Event, Failed, Finished, Job, Paused, Reported, Started

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from evohpo.study import Study

TICK = 1.0  # seconds between looks at the size of the cluster
LONELY = 60.0  # seconds without any worker for a trial, after which the user is told


@dataclass(frozen=True, slots=True)
class Restarted:
    """The worker of a trial was lost, and the engine itself starts it again, under the same token."""

    number: int
    reason: str


class Cluster(Protocol):
    """What an engine does for `Engine`; events come with the token of the attempt they belong to."""

    def load(self, key: int, objective: Packed, used: set[int]) -> None:
        """Take the objective that parcels with this key call; of the others only those `used` are still needed."""

    def start(self, parcel: Parcel, job: Job) -> None:
        """Run a trial wherever there is room, now or later."""

    def answer(self, token: str, verdict: Verdict) -> None:
        """Hand a verdict to a trial that waits for one, or that is to end in the middle of a step."""

    def cancel(self, token: str) -> None:
        """End an attempt that nobody listens to any more."""

    def hear(self, timeout: float) -> Sequence[tuple[str, Event | Restarted]]:
        """Return what happened, after at most `timeout` seconds; a lost worker is a `Failed` of kind "lost".

        Raises:
            EvohpoError: the engine itself is gone.
        """

    def slots(self) -> int:
        """Return how many trials find room at once; cheap, called often."""

    def close(self) -> None:
        """End all trials, and what was opened for them."""


class _Task:
    """A job under way, over all its attempts."""

    def __init__(self, job: Job, key: int, directory: Path) -> None:
        self.job, self.key, self.directory = job, key, directory
        self.details = pack_details(job)
        self.step, self.metrics = job.step, None  # of the last report
        self.verdict = Verdict.GO
        self.losses, self.unbegun, self.announced = 0, 0, False  # how often it lost a worker, and before it began
        self.token, self.where, self.began = "", "", 0.0

    def parcel(self, token: str, timeout: float | None, near: str) -> Parcel:
        """Return it ready to be sent, as a new attempt."""
        job = self.job
        self.token, self.where = token, ""
        limit = timeout if job.timeout is None else job.timeout
        return Parcel(token, job.number, job.seed, job.step, str(self.directory), limit, self.details, self.key, near)

    @property
    def seconds(self) -> float:
        """How long its last attempt has been running."""
        return monotonic() - self.began if self.where else 0.0


class Engine(Closing):
    """What evaluators on engines share; `_connect` returns the engine's `Cluster`.

    Args:
        workers: how many trials run at once; None follows the size of the cluster.
        timeout: seconds a trial may run; a job's own timeout goes before it.
        memory: bytes a trial may use, with all processes it started.
        retries: how often a trial starts again whose worker was lost; losses before it began are counted apart, and at least
            one is allowed.
        threads: native threads a trial may use.
        name: what tokens begin with.

    Raises:
        UsageError: an argument that makes no sense.
    """

    def __init__(
        self, workers: int | None, timeout: float | None, memory: float | None, retries: int, threads: int | None, name: str
    ) -> None:  # fmt: skip
        check_limits(workers, timeout=timeout, memory=memory, threads=threads)
        if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
            raise UsageError(f"retries={retries!r}: must be a whole number of at least 0")
        self.timeout, self.memory, self.retries, self.threads = timeout, memory, retries, threads
        self._workers, self._least, self._name = workers, 0, name
        self._cluster: Cluster | None = None
        self._scratch = Scratch()
        self._objective: Callable[..., Any] | None = None
        self._key = 0
        self._reset()

    def _reset(self) -> None:
        self._run = f"evohpo-{secrets.token_hex(4)}"
        self._tasks: dict[int, _Task] = {}  # all that have not ended
        self._queue: deque[_Task] = deque()
        self._running: dict[str, _Task] = {}  # by token
        self._held: list[_Task] = []  # they reported; the next wait lets them go on
        self._events: list[Event] = []
        self._holders: dict[int, str] = {}  # paused jobs, which worker may have them in memory
        self._attempts = 0
        self._idle_since = math.inf  # since when trials wait and none runs

    def _connect(self, terms: Terms) -> Cluster:
        raise NotImplementedError

    @property
    def capacity(self) -> int:
        """How many trials run at once: `workers`, or as many as the cluster has room for at this moment."""
        return self._workers if self._workers is not None else max(self._least, self._connected().slots())

    @capacity.setter
    def capacity(self, workers: int) -> None:
        if self._workers is not None:
            self._workers = workers
        self._least = workers  # an empty cluster that grows when it is asked to

    def begin(self, study: Study) -> None:
        """Connect, and learn whose jobs these are."""
        self._name = "".join(c if c.isalnum() else "_" for c in study.name) or self._name
        self._connected()

    def submit(self, job: Job) -> None:
        """Start a job, or queue it while `capacity` others run.

        Raises:
            UsageError: the job has no objective, or objective or parameters cannot be sent to another process.
        """
        check_workers(self)
        cluster = self._connected()
        objective = require_objective(job)
        if objective is not self._objective:
            packed = Packed(pack_objective(objective), list(sys.path))
            self._key += 1
            cluster.load(self._key, packed, {task.key for task in self._tasks.values()})
            self._objective = objective
        if not self._tasks:
            self._idle_since = monotonic()
        task = self._tasks[job.number] = _Task(job, self._key, self._scratch.directory(job))
        self._queue.append(task)
        self._fill()

    def wait(self, timeout: float | None) -> list[Event]:
        """Block until something happens, at most `timeout` seconds; returns at once when there is no job.

        Returns with nothing when the cluster has grown, so that whoever waits can give it more.

        Raises:
            EvohpoError: the engine itself is gone.
        """
        limit = math.inf if timeout is None else monotonic() + timeout
        events, self._events = self._events, []
        held, self._held = self._held, []
        for task in held:
            self._connected().answer(task.token, task.verdict)
        self._fill()
        room = self.capacity
        while self._tasks:
            pause = 0.0 if events else max(0.0, min(limit - monotonic(), TICK))
            for token, event in self._connected().hear(pause):
                self._take(token, event, events)
            self._fill()
            self._complain()
            if events or monotonic() >= limit or self.capacity > room:
                break
        return events

    def stop(self, number: int, pause: bool = False) -> None:
        """End or pause a job at its report; one within a step ends at its next report or is killed after 2 s."""
        task = self._tasks.get(number)
        if task is None:
            self._holders.pop(number, None)
            return
        task.verdict = Verdict.PAUSE if pause else Verdict.STOP
        if task in self._queue:
            self._queue.remove(task)
        elif task.where:
            if task not in self._held:
                self._connected().answer(task.token, task.verdict)
            return
        else:  # waiting for room
            self._drop(task)
        self._finish(task, ended_early(task.job, task.verdict, task.step, task.metrics, 0.0, ""), self._events)

    def close(self) -> None:
        """End all trials, and what was opened for them; a cluster that was given stays open."""
        cluster, self._cluster = self._cluster, None
        self._objective = None
        try:
            if cluster is not None:
                cluster.close()
        finally:
            self._reset()
            self._scratch.close()

    # ---- giving out

    def _connected(self) -> Cluster:
        if self._cluster is None:
            root = self._scratch.directory(Job(0, {})).parent
            self._cluster = self._connect(Terms(self.memory, self.threads, str(root)))
        return self._cluster

    def _fill(self) -> None:
        while self._queue and len(self._running) < max(1, self.capacity):
            task = self._queue.popleft()
            self._attempts += 1
            token = f"{self._name}-{self._run}-{task.job.number:06d}-{self._attempts}"
            self._running[token] = task
            near = self._holders.pop(task.job.number, "")
            self._connected().start(task.parcel(token, self.timeout, near), task.job)

    def _drop(self, task: _Task) -> None:
        del self._running[task.token]
        self._connected().cancel(task.token)

    # ---- taking in

    def _take(self, token: str, event: Event | Restarted, events: list[Event]) -> None:
        task = self._running.get(token)
        if task is None:  # of an attempt that was given up
            return
        if isinstance(event, Started):
            task.where, task.began = event.worker, monotonic()
            if task.verdict is not Verdict.GO:  # told to the worker that was lost
                self._connected().answer(token, task.verdict)
            if not task.announced:
                task.announced = True
                events.append(Started(event.number, event.worker, token))
        elif isinstance(event, Restarted):
            if self._lost(task, event.reason, events):
                task.where = ""
            else:
                self._drop(task)
        elif isinstance(event, Reported):
            known = event.step <= task.step  # from the attempt before
            if not known:
                task.step, task.metrics = event.step, event.metrics
            if known or task.verdict is not Verdict.GO:  # stopped in the middle of the step
                self._connected().answer(token, task.verdict)
            else:
                self._held.append(task)
                events.append(event)
        elif isinstance(event, Failed) and event.kind == "lost":
            del self._running[token]
            if self._lost(task, event.reason, events):
                self._queue.appendleft(task)
        else:
            del self._running[token]
            if isinstance(event, Paused):
                self._holders[event.number] = event.worker
            self._finish(task, event, events)

    def _lost(self, task: _Task, reason: str, events: list[Event]) -> bool:
        """Return whether a trial that lost its worker is to start again; else its end is told."""
        if task.where:
            task.losses += 1
        else:
            task.unbegun += 1  # costs nothing, so it starts again at least once
        if task in self._held:  # its verdict finds nobody
            self._held.remove(task)
        if task.verdict is not Verdict.GO:
            end = ended_early(task.job, task.verdict, task.step, task.metrics, task.seconds, task.where)
        elif task.losses <= self.retries and task.unbegun <= max(1, self.retries):
            return True
        else:
            end = Failed(task.job.number, "lost", reason, task.seconds, task.step, task.where)
        self._finish(task, end, events)
        return False

    def _finish(self, task: _Task, end: Finished | Failed | Paused, events: list[Event]) -> None:
        del self._tasks[task.job.number]
        events.append(end)

    def _complain(self) -> None:
        """Tell the user, once, that trials wait although nothing runs."""
        runs = self._connected().slots() > 0 and any(task.where for task in self._running.values())
        if runs or not self._running:
            self._idle_since = monotonic()
        elif monotonic() - self._idle_since > LONELY:
            self._idle_since = math.inf
            warnings.warn(
                f"{len(self._running)} trials have waited {LONELY:g} s for a worker of the cluster: it has none, or none with "
                "the resources asked for; they start as soon as one comes",
                EvohpoWarning,
                stacklevel=4,
            )
