"""Does an evaluator keep its promises? It runs jobs somewhere and says what became of each."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evohpo.driver import tune
from evohpo.evaluators import BatchedInline, Inline
from evohpo.evaluators.protocol import Failed, Finished, Job, Paused, Reported, Started
from evohpo.pruners import Hyperband
from evohpo.space import Integer
from evohpo.testing.outcome import Check, Inapplicable, raise_failures, run_checks
from evohpo.testing.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evohpo.evaluators.protocol import Event
    from evohpo.study import Study

ENDS = (Finished, Failed, Paused)
PATIENCE = 60.0  # seconds until a job counts as lost


@dataclass(frozen=True, slots=True)
class Target:
    """An evaluator to be checked.

    Attributes:
        make: returns a new one.
        functions: whether its jobs have functions; else it runs `workloads.COMMAND` for each.
    """

    make: Callable[[], Any]
    functions: bool = True

    def __call__(self) -> Any:
        """Return a new evaluator that knows how many jobs it runs at once."""
        evaluator = self.make()
        evaluator.capacity = evaluator.capacity or 2
        return evaluator

    def objective(self, name: str) -> Callable[..., Any] | None:
        """Return what jobs call."""
        return WORKLOADS[name] if self.functions else None

    def job(self, number: int, objective: str, **more: Any) -> Job:
        """Return a job; its x is its number."""
        params = {"x": number, "objective": objective}
        return Job(number, params, self.objective(objective), seed=100 + number, **more)


# ---- running them


def _collect(evaluator: Any, ends: int, on_report: Callable[[Reported], None] | None = None) -> list[Event]:
    """Return all events until so many jobs have ended."""
    events: list[Event] = []
    deadline = time.monotonic() + PATIENCE
    while sum(isinstance(event, ENDS) for event in events) < ends:
        assert time.monotonic() < deadline, f"{ends} jobs were to end, after {PATIENCE:g} s there is {events[-3:]}"
        for event in evaluator.wait(1.0):
            events.append(event)
            if isinstance(event, Reported) and on_report is not None:
                on_report(event)
    return events


def _run(target: Target, objective: str, n: int = 6, folder: Path | None = None) -> list[Event]:
    with target() as evaluator:
        events: list[Event] = []
        for first in range(0, n, evaluator.capacity):
            batch = range(first, min(first + evaluator.capacity, n))
            for number in batch:
                directory = None if folder is None else folder / f"trial-{number}"
                evaluator.submit(target.job(number, objective, directory=directory))
            events += _collect(evaluator, len(batch))
    return events


def _steps(events: list[Event]) -> list[tuple[int, Any]]:
    return [(e.step, e.metrics["loss"]) for e in events if isinstance(e, Reported)]


def metrics_arrive(target: Target) -> None:
    """What an objective returns arrives, with its trial's number and the time it took."""
    ends = {e.number: e for e in _run(target, "double") if isinstance(e, Finished)}
    assert {n: e.value for n, e in ends.items()} == {n: {"loss": 2.0 * n} for n in range(6)}, f"{ends}"
    assert all(e.seconds >= 0 for e in ends.values())


def numbers_arrive(target: Target) -> None:
    """A bare number that an objective returns arrives as it is."""
    if not target.functions:
        raise Inapplicable("its metrics have names")
    ends = {e.number: e.value for e in _run(target, "number", 2) if isinstance(e, Finished)}
    assert ends == {0: 0.0, 1: 2.0}, f"{ends}"


def ends_once(target: Target) -> None:
    """Every job begins before it ends, and ends exactly once."""
    events = _run(target, "raising")
    for number in range(6):
        own = [e for e in events if e.number == number]
        assert sum(isinstance(e, ENDS) for e in own) == 1, f"job {number}: {own}"
        assert isinstance(own[-1], ENDS), f"job {number} goes on after its end: {own}"
        assert any(isinstance(e, Started) for e in own), f"job {number} never began: {own}"


