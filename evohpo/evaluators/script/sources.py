"""Where a script's metrics are found: in what it prints, in what it reports, in files of results."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from evohpo.errors import UsageError
from evohpo.evaluators.metrics import Found, Matcher, Steps, check_pattern, number, whole_number
from evohpo.evaluators.script.tail import Tail

if TYPE_CHECKING:
    from evohpo.evaluators.tensorboard import TensorBoard
    from evohpo.reporting import RunningTrial

STDOUT, STDERR, REPORTS = "stdout.txt", "stderr.txt", "reports.jsonl"
FORMATS = (".json", ".jsonl", ".ndjson", ".csv")


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
            record = _record(line)
            yield whole_number(record.get("step")), _numbers(record.get("metrics"), self._source.names)
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
            record = _record(line)
            if found := _numbers(record, self._source.names):
                yield whole_number(record.get(self._source.step)), found

    def missing(self, name: str) -> str:
        return f"neither a call such as evohpo.report({name}=...) nor a printed line that is a JSON object gives it"


class ResultsFile:
    """Metrics in a file that the script writes: JSON, JSON lines or CSV, as the file's name says.

    JSON lines and CSV (its first line names the columns) are read while they grow, JSON is read when the script has ended.

    Args:
        path: of the file, in the trial's folder if it is not absolute; `{number}` stands for the trial's number.
        names: the metrics; None takes all numbers.
        step: the column or field that is the number of the step, None for a file without steps.

    Raises:
        UsageError: a file of another format.
    """

    whole = True

    def __init__(self, path: str | Path, names: Iterable[str] | None = None, step: str | None = None) -> None:
        self.path, self.step, self.steps = str(path), step, step is not None
        self.names = [names] if isinstance(names, str) else [] if names is None else list(names)
        if Path(self.path).suffix.lower() not in FORMATS:
            raise UsageError(f"{self.path!r}: the name of a results file must end in one of {', '.join(FORMATS)}")

    def place(self, trial: RunningTrial) -> Path:
        """Return where the file of a trial is."""
        return trial.directory / self.path.replace("{number}", str(trial.number))

    def open(self, trial: RunningTrial) -> Reading:
        """Begin to read for one trial."""
        return _ResultsFile(self, self.place(trial))

    def clear(self, trial: RunningTrial) -> None:
        """Remove the file, if it is in the trial's folder."""
        if not Path(self.path).is_absolute():
            self.place(trial).unlink(missing_ok=True)


class _ResultsFile:
    def __init__(self, source: ResultsFile, path: Path) -> None:
        self._source, self._path, self._tail = source, path, Tail(path)
        self._format = path.suffix.lower()
        self._header: list[str] = []
        self._seen: set[str] = set()

    def read(self, whole: bool) -> Iterator[Found]:
        return iter(()) if self._format == ".json" else self._found(self._records(self._tail.lines(whole)))

    def end(self) -> Iterator[Found]:
        if self._format != ".json":
            return self._found(self._records(self._tail.last()))
        content = _json(self._path.read_text(errors="replace")) if self._path.is_file() else None
        return self._found(
            one for one in (content if isinstance(content, list) else [content]) if isinstance(one, dict)
        )

    def begin(self) -> None:
        self._tail.drop()

    def _found(self, records: Iterable[Mapping[str, Any]]) -> Iterator[Found]:
        for record in records:
            self._seen |= record.keys()
            step = None if self._source.step is None else whole_number(record.get(self._source.step))
            values = {name: value for name, value in record.items() if name != self._source.step}
            yield step, _numbers(values, self._source.names)

    def _records(self, lines: Iterator[str]) -> Iterator[Mapping[str, Any]]:
        for line in lines:
            if self._format != ".csv":
                yield _record(line)
            elif row := next(csv.reader([line.lstrip("\ufeff")]), []):
                if not self._header or row[0] == self._header[0]:  # again where the file was written anew
                    self._header = row
                else:
                    yield dict(zip(self._header, row, strict=False))

    def missing(self, name: str) -> str:
        if not self._path.exists():
            return f"there is no file {self._path} to read {name!r} from"
        return f"{self._path.name} has no number {name!r}; it has {', '.join(sorted(self._seen)) or 'nothing'}"


class Board:
    """Metrics that another reader finds when the script has ended, such as those of `evohpo.TensorBoard`."""

    steps, whole = False, True
    names: Sequence[str] = ()

    def __init__(self, reader: TensorBoard) -> None:
        self.reader = reader

    def open(self, trial: RunningTrial) -> Reading:
        """Begin to read for one trial."""
        return _Board(self.reader, trial)

    def clear(self, trial: RunningTrial) -> None:
        """Nothing of its own is left behind."""


class _Board:
    def __init__(self, reader: TensorBoard, trial: RunningTrial) -> None:
        self._reader, self._trial = reader, trial

    def read(self, whole: bool) -> Iterator[Found]:  # noqa: ARG002 - it is read at the end
        return iter(())

    def end(self) -> Iterator[Found]:
        yield None, list(self._reader.read(self._trial, self._trial.params).items())  # type: ignore[arg-type]

    def begin(self) -> None:
        pass

    def missing(self, name: str) -> str:
        return f"{self._reader!r} did not find {name!r}"


def sources_of(metrics: Any, steps: Steps) -> list[Source]:
    """Return where metrics are found.

    Args:
        metrics: None for what is told by `evohpo.report`; names, or names and patterns; a source; or a list of these.
        steps: for patterns, see `Printed`.

    Raises:
        UsageError: something else.
    """
    if metrics is None:
        return [Records()]
    given: list[Any] = (
        [metrics] if isinstance(metrics, str | Mapping) or not isinstance(metrics, Iterable) else list(metrics)
    )
    names = [one for one in given if isinstance(one, str)]
    sources: list[Source] = [Records(names)] if names or not given else []
    for one in given:
        if isinstance(one, Mapping):
            sources.append(Printed(one, steps))
        elif hasattr(one, "open") and hasattr(one, "names"):
            sources.append(one)
        elif hasattr(one, "read"):
            sources.append(Board(one))
        elif not isinstance(one, str):
            raise UsageError(
                f"metrics={metrics!r}: give names, names and patterns, ResultsFile(...), TensorBoard(...), or a list of these"
            )
    return sources


def _numbers(record: Any, names: Sequence[str]) -> list[tuple[str, float]]:
    """Return names and numbers of a record, only some names if they are given; what is no number is left out."""
    if not isinstance(record, Mapping):
        return []
    found = ((name, number(record[name])) for name in (names or record) if name in record)
    return [(name, value) for name, value in found if value is not None]


def _record(line: str) -> Mapping[str, Any]:
    content = _json(line) if line.lstrip().startswith("{") else None
    return content if isinstance(content, dict) else {}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
