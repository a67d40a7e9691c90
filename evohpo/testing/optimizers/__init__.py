"""The checks of an optimizer, by subject."""

from evohpo.testing.optimizers import cost, dependence, proposals, quality, survival
from evohpo.testing.outcome import Check

CHECKS: list[Check] = [
    *proposals.CHECKS, *dependence.CHECKS, *survival.CHECKS, *cost.CHECKS, *quality.CHECKS
]  # fmt: skip
"""In the order in which they run: what everything rests on first."""

KNOWN = {
    "random": {"better_than_nothing": "it is random search"},
    "sobol": {"better_than_nothing": "it is random search, spread evenly"},
    "grid": {
        "better_than_nothing": "it looks at every corner in turn",
        "right_way": "it looks at every corner in turn",
        "another_seed": "a grid has nothing to draw",
        "sixty_genes": "a grid of 60 genes has more points than atoms",
        "two_hundred_genes": "a grid of 200 genes has more points than atoms",
    },
}
"""By name of a built-in optimizer, the checks that it may fail, and why."""

__all__ = ["CHECKS", "KNOWN"]