def errors_are_events(target: Target) -> None:
    """An objective that raises ends as failed, with the exception in its reason; the others are not disturbed."""
    for event in _run(target, "raising"):
        if isinstance(event, Failed):
            assert event.number % 2, f"job {event.number} failed: {event.reason}"
            assert event.kind == "raised", f"the kind of failure is {event.kind!r}"
            assert "is odd" in event.reason, f"the reason does not say what was raised: {event.reason!r}"
            assert "raising" in event.traceback, "there is no traceback of the objective"
        if isinstance(event, Finished):
            assert not event.number % 2, f"job {event.number} raised, and is said to have finished"


def steps_in_order(target: Target) -> None:
    """The steps of an objective that yields are reported in order, and the last is its result."""
    events = _run(target, "stepping", 3)
    for number in range(3):
        own = [e for e in events if e.number == number]
        assert _steps(own) == [(s, number + s) for s in range(1, 6)], f"job {number} reported {_steps(own)}"
        end = next(e for e in own if isinstance(e, Finished))
        assert (end.steps, end.value["loss"]) == (5, number + 5), f"job {number} ended with {end}"


def stops_where_told(target: Target) -> None:
    """A job that is stopped after a report ends with that step, and says that it was stopped."""
    with target() as evaluator:
        evaluator.submit(target.job(0, "endless"))
        end = _collect(evaluator, 1, lambda e: evaluator.stop(e.number) if e.step == 3 else None)[-1]
    assert isinstance(end, Finished), f"it ended with {end}"
    assert (end.stopped, end.steps) == (True, 3), f"stopped after step 3, it ended with {end}"
    assert end.value["loss"] == 3, f"stopped after step 3, its result is {end.value}"


def goes_on_after_a_pause(target: Target) -> None:
    """A job that is paused after a report ends as paused; submitted with that step, it goes on after it."""
    with target() as evaluator:
        evaluator.submit(target.job(0, "stepping"))
        end = _collect(evaluator, 1, lambda e: evaluator.stop(e.number, pause=True) if e.step == 2 else None)[-1]
        assert isinstance(end, Paused), f"it ended with {end}"
        assert end.step == 2, f"paused after step 2, it ended with {end}"
        evaluator.submit(target.job(0, "stepping", step=2))
        steps = _steps(_collect(evaluator, 1))
    assert steps == [(s, s) for s in (3, 4, 5)], f"paused after step 2, it then reported {steps}"


def context_is_given(target: Target) -> None:
    """An objective that asks for it gets its trial's number, seed and folder."""
    with tempfile.TemporaryDirectory() as folder:
        events = _run(target, "telling", 2, Path(folder))
        ends = [e for e in events if isinstance(e, ENDS)]
        assert all(isinstance(e, Finished) for e in ends), f"{ends}"
        seen = {e.number: (e.value["number"], e.value["seed"]) for e in ends if isinstance(e, Finished)}
        assert seen == {n: (n, 100 + n) for n in range(2)}, f"{seen}"
        for n in range(2):
            assert (Path(folder) / f"trial-{n}" / "note.txt").exists(), "the trial's folder is another one"


def waiting_returns(target: Target) -> None:
    """Waiting for a job that takes longer returns after the time given, with nothing."""
    with target() as evaluator:
        if isinstance(evaluator, Inline | BatchedInline):
            raise Inapplicable("it runs its jobs while it waits")
        evaluator.submit(target.job(0, "slow"))
        began = time.monotonic()
        evaluator.wait(0.05)
        evaluator.wait(0.05)
        took = time.monotonic() - began
        assert took < 1.5, f"wait(0.05) twice took {took:.1f} s"
        _collect(evaluator, 1)


def takes_no_longer_than_its_timeout(target: Target) -> None:
    """A job that takes longer than its timeout fails for that, and the next one runs."""
    with target() as evaluator:
        evaluator.submit(target.job(0, "endless", timeout=1.0))
        end = _collect(evaluator, 1)[-1]
        assert isinstance(end, Failed), f"with a timeout of 1 s, an endless job ended with {end}"
        assert end.kind == "timeout", f"the kind of failure is {end.kind!r}"
        assert end.seconds >= 0.9, f"with a timeout of 1 s it ended after {end.seconds:.2f} s"
        _runs_on(target, evaluator)


