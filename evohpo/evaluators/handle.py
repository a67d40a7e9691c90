"""The driver's side of one worker process, and of the guardian."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from evohpo.evaluators.frames import Channel
from evohpo.evaluators.slots import Device, variables
from evohpo.evaluators.surroundings import environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GRACE = 2.0  # seconds for an idle process to leave by itself
GUARDIAN_LIMIT = 15.0  # likewise for the guardian, which gives up stuck processes after 10
SEND_LIMIT = 60.0  # seconds for a worker to take what it is sent
ROOT = str(Path(__file__).parents[2])


class Worker:
    """A worker process: started at once, ready when it says so.

    Attributes:
        name: for events.
        mark: what it and its children carry in their environment.
        devices: those that it may use.
        process: its Popen.
        channel: to talk to it.
        exit_fd: readable when it has ended, whoever holds copies of its socket; None where the system has none.
        ready: it has said so.
        busy: it starts or computes; else it waits for us, and leaves by itself if asked.
        born: when it was started (monotonic).
        sent: the key of the objective it has.
        over: paused jobs that it may forget, told with the next one.
    """

    def __init__(self, name: str, mark: str, threads: int | None, share: int, devices: Sequence[Device] = ()) -> None:
        self.name, self.mark, self.devices = name, mark, devices
        self.ready, self.busy, self.sent = False, True, -1
        self.over: list[int] = []
        self.born = monotonic()
        ours, theirs = socket.socketpair()
        ours.settimeout(SEND_LIMIT)
        self.channel = Channel(ours)
        windows = sys.platform == "win32"
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 - this Python runs a module of ours
                [*_command("worker"), name, self.mark, str(theirs.fileno())],
                stdin=subprocess.PIPE if windows else subprocess.DEVNULL,
                env=environment(self.mark, threads, share) | variables(devices),
                pass_fds=() if windows else (theirs.fileno(),),
                start_new_session=True,  # Ctrl-C on the terminal is for the driver
            )
            if sys.platform == "win32":
                assert self.process.stdin is not None
                with self.process.stdin as stdin:
                    stdin.write(theirs.share(self.process.pid))
        self.exit_fd: int | None = None
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):  # not allowed in some sandboxes; then its socket's end has to do
                self.exit_fd = os.pidfd_open(self.process.pid)
        with contextlib.suppress(OSError):  # it died at once, which is heard like any other death
            self.channel.send(sys.path)

    def memory(self) -> int:
        """Return the resident bytes of its whole tree."""
        from evohpo.evaluators import tree

        return tree.memory(self.process.pid)

    def leave(self) -> None:
        """Ask it to leave by itself when idle; does not wait."""
        with contextlib.suppress(OSError):
            self.channel.sock.shutdown(socket.SHUT_WR)

    def end(self) -> int:
        """Kill its whole tree, let go of it and return its exit code."""
        from evohpo.evaluators import tree

        code = self.process.poll()  # as it died, where it did: what follows would hide it
        tree.end(self.mark, *([self.process.pid] if code is None else []))
        return self.drop()

    def drop(self) -> int:
        """Let go of a process that has ended or is to end now; return its exit code."""
        self.channel.sock.close()
        if self.exit_fd is not None:
            os.close(self.exit_fd)
            self.exit_fd = None
        self.process.kill()
        return self.process.wait()


class Guardian:
    """The process that ends all a run has started, at close and when this process is gone in whatever way."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.scratch = Path(tempfile.mkdtemp(prefix="evohpo-"))
        self._roots: set[int] = set()
        self._start()

    def check(self) -> None:
        """Start it again if somebody killed it."""
        if self.process.poll() is not None:
            self._start()

    def watch(self, pid: int) -> None:
        """Have it end this process with the run, and all that it started, even if none of them carries the run's mark."""
        self._roots.add(pid)
        self._tell([str(pid)])

    def forget(self, pid: int) -> None:
        """Say that a process has ended."""
        self._roots.discard(pid)

    def sweep(self, marks: Iterable[str]) -> None:
        """Have it end what processes with these marks left behind; does not wait: to look at all processes takes long."""
        self._tell(marks)

    def end(self) -> None:
        """Have it end what is left of the run and the temporary folder, and wait until that is done."""
        alone = self.process.poll() is not None
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            alone = self.process.wait(GUARDIAN_LIMIT) != 0 or alone
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            alone = True
        if alone:
            from evohpo.evaluators import tree

            tree.end(self.run, *self._roots)
            shutil.rmtree(self.scratch, ignore_errors=True)

    def _start(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - this Python runs a module of ours
            [*_command("guardian"), self.run, str(self.scratch), str(os.getpid())],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._tell(map(str, self._roots))

    def _tell(self, words: Iterable[str]) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # killed by somebody; the next one will be told
            self.process.stdin.write("".join(f"{word}\n" for word in words).encode())
            self.process.stdin.flush()


def how_it_died(code: int) -> str:
    """Return an exit code in words.

    >>> how_it_died(3), how_it_died(-11)
    ('exit code 3', 'killed by SIGSEGV')
    """
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _command(module: str) -> list[str]:
    """Return the start of a command line that runs `main` of one of our modules, wherever evohpo was imported from."""
    boot = (
        f"import sys; sys.path.insert(0, sys.argv[1]); from evohpo.evaluators.{module} import main; main(*sys.argv[2:])"
    )
    return [sys.executable, "-P", "-c", boot, ROOT]
