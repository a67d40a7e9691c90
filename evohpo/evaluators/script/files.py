"""Metrics in files that a script writes: results as JSON or CSV, and TensorBoard's event files."""

from __future__ import annotations

import csv
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from evohpo.errors import UsageError
from evohpo.evaluators.metrics import Found, whole_number
from evohpo.evaluators.script.reading import Reading, numbers_of, parsed, record_of
from evohpo.evaluators.script.tail import Tail

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from evohpo.evaluators.tensorboard import TensorBoard
    from evohpo.reporting import RunningTrial

FORMATS = (".json", ".jsonl", ".ndjson", ".csv")


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
        content = parsed(self._path.read_text(errors="replace")) if self._path.is_file() else None
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
            yield step, numbers_of(values, self._source.names)

    def _records(self, lines: Iterator[str]) -> Iterator[Mapping[str, Any]]:
        for line in lines:
            if self._format != ".csv":
                yield record_of(line)
            elif row := _row(line.lstrip("\ufeff")):
                if not self._header or row[0] == self._header[0]:  # again where the file was written anew
                    self._header = row
                else:
                    yield dict(zip(self._header, row, strict=False))

    def missing(self, name: str) -> str:
        if not self._path.exists():
            return f"there is no file {self._path} to read {name!r} from"
        return f"{self._path.name} has no number {name!r}; it has {', '.join(sorted(self._seen)) or 'nothing'}"


def _row(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:  # no table
        return []


class Board:
    """Metrics that a `TensorBoard` reads from event files, while they are written; a folder that is not absolute is the trial's.

    Its steps are counted, whatever their numbers are.
    """

    steps = whole = True

    def __init__(self, board: TensorBoard) -> None:
        self.board, self.names = board, list(board.metrics)

    def place(self, trial: RunningTrial) -> Path:
        """Return where the event files of a trial are."""
        return trial.directory / self.board.folder(trial.number, {**trial.params, "directory": trial.directory})

    def open(self, trial: RunningTrial) -> Reading:
        """Begin to read for one trial."""
        return _Board(self.board, self.place(trial))

    def clear(self, trial: RunningTrial) -> None:
        """Remove event files that are in the trial's folder."""
        place = self.place(trial)
        if place.is_relative_to(trial.directory):
            for path in place.rglob("*tfevents*"):
                path.unlink()


class _Board:
    def __init__(self, board: TensorBoard, place: Path) -> None:
        self._board, self._following = board, board.following(place)
        self._count, self._next = 0, 0.0

    def read(self, whole: bool) -> Iterator[Found]:
        now = monotonic()
        if whole or now >= self._next:
            self._next = now + self._board.poll
            yield from self._found(over=False)

    def end(self) -> Iterator[Found]:
        yield from self._found(over=True)
        yield None, list(self._following.metrics().items())

    def begin(self) -> None:
        pass

    def missing(self, name: str) -> str:
        return f"{self._board!r} did not find {name!r}"

    def _found(self, over: bool) -> Iterator[Found]:
        for metrics in self._following.steps(over):
            self._count += 1
            yield self._count, list(metrics.items())
