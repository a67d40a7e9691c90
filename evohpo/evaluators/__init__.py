"""Evaluators: where trials run. Everything is loaded when first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evohpo.lazy import exports

if TYPE_CHECKING:
    from evohpo.evaluators.batched import Batched, BatchedInline
    from evohpo.evaluators.context import Context, TrialStopped
    from evohpo.evaluators.engines import Dask, Ray
    from evohpo.evaluators.inline import Inline
    from evohpo.evaluators.launchers import Launched, Launcher, Slurm, TorchX
    from evohpo.evaluators.metrics import NUMBER
    from evohpo.evaluators.processes import Processes
    from evohpo.evaluators.protocol import Evaluator, Event, Failed, Finished, Job, Paused, Reported, Started
    from evohpo.evaluators.script import Script
    from evohpo.evaluators.simulated import Simulated
    from evohpo.evaluators.tensorboard import TensorBoard
    from evohpo.evaluators.threads import Threads

__getattr__, __dir__ = exports(
    __name__,
    {
        "batched": ("Batched", "BatchedInline"),
        "context": ("Context", "TrialStopped"),
        "engines": ("Dask", "Ray"),
        "inline": ("Inline",),
        "launchers": ("Launched", "Launcher", "Slurm", "TorchX"),
        "metrics": ("NUMBER",),
        "processes": ("Processes",),
        "protocol": ("Evaluator", "Event", "Failed", "Finished", "Job", "Paused", "Reported", "Started"),
        "script": ("Script",),
        "simulated": ("Simulated",),
        "tensorboard": ("TensorBoard",),
        "threads": ("Threads",),
    },
)

__all__ = [
    "NUMBER", "Batched", "BatchedInline", "Context", "Dask", "Evaluator", "Event", "Failed", "Finished", "Inline", "Job",
    "Launched", "Launcher", "Paused", "Processes", "Ray", "Reported", "Script", "Simulated", "Slurm", "Started", "TensorBoard",
    "Threads", "TorchX", "TrialStopped",
]  # fmt: skip
