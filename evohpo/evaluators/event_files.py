"""Scalars in TensorBoard's event files, read on while the files grow."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from evohpo.errors import UsageError
from evohpo.evaluators.reductions import single

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Series = dict[int, tuple[float, float]]
"""By step: when it was written (seconds since 1970), and the value. What is written later at a step replaces it."""
SHOWN = 20  # tags in an error


class EventFiles:
    """The scalars in all event files in and below a folder; runs, as TensorBoard calls them, are its subfolders.

    Every file is read once, however often `read` is called. A record that is not whole yet is read when it is.

    Args:
        folder: need not exist yet.

    Raises:
        UsageError: tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
        except ImportError as error:
            raise UsageError("reading event files needs tensorboard: pip install 'evohpo[tensorboard]'") from error
        self.folder = folder
        self._loader = LegacyEventFileLoader
        self._files: dict[Path, Any] = {}
        self._series: dict[tuple[str, str], Series] = {}  # by run and tag

    def read(self) -> bool:
        """Read what was written since the last time; return whether there was something."""
        news = False
        for path in sorted(self.folder.rglob("*tfevents*"), key=_age):
            if path not in self._files:
                self._files[path] = self._loader(str(path))
            run = path.parent.relative_to(self.folder).as_posix()
            for event in self._files[path].Load():
                news = True
                self._take(run, event)
        return news

    def series(self, tag: str) -> Series:
        """Return the values of a tag, in no order of steps; {} if there are none yet.

        Args:
            tag: as it was written; or `run/tag`, where several runs below the folder have it at the same time.

        Raises:
            UsageError: it is not clear which run is meant.
        """
        found = {run: s for (run, name), s in self._series.items() if s and tag in (name, f"{run}/{name}")}
        parts = sorted(found.items(), key=lambda item: min(wall for wall, _ in item[1].values()))
        merged: Series = dict(parts[0][1]) if len(parts) > 1 else parts[0][1] if parts else {}
        for (before, _), (run, series) in pairwise(parts):
            if min(wall for wall, _ in series.values()) < max(wall for wall, _ in merged.values()):
                raise UsageError(
                    f"tag {tag!r} is written in several runs below {self.folder} at the same time: say which one is meant, "
                    f"{f'{before}/{tag}'!r} or {f'{run}/{tag}'!r}"
                )
            _merge(merged, series)  # one that was begun when the other had ended goes on from it
        return merged

    def missing(self, tag: str) -> UsageError:
        """Return the error that says that a tag is not there, and what is."""
        if not self._files:
            return UsageError(f"there are no event files in {self.folder}; metric {tag!r} cannot be read")
        tags = sorted({name if run == "." else f"{run}/{name}" for run, name in self._series})
        there = ", ".join(map(repr, tags[:SHOWN])) + (", ..." if len(tags) > SHOWN else "")
        return UsageError(f"no tag {tag!r} in the event files in {self.folder}; there are {there or 'no scalars'}")

    def _take(self, run: str, event: Any) -> None:
        if (
            event.session_log.status == event.session_log.START and event.step
        ):  # a resumed training takes back what is later
            for (of, _), series in self._series.items():
                for step in [s for s, (wall, _) in series.items() if s >= event.step and wall < event.wall_time]:
                    if of == run:
                        del series[step]
        for value in event.summary.value:
            if (number := _scalar(value)) is not None:
                series = self._series.setdefault((run, value.tag), {})
                _merge(series, {event.step: (event.wall_time, number)})


def _age(path: Path) -> tuple[list[int], str]:
    """Return what puts older files first: the numbers in their names are the time, the process, and a counter."""
    return [int(part) for part in re.findall("[0-9]+", path.name)], str(path)


def _merge(series: Series, more: Mapping[int, tuple[float, float]]) -> None:
    for step, (wall, value) in more.items():
        if step not in series or series[step][0] <= wall:
            series[step] = wall, value


def _scalar(value: Any) -> float | None:
    """Return the number in a summary value of the old or the new style, None if it is something else."""
    kind = value.WhichOneof("value")
    if kind == "simple_value":
        return single(value.simple_value)
    if kind != "tensor" or value.tensor.tensor_shape.dim:
        return None
    from tensorboard.util.tensor_util import make_ndarray

    array = make_ndarray(value.tensor)
    if array.ndim or array.dtype.kind not in "fiu":
        return None
    return single(float(array)) if array.dtype == "float32" else float(array)
