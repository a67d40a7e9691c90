"""Runs trials in processes of their own: they may crash, hang or eat memory, and the study goes on."""

from __future__ import annotations

import contextlib
import math
import os
import pickle
import secrets
import selectors
import subprocess
import weakref
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any

from evohpo.closing import Closing
from evohpo.errors import UsageError
from evohpo.evaluators.calling import check_limits, check_workers, ended_early, require_objective, timed_out, timely
from evohpo.evaluators.context import Verdict
from evohpo.evaluators.handle import GRACE, Guardian, Worker, how_it_died
from evohpo.evaluators.packing import pack_details, pack_objective
from evohpo.evaluators.protocol import Event, Failed, Finished, Job, Paused, Reported, Started
from evohpo.evaluators.slots import Gpus, Slots
from evohpo.evaluators.surroundings import cores, size

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 86_400.0  # seconds of one wait for the system, which takes no more than 24 days
START_LIMIT = 300.0  # seconds to import what an objective needs, from a slow disk too
START_FAILURES = 3  # workers in a row that did not come up, after which the jobs fail
MEMORY_TICK = 0.1  # seconds between looks at the memory of running trials
EXIT_TICK = 0.2  # seconds between looks for dead workers where the system does not tell
LOST = {-9, -15}  # SIGKILL and SIGTERM come from outside: the system short of memory, or somebody


class _Task:
    """A job under way, over all its attempts."""

    def __init__(self, job: Job, timeout: float | None, key: int, blob: bytes) -> None:
        self.job, self.key, self.blob = job, key, blob
        self.details = pack_details(job)
        self.timeout = timeout if job.timeout is None else job.timeout
        self.step, self.metrics = job.step, None  # of the last report
        self.verdict = Verdict.GO
        self.attempts, self.announced = 0, False
        self.reset()

    def reset(self) -> None:
        """Forget the attempt before."""
        self.began: float | None = None
        self.asked: float | None = None  # when its last report came, while it waits for the verdict
        self.deadline = math.inf


