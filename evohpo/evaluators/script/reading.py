"""What a source of metrics is, and JSON as scripts write it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from evohpo.evaluators.metrics import Found, number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evohpo.reporting import RunningTrial

STDOUT, STDERR, REPORTS = "stdout.txt", "stderr.txt", "reports.jsonl"


class Reading(Protocol):
    """A source opened for one trial."""

    def read(self, whole: bool) -> Iterator[Found]:
        """Yield what was told since the last time, a part of it if that is much or the `whole`."""
        ...

    def end(self) -> Iterator[Found]:
        """Yield the rest, when the process has ended well and all else was read."""
        ...

    def begin(self) -> None:
        """Take it that another process tells what follows; a line that the one before did not end is dropped."""
        ...

    def missing(self, name: str) -> str:
        """Say why a metric is not there."""
        ...


class Source(Protocol):
    """Where metrics are found.

    Attributes:
        names: the metrics that are found there; none where whatever is told is taken.
        steps: whether it may tell of steps.
        whole: whether a step is told at once, not metric by metric.
    """

    @property
    def names(self) -> Sequence[str]: ...  # noqa: D102 - see the class

    @property
    def steps(self) -> bool: ...  # noqa: D102

    @property
    def whole(self) -> bool: ...  # noqa: D102

    def open(self, trial: RunningTrial) -> Reading:
        """Begin to read for one trial."""
        ...

    def clear(self, trial: RunningTrial) -> None:
        """Remove what an earlier process of the trial, or another trial, left in the trial's folder."""
        ...


def numbers_of(record: Any, names: Sequence[str]) -> list[tuple[str, float]]:
    """Return names and numbers of a record, only some names if they are given; what is no number is left out."""
    if not isinstance(record, Mapping):
        return []
    found = ((name, number(record[name])) for name in (names or record) if name in record)
    return [(name, value) for name, value in found if value is not None]


def record_of(line: str) -> Mapping[str, Any]:
    """Return the JSON object that a line is, an empty one if it is none."""
    content = parsed(line) if line.lstrip().startswith("{") else None
    return content if isinstance(content, dict) else {}


def parsed(text: str) -> Any:
    """Return what a JSON text says, None if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
