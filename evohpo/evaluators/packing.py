"""Makes parcels of what a worker needs: objectives once, parameters for every trial."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

from evohpo.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from evohpo.evaluators.protocol import Job

PLAIN = {str, int, float, bool, type(None)}


def pack_objective(objective: Callable[..., Any]) -> bytes:
    """Pickle an objective; what belongs to a script or a notebook goes with its code.

    Raises:
        UsageError: it holds something that belongs to this process.
    """
    import cloudpickle

    try:
        return cloudpickle.dumps(objective)  # type: ignore[no-any-return]
    except Exception as error:
        raise UsageError(
            f"the objective cannot be sent to another process ({type(error).__name__}: {error}); "
            "open files, locks and connections inside it, or run it with evaluator=Threads(...)"
        ) from error


def pack_details(job: Job) -> bytes:
    """Pickle a job's parameters and resources.

    Raises:
        UsageError: one of them belongs to this process.
    """
    content = dict(job.params), dict(job.resources)
    if not content[1] and all(type(v) in PLAIN for v in content[0].values()):
        return pickle.dumps(content)
    import cloudpickle  # slower, but knows the classes of scripts

    try:
        return cloudpickle.dumps(content)  # type: ignore[no-any-return]
    except Exception as error:
        raise UsageError(f"the parameters of trial {job.number} cannot be sent to another process: {error}") from error
