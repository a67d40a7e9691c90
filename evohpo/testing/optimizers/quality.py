"""What an optimizer makes of what it learns."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.testing.optimizers.helpers import complete
from evohpo.testing.problems import cube, search, sphere

if TYPE_CHECKING:
    from evohpo.testing.outcome import Check

SEEDS = 5


def two_objectives(optimizer: Any) -> None:
    """A problem of two objectives is searched."""
    study = search(
        optimizer, lambda p: {"a": p["x0"] ** 2 + p["x1"] ** 2, "b": (p["x0"] - 1) ** 2 + p["x1"] ** 2}, cube(2),
        trials=80, minimize=["a", "b"],
    )  # fmt: skip
    complete(study)
    assert study.front(), "there is no front"


def outcome_constraint(optimizer: Any) -> None:
    """A problem with an outcome constraint is searched, and ends feasible."""
    study = search(
        optimizer, lambda p: {"loss": sphere(p), "seconds": p["x0"]}, cube(2), trials=80, constraints=["seconds <= 0"]
    )
    complete(study)
    assert study.best.feasible, "half of the space is feasible, and 80 trials found nothing there"


def right_way(optimizer: Any) -> None:
    """It does not go the wrong way: its last trials on a sphere are no worse than random ones, in the median."""
    losses = [t.fitness[0] for t in search(optimizer, sphere, cube(4), trials=200).trials if t.fitness]
    random = [t.fitness[0] for t in search("random", sphere, cube(4), trials=200).trials if t.fitness]
    last, typical = float(np.median(losses[-60:])), float(np.median(random))
    assert last < 1.5 * typical, f"the last trials have a loss of {last:.3g}, random ones {typical:.3g}: F is minimised"


def better_than_nothing(optimizer: Any) -> None:
    """In 200 trials on an 8-D sphere it gets closer than random search, in the median of five seeds."""
    got, random_search = _typical(optimizer), _by_random_search()
    assert got < random_search, f"median {got:.4g}, random search {random_search:.4g}"


def _typical(optimizer: Any) -> float:
    studies = [search(optimizer, sphere, cube(8), trials=200, seed=seed) for seed in range(SEEDS)]
    return float(np.median([sphere(s.best.params) for s in studies]))


@cache
def _by_random_search() -> float:
    return _typical("random")


CHECKS: list[Check] = [two_objectives, outcome_constraint, right_way, better_than_nothing]
