"""What an optimizer survives: failures, extremes, results in any order, points it never asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import evohpo as eh
from evohpo.errors import OptimizerError
from evohpo.testing.optimizers.helpers import complete
from evohpo.testing.outcome import USUAL, Case, Check, Inapplicable
from evohpo.testing.problems import brittle, cube, drive, measure, search, sphere

if TYPE_CHECKING:
    from collections.abc import Mapping


def told_arrays(optimizer: Any, case: Case = USUAL) -> None:
    """What it is told is read, not written to."""
    try:
        search(optimizer, sphere, cube(case.dim), case.trials, case.seed)
    except OptimizerError as error:
        if "read-only" in str(error):
            raise
        raise Inapplicable("it cannot be told, see the other checks") from error


def failures(optimizer: Any) -> None:
    """Three failed trials in ten, by exception or NaN, do no harm."""
    study = search(optimizer, brittle, cube(4), trials=80)
    complete(study)
    assert study.ledger.succeeded, "no trial succeeded"


def failure_at_the_end(optimizer: Any) -> None:
    """A failure at the end of a generation does not block the next one."""
    study = eh.Study(cube(4), minimize="loss", optimizer=optimizer, seed=1, duplicates="evaluate")
    study.begin(budget=80, workers=1)
    while len(study.trials) < 80 and (asked := study.ask(100)):
        measure(study, sphere, asked[:-1])
        study.tell(asked[-1], error="out of memory")
    assert study.done or len(study.trials) >= 80, (
        f"after {len(study.trials)} trials, the last one failed, it proposes nothing more"
    )


def only_failures(optimizer: Any) -> None:
    """Generations of nothing but failures are survived."""

    def broken(params: Mapping[str, Any]) -> float:
        raise ArithmeticError(f"nothing works with {params}")

    study = search(optimizer, broken, cube(4), trials=50, duplicates="evaluate")
    drive(study, sphere, 80)
    assert study.done or study.ledger.succeeded == 30, "it did not go on after the failures"


def constant_fitness(optimizer: Any) -> None:
    """A fitness that is the same everywhere is survived."""
    complete(search(optimizer, lambda _: 1.0, cube(4), trials=80))


def extreme_fitness(optimizer: Any) -> None:
    """Fitness values from -1e300 to 1e300 are survived."""
    complete(search(optimizer, lambda p: 1e300 * p["x0"], cube(4), trials=80))


def out_of_order(optimizer: Any) -> None:
    """Results in another order than the proposals are taken."""
    study = eh.Study(cube(4), minimize="loss", optimizer=optimizer, seed=1)
    while len(study.trials) < 60 and (asked := study.ask(7)):
        measure(study, sphere, asked[::-1])
    complete(study)


def baseline(optimizer: Any) -> None:
    """Results that it never asked for are taken, before the start and in the middle."""
    study = eh.Study(cube(2), minimize="loss", optimizer=optimizer, seed=1)
    study.attach({"x0": 0.5, "x1": 0.5}, {"loss": 0.08}, label="before")
    drive(study, sphere, 30)
    study.attach({"x0": 0.25, "x1": 0.25}, {"loss": 0.005}, label="later")
    complete(drive(study, sphere, 60))


CHECKS: list[Check] = [
    told_arrays, failures, failure_at_the_end, only_failures, constant_fitness, extreme_fitness, out_of_order, baseline
]  # fmt: skip
