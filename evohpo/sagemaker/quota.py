"""How many jobs may run at once: what was asked for, or what the account allows, found out by trying."""

from __future__ import annotations

import time
import warnings

from evohpo.errors import EvohpoWarning, UsageError

LONGEST_PAUSE = 300.0  # seconds until a refused start is tried again


class Quota:
    """Room for jobs. A refusal lowers it to what runs; later one more is tried.

    Args:
        poll: seconds after which a refused start is first tried again; each time twice as long, at most five minutes.
    """

    def __init__(self, poll: float) -> None:
        self._poll = poll
        self._allowed = 0  # 0 for as many as asked for
        self._hold_until = self._probe_at = 0.0
        self._refusals = 0

    def room(self, capacity: int, flying: int) -> bool:
        """Return whether one more job may be started beside `flying` ones."""
        now = time.monotonic()
        if self._allowed and flying >= self._allowed and now >= self._probe_at:  # perhaps there is more room by now
            self._allowed, self._probe_at = self._allowed + 1, now + self.pause(self._refusals)
        return now >= self._hold_until and flying < min(capacity, self._allowed or capacity)

    def refused(self, message: str, capacity: int, flying: int) -> None:
        """Take it that the account has no room for more than `flying` jobs now.

        Raises:
            UsageError: it never has any.
        """
        if not flying and "is 0 Instances" in message:
            raise UsageError(f"AWS refuses: {message} (ResourceLimitExceeded)")
        if not self._refusals:
            warnings.warn(
                f"fewer jobs than {capacity} run at once, now {flying}: {message}", EvohpoWarning, stacklevel=3
            )
        self._refusals += 1
        self._allowed = max(1, flying)
        self._probe_at = time.monotonic() + self.pause(self._refusals)
        if not flying:
            self._hold_until = self._probe_at

    def hold(self) -> None:
        """Start nothing for a moment."""
        self._hold_until = time.monotonic() + self.pause(1)

    def pause(self, times: int) -> float:
        """Return for how many seconds to wait after so many refusals."""
        return min(self._poll * 2.0 ** min(times, 10), LONGEST_PAUSE)
