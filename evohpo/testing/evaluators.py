"""Does an evaluator keep its promises? It runs jobs somewhere and says what became of each."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evohpo.evaluators import BatchedInline, Inline
from evohpo.evaluators.protocol import Failed, Finished, Job, Paused, Reported, Started
from evohpo.testing.outcome import Check, Inapplicable, raise_failures, run_checks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from evohpo.evaluators.protocol import Event

    Make = Callable[[], Any]

ENDS = (Finished, Failed, Paused)
PATIENCE = 60.0  # seconds until a job counts as lost


# ---- objectives; at module level, so that other processes can import them


def double(params: Mapping[str, Any]) -> float:
    """Return twice x."""
    return 2.0 * float(params["x"])


def raising(params: Mapping[str, Any]) -> float:
    """Raise for every other x."""
    if params["x"] % 2:
        raise ValueError(f"x = {params['x']} is odd")
    return double(params)


def stepping(params: Mapping[str, Any]) -> Iterator[dict[str, float]]:
    """Yield x + 1, x + 2, ..., x + 5."""
    for step in range(1, 6):
        yield {"loss": float(params["x"] + step)}


def reporting(params: Mapping[str, Any], ctx: Any) -> dict[str, float]:
    """Return what the context says of the trial."""
    ctx.directory.mkdir(parents=True, exist_ok=True)
    (ctx.directory / "note.txt").write_text(str(ctx.number))
    return {"loss": float(params["x"]), "number": float(ctx.number), "seed": float(ctx.seed)}


def endless(params: Mapping[str, Any]) -> Iterator[dict[str, float]]:
    """Yield for ever."""
    step = 0
    while True:
        step += 1
        time.sleep(0.005)
        yield {"loss": float(params["x"] + step)}


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


def _run(make: Make, objective: Callable[..., Any], n: int = 6, **more: Any) -> list[Event]:
    with make() as evaluator:
        evaluator.capacity = evaluator.capacity or 2
        events: list[Event] = []
        for first in range(0, n, evaluator.capacity):
            batch = range(first, min(first + evaluator.capacity, n))
            for number in batch:
                evaluator.submit(Job(number, {"x": number}, objective, seed=100 + number, **more))
            events += _collect(evaluator, len(batch))
    return events


def metrics_arrive(make: Make) -> None:
    """What an objective returns arrives, with its trial's number and the time it took."""
    ends = {e.number: e for e in _run(make, double) if isinstance(e, Finished)}
    assert {n: e.value for n, e in ends.items()} == {n: 2.0 * n for n in range(6)}, f"{ends}"
    assert all(e.seconds >= 0 for e in ends.values())


def ends_once(make: Make) -> None:
    """Every job begins before it ends, and ends exactly once."""
    events = _run(make, raising)
    for number in range(6):
        own = [e for e in events if e.number == number]
        assert sum(isinstance(e, ENDS) for e in own) == 1, f"job {number}: {own}"
        assert isinstance(own[-1], ENDS), f"job {number} goes on after its end: {own}"
        assert any(isinstance(e, Started) for e in own), f"job {number} never began: {own}"


def errors_are_events(make: Make) -> None:
    """An objective that raises ends as failed, with the exception in its reason; the others are not disturbed."""
    for event in _run(make, raising):
        if isinstance(event, Failed):
            assert event.number % 2, f"job {event.number} failed: {event.reason}"
            assert event.kind == "raised", f"the kind of failure is {event.kind!r}"
            assert "is odd" in event.reason, f"the reason does not say what was raised: {event.reason!r}"
            assert "raising" in event.traceback, "there is no traceback of the objective"
        if isinstance(event, Finished):
            assert not event.number % 2, f"job {event.number} raised, and is said to have finished"


def steps_in_order(make: Make) -> None:
    """The steps of an objective that yields are reported in order, and the last is its result."""
    events = _run(make, stepping, 3)
    for number in range(3):
        steps = [(e.step, e.metrics["loss"]) for e in events if isinstance(e, Reported) and e.number == number]
        assert steps == [(s, number + s) for s in range(1, 6)], f"job {number} reported {steps}"
        end = next(e for e in events if isinstance(e, Finished) and e.number == number)
        assert (end.steps, end.value["loss"]) == (5, number + 5), f"job {number} ended with {end}"


