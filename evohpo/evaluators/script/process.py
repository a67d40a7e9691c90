"""One process of a trial, with all that it starts."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from evohpo.evaluators.script.reading import STDERR, STDOUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class Process:
    """A process in a session of its own, whose output goes to files in the trial's folder.

    Args:
        words: the command line.
        environment: all its variables.
        place: where it runs.
        directory: the trial's folder.
        mark: what it carries in its environment, for `tree`.

    Attributes:
        pid: its number, and that of its session.
        exit_fd: readable when it has ended; None where the system has no such thing.

    Raises:
        OSError: it cannot be started.
        ValueError: a word or variable has a character that no process can be given.
    """

    def __init__(
        self, words: Sequence[str], environment: Mapping[str, str], place: Path, directory: Path, mark: str
    ) -> None:
        self.mark = mark
        with (directory / STDOUT).open("ab") as stdout, (directory / STDERR).open("ab") as stderr:
            self._process = subprocess.Popen(  # noqa: S603 - the user's command, as words
                words, env=environment, cwd=place, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
                start_new_session=True,  # Ctrl-C on the terminal is for the driver
            )  # fmt: skip
        self.pid = self._process.pid
        self.exit_fd: int | None = None
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):  # not allowed in some sandboxes
                self.exit_fd = os.pidfd_open(self.pid)

    def exited(self) -> bool:
        """Return whether it has ended; its exit code is kept for `bury`."""
        if hasattr(os, "waitid"):  # leaves its number taken, so that its session's is not given to others
            if self._process.returncode is not None:
                return True
            with contextlib.suppress(ChildProcessError):
                return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        return self._process.poll() is not None

    def ask_to_end(self) -> None:
        """Send SIGTERM to it and its children."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it and all that it started."""
        from evohpo.evaluators import tree

        tree.end(self.mark, self.pid)

    def bury(self) -> int:
        """Kill what it left of its session, let go of it, and return its exit code; it has ended."""
        if sys.platform != "win32":
            self._signal(signal.SIGKILL)
        if self.exit_fd is not None:
            os.close(self.exit_fd)
            self.exit_fd = None
        return self._process.wait()

    def memory(self) -> int:
        """Return the resident bytes of it and its descendants."""
        from evohpo.evaluators import tree

        return tree.memory(self.pid)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(OSError):  # nobody is left
            if sys.platform == "win32":
                self._process.terminate()
            else:
                os.killpg(self.pid, number)
