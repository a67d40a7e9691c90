"""A trial: one configuration, what became of it, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Status(StrEnum):
    """Where a trial stands. The last three are ends: an ended trial never changes again."""

    WAITING = "waiting"  # proposed, not being evaluated by anybody now
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    STOPPED = "stopped"  # ended early by a pruner; its last report counts
    FAILED = "failed"


ENDS = frozenset({Status.COMPLETED, Status.STOPPED, Status.FAILED})


@dataclass(slots=True, eq=False)
class Trial:
    """One configuration on its way through a study. Users read it; only the study writes it.

    Attributes:
        number: position in the study, from 0.
        params: the hyperparameters, static ones included, inactive conditional ones absent.
        generation: the generation it was proposed in, from 0.
        status: see `Status`.
        metrics: what the objective measured, as it measured it.
        fitness: the objectives' values, all to be minimised; None until there is a result.
        violation: how far the outcome constraints are missed in total, each as a share of its bound; 0 where feasible.
        steps: the last step reported, 0 for an objective without steps.
        seconds: how long the evaluation took.
        worker: who evaluated it.
        job: the evaluator's name for it, or "reused 12" for a duplicate of trial 12.
        error: why it failed, one line; "" otherwise.
        kind: what kind of failure it was ("raised", "timeout", "value", ...), "" otherwise.
        traceback: the objective's traceback, "" where there is none.
        label: the user's name for it ("baseline", "initial", ...).
        reports: intermediate results, `(step, metrics)` in order.
        parents: numbers of the trials it descends from, where the optimizer tells.
        operator: how it was made from them, where the optimizer tells.
        x: `(dim,)` its chromosome; None for optimizers that propose configurations.
        asked: True if the optimizer proposed it, False if the user gave it.
        limit: the step at which the optimizer wants it ended; 0 for none.
        heir: number of the trial whose folder and steps it goes on from; -1 for none.
        repeats: number of the trial whose configuration it measures again; -1 for none.
        resumed: how it last went on after a pause or a restart: "suspended" (it had stayed in its worker's memory),
            "checkpoint" (it read `ctx.step` and went on from its folder), "re-run" (its earlier steps were run again); "".
    """

    number: int
    params: dict[str, Any]
    generation: int = 0
    status: Status = Status.WAITING
    metrics: dict[str, Any] = field(default_factory=dict)
    fitness: tuple[float, ...] | None = None
    violation: float = 0.0
    steps: int = 0
    seconds: float = 0.0
    worker: str = ""
    job: str = ""
    error: str = ""
    kind: str = ""
    traceback: str = ""
    label: str = ""
    reports: list[tuple[int, dict[str, Any]]] | None = None
    parents: tuple[int, ...] = ()
    operator: str = ""
    x: NDArray[np.float64] | None = None
    asked: bool = False
    limit: int = 0
    heir: int = -1
    repeats: int = -1
    resumed: str = ""

    @property
    def ended(self) -> bool:
        """Whether it has come to its end, good or bad."""
        return self.status in ENDS

    @property
    def failed(self) -> bool:
        """Whether it ended without a result."""
        return self.status is Status.FAILED

    @property
    def feasible(self) -> bool:
        """Whether it has a result that meets all outcome constraints."""
        return self.fitness is not None and self.violation == 0.0

    def __repr__(self) -> str:
        return f"Trial({self.number}, {self.status}, params={self.params}, metrics={self.metrics})"