def stops_where_told(make: Make) -> None:
    """A job that is stopped after a report ends with that step, and says that it was stopped."""
    with make() as evaluator:
        evaluator.capacity = evaluator.capacity or 2
        evaluator.submit(Job(0, {"x": 0}, endless))
        events = _collect(evaluator, 1, lambda e: evaluator.stop(e.number) if e.step == 3 else None)
    end = events[-1]
    assert isinstance(end, Finished), f"it ended with {end}"
    assert (end.stopped, end.steps) == (True, 3), f"stopped after step 3, it ended with {end}"


def goes_on_after_a_pause(make: Make) -> None:
    """A job that is paused after a report ends as paused; submitted with that step, it goes on after it."""
    with make() as evaluator:
        evaluator.capacity = evaluator.capacity or 2
        evaluator.submit(Job(0, {"x": 0}, stepping))
        end = _collect(evaluator, 1, lambda e: evaluator.stop(e.number, pause=True) if e.step == 2 else None)[-1]
        assert isinstance(end, Paused), f"it ended with {end}"
        assert end.step == 2, f"paused after step 2, it ended with {end}"
        evaluator.submit(Job(0, {"x": 0}, stepping, step=2))
        events = _collect(evaluator, 1)
    steps = [(e.step, e.metrics["loss"]) for e in events if isinstance(e, Reported)]
    assert steps == [(s, s) for s in (3, 4, 5)], f"paused after step 2, it then reported {steps}"


def context_is_given(make: Make) -> None:
    """An objective with a second parameter gets its trial's number, seed and folder."""
    with tempfile.TemporaryDirectory() as folder:
        events = _run(make, reporting, 2, directory=Path(folder) / "trial")
        ends = [e for e in events if isinstance(e, ENDS)]
        assert all(isinstance(e, Finished) for e in ends), f"{ends}"
        seen = {e.number: (e.value["number"], e.value["seed"]) for e in ends if isinstance(e, Finished)}
        assert seen == {n: (n, 100 + n) for n in range(2)}, f"{seen}"
        assert (Path(folder) / "trial" / "note.txt").exists(), "the trial's folder is another one"


def waiting_returns(make: Make) -> None:
    """Waiting for a job that takes longer returns after the time given, with nothing."""
    with make() as evaluator:
        evaluator.capacity = evaluator.capacity or 2
        if isinstance(evaluator, Inline | BatchedInline):
            raise Inapplicable("it runs its jobs while it waits")
        evaluator.submit(Job(0, {"x": 0}, slow))
        began = time.monotonic()
        evaluator.wait(0.05)
        evaluator.wait(0.05)
        took = time.monotonic() - began
        assert took < 1.5, f"wait(0.05) twice took {took:.1f} s"
        _collect(evaluator, 1)


def slow(params: Mapping[str, Any]) -> float:
    """Take two seconds."""
    time.sleep(2)
    return double(params)


def close_ends_everything(make: Make) -> None:
    """Closed in the middle it ends what runs, soon, and may be closed again; no thread stays."""
    before = set(threading.enumerate())
    evaluator = make()
    evaluator.capacity = evaluator.capacity or 2
    evaluator.submit(Job(0, {"x": 0}, endless))
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
    metrics_arrive, ends_once, errors_are_events, steps_in_order, stops_where_told, goes_on_after_a_pause,
    context_is_given, waiting_returns, close_ends_everything,
]  # fmt: skip


def check_evaluator(make: Make, *, expected: Mapping[str, str] | None = None) -> None:
    """Check that an evaluator keeps its promises.

    Args:
        make: returns a new evaluator, e.g. `lambda: Processes(2)`; it must be able to run functions of this module.
        expected: by name of a check, why it may fail.

    Raises:
        CheckFailed: names the first check that failed, and why.
    """
    raise_failures(run_checks(CHECKS, make, dict(expected or {})))