def survives_crashes(target: Target) -> None:
    """A job whose process ends itself fails, and the next one runs."""
    with target() as evaluator:
        _other_process(target, evaluator)
        evaluator.submit(target.job(0, "crashing"))
        end = _collect(evaluator, 1)[-1]
        assert isinstance(end, Failed), f"a job whose process was gone ended with {end}"
        _runs_on(target, evaluator)


def starts_lost_jobs_again(target: Target) -> None:
    """A job whose process is killed from outside starts again, and repeats no report."""
    if sys.platform == "win32":
        raise Inapplicable("nobody sends SIGKILL here")
    with tempfile.TemporaryDirectory() as folder, target() as evaluator:
        _other_process(target, evaluator)
        evaluator.submit(target.job(0, "killed_once", directory=Path(folder) / "trial"))
        events = _collect(evaluator, 1)
    assert isinstance(events[-1], Finished), f"its process was killed once, and it ended with {events[-1]}"
    assert _steps(events) == [(s, s) for s in range(1, 6)], f"killed after step 2, it reported {_steps(events)}"


def same_table(target: Target) -> None:
    """A study has the same table as one whose trials ran one after the other in its own process."""
    for objective, pruner in (("double", None), ("stepping", Hyperband(5))):
        evaluator = target()
        with evaluator:
            there = _study(objective, pruner, target.objective(objective), evaluator)
        here = _study(objective, pruner, WORKLOADS[objective], Inline())
        for a, b in zip(there.trials, here.trials, strict=True):
            facts = [(t.params, str(t.status), t.metrics, t.steps, t.reports, t.error) for t in (a, b)]
            assert facts[0] == facts[1], f"trial {a.number} is {facts[0]}, and in the study's own process {facts[1]}"


def _study(name: str, pruner: Any, objective: Any, evaluator: Any) -> Study:
    space = {"x": Integer(0, 40), "objective": name}
    return tune(
        objective, space, minimize="loss", optimizer="ga", population=6, generations=2, seed=5, pruner=pruner,
        evaluator=evaluator, progress=False,
    )  # fmt: skip


def _runs_on(target: Target, evaluator: Any) -> None:
    evaluator.submit(target.job(1, "double"))
    end = _collect(evaluator, 1)[-1]
    assert isinstance(end, Finished), f"the next job ended with {end}"


def _other_process(target: Target, evaluator: Any) -> None:
    evaluator.submit(target.job(7, "process"))
    end = _collect(evaluator, 1)[-1]
    if isinstance(end, Finished) and end.value["loss"] == os.getpid():
        raise Inapplicable("its jobs run in this process")


def close_ends_everything(target: Target) -> None:
    """Closed in the middle it ends what runs, soon, and may be closed again; no thread stays."""
    before = set(threading.enumerate())
    evaluator = target()
    evaluator.submit(target.job(0, "endless"))
    evaluator.wait(1.0)
    began = time.monotonic()
    evaluator.close()
    evaluator.close()
    assert time.monotonic() - began < 15, "closing took more than 15 s"
    deadline = time.monotonic() + 5
    while (kept := set(threading.enumerate()) - before) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not kept, f"threads stay: {', '.join(t.name for t in kept)}"


CHECKS: list[Check] = [
    metrics_arrive, numbers_arrive, ends_once, errors_are_events, steps_in_order, stops_where_told, goes_on_after_a_pause,
    context_is_given, waiting_returns, takes_no_longer_than_its_timeout, survives_crashes, starts_lost_jobs_again, same_table,
    close_ends_everything,
]  # fmt: skip


def check_evaluator(
    make: Callable[[], Any], *, functions: bool = True, expected: Mapping[str, str] | None = None
) -> None:
    """Check that an evaluator keeps its promises.

    Args:
        make: returns a new evaluator, e.g. `lambda: Processes(2)`; it must be able to run functions of `testing.workloads`.
        functions: False for one that starts a command: it has to run `testing.workloads.COMMAND`, and to take what that tells
            with `evohpo.report`, e.g. `lambda: Script(COMMAND, workers=2)`.
        expected: by name of a check, why it may fail.

    Raises:
        CheckFailed: names the first check that failed, and why.
    """
    raise_failures(run_checks(CHECKS, Target(make, functions), dict(expected or {})))
