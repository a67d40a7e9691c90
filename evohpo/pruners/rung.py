"""A rung: the results of all trials at one step, and how many of them are ahead of a given one."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from evohpo.trials import pareto

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evohpo.pruners.protocol import Setting
    from evohpo.trials.trial import Trial

Value: TypeAlias = tuple[float, tuple[float, ...]]  # violation of the outcome constraints, fitness


def value_of(trial: Trial, fitness: Sequence[float] | float, setting: Setting) -> Value:
    """Return what a trial's last report is compared by."""
    goals = setting.goals
    violation = (
        goals.violation(trial.reports[-1][1]) if goals is not None and goals.constraints and trial.reports else 0.0
    )
    return violation, tuple(np.atleast_1d(fitness).tolist())


class Rung:
    """Results at one step.

    The order is: feasible ones first, then by the least violation; feasible ones by fitness, with several objectives by
    non-dominated fronts and within a front by crowding, the lonelier first (as in NSGA-II). Equal ones share their place.
    """

    def __init__(self) -> None:
        self.values: dict[int, Value] = {}
        self._sorted: list[tuple[float, float]] = []  # for a single objective
        self._places: dict[int, int] | None = None  # for several, until something is added

    def __len__(self) -> int:
        return len(self.values)

    def __contains__(self, number: int) -> bool:
        return number in self.values

    def add(self, number: int, value: Value) -> None:
        """Record the result of trial `number`; a later one of the same trial is ignored."""
        if number in self.values:
            return
        self.values[number] = value
        if len(value[1]) == 1:
            insort(self._sorted, (value[0], value[1][0]))
        self._places = None

    def ahead(self, number: int) -> int:
        """Return how many trials are strictly ahead of trial `number`."""
        violation, fitness = self.values[number]
        if len(fitness) == 1:
            return bisect_left(self._sorted, (violation, fitness[0]))
        if self._places is None:
            self._places = places(self.values)
        return self._places[number]

    def best_first(self, numbers: Iterable[int]) -> list[int]:
        """Return trials of this rung, the best first, equal ones in the order of their numbers."""
        return sorted(numbers, key=lambda n: (self.ahead(n), n))


def places(values: dict[int, Value]) -> dict[int, int]:
    """Return for each trial how many are strictly ahead of it, with several objectives."""
    numbers = list(values)
    violation = np.array([values[n][0] for n in numbers])
    F = np.array([values[n][1] for n in numbers])
    ranks = pareto.domination_ranks(F, violation)
    keys = np.column_stack([ranks, -pareto.crowding(F, ranks)])
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    same = np.r_[False, (keys[order][1:] == keys[order][:-1]).all(1)]
    place = np.arange(len(numbers))
    place[same] = 0
    place = np.maximum.accumulate(place)
    return {numbers[i]: int(p) for i, p in zip(order, place, strict=True)}
