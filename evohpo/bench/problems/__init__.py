"""Problems to compare optimizers on: analytic ones with known optimum, real ones, and tables of one's own.

Examples:
    >>> from evohpo.bench import problems
    >>> problems.get("mixed-rastrigin/10")
    Problem('mixed-rastrigin/10', minimize loss, 10 parameters)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evohpo.lazy import exports

if TYPE_CHECKING:
    from evohpo.bench.problems.analytic import conditional, constrained, continuous, mixed, noisy
    from evohpo.bench.problems.catalogue import get, names
    from evohpo.bench.problems.fronts import front
    from evohpo.bench.problems.models import digits
    from evohpo.bench.problems.problem import Problem
    from evohpo.bench.problems.tables import recorded

__getattr__, __dir__ = exports(
    __name__,
    {
        "analytic": ("conditional", "constrained", "continuous", "mixed", "noisy"),
        "catalogue": ("get", "names"),
        "fronts": ("front",),
        "models": ("digits",),
        "problem": ("Problem",),
        "tables": ("recorded",),
    },
)

__all__ = [
    "Problem", "conditional", "constrained", "continuous", "digits", "front", "get", "mixed", "names", "noisy", "recorded",
]  # fmt: skip
