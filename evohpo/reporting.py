"""For scripts that `evohpo.Script` starts: what their trial is, and how they tell its metrics."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evohpo.errors import IllegalValue

if TYPE_CHECKING:
    from collections.abc import Mapping

REPORTS = "EVOHPO_REPORTS"  # the file that reports are appended to


@dataclass(frozen=True, slots=True)
class RunningTrial:
    """What a script may know of its trial.

    Attributes:
        number: the trial's number.
        params: its hyperparameters.
        seed: a function of the study's seed and the trial's number, in [0, 2**32).
        directory: the trial's own folder, kept across pause and resume.
        step: the last step told before a pause or a restart, 0 for a trial that starts. A script with checkpoints goes on
            from there; of one that starts anew the steps up to there are passed over.
        limit: the last step that is wanted, 0 where that is not known.
        resources: what the trial may use, e.g. {"gpu": [0]}.
    """

    number: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    directory: Path = Path()
    step: int = 0
    limit: int = 0
    resources: Mapping[str, Any] = field(default_factory=dict)


def trial() -> RunningTrial:
    """Return the trial that this process runs for; one without parameters where nobody started it for one.

    Example:
        >>> trial().step
        0
    """
    environ = os.environ
    params = environ.get("EVOHPO_PARAMS", "")
    return RunningTrial(
        number=int(environ.get("EVOHPO_TRIAL", 0)),
        params=json.loads(Path(params).read_text(encoding="utf-8")) if params else {},
        seed=int(environ.get("EVOHPO_SEED", 0)),
        directory=Path(environ.get("EVOHPO_DIRECTORY", "")),
        step=int(environ.get("EVOHPO_STEP", 0)),
        limit=int(environ.get("EVOHPO_LIMIT", 0)),
        resources=json.loads(environ.get("EVOHPO_RESOURCES", "{}")),
    )


def report(step: int | None = None, /, **metrics: Any) -> None:
    """Tell the study metrics of this script's trial, and go on at once; nothing happens where no study runs it.

    A pruner that has seen enough ends the script with SIGTERM.

    Args:
        step: the number of the step, from 1 on and growing; left out for metrics of the whole trial.
        metrics: names and numbers.

    Raises:
        IllegalValue: `step` is no whole number of at least 1, or a metric is no number.

    Example:
        >>> report(3, accuracy=0.9)
        >>> report(accuracy=0.9, seconds=12.5)
    """
    path = os.environ.get(REPORTS)
    if not path:
        return
    import operator

    from evohpo.evaluators.context import plain

    record: dict[str, Any] = {}
    if step is not None:
        try:
            record["step"] = operator.index(step)
        except TypeError:
            raise IllegalValue("step", step, "steps are whole numbers") from None
        if record["step"] < 1:
            raise IllegalValue("step", step, "steps begin with 1: report(epoch + 1, ...)")
    record["metrics"] = plain(metrics)
    for name, value in record["metrics"].items():
        if not isinstance(value, int | float):
            raise IllegalValue(name, value, f"a metric must be a number, not {type(value).__name__}")
    line = json.dumps(record) + "\n"
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)  # whole lines, also of several processes
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)
