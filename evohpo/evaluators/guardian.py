"""A process of its own that outlives the driver for a moment: it ends all workers and what they started.

It is told by the end of its standard input, whichever way the driver ended.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import sys

import psutil

from evohpo.evaluators import tree

LOOK = 1.0  # seconds between looks at the parent: copies of the pipe in forked children of the driver keep it open


def main(mark: str, scratch: str, driver: str) -> None:
    """Wait for the end of process `driver`, then end the run `mark` and remove its folder `scratch`.

    On standard input come, one a line, the numbers of processes that may lose the mark, and marks of processes of the run
    that have ended: what those left behind ends now.
    """
    roots: list[psutil.Process] = []
    rest = b""
    while True:
        gone = os.getppid() != int(driver)
        if sys.platform != "win32" and not select.select([0], [], [], 0.0 if gone else LOOK)[0]:
            if gone:
                break
            continue
        said = os.read(0, 1 << 16)
        if not said:
            break
        *lines, rest = (rest + said).split(b"\n")
        ended = [line.decode() for line in lines if not line.isdigit()]
        if ended and tree.members(ended):
            tree.end(ended)
        for line in filter(bytes.isdigit, lines):
            with contextlib.suppress(psutil.Error):  # ended already
                roots.append(psutil.Process(int(line)))
        roots = [process for process in roots if process.is_running()]  # a number may be given out again
    tree.end(mark, *(process.pid for process in roots if process.is_running()))
    shutil.rmtree(scratch, ignore_errors=True)
