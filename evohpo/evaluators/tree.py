"""Finds and ends whole process trees: all descendants, and whoever carries a run's mark in its environment."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

import psutil

from evohpo.evaluators.surroundings import MARK

if TYPE_CHECKING:
    from collections.abc import Collection

PATIENCE = 10.0  # seconds after which processes that do not die (stuck in the kernel) are given up


def members(mark: str | Collection[str], *roots: int) -> list[psutil.Process]:
    """Return all living processes of a run or worker, or of several, except this one.

    They are those whose environment carries `mark` (a child that started a session of its own or lost its parents still
    does) and the processes `roots`, and all their descendants (also with an environment of their own).
    """
    marks = [mark] if isinstance(mark, str) else mark
    processes = {p.pid: p for p in psutil.process_iter(["ppid", "status"]) if p.info["status"] != psutil.STATUS_ZOMBIE}
    children: dict[int, list[int]] = {}
    for process in processes.values():
        children.setdefault(process.info["ppid"], []).append(process.pid)
    found: set[int] = set()
    ahead = [p.pid for p in processes.values() if p.pid in roots or _carries(p, marks)]
    while ahead:
        pid = ahead.pop()
        if pid not in found:
            found.add(pid)
            ahead += children.get(pid, [])
    return [processes[pid] for pid in sorted(found - {os.getpid()})]


def end(mark: str | Collection[str], *roots: int) -> None:
    """Kill all members, and those they start meanwhile, until two looks in a row find none."""
    until = time.monotonic() + PATIENCE
    quiet = 0
    while quiet < 2 and time.monotonic() < until:
        alive = members(mark, *roots)
        for process in alive:
            with contextlib.suppress(psutil.Error):
                process.kill()
        quiet = 0 if alive else quiet + 1
        time.sleep(0.005)


def memory(root: int) -> int:
    """Return the resident bytes of a process and all its descendants; shared pages count for each."""
    total = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(root)
        for member in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                total += member.memory_info().rss
    return total


def _carries(process: psutil.Process, marks: Collection[str]) -> bool:
    try:
        carried = process.environ().get(MARK, "")
    except (psutil.Error, OSError):  # gone, or somebody else's
        return False
    return any(c == mark or c.startswith(f"{mark}-") for c in carried.split(":") for mark in marks)
