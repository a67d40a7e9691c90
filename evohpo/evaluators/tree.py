"""Finds and ends whole process trees: all descendants, and whoever carries a run's mark in its environment."""

from __future__ import annotations

import contextlib
import os
import time

import psutil

MARK = "EVOHPO_RUN"  # environment variable of workers: "<run>-<worker>", inner runs after outer ones, joined by ":"
PATIENCE = 10.0  # seconds after which processes that do not die (stuck in the kernel) are given up


def members(mark: str, root: int | None = None) -> list[psutil.Process]:
    """Return all living processes of a run or worker, except this one.

    They are those whose environment carries `mark` (a child that started a session of its own or lost its parents still
    does) and the process `root`, and all their descendants (also with an environment of their own).
    """
    processes = {p.pid: p for p in psutil.process_iter(["ppid", "status"]) if p.info["status"] != psutil.STATUS_ZOMBIE}
    children: dict[int, list[int]] = {}
    for process in processes.values():
        children.setdefault(process.info["ppid"], []).append(process.pid)
    found: set[int] = set()
    ahead = [p.pid for p in processes.values() if p.pid == root or _carries(p, mark)]
    while ahead:
        pid = ahead.pop()
        if pid not in found:
            found.add(pid)
            ahead += children.get(pid, [])
    return [processes[pid] for pid in sorted(found - {os.getpid()})]


def end(mark: str, root: int | None = None) -> None:
    """Kill all members, and those they start meanwhile, until two looks in a row find none."""
    until = time.monotonic() + PATIENCE
    quiet = 0
    while quiet < 2 and time.monotonic() < until:
        alive = members(mark, root)
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


def _carries(process: psutil.Process, mark: str) -> bool:
    try:
        marks = process.environ().get(MARK, "")
    except (psutil.Error, OSError):  # gone, or somebody else's
        return False
    return any(m == mark or m.startswith(f"{mark}-") for m in marks.split(":"))
