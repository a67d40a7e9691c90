"""What the processes of trials find around them: their mark, their share of the cores."""

from __future__ import annotations

import os

MARK = "EVOHPO_RUN"  # by which `tree` finds processes: "<run>-<worker>", inner runs after outer ones, joined by ":"
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
)


def environment(mark: str, threads: int | None, share: int) -> dict[str, str]:
    """Return this process's environment with a mark for `tree` and a number of native threads.

    Args:
        mark: what the process and its children are known by.
        threads: how many threads it may use; None for its share, or fewer where the environment says so.
        share: cores a process, at least 1.
    """
    environment = dict(os.environ)
    outer = environment.get(MARK)
    environment[MARK] = f"{outer}:{mark}" if outer else mark
    for name in THREADS:
        wanted = environment.get(name, "")
        if threads is not None:
            environment[name] = str(threads)
        elif not wanted:
            environment[name] = str(share)
        elif wanted.isdecimal():  # else a list for nested levels: the user knows
            environment[name] = str(min(int(wanted), share))
    return environment


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def size(count: float) -> str:
    """Return bytes for people.

    >>> size(1_230_000_000), size(64e6)
    ('1.23 GB', '64 MB')
    """
    return f"{count / 1e9:.3g} GB" if count >= 1e9 else f"{count / 1e6:.3g} MB"
