"""The desk between a study and its remote workers: jobs wait here, and what workers say waits for the study to hear it."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any

from evohpo.errors import IllegalValue
from evohpo.evaluators.calling import REASON, ended_early, timed_out, timely
from evohpo.evaluators.context import Verdict
from evohpo.evaluators.protocol import Event, Failed, Finished, Job, Reported, Started
from evohpo.pruners import Decision
from evohpo.service.leases import (
    DECISIONS,
    Answer,
    Ask,
    Became,
    Closing,
    Latest,
    Lease,
    LeaseEnded,
    Past,
    Task,
    answered,
    waiting,
)
from evohpo.service.reading import Questions

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from evohpo.study import Study

FOREVER = float("inf")


class Desk:
    """All that is shared by the thread that runs the study and the threads that talk to workers; one lock guards it.

    The study is touched by its own thread alone, within `wait`. What a worker reports or tells is answered when the study
    has heard of it, or asks for the next events: by then it has recorded, and committed, what it made of the last ones.

    Args:
        lease: seconds of silence after which a worker's job is given to another.
        retries: how often, before the trial fails.
        timeout: seconds a worker may take for a job whose own timeout says nothing else; None for ever.
        workers: how many jobs may be out at once; None for as many as are asked for.

    Attributes:
        study: whose jobs these are, where that is known.
        over: why the study ended; None while it goes on.
        questions: what others want to read of it.
        active: workers that are to hear that it is over, and when they were last heard of.
    """

    def __init__(self, lease: float, retries: int, timeout: float | None, workers: int | None) -> None:
        self.lease, self.retries, self.timeout, self.workers = lease, retries, timeout, workers
        self.study: Study | None = None
        self.over: dict[str, Any] | None = None
        self.active: dict[str, float] = {}
        self._changed = threading.Condition()
        self.questions = Questions(self._changed)
        self._closed = False
        self._stirred = False  # somebody asked: the study may propose more
        self._queue: deque[Task] = deque()
        self._tasks: dict[int, Task] = {}  # that have not ended
        self._leases: dict[str, Lease] = {}  # likewise
        self._past: Latest[Past] = Latest()
        self._waiting: deque[Ask] = deque()
        self._asks: Latest[Ask] = Latest()  # by request
        self._events: list[Event] = []
        self._due: list[Callable[[], None]] = []  # answers to them
        self._held: list[Callable[[], None]] = []  # answers to those that the study has now

    # ---- the study's side

    def begin(self, study: Study) -> None:
        """Take note of whose jobs will come."""
        self.study, self.questions.open = study, True

    @property
    def capacity(self) -> int:
        """How many jobs the study may have here: as many as are out or asked for, so that none is proposed too early."""
        with self._changed:
            return self.workers or max(1, len(self._leases) + sum(ask.n for ask in self._waiting))

    def submit(self, job: Job) -> None:
        """Take a job."""
        with self._changed:
            task = self._tasks[job.number] = Task(job, job.step)
            self._queue.append(task)  # given with others within `wait`: who asks for several gets them at once

    def wait(self, timeout: float | None) -> list[Event]:
        """Return what happened since the last call, or nothing where there is room for more jobs or the time is over."""
        limit = FOREVER if timeout is None else monotonic() + timeout
        with self._changed:
            self._answer()
            self._give()
            while True:
                now = monotonic()
                soonest = self._expire(now)
                if self._events or self._stirred or self.questions or now >= limit:
                    break
                pause = min(limit, soonest) - now
                self._changed.wait(None if pause == FOREVER else min(pause, threading.TIMEOUT_MAX))
            self._stirred = False
            events, self._events = self._events, []
            self._held, self._due = self._due, []
        if self.study is not None:
            self.questions.answer(self.study)
        return events

    def heard(self) -> None:
        """Answer what `wait` returned last: the study has recorded it."""
        with self._changed:
            self._answer()

    def stop(self, number: int, pause: bool = False) -> None:
        """End or pause a job: at its report if that waits for the verdict, else at once, and its worker hears of it next."""
        verdict = Verdict.PAUSE if pause else Verdict.STOP
        with self._changed:
            task = self._tasks.get(number)
            if task is None:
                return
            task.verdict = verdict
            if task.lease is None:
                self._queue.remove(task)
                del self._tasks[number]
                self._events.append(ended_early(task.job, verdict, task.step, task.metrics, 0.0, ""))
            elif task.lease.answer is None:
                self._end_early(task.lease)

    def close(self, over: dict[str, Any] | None) -> None:
        """Answer all who wait, and from now on that the study is over or, where it is not, that the server is closing."""
        with self._changed:
            if self._closed:
                return
            self._closed, self.over = True, over
            self._answer()
            self._due.clear()
            for lease in list(self._leases.values()):
                answer, lease.answer = lease.answer, None
                self._end(lease, Past("the study is over", Decision.STOP if over is not None else None))
                if answer is not None:
                    _close(answer, over, Decision.STOP)
            for past in self._past.values():
                if past.became is not None and not past.became.done():  # told, and not heard any more
                    _close(past.became, over, Became("waiting", "the study ended before it heard of this"))
            for ask in self._waiting:
                ask.answered.set_result(None)
            self.questions.close()
            for left in (self._queue, self._tasks, self._events, self._waiting):
                left.clear()

    # ---- the workers' side

    def ask(self, n: int, worker: str, request: str = "") -> Ask:
        """Ask for up to `n` jobs; a `request` that was made before is answered as it was, without jobs that have ended.

        Raises:
            Closing: the server ends.
        """
        with self._changed:
            self._check_open()
            self._note(worker)
            if request and (ask := self._asks.get(request)) is not None:
                ask.leases = [lease for lease in ask.leases if lease.id in self._leases]
                return ask
            ask = Ask(n, worker, request)
            if self._closed:
                ask.answered.set_result(None)
                return ask
            if request:
                self._asks[request] = ask
            self._waiting.append(ask)
            self._expire(monotonic())
            if len(self._queue) >= sum(other.n for other in self._waiting):
                self._give()
            else:  # the study may propose more first
                self._stirred = True
                self._changed.notify_all()
            return ask

    def withdraw(self, ask: Ask) -> None:
        """Wait no longer; `ask.leases` are not changed after this."""
        with self._changed:
            self._give()
            if not ask.answered.done():
                self._waiting.remove(ask)
                self._asks.pop(ask.request, None)
                ask.answered.set_result(None)

    def report(self, id_: str, step: int, metrics: Any) -> Answer:
        """Report a step; one that is known already changes nothing, and is answered as it was.

        Raises:
            LeaseEnded: by silence or by an end that was told; or an earlier report has not been answered.
            Closing: the server ends.
        """
        with self._changed:
            past = self._past.get(id_)
            if past is not None and past.decision is not None:
                return answered(past.decision)
            lease = self._held_lease(id_)
            task = lease.task
            if lease.answer is not None:
                if step == task.step:
                    return lease.answer
                raise LeaseEnded(f"the report of step {task.step} has not been answered yet; wait for the decision")
            if step <= task.step:  # anything but CONTINUE would have ended the lease
                lease.again = True
                return answered(Decision.CONTINUE)
            event = Reported(task.job.number, step, metrics, lease.resumed())
            lease.told, task.step, task.metrics = True, step, metrics
            lease.answer, lease.asked = waiting(), monotonic()
            self._happened(event, lambda: self._decide(lease))
            return lease.answer

    def tell(
        self, id_: str, metrics: Any, error: str | None = None, traceback: str = "", seconds: float | None = None
    ) -> Future[Became]:
        """Tell a job's end; told again, it changes nothing and is answered as it was.

        Args:
            id_: of the lease.
            metrics: the result; None for that of the last report.
            error: why there is none.
            traceback: where it was raised.
            seconds: how long it took; None for the time since the lease was given.

        Raises:
            LeaseEnded: as for `report`.
            IllegalValue: there is neither a result nor an error nor a report.
            Closing: the server ends.
        """
        with self._changed:
            past = self._past.get(id_)
            if past is not None and past.became is not None:
                return past.became
            lease = self._held_lease(id_)
            task, number = lease.task, lease.task.job.number
            if lease.answer is not None:
                raise LeaseEnded(f"the report of step {task.step} has not been answered yet; wait for the decision")
            took = monotonic() - lease.began if seconds is None else seconds
            if error is not None:
                reason = " ".join(error.split())[:REASON] or "told as failed, without a reason"
                known = metrics if isinstance(metrics, dict) else {}
                end: Event = Failed(number, "raised", reason, took, task.step, lease.worker, traceback, known)
            elif metrics is None and task.metrics is None:
                raise IllegalValue("metrics", None, "give metrics or an error: nothing was reported before")
            else:
                value = task.metrics if metrics is None else metrics
                finished = Finished(number, value, took, task.step, lease.worker)
                end = timely(finished, task.job, self._timeout(task))
            became: Future[Became] = waiting()
            self._end(lease, Past(f"the end of trial {number} was told under it", became=became))
            self._happened(end, lambda: became.set_result(self._became(number)))
            return became

    def extend(self, id_: str) -> Decision:
        """Say that a worker is alive, and hear what has been decided meanwhile.

        Raises:
            LeaseEnded: as for `report`.
            Closing: the server ends.
        """
        with self._changed:
            past = self._past.get(id_)
            if past is not None and past.decision is not None:
                return past.decision
            self._held_lease(id_)
            return Decision.CONTINUE

    def farewell(self, worker: str) -> None:
        """Note that a worker knows that the study is over."""
        with self._changed:
            self.active.pop(worker, None)
            self._changed.notify_all()

    def await_farewells(self, seconds: float) -> None:
        """Wait until all who were heard of in a lease's time know that the study is over, at most so long."""
        with self._changed:
            since = monotonic() - self.lease
            self._changed.wait_for(lambda: not any(heard > since for heard in self.active.values()), seconds)

    # ---- within the lock

    def _give(self) -> None:
        """Give jobs to those who wait."""
        while self._queue and self._waiting:
            ask = self._waiting.popleft()
            while self._queue and len(ask.leases) < ask.n:
                ask.leases.append(self._lend(self._queue.popleft(), ask.worker))
            ask.answered.set_result(None)

    def _lend(self, task: Task, worker: str) -> Lease:
        now, timeout = monotonic(), self._timeout(task)
        limit = FOREVER if timeout is None else now + timeout
        lease = Lease(secrets.token_urlsafe(15), task, worker, now, task.step, now + self.lease, limit)
        task.lease = self._leases[lease.id] = lease
        self._happened(Started(task.job.number, worker))
        return lease

    def _happened(self, event: Event, answer: Callable[[], None] | None = None) -> None:
        self._events.append(event)
        if answer is not None:
            self._due.append(answer)
        self._changed.notify_all()

    def _answer(self) -> None:
        """Answer what the study has heard."""
        held, self._held = self._held, []
        for answer in held:
            answer()

    def _decide(self, lease: Lease) -> None:
        """Answer a report: the study has said `stop` by now, if it wants that."""
        answer, lease.answer = lease.answer, None
        assert answer is not None
        decision = DECISIONS[lease.task.verdict]
        if decision is Decision.CONTINUE:
            now = monotonic()
            lease.due = now + self.lease
            lease.limit += now - lease.asked  # time the study took is not the worker's
        else:
            self._end_early(lease)
        answer.set_result(decision)

    def _end_early(self, lease: Lease) -> None:
        task, took = lease.task, monotonic() - lease.began
        end = ended_early(task.job, task.verdict, task.step, task.metrics, took, lease.worker)
        decision = DECISIONS[task.verdict]
        ended = "paused" if decision is Decision.PAUSE else "ended"
        self._end(lease, Past(f"the study {ended} trial {task.job.number} after step {task.step}", decision))
        self._happened(end)

    def _end(self, lease: Lease, past: Past) -> None:
        """End a lease, and its job with it."""
        self._drop(lease, past)
        self._tasks.pop(lease.task.job.number, None)

    def _drop(self, lease: Lease, past: Past) -> None:
        del self._leases[lease.id]
        self._past[lease.id] = past
        lease.task.lease = None

    def _expire(self, now: float) -> float:
        """End leases whose time is over; return when the next one's is. Whose report waits for the study is not silent."""
        soonest = FOREVER
        for lease in [held for held in self._leases.values() if held.answer is None]:
            task, number = lease.task, lease.task.job.number
            if lease.limit <= now:
                timeout = self._timeout(task)
                assert timeout is not None
                late = timed_out(task.job, timeout, now - lease.began, task.step, lease.worker)
                self._end(lease, Past(f"{late.reason}, so trial {number} failed", Decision.STOP))
                self._happened(late)
            elif lease.due <= now:
                self._lose(lease, now)
            else:
                soonest = min(soonest, lease.due, lease.limit)
        return soonest

    def _lose(self, lease: Lease, now: float) -> None:
        task, number = lease.task, lease.task.job.number
        past = Past(f"nothing was heard for {self.lease:g} s, so trial {number} was given back")
        task.lost += 1
        if task.lost <= self.retries:
            self._drop(lease, past)
            self._queue.appendleft(task)
            self._give()
            return
        self._end(lease, past)
        reason = f"nothing more was heard of {task.lost} workers that had it, the last one {lease.worker or 'unnamed'}"
        self._happened(Failed(number, "lost", reason, now - lease.began, task.step, lease.worker))

    def _held_lease(self, id_: str) -> Lease:
        """Return a lease that has not ended, and let it last."""
        self._check_open()
        lease = self._leases.get(id_)
        if lease is None:
            past = self._past.get(id_)
            why = past.why if past is not None else "this server gave no such lease, or gave it too long ago"
            raise LeaseEnded(f"the lease has ended: {why}; ask for another trial")
        lease.due = monotonic() + self.lease
        self._note(lease.worker)
        return lease

    def _check_open(self) -> None:
        if self._closed and self.over is None:
            raise Closing("the server is closing; try again when the study goes on")

    def _note(self, worker: str) -> None:
        self.active[worker] = monotonic()

    def _timeout(self, task: Task) -> float | None:
        return self.timeout if task.job.timeout is None else task.job.timeout

    def _became(self, number: int) -> Became:
        """Return what the study made of what was told."""
        if self.study is None:
            return Became("ended")
        trial = self.study.trials[number]
        return Became(str(trial.status), trial.error)


def _close(future: Future[Any], over: dict[str, Any] | None, result: Any) -> None:
    """Answer `result` where the study is over, else that another server may come."""
    if over is None:
        future.set_exception(Closing("the server is closing; try again when the study goes on"))
    else:
        future.set_result(result)
