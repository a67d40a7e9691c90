"""Metrics in what a script says while it runs: in printed lines, or by `evohpo.report`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evohpo.errors import UsageError
from evohpo.evaluators.metrics import Found, Matcher, Steps, check_pattern, whole_number
from evohpo.evaluators.script.reading import REPORTS, STDERR, STDOUT, Reading, numbers_of, record_of
from evohpo.evaluators.script.tail import Tail

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from evohpo.reporting import RunningTrial


class Printed:
    """Metrics in printed lines, found by patterns.

    Args:
        patterns: by name of a metric, the pattern whose first group is its value.
        steps: what makes steps of them: True counts them, a pattern finds the step's number in a line; None for no steps.

    Raises:
        UsageError: no pattern, or one that cannot be read or has no group.
    """

    whole = False

    def __init__(self, patterns: Mapping[str, str], steps: Steps = None) -> None:
        if not patterns:
            raise UsageError('metrics={} is empty: give names and patterns, such as {"accuracy": r"accuracy=(\\S+)"}')
        self.patterns = {name: check_pattern(name, regex) for name, regex in patterns.items()}
        self.marker = check_pattern("steps", steps, whole=True) if isinstance(steps, str) else None
        self.names, self.steps = list(self.patterns), bool(steps)

    def open(self, trial: RunningTrial) -> Reading:
        """Begin to read for one trial."""
        return _Printed(self, trial.directory)

    def clear(self, trial: RunningTrial) -> None:
        """Nothing of its own is left behind."""


class _Printed:
    def __init__(self, source: Printed, directory: Path) -> None:
        self._source, self._lines = source, 0
        self._streams = [(Tail(directory / name), Matcher(source.patterns, source.marker)) for name in (STDOUT, STDERR)]

    def read(self, whole: bool) -> Iterator[Found]:
        for tail, matcher in self._streams:
            yield from self._found(tail.lines(whole), matcher)

    def end(self) -> Iterator[Found]:
        for tail, matcher in self._streams:
            yield from self._found(tail.last(), matcher)

    def begin(self) -> None:
        for tail, matcher in self._streams:
            tail.drop()
            matcher.begin()

    def _found(self, lines: Iterator[str], matcher: Matcher) -> Iterator[Found]:
        for line in lines:
            self._lines += 1
            if (found := matcher.find(line)) is not None:
                yield found

    def missing(self, name: str) -> str:
        return f"its pattern {self._source.patterns[name]!r} matches none of {self._lines} lines printed"


class Records:
    """Metrics that a script tells by name: with `evohpo.report`, or in printed lines that are JSON objects.

    Args:
        names: the metrics; None takes all that are reported, and no printed ones.
        step: the field of a JSON line that is the number of the step.

    Raises:
        UsageError: an empty list, or something that is no name.
    """

    steps = whole = True

    def __init__(self, names: Iterable[str] | None = None, step: str = "step") -> None:
        self.names, self.step = [] if names is None else list(names), step
        if (names is not None and not self.names) or not all(isinstance(name, str) and name for name in self.names):
            raise UsageError(f'metrics={self.names!r}: give names of metrics, such as ["accuracy"]')

    def open(self, trial: RunningTrial) -> Reading:
        """Begin to read for one trial."""
        return _Records(self, trial.directory)

    def clear(self, trial: RunningTrial) -> None:
        """Nothing of its own is left behind."""


class _Records:
    def __init__(self, source: Records, directory: Path) -> None:
        self._source = source
        self._reports = Tail(directory / REPORTS)
        self._streams = [Tail(directory / name) for name in (STDOUT, STDERR)] if source.names else []

    def read(self, whole: bool) -> Iterator[Found]:
        for line in self._reports.lines(whole):
            record = record_of(line)
            yield whole_number(record.get("step")), numbers_of(record.get("metrics"), self._source.names)
        for stream in self._streams:
            yield from self._found(stream.lines(whole))

    def end(self) -> Iterator[Found]:
        for stream in self._streams:
            yield from self._found(stream.last())

    def begin(self) -> None:
        for tail in (self._reports, *self._streams):
            tail.drop()

    def _found(self, lines: Iterator[str]) -> Iterator[Found]:
        for line in lines:
            record = record_of(line)
            if found := numbers_of(record, self._source.names):
                yield whole_number(record.get(self._source.step)), found

    def missing(self, name: str) -> str:
        return f"neither a call such as evohpo.report({name}=...) nor a printed line that is a JSON object gives it"
