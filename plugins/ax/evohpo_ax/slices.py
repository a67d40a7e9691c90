"""The surroundings in which Ax works for a study: seeded, on one thread, silent; nothing of it lasts."""

from __future__ import annotations

import logging
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from ax.utils.common.random import with_rng_seed

if TYPE_CHECKING:
    from collections.abc import Iterator

_ONE_AT_A_TIME = threading.RLock()  # torch's generators and threads, and filters of warnings, belong to the process


class _Silence(logging.Filter):
    """Drops what the thread that made it logs; other threads, with experiments of their own, are heard."""

    def __init__(self) -> None:
        super().__init__()
        self._here = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self._here


@contextmanager
def at_work(seed: int | None = None) -> Iterator[None]:
    """Let Ax work: every global generator seeded, torch on one thread, no log, no warnings; all as before afterwards.

    With more threads torch adds in another order, so that proposals would depend on the machine and its load.

    Args:
        seed: what the generators of random, numpy and torch begin with; None for work that draws nothing.
    """
    silence, handlers = _Silence(), list(logging.getLogger("ax").handlers)
    with _ONE_AT_A_TIME, warnings.catch_warnings(), with_rng_seed(seed):
        warnings.simplefilter("ignore")
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        for handler in handlers:
            handler.addFilter(silence)
        try:
            yield
        finally:
            for handler in handlers:
                handler.removeFilter(silence)
            torch.set_num_threads(threads)
