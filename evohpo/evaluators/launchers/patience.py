"""Bearing with a scheduler that does not answer: calls are tried again, with growing pauses, for a while."""

from __future__ import annotations

import subprocess
import warnings
from time import monotonic

from evohpo.errors import EvohpoWarning, UsageError

LONGEST_PAUSE = 60.0  # seconds
FOR_GOOD = (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError)


class Patience:
    """Counts failures of a kind of call in a row.

    Args:
        what: the kind of call, for the message.
        pause: seconds after the first failure; each time twice as long, at most a minute.
        outage: seconds of failures after which there is no more patience.
    """

    def __init__(self, what: str, pause: float, outage: float) -> None:
        self._what, self._pause, self._outage = what, pause, outage
        self._failures, self._since, self.until = 0, 0.0, 0.0

    def ready(self) -> bool:
        """Return whether it may be tried again."""
        return monotonic() >= self.until

    def answered(self) -> None:
        """Take it that a call was answered."""
        self._failures, self.until = 0, 0.0

    def failed(self, error: Exception, bounded: bool = True) -> None:
        """Take it that a call failed for now.

        Args:
            error: why.
            bounded: whether patience may end.

        Raises:
            UsageError: it has ended.
        """
        now = monotonic()
        if not self._failures:
            self._since = now
            warnings.warn(f"{self._what}: {explained(error)}; tried again", EvohpoWarning, stacklevel=3)
        self._failures += 1
        if not bounded:
            self._since = now
        if now - self._since > self._outage:
            raise UsageError(
                f"{self._what} failed for {self._outage:g} seconds: {explained(error)}. The same call with the same store= "
                "goes on when that is mended"
            ) from error
        self.until = now + min(self._pause * 2.0 ** min(self._failures - 1, 20), LONGEST_PAUSE)


def is_transient(error: Exception) -> bool:
    """Return whether the same call may succeed later."""
    return isinstance(error, OSError | subprocess.SubprocessError) and not isinstance(error, FOR_GOOD)


def explained(error: Exception) -> str:
    """Return in one line what went wrong, with what a command said."""
    said = getattr(error, "stderr", None)
    if isinstance(said, bytes):
        said = said.decode(errors="replace")
    lines = [line.strip() for line in (said or "").splitlines() if line.strip()]
    return lines[-1] if lines else f"{type(error).__name__}: {error}"
