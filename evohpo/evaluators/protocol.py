"""What an evaluator is: four methods, and the jobs and events they exchange."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType


@dataclass(frozen=True, slots=True)
class Job:
    """One trial to be run.

    Attributes:
        number: the trial's number, unique among running jobs.
        params: the hyperparameters, static ones included.
        objective: what to call with them: the same object for all jobs of a study, so that it is sent to a worker once;
            None for evaluators that start something else (a script, a cloud job).
        seed: for `ctx.seed`; a function of the study's seed and the trial's number.
        directory: the trial's own folder (made when first used), kept across pause and resume.
        step: the last step reported before a pause; 0 for a trial that starts. A generator that was paused in this
            evaluator, and is still in memory, is simply asked for more; else the objective is called again.
        timeout: seconds this trial may run, or None.
        resources: what the trial may use, e.g. {"gpu": [0]}.
    """

    number: int
    params: Mapping[str, Any]
    objective: Callable[..., Any] | None = None
    seed: int = 0
    directory: Path | None = None
    step: int = 0
    timeout: float | None = None
    resources: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Started:
    """A job began on `worker`; `job` is the evaluator's own name for it, for the table."""

    number: int
    worker: str
    job: str = ""


@dataclass(frozen=True, slots=True)
class Reported:
    """A job reached `step`. It goes on at the next `wait`, unless it is stopped before.

    `resumed` says, in the first report after a pause, how the job went on; see `Trial.resumed`.
    """

    number: int
    step: int
    metrics: Any
    resumed: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """A job came to its end. `value` is what the objective returned, unchecked; for a generator its last yield.

    `steps` is the number of the last step (0 without steps); `stopped` is True where the study ended it early.
    """

    number: int
    value: Any
    seconds: float
    steps: int = 0
    worker: str = ""
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """A job gave no result.

    Attributes:
        number: the trial's number.
        kind: "raised" (the objective raised), "timeout", "memory", "crashed" (the process died by itself),
            "lost" (the machine or worker is gone, not the objective's fault), "value" (not a legal result) or
            "stopped" (the study ended it before its first report).
        reason: one line for the table.
        seconds: how long it ran.
        traceback: the objective's traceback, where there is one.
        metrics: what is known of it all the same, such as its cost.
    """

    number: int
    kind: str
    reason: str
    seconds: float
    steps: int = 0
    worker: str = ""
    traceback: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Paused:
    """A job was suspended after `step` and can be submitted again with `Job.step`.

    `metrics` is what else is known of it so far, such as its cost.
    """

    number: int
    step: int
    seconds: float
    worker: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)


Event: TypeAlias = Started | Reported | Finished | Failed | Paused


@runtime_checkable
class Evaluator(Protocol):
    """Runs jobs somewhere. Events of one job come in order; each job ends with exactly one Finished, Failed or Paused.

    One that wants to know whose jobs it runs has a fifth method, `begin(study)`, called before the first job; one whose workers
    wait for answers has `heard()`, called when what `wait` returned is recorded, before the optimizer is asked for more. One that
    evaluates whatever it was given at once has an attribute `gathers`, true, and is given no more than a generation.

    Attributes:
        capacity: how many jobs it runs at once; 0 until known, then the study sets it to its own number of workers.
    """

    capacity: int

    def submit(self, job: Job) -> None:
        """Start a job; it may be queued inside if more than `capacity` are given."""
        ...

    def wait(self, timeout: float | None) -> list[Event]:
        """Block until something happens, at most `timeout` seconds (None: for ever); return all that happened, in order.

        Jobs whose `Reported` was returned by the call before go on first, unless `stop` was called for them.
        """
        ...

    def stop(self, number: int, pause: bool = False) -> None:
        """End a job early (its end comes as `Finished(stopped=True)` if it had reported, else as `Failed`), or pause it."""
        ...

    def close(self) -> None:
        """End everything at once; no process, thread or file of a trial is left behind."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
