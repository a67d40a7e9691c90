"""Does a pruner keep its promises? It sees every report of a trial and says whether the trial goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.pruners import Decision
from evohpo.testing.outcome import Check, raise_failures, run_checks
from evohpo.trials import Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Make = Callable[[], Any]

STEPS = 27


def _run(make: Make, curves: list[list[float]]) -> list[list[Decision]]:
    """Return the decisions on trials with these curves of fitness, one trial after the other, each until it is not to go on."""
    pruner = make()
    decisions: list[list[Decision]] = []
    for number, curve in enumerate(curves):
        trial = Trial(number, {"number": number}, reports=[])
        decisions.append([])
        for step, value in enumerate(curve, 1):
            assert trial.reports is not None
            trial.reports.append((step, {"loss": value}))
            trial.steps = step
            decisions[-1].append(pruner.report(trial, step, (value,)))
            if decisions[-1][-1] is not Decision.CONTINUE:
                break
    return decisions


def _curves(n: int = 30) -> list[list[float]]:
    """Return learning curves that fall towards levels that differ, (n, STEPS)."""
    rng = np.random.default_rng(1)
    levels = rng.permutation(n) / n
    return [[float(level + 1.0 / step) for step in range(1, STEPS + 1)] for level in levels]


def decides(make: Make) -> None:
    """Every report is answered by a Decision."""
    for decision in (d for row in _run(make, _curves()) for d in row):
        assert isinstance(decision, Decision), f"it answered {decision!r}"


def alone(make: Make) -> None:
    """A trial alone in its study, that gets better, is not stopped."""
    stopped = Decision.STOP in _run(make, [[1.0 / step for step in range(1, STEPS + 1)]])[0][: STEPS - 1]
    assert not stopped, "the first trial was stopped, although there is none to compare it with"


def best_survives(make: Make) -> None:
    """A trial that is better than all others at every step is never stopped, whenever it comes."""
    for place in (0, 10, 29):
        curves = _curves()
        curves[place] = [-1.0 + 1.0 / step for step in range(1, STEPS + 1)]
        decisions = _run(make, curves)[place]
        assert Decision.STOP not in decisions[: STEPS - 1], (
            f"as trial {place} the best was stopped at step {len(decisions)}"
        )


def saves_steps(make: Make) -> None:
    """Of many trials whose curves never cross, the worse ones are not all run to the end."""
    steps = sum(len(row) for row in _run(make, _curves()))
    assert steps < 30 * STEPS, "no trial was stopped or paused"


def deterministic(make: Make) -> None:
    """The same reports are answered in the same way by another one made the same."""
    assert _run(make, _curves()) == _run(make, _curves()), "two pruners made the same decide differently"


def any_scale(make: Make) -> None:
    """Very small and very large values are survived, and equal ones."""
    for factor in (0.0, 1e-300, 1e300):
        _run(make, [[factor * value for value in curve] for curve in _curves()])


CHECKS: list[Check] = [decides, alone, best_survives, saves_steps, deterministic, any_scale]


def check_pruner(make: Make, *, expected: Mapping[str, str] | None = None) -> None:
    """Check that a pruner keeps its promises.

    Args:
        make: returns a new pruner; for one with options, `functools.partial(MyPruner, eta=3)`. Trials have 27 steps.
        expected: by name of a check, why it may fail.

    Raises:
        CheckFailed: names the first check that failed, and why.
    """
    raise_failures(run_checks(CHECKS, make, dict(expected or {})))