class Processes(Closing):
    """Runs up to `workers` trials at once, each in a process of its own that lives on for the next trial.

    Objectives may be anything cloudpickle can send: functions of modules, scripts (no `__main__` guard is needed),
    notebooks, lambdas and closures. What they print goes where this process prints. A trial that takes too long, uses
    too much memory or crashes fails and all processes it started end; another worker takes the place of its own. No
    process stays behind when the evaluator is closed or this process ends, in whatever way.

    Args:
        workers: how many trials run at once; None leaves it to the study.
        timeout: seconds a trial may run, not counting the start of its process; a job's own timeout goes before it.
        memory: bytes a trial may use, with all processes it started (resident memory, looked at ten times a second).
        retries: how often a trial starts again whose worker was killed from outside. One that had not begun when its
            worker died starts again at least once.
        threads: native threads (OpenMP, BLAS) a worker may use; None shares the cores among the workers.
        gpus: how many devices the workers share, or a list of their ids: each trial has its own in `ctx.resources["gpu"]` and
            sees no others, where there are enough; else several trials share one.

    Raises:
        UsageError: an argument that makes no sense.
    """

    def __init__(
        self,
        workers: int | None = None,
        timeout: float | None = None,
        memory: float | None = None,
        retries: int = 1,
        threads: int | None = None,
        gpus: Gpus = None,
    ) -> None:
        check_limits(workers, timeout=timeout, memory=memory, threads=threads)
        if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
            raise UsageError(f"retries={retries!r}: must be a whole number of at least 0")
        self.capacity = workers or 0
        self.timeout, self.memory, self.retries, self.threads = timeout, memory, retries, threads
        self._slots = Slots(gpus)
        self._objective: Callable[..., Any] | None = None
        self._key, self._blob = 0, b""
        self._reset()

    def _reset(self) -> None:
        self._tasks: dict[int, _Task] = {}  # all that have not ended
        self._queue: deque[_Task] = deque()
        self._running: dict[Worker, _Task] = {}
        self._holders: dict[int, Worker] = {}  # paused jobs, in whose memory each is
        self._held: list[_Task] = []  # they reported; the next wait lets them go on
        self._events: list[Event] = []
        self._workers: list[Worker] = []
        self._guardian: Guardian | None = None
        self._selector: selectors.BaseSelector | None = None
        self._born = self._stillborn = 0
        self._next_look = 0.0
        self._finalizer: Callable[[], Any] | None = None

    def submit(self, job: Job) -> None:
        """Start a job, or queue it while `capacity` others run.

        Raises:
            UsageError: the job has no objective, or objective or parameters cannot be sent to another process.
        """
        check_workers(self)
        objective = require_objective(job)
        if objective is not self._objective:
            self._blob = pack_objective(objective)
            self._objective, self._key = objective, self._key + 1
        task = self._tasks[job.number] = _Task(job, self.timeout, self._key, self._blob)
        self._queue.append(task)
        self._fill()

    def wait(self, timeout: float | None) -> list[Event]:
        """Block until something happens, at most `timeout` seconds; returns at once when there is no job."""
        limit = math.inf if timeout is None else monotonic() + timeout
        events, self._events = self._events, []
        self._release()
        self._fill()
        while self._tasks:
            pause = 0.0 if events else max(0.0, min(limit, self._soonest()) - monotonic())
            assert self._selector is not None
            for key, _ in self._selector.select(min(pause, LONGEST)):
                self._take(key.data, key.fileobj is not key.data.channel.sock, events)
            self._look(events)
            self._fill()
            if events or monotonic() >= limit:
                break
        return events

    def stop(self, number: int, pause: bool = False) -> None:
        """End or pause a job at its report; one within a step ends at its next report or is killed after 2 s.

        A paused one is forgotten.
        """
        task = self._tasks.get(number)
        if task is None:
            if (holder := self._holders.pop(number, None)) is not None:
                holder.over.append(number)
            return
        task.verdict = Verdict.PAUSE if pause else Verdict.STOP
        if task in self._queue:
            self._queue.remove(task)
            del self._tasks[number]
            self._events.append(ended_early(task.job, task.verdict, task.step, task.metrics, 0.0, ""))
        elif task.asked is None and not pause:
            task.deadline = min(task.deadline, monotonic() + GRACE)

    def close(self) -> None:
        """End all workers and what they started. Idle ones leave by themselves, at most 2 s long."""
        finalizer = self._finalizer
        for worker in self._workers:
            self._slots.give_back(worker.devices)
        if self._selector is not None:
            self._selector.close()
        self._reset()
        if finalizer is not None:
            finalizer()

    # ---- giving out

    def _release(self) -> None:
        """Let the jobs whose reports the study has seen go on, or end."""
        for worker, task in self._running.items() if self._held else ():
            if task.asked is not None:
                now = monotonic()
                task.deadline += now - task.asked  # the time the study took is not the trial's
                task.asked = None
                if task.verdict is not Verdict.GO:
                    task.deadline = now + GRACE  # to tidy up
                self._answer(worker, task.verdict)
        self._held.clear()

    def _answer(self, worker: Worker, verdict: Verdict) -> None:
        worker.busy = True
        self._send(worker, verdict.value)

    def _fill(self) -> None:
        """Give waiting jobs to free workers, and start workers for the others."""
        if not self._queue:
            return
        idle = [w for w in self._workers if w.ready and w not in self._running]
        for worker in [w for w in idle if w.process.poll() is not None]:  # died since its last trial
            self._bury(worker, self._events)
        while len(self._workers) < min(self.capacity, len(self._tasks)):
            self._start()
        for worker in self._workers:
            if self._queue and worker.ready and worker not in self._running:
                task = next((t for t in self._queue if self._holders.get(t.job.number, worker) is worker), None)
                if task is not None:  # the others wait for the worker that has them in memory
                    self._queue.remove(task)
                    self._holders.pop(task.job.number, None)
                    self._dispatch(worker, task)

    def _start(self) -> None:
        if self._guardian is None or self._selector is None:
            self._selector = selectors.DefaultSelector()
            self._guardian = Guardian(secrets.token_hex(8))
            self._finalizer = weakref.finalize(self, _shut, os.getpid(), self._guardian, self._workers)
        self._guardian.check()
        names = {w.name for w in self._workers}
        name = next(f"process-{i}" for i in range(1, len(names) + 2) if f"process-{i}" not in names)
        self._born += 1
        share = max(1, cores() // self.capacity)
        devices = self._slots.take(self.capacity)
        worker = Worker(name, f"{self._guardian.run}-{self._born}", self.threads, share, devices)
        self._workers.append(worker)
        self._selector.register(worker.channel.sock, selectors.EVENT_READ, worker)
        if worker.exit_fd is not None:
            self._selector.register(worker.exit_fd, selectors.EVENT_READ, worker)

    def _dispatch(self, worker: Worker, task: _Task) -> None:
        assert self._guardian is not None
        job = task.job
        self._running[worker] = task
        worker.busy = True
        task.attempts += 1
        task.deadline = monotonic() + START_LIMIT
        if worker.sent != task.key:
            self._send(worker, ("objective", task.blob))
            worker.sent = task.key
        directory = job.directory or self._guardian.scratch / f"trial-{job.number:06d}"
        over, worker.over = worker.over, []
        self._send(worker, ("job", (job.number, job.seed, job.step, str(directory), task.details, over)))

    def _send(self, worker: Worker, value: Any) -> None:
        try:
            worker.channel.send(value)
        except OSError:  # it is dead or reads no more; that its process ends is heard like any other death
            worker.process.kill()

    # ---- taking in

    def _take(self, worker: Worker, ended: bool, events: list[Event]) -> None:
        if worker not in self._workers:
            return
        frames, more = (worker.channel.drain(), False) if ended else worker.channel.read()
        for frame in frames:
            self._hear(worker, frame, events)
        if not more and worker in self._workers:
            self._bury(worker, events)

    def _hear(self, worker: Worker, frame: bytes, events: list[Event]) -> None:
        task = self._running.get(worker)
        try:
            event = pickle.loads(frame)  # noqa: S301 - from a process that belongs to this run
        except Exception as error:  # noqa: BLE001 - a class that cannot be imported here
            if task is not None:
                reason = f"what it returned cannot be read here ({error}); return numbers"
                self._kill(worker, self._failure(task, worker, "value", reason), events)
            return
        if event == "ready":
            worker.ready, worker.busy, self._stillborn = True, False, 0
        elif task is None:
            return
        elif isinstance(event, Started):
            task.began = monotonic()
            if task.verdict is not Verdict.STOP:
                task.deadline = math.inf if task.timeout is None else task.began + task.timeout
            if not task.announced:
                task.announced = True
                events.append(event)
        elif isinstance(event, Reported):
            self._hear_report(worker, task, event, events)
        else:
            del self._running[worker]
            worker.busy = False
            if isinstance(event, Paused):
                self._holders[event.number] = worker
            self._finish(task, timely(event, task.job, task.timeout), events)

    def _hear_report(self, worker: Worker, task: _Task, event: Reported, events: list[Event]) -> None:
        known = event.step <= task.step  # from the attempt before
        if not known:
            task.step, task.metrics = event.step, event.metrics
        if known or task.verdict is not Verdict.GO:  # stopped in the middle of the step
            self._answer(worker, task.verdict)
            return
        task.asked = monotonic()
        worker.busy = False
        self._held.append(task)
        events.append(event)

    def _finish(self, task: _Task, end: Finished | Failed | Paused, events: list[Event]) -> None:
        del self._tasks[task.job.number]
        events.append(end)

    def _failure(self, task: _Task, worker: Worker, kind: str, reason: str) -> Failed:
        seconds = 0.0 if task.began is None else monotonic() - task.began
        return Failed(task.job.number, kind, reason, seconds, task.step, worker.name)

    # ---- when something goes wrong

    def _soonest(self) -> float:
        """Return when to look next, if nothing is heard until then."""
        now = monotonic()
        times = [t.deadline for t in self._running.values() if t.asked is None]
        times += [w.born + START_LIMIT for w in self._workers if not w.ready]
        if self.memory is not None and self._running:
            times.append(now + MEMORY_TICK)
        if any(w.exit_fd is None for w in self._workers):
            times.append(now + EXIT_TICK)
        return min(times, default=math.inf)

    def _look(self, events: list[Event]) -> None:
        """End what took too long or too much, and find workers that died unheard."""
        now = monotonic()
        look = self.memory is not None and now >= self._next_look
        if look:
            self._next_look = now + MEMORY_TICK
        for worker, task in list(self._running.items()):
            if task.asked is not None:
                continue
            if task.deadline <= now:
                self._kill(worker, self._late(task, worker), events)
            elif (
                look and task.began is not None and self.memory is not None and (used := worker.memory()) > self.memory
            ):
                reason = f"used {size(used)}, the limit is {size(self.memory)}"
                self._kill(worker, self._failure(task, worker, "memory", reason), events)
        for worker in list(self._workers):
            if not worker.ready and now >= worker.born + START_LIMIT:
                self._bury(worker, events)
            elif worker.exit_fd is None and worker.process.poll() is not None:
                self._take(worker, True, events)

    def _late(self, task: _Task, worker: Worker) -> Finished | Failed | Paused:
        seconds = 0.0 if task.began is None else monotonic() - task.began
        if task.verdict is not Verdict.GO:
            return ended_early(task.job, task.verdict, task.step, task.metrics, seconds, worker.name)
        if task.began is None or task.timeout is None:
            return self._failure(task, worker, "lost", f"its worker did not begin it within {START_LIMIT:g} s")
        return timed_out(task.job, task.timeout, seconds, task.step, worker.name)

    def _kill(self, worker: Worker, end: Finished | Failed | Paused, events: list[Event]) -> None:
        task = self._running.pop(worker)
        self._remove(worker)
        worker.end()
        self._finish(task, end, events)

    def _remove(self, worker: Worker) -> None:
        assert self._selector is not None
        self._workers.remove(worker)
        self._slots.give_back(worker.devices)
        self._holders = {number: holder for number, holder in self._holders.items() if holder is not worker}
        self._selector.unregister(worker.channel.sock)
        if worker.exit_fd is not None:
            self._selector.unregister(worker.exit_fd)

    def _bury(self, worker: Worker, events: list[Event]) -> None:
        """See to a worker that died: its children end, its trial fails or starts again."""
        task = self._running.pop(worker, None)
        self._remove(worker)
        with contextlib.suppress(subprocess.TimeoutExpired):  # its socket closes a moment before it is dead
            worker.process.wait(GRACE if worker.ready else 0)
        closed_only = worker.process.returncode is None
        code = worker.end()
        died = "closed the connection to the study" if closed_only else how_it_died(code)
        if not worker.ready:
            self._stillborn += 1
            if self._stillborn >= START_FAILURES:
                self._give_up(worker, died, events)
        if task is None:
            return
        if task.verdict is not Verdict.GO:
            self._finish(task, self._late(task, worker), events)
        elif not closed_only and (code in LOST or task.began is None):
            retries = self.retries if task.began is not None else max(1, self.retries)  # that one costs nothing
            if task.attempts <= retries:
                task.reset()
                self._queue.appendleft(task)
                return
            hint = " (by the system, if memory ran out)" if code == -9 else ""
            self._finish(task, self._failure(task, worker, "lost", f"its worker was lost: {died}{hint}"), events)
        else:
            self._finish(task, self._failure(task, worker, "crashed", died), events)

    def _give_up(self, worker: Worker, died: str, events: list[Event]) -> None:
        self._stillborn = 0
        reason = f"{START_FAILURES} workers in a row did not start ({died}); what they said is on standard error"
        while self._queue:
            task = self._queue.popleft()
            self._finish(task, self._failure(task, worker, "lost", reason), events)


def _shut(owner: int, guardian: Guardian, workers: list[Worker]) -> None:
    """Let idle workers leave, have the rest and all they started killed; runs at close, when forgotten, or at exit."""
    if os.getpid() != owner:  # a forked copy: the workers are not its own
        return
    leaving = [w for w in workers if not w.busy]
    for worker in leaving:
        worker.leave()
    until = monotonic() + GRACE
    for worker in leaving:
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.process.wait(max(0.0, until - monotonic()))
    guardian.end()
    for worker in workers:
        worker.drop()
