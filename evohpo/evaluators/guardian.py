"""A process of its own that outlives the driver for a moment: it ends all workers and what they started.

It is told by the end of its standard input, whichever way the driver ended.
"""

from __future__ import annotations

import os
import select
import shutil
import sys

from evohpo.evaluators import tree

LOOK = 1.0  # seconds between looks at the parent: copies of the pipe in forked children of the driver keep it open


def main(mark: str, scratch: str, driver: str) -> None:
    """Wait for the end of process `driver`, then end the run `mark` and remove its folder `scratch`."""
    while os.getppid() == int(driver):
        if sys.platform == "win32":
            sys.stdin.buffer.read()
            break
        if select.select([0], [], [], LOOK)[0]:
            break
    tree.end(mark)
    shutil.rmtree(scratch, ignore_errors=True)
