"""The built-in problems by name: `rastrigin/5`, `mixed-sphere/10/3`, `zdt1`, `digits-svm`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from evohpo.bench.problems import analytic
from evohpo.bench.problems.fronts import NAMES, front
from evohpo.bench.problems.landscapes import LANDSCAPES, QUADRATIC
from evohpo.bench.problems.models import digits
from evohpo.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from evohpo.bench.problems.problem import Problem

SIZED: dict[str, Callable[..., Problem]] = {
    **{name: partial(analytic.continuous, name) for name in LANDSCAPES},
    **{f"axes-{name}": partial(analytic.continuous, name, rotated=False) for name in LANDSCAPES},
    **{f"mixed-{name}": partial(analytic.mixed, name) for name in LANDSCAPES},
    **{f"conditional-{name}": partial(analytic.conditional, name) for name in LANDSCAPES},
    **{f"noisy-{name}": partial(analytic.noisy, name) for name in LANDSCAPES},
    **{f"constrained-{name}": partial(analytic.constrained, name) for name in QUADRATIC},
}
PLAIN: dict[str, Callable[[], Problem]] = {
    **{name: partial(front, name) for name in NAMES},
    **{f"digits-{model}": partial(digits, model) for model in ("mlp", "svm", "forest")},
}
FAMILIES = {
    "axes-": "not turned: every parameter can be searched alone, where the landscape allows it",
    "mixed-": "categories, ordinals, integers and continuous parameters",
    "conditional-": "a choice of three branches with parameters of their own",
    "noisy-": "measured with noise, judged without",
    "constrained-": "with an outcome constraint that the optimum just meets; sphere, ellipsoid, discus and bent-cigar only",
}


def names() -> list[str]:
    """Return all names that `get` knows, without dimension and instance."""
    return [*SIZED, *PLAIN]


def get(name: str) -> Problem:
    """Return a built-in problem.

    Args:
        name: for landscapes `name`, `name/dim` or `name/dim/instance`, such as "rastrigin/20/3"; others have a name alone.

    Raises:
        UnknownName: there is none of that name.
        UsageError: dimension or instance is no number or too small, or the problem has none.

    Example:
        >>> get("rastrigin/20/3")
        Problem('rastrigin/20/3', minimize loss, 20 parameters)
    """
    base, *numbers = name.split("/")
    if base in PLAIN and not numbers:
        return PLAIN[base]()
    if base in PLAIN:
        raise UsageError(f"problem {name!r}: {base} has its own size; write {base}")
    if base not in SIZED:
        raise UnknownName("problem", base, names())
    if len(numbers) > 2 or not all(n.isdecimal() for n in numbers):
        raise UsageError(f"problem {name!r}: write {base}/DIM or {base}/DIM/INSTANCE, such as {base}/5/1")
    return SIZED[base](*map(int, numbers))
