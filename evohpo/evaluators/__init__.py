"""Evaluators: where trials run. Everything is loaded when first asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evohpo.evaluators.batched import Batched, BatchedInline
    from evohpo.evaluators.context import Context, TrialStopped
    from evohpo.evaluators.inline import Inline
    from evohpo.evaluators.processes import Processes
    from evohpo.evaluators.protocol import Evaluator, Event, Failed, Finished, Job, Paused, Reported, Started
    from evohpo.evaluators.simulated import Simulated
    from evohpo.evaluators.threads import Threads

_HOMES = {
    "batched": ("Batched", "BatchedInline"),
    "context": ("Context", "TrialStopped"),
    "inline": ("Inline",),
    "processes": ("Processes",),
    "protocol": ("Evaluator", "Event", "Failed", "Finished", "Job", "Paused", "Reported", "Started"),
    "simulated": ("Simulated",),
    "threads": ("Threads",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Batched", "BatchedInline", "Context", "Evaluator", "Event", "Failed", "Finished", "Inline", "Job", "Paused",
    "Processes", "Reported", "Simulated", "Started", "Threads", "TrialStopped",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
