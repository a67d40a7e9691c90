"""Objectives that evaluate a whole population in one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

from evohpo.closing import Closing
from evohpo.errors import UsageError
from evohpo.evaluators.calling import failed
from evohpo.evaluators.protocol import Event, Failed, Finished, Job, Started

LARGEST = 10_000  # trials evaluated at once: more than a population, and an end for optimizers that never wait
NAME = "batch"
ABSENT = object()


class Batched:
    """Marks a function of columns as the objective: `tune(Batched(f), ...)` calls it once a population.

    An optimizer that has no populations is asked for `population=` configurations at a time, else for 20.

    `f` takes a dict of arrays of shape `(n,)`, one a parameter: numbers and text in arrays of their own type, all else
    in object arrays. Where a conditional parameter is absent from some trials, its array is one of objects with
    None there. It returns one array of shape `(n,)`, or a dict of such arrays, one a metric.

    Example:
        >>> sphere = Batched(lambda columns: columns["x"] ** 2 + columns["y"] ** 2)
        >>> sphere({"x": 3.0, "y": 4.0})
        25.0
    """

    def __init__(self, objective: Callable[[dict[str, Any]], Any]) -> None:
        if not callable(objective):
            raise UsageError(f"Batched wraps a function of a dict of arrays, not {type(objective).__name__}")
        self.objective = objective

    def __call__(self, params: Mapping[str, Any]) -> Any:
        """Evaluate one configuration, so that a batched objective runs in every evaluator."""
        return split(self.objective(columns([params])), 1)[0]


class BatchedInline(Closing):
    """Evaluates all jobs given since the last `wait` with one call of a `Batched` objective, in the calling process."""

    gathers = True  # whatever was submitted is one call

    def __init__(self) -> None:
        self.capacity = LARGEST
        self._queue: list[Job] = []
        self._events: list[Event] = []

    def submit(self, job: Job) -> None:
        """Take a job; it runs with all others within `wait`.

        Raises:
            UsageError: its objective is not `Batched`.
        """
        if not isinstance(job.objective, Batched):
            raise UsageError(f"trial {job.number}: BatchedInline runs objectives marked as Batched(f) only")
        self._queue.append(job)

    def wait(self, timeout: float | None) -> list[Event]:  # noqa: ARG002 - the protocol's
        """Evaluate all jobs given; `timeout` has no effect, what runs cannot be interrupted."""
        events, self._events = self._events, []
        jobs, self._queue = self._queue, []
        if not jobs:
            return events
        objective = jobs[0].objective
        assert isinstance(objective, Batched)
        began = perf_counter()
        events += [Started(job.number, NAME) for job in jobs]
        try:
            result = objective.objective(columns([job.params for job in jobs]))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - ends these trials, not the study
            seconds = (perf_counter() - began) / len(jobs)
            return events + [failed(job, error, seconds, 0, NAME) for job in jobs]
        seconds = (perf_counter() - began) / len(jobs)  # each trial's share
        try:
            values = split(result, len(jobs))
        except UsageError as error:
            return events + [Failed(job.number, "value", str(error), seconds, 0, NAME) for job in jobs]
        return events + [Finished(job.number, value, seconds, 0, NAME) for job, value in zip(jobs, values, strict=True)]

    def stop(self, number: int, pause: bool = False) -> None:  # noqa: ARG002 - the protocol's
        """Take back a job that has not run; it fails."""
        for job in self._queue:
            if job.number == number:
                self._queue.remove(job)
                self._events.append(Failed(number, "stopped", "stopped before it began", 0.0, 0, NAME))
                return

    def close(self) -> None:
        """Forget all jobs."""
        self._queue.clear()
        self._events.clear()


def columns(configs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one array of shape `(n,)` for every parameter that appears in any of the `n` configurations."""
    return {name: _column([c.get(name, ABSENT) for c in configs]) for name in {k: None for c in configs for k in c}}


def split(result: Any, n: int) -> list[Any]:
    """Return the `n` trials' own values of what a batched objective returned.

    Raises:
        UsageError: something else than arrays of shape `(n,)`; the message names it.
    """
    if not isinstance(result, Mapping):
        return _values("the result", result, n)
    metrics = {name: _values(f"metric {name!r}", values, n) for name, values in result.items()}
    return (
        [dict(zip(metrics, row, strict=True)) for row in zip(*metrics.values(), strict=True)] if metrics else [{}] * n
    )


def _column(values: list[Any]) -> Any:
    import numpy as np

    kinds = {type(v) for v in values}
    if kinds <= {int, float} or kinds in ({bool}, {str}):
        return np.array(values)
    array = np.empty(len(values), dtype=object)
    array[:] = [None if v is ABSENT else v for v in values]
    return array


def _values(what: str, values: Any, n: int) -> list[Any]:
    import numpy as np

    try:
        array = np.asarray(values)
    except ValueError as error:
        raise UsageError(f"{what} cannot be made an array of shape ({n},): {error}") from None
    if array.shape != (n,):
        raise UsageError(
            f"{what} has shape {array.shape} for {n} trials; return one value a trial, in an array of shape ({n},)"
        )
    return array.tolist()  # type: ignore[no-any-return]
