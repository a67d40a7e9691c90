"""Silence for Optuna's own log while a sampler or pruner works for a study, without touching the user's verbosity."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Silence(logging.Filter):
    """Drops records of threads that asked for it; other threads, with studies of Optuna itself, are heard."""

    def __init__(self) -> None:
        super().__init__()
        self.here = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002
        return not getattr(self.here, "on", False)


_silence = _Silence()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the handlers of the logger "optuna" from printing what this thread logs."""
    for handler in logging.getLogger(
        "optuna"
    ).handlers:  # they may be replaced at any time; adding twice is adding once
        handler.addFilter(_silence)
    before, _silence.here.on = getattr(_silence.here, "on", False), True
    try:
        yield
    finally:
        _silence.here.on = before
