"""Serving a study: the loop, with workers that come over HTTP."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from evohpo.driver import run
from evohpo.service.evaluator import HTTP

if TYPE_CHECKING:
    from collections.abc import Callable

    from evohpo.study import Study

BUDGETS = ("trials", "generations", "timeout", "stop")


def serve(
    study: Study, *, host: str = "127.0.0.1", port: int = 0, token: str | None = None, lease: float = 60.0,
    workers: int | None = None, retries: int = 2, trial_timeout: float | None = None,
    started: Callable[[HTTP], None] | None = None, **arguments: Any,
) -> Study:  # fmt: skip
    """Give the trials of `study` to whoever asks for them over HTTP, until its budget is spent or Ctrl-C comes.

    It is `study.run(None, evaluator=HTTP(...))`, and says where it listens. A study with a store can be served again: trials
    that workers had when the server ended are given out anew.

    Args:
        study: made by `Study(...)`, or brought back by `load`.
        host: where to listen; "0.0.0.0" lets other machines in.
        port: 0 takes any free one.
        token: what workers have to show; made where other machines can reach `host`.
        lease: seconds after which a silent worker's trial is given to another.
        workers: trials that are out at once; None for as many as workers ask for.
        retries: how often a lost trial is given to another worker, before it fails.
        trial_timeout: seconds a worker may take for a trial.
        started: called with the evaluator, which has `url` and `token`, when it listens; by default they are shown.
        **arguments: `trials`, `generations`, `timeout`, `stop`, `callbacks`, `progress`, as for `tune`. Without a budget it is
            served until Ctrl-C.

    Returns:
        The study.

    Raises:
        UsageError: an argument that makes no sense, a port that cannot be listened on, a library is missing.

    Example:
        eh.serve(eh.Study(space, maximize="accuracy", optimizer="ga", store="study.db"), port=8000, trials=100)
    """  # fmt: skip
    if all(arguments.get(name) is None for name in BUDGETS):
        arguments["stop"] = _never
    evaluator = HTTP(host, port, token=token, lease=lease, workers=workers, retries=retries, timeout=trial_timeout)
    try:
        (started or _show)(evaluator)
        return run(study, None, evaluator=evaluator, **arguments)
    finally:
        evaluator.close()


def _never(study: Study) -> bool:  # noqa: ARG001 - a rule is asked with the study
    return False


def _show(evaluator: HTTP) -> None:
    token = f", token {evaluator.token}" if evaluator.token is not None else ""
    sys.stderr.write(f"Workers ask at {evaluator.url}{token}\n")
