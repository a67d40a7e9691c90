"""What an objective may know of its trial, and how code that cannot yield reports."""

from __future__ import annotations

import enum
import operator
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias

from evohpo.errors import IllegalValue, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from evohpo.evaluators.protocol import Job


class Verdict(enum.Enum):
    """What the study answers to a report."""

    GO = "go"
    STOP = "stop"
    PAUSE = "pause"


Report: TypeAlias = Callable[[int, Any, str], Verdict]  # step, metrics, how it went on


class TrialStopped(BaseException):  # not an Exception: no `except Exception` of a training loop is to hold it up
    """Raised by `ctx.report` inside an objective whose trial has been ended or paused; let it pass."""


class Context:
    """The second argument of an objective that takes one.

    Attributes:
        number: the trial's number.
        seed: a function of the study's seed and the trial's number, in [0, 2**32).
        step: the last step reported before a pause or a restart; 0 for a trial that starts. An objective that keeps
            checkpoints in `directory` goes on from there. One that never looks at it is run again from its first step,
            and what it reports up to here is passed over.
        resources: what the trial may use, e.g. {"gpu": [0]}.
    """

    def __init__(self, job: Job, report: Report | None, directory: Path) -> None:
        self.number, self.seed, self._step = job.number, job.seed, job.step
        self._asked = False  # whether the objective looked at `step`
        self.resources: Mapping[str, Any] = job.resources
        self._directory, self._report = directory, report
        self._last = 0
        self._resumed = "" if job.step else None  # how it went on; None once that is told
        self._metrics: Any = None
        self._verdict = Verdict.GO
        self._waited = 0.0  # seconds the study took for its verdicts

    @property
    def step(self) -> int:
        """The last step reported before; see the class."""
        self._asked = True
        return self._step

    @property
    def directory(self) -> Path:
        """The trial's own folder, made when first asked for and kept across pause and resume.

        Without a store it is a temporary one that goes when the study ends.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        return self._directory

    def report(self, step: int, **metrics: Any) -> None:
        """Tell the study the metrics at `step` and wait for its verdict.

        Args:
            step: a whole number above the one reported before.
            metrics: names and numbers.

        Raises:
            TrialStopped: the trial has been ended or paused; let it pass.
            IllegalValue: `step` is no whole number or does not grow.
            UsageError: the objective is a generator; it yields its metrics instead.
        """
        if self._report is None:
            raise UsageError(
                "an objective that yields reports by yielding: write `yield {...}` instead of ctx.report(...)"
            )
        try:
            step = operator.index(step)
        except TypeError:
            raise IllegalValue("step", step, "steps are whole numbers") from None
        if self._verdict is Verdict.GO:
            if step <= self._last:
                raise IllegalValue("step", step, f"steps must grow, and step {self._last} is already reported")
            self._last, self._metrics = step, plain(metrics)
            if step <= self._step:  # known from before
                self._resumed = "re-run"
                return
            resumed, self._resumed = ("" if self._resumed is None else self._resumed or "checkpoint"), None
            asked = perf_counter()
            self._verdict = self._report(step, self._metrics, resumed)
            self._waited += perf_counter() - asked
        if self._verdict is not Verdict.GO:
            raise TrialStopped(f"trial {self.number} ended early at step {self._last}")


def plain(value: Any) -> Any:
    """Return `value` with numpy scalars, 0-d arrays and tensors turned into Python numbers, in a dict of its own.

    >>> import numpy as np
    >>> plain({"loss": np.float32(0.5), "epochs": np.array(3)})
    {'loss': 0.5, 'epochs': 3}
    """
    kind = type(value)
    if kind is float or kind is int:
        return value
    try:
        if isinstance(value, Mapping):
            return {name: plain(metric) if hasattr(metric, "item") else metric for name, metric in value.items()}
        return value.item() if getattr(value, "ndim", None) == 0 else value
    except Exception:  # noqa: BLE001 - something that only looks like a number; the study says so
        return value
