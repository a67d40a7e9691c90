"""Reading files while others write them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK = 1 << 20  # bytes read at a time
LONGEST = 1 << 20  # bytes of one line that are kept, its last ones
END = re.compile(rb"[\r\n]+")  # progress bars go back to the start of their line


class Tail:
    """The lines of a file that grows, each once; a file that was written anew is read anew.

    Args:
        path: of the file, which need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._at, self._rest = 0, b""

    def lines(self, whole: bool = False) -> Iterator[str]:
        """Yield the lines that came since the last time and have ended; a mebibyte of them, or the `whole` rest."""
        while chunk := self._read():
            *ended, rest = END.split(chunk)
            if ended:
                ended[0] = self._rest + ended[0]
                self._rest = b""
            self._rest = (self._rest + rest)[-LONGEST:]
            for line in ended:
                if line:
                    yield line.decode(errors="replace")
            if not whole:
                return

    def last(self) -> Iterator[str]:
        """Yield the last line if it lacks its end; nobody writes any more."""
        line, self._rest = self._rest, b""
        if line:
            yield line.decode(errors="replace")

    def drop(self) -> None:
        """Forget a last line that lacks its end: whoever wrote it was killed."""
        self._rest = b""

    def _read(self) -> bytes:
        try:
            size = self.path.stat().st_size  # far cheaper than to open it, and mostly there is nothing new
            if size == self._at:
                return b""
            with self.path.open("rb") as file:
                if size < self._at:
                    self._at, self._rest = 0, b""
                file.seek(self._at)
                chunk = file.read(CHUNK)
        except OSError:  # not there, or not yet
            return b""
        self._at += len(chunk)
        return chunk


def last_lines(path: Path, count: int, most: int = 20_000) -> list[str]:
    """Return the last lines of a file that are not empty, of at most so many bytes together; [] where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - most))
            found = END.split(file.read())
    except OSError:
        return []
    return [line.decode(errors="replace").rstrip() for line in found if line.strip()][-count:]


def end_line(path: Path) -> None:
    """Give the last line of a file its end, if it has none: whoever wrote it did not come to that."""
    with path.open("ab+") as file:
        if file.seek(0, 2):
            file.seek(-1, 2)
            if file.read(1) != b"\n":
                file.write(b"\n")
