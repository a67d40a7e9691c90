"""What the two sides of the service hold in common: jobs, and the leases under which workers have them."""

from __future__ import annotations

import itertools
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from evohpo.errors import EvohpoError
from evohpo.evaluators.context import Verdict
from evohpo.pruners import Decision

if TYPE_CHECKING:
    from evohpo.evaluators.protocol import Job

T = TypeVar("T")
Answer: TypeAlias = "Future[Decision]"
DECISIONS = {Verdict.GO: Decision.CONTINUE, Verdict.STOP: Decision.STOP, Verdict.PAUSE: Decision.PAUSE}


class LeaseEnded(EvohpoError):
    """What a worker says under this lease is not heard any more."""


class Closing(EvohpoError):
    """The server ends before it could hear this; whoever goes on with the study starts another."""


@dataclass(slots=True, eq=False)
class Task:
    """A job, and how far it has come.

    Attributes:
        job: what was submitted.
        step: the last step reported, by whomever.
        metrics: those of that step; None before the first.
        verdict: what its next report is answered.
        lost: how many of its leases ran out.
        lease: under which a worker has it now.
    """

    job: Job
    step: int
    metrics: Any = None
    verdict: Verdict = Verdict.GO
    lost: int = 0
    lease: Lease | None = None


@dataclass(slots=True, eq=False)
class Lease:
    """A worker's right to a job. Times are of a clock that only goes forward.

    Attributes:
        id: what the worker shows; cannot be guessed.
        task: the job.
        worker: the worker's name.
        began: when it was given.
        first: the step after which it was to go on.
        due: when it ends unless the worker is heard of.
        limit: when the job's own timeout is over.
        answer: what its last report will be answered, while that is open.
        asked: when that report came.
        again: whether steps were reported that were known before.
        told: whether a report of the lease was new.
    """

    id: str
    task: Task
    worker: str
    began: float
    first: int
    due: float
    limit: float
    answer: Answer | None = None
    asked: float = 0.0
    again: bool = False
    told: bool = False

    def resumed(self) -> str:
        """Return how a job that was begun before went on, with the first new report; see `Trial.resumed`."""
        if self.told or not self.first:
            return ""
        return "re-run" if self.again else "checkpoint"


@dataclass(slots=True, eq=False)
class Ask:
    """A worker that waits for jobs.

    Attributes:
        n: how many it takes.
        worker: its name.
        request: what it calls this request, "" for one it will not repeat.
        answered: done when there is nothing to wait for.
        leases: what it was given.
    """

    n: int
    worker: str
    request: str = ""
    answered: Future[None] = field(default_factory=lambda: waiting())
    leases: list[Lease] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Became:
    """What a trial is after its end was told: its status and, of one that failed, why."""

    status: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Past:
    """How a lease ended.

    Attributes:
        why: a sentence for whoever still speaks under it.
        decision: what the study decided, where that was the end; it is said again.
        became: what telling the end was answered; it is said again.
    """

    why: str
    decision: Decision | None = None
    became: Future[Became] | None = None


class Latest(dict[str, T]):
    """A dict of the last 10,000 things put into it."""

    SIZE = 10_000

    def __setitem__(self, key: str, value: T) -> None:
        super().__setitem__(key, value)
        if len(self) > self.SIZE:
            del self[next(itertools.islice(self, 1))]


def waiting() -> Future[Any]:
    """Return a future that cannot be cancelled: who waits for it may go, and come back."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


def answered(result: T) -> Future[T]:
    """Return a future that is done."""
    future: Future[T] = waiting()
    future.set_result(result)
    return future
