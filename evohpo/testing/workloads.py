"""What evaluators are given to run by their checks: functions, and a command that runs the same functions.

`python -m evohpo.testing.workloads` runs the function that the parameter "objective" of its trial names, and tells what it
returns or yields with `evohpo.report`.
"""

from __future__ import annotations

import inspect
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import evohpo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

COMMAND = (sys.executable, "-m", "evohpo.testing.workloads")


def number(params: Mapping[str, Any]) -> float:
    """Return twice x."""
    return 2.0 * float(params["x"])


def double(params: Mapping[str, Any]) -> dict[str, float]:
    """Return twice x as loss."""
    return {"loss": number(params)}


def raising(params: Mapping[str, Any]) -> dict[str, float]:
    """Raise for every other x."""
    if params["x"] % 2:
        raise ValueError(f"x = {params['x']} is odd")
    return double(params)


def stepping(params: Mapping[str, Any]) -> Iterator[dict[str, float]]:
    """Yield x + 1, x + 2, ..., x + 5."""
    for step in range(1, 6):
        yield {"loss": float(params["x"] + step)}


def telling(params: Mapping[str, Any], ctx: Any) -> dict[str, float]:
    """Return what the context says of the trial."""
    ctx.directory.mkdir(parents=True, exist_ok=True)
    (ctx.directory / "note.txt").write_text(str(ctx.number))
    return {"loss": float(params["x"]), "number": float(ctx.number), "seed": float(ctx.seed)}


def endless(params: Mapping[str, Any]) -> Iterator[dict[str, float]]:
    """Yield for ever."""
    step = 0
    while True:
        step += 1
        time.sleep(0.005)
        yield {"loss": float(params["x"] + step)}


def slow(params: Mapping[str, Any]) -> dict[str, float]:
    """Take two seconds."""
    time.sleep(2)
    return double(params)


def process(params: Mapping[str, Any]) -> dict[str, float]:  # noqa: ARG001 - it depends on none
    """Return the number of the process."""
    return {"loss": float(os.getpid())}


def crashing(params: Mapping[str, Any]) -> dict[str, float]:  # noqa: ARG001 - it depends on none
    """End the whole process."""
    os._exit(3)


def killed_once(params: Mapping[str, Any], ctx: Any) -> Iterator[dict[str, float]]:
    """Yield as `stepping` does, but let the process be killed from outside at the third step, the first time."""
    killed = ctx.directory / "killed"
    for step, metrics in enumerate(stepping(params), 1):
        if step == 3 and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        yield metrics


WORKLOADS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        number, double, raising, stepping, telling, endless, slow, process, crashing, killed_once,
    )
}  # fmt: skip


def main() -> None:
    """Run the objective of the trial that this process runs for."""
    trial = evohpo.trial()
    objective = WORKLOADS[trial.params["objective"]]
    takes_context = len(inspect.signature(objective).parameters) > 1
    result = objective(trial.params, trial) if takes_context else objective(trial.params)
    if isinstance(result, dict):
        evohpo.report(**result)
        return
    for step, metrics in enumerate(result, 1):
        evohpo.report(step, **metrics)


if __name__ == "__main__":
    main()
