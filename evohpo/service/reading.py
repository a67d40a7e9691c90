"""Reading a study while its own thread, and no other, changes it."""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any

from evohpo.service.leases import Closing, waiting

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from concurrent.futures import Future

    from evohpo.study import Study
    from evohpo.trials.trial import Trial


class Questions:
    """What is to be read of a study, until its thread has the time.

    Args:
        changed: the lock, notified when there is a question.

    Attributes:
        open: whether there is a study to be read.
    """

    def __init__(self, changed: threading.Condition) -> None:
        self.open = False
        self._changed = changed
        self._waiting: deque[tuple[Callable[[Study], Any], Future[Any]]] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def ask(self, read: Callable[[Study], Any]) -> Future[Any]:
        """Return what will be what `read` returns.

        Raises:
            Closing: there is no study any more, or none yet.
        """
        with self._changed:
            if not self.open:
                raise Closing("the study is not running")
            future = waiting()
            self._waiting.append((read, future))
            self._changed.notify_all()
            return future

    def answer(self, study: Study) -> None:
        """Read, on the thread of the study."""
        while self._waiting:
            read, future = self._waiting.popleft()
            try:
                future.set_result(read(study))
            except Exception as error:  # noqa: BLE001 - who asked gets it
                future.set_exception(error)

    def close(self) -> None:
        """Let nobody wait any more."""
        self.open = False
        while self._waiting:
            self._waiting.popleft()[1].set_exception(Closing("the study is not running"))


def state(study: Study) -> dict[str, Any]:
    """Return where a study stands."""
    front = study.front()
    best = study.ledger.best
    return {
        "name": study.name,
        "optimizer": study.optimizer,
        "seed": study.seed,
        "goals": study.goals.to_dict(),
        "space": json.loads(study.space.to_json()),
        "trials": len(study.trials),
        "counts": {str(status): count for status, count in study.ledger.counts.items()},
        "best": None if best is None else _row(best),
        "front": [trial.number for trial in front],
        "seconds": study.seconds,
    }


def page(study: Study, offset: int, limit: int) -> dict[str, Any]:
    """Return `limit` rows of the table of trials."""
    rows = [_row(trial) for trial in study.trials[offset : offset + limit]]
    return {"total": len(study.trials), "offset": offset, "trials": rows}


def _row(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "generation": trial.generation,
        "status": str(trial.status),
        "params": dict(trial.params),
        "metrics": dict(trial.metrics),
        "violation": trial.violation,
        "steps": trial.steps,
        "seconds": trial.seconds,
        "worker": trial.worker,
        "error": trial.error,
        "label": trial.label,
    }
