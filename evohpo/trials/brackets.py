"""Rungs, the steps at which trials are compared, and brackets, how many trials come to each.

Reference: Jamieson, Talwalkar (2016), Non-stochastic best arm identification and hyperparameter optimization; Li, Jamieson,
DeSalvo, Rostamizadeh, Talwalkar (2018), Hyperband: A novel bandit-based approach to hyperparameter optimization.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise


def levels(min_steps: int, max_steps: int, eta: int) -> list[int]:
    """Return `min_steps * eta**k` below `max_steps`, and `max_steps`; in whole numbers, so that none is missed.

    >>> levels(1, 81, 3), levels(1, 56, 3), levels(1, 1000, 10)
    ([1, 3, 9, 27, 81], [1, 3, 9, 27, 56], [1, 10, 100, 1000])
    """
    steps = []
    step = min_steps
    while step < max_steps:
        steps.append(step)
        step *= eta
    return [*steps, max_steps]


@dataclass(frozen=True, slots=True)
class Bracket:
    """A number of trials, and how many of them are left at each rung.

    Attributes:
        rungs: the steps at which trials are compared, the last one is where they are complete.
        sizes: how many trials get there.
    """

    rungs: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def n(self) -> int:
        """How many trials it begins with."""
        return self.sizes[0]

    @property
    def steps(self) -> int:
        """The steps of all its trials together."""
        gains = [self.rungs[0], *(b - a for a, b in pairwise(self.rungs))]
        return sum(size * gain for size, gain in zip(self.sizes, gains, strict=True))


def halving(n: int, min_steps: int, max_steps: int, eta: int) -> Bracket:
    """Return successive halving of `n` trials: 1/eta of them go on to eta times the steps, down to one, or `max_steps`.

    >>> halving(10, 2, 50, 3)
    Bracket(rungs=(2, 6, 50), sizes=(10, 3, 1))
    """
    rungs, sizes = [min_steps], [n]
    while rungs[-1] < max_steps and sizes[-1] > 1:
        rungs.append(min(rungs[-1] * eta, max_steps))
        sizes.append(max(1, sizes[-1] // eta))
    rungs[-1] = max_steps
    return Bracket(tuple(rungs), tuple(sizes))


def plan(max_steps: int, min_steps: int = 1, eta: int = 3) -> list[Bracket]:
    """Return Hyperband's brackets, the one with the most trials and the fewest steps first.

    >>> [(b.n, b.rungs[0]) for b in plan(27)], sum(b.n for b in plan(27)), sum(b.steps for b in plan(27))
    ([(27, 1), (12, 3), (6, 9), (4, 27)], 49, 357)
    """
    s_max = 0
    while min_steps * eta ** (s_max + 1) <= max_steps:
        s_max += 1
    brackets = []
    for s in range(s_max, -1, -1):
        n = -(-(s_max + 1) * eta**s // (s + 1))  # rounded up
        rungs = tuple(max_steps // eta ** (s - i) for i in range(s + 1))
        brackets.append(Bracket(rungs, tuple(n // eta**i for i in range(s + 1))))
    return brackets
