"""Parameters from lists and frozen SciPy distributions, by their looks: SciPy itself is not imported."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from evohpo.errors import IllegalDefinition
from evohpo.space.numeric import Continuous, Integer
from evohpo.space.parameters import Categorical, Ordinal, Parameter, Static


def parameter_of(name: str, given: Any) -> Any:
    """Return the parameter that an entry of `param_distributions` means.

    More than two numbers in a list are ordinal, in the order given; any other list is a choice, of one value none. A
    `range` is a whole number with a step. `randint` excludes its upper end, as SciPy does. Of other distributions with
    bounds the bounds are taken; what has none cannot be searched.

    Raises:
        IllegalDefinition: a distribution without bounds.
    """
    if isinstance(given, Parameter):
        return given
    if isinstance(given, range) and len(given) > 2:
        return Integer(min(given[0], given[-1]), max(given[0], given[-1]), step=abs(given.step))
    if isinstance(given, list | tuple | range | np.ndarray):
        values = given.tolist() if isinstance(given, np.ndarray) else list(given)
        if len(values) == 1:
            return Static(values[0])
        numbers = all(isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in values)
        return Ordinal(values) if numbers and len(values) > 2 else Categorical(values)
    if not hasattr(given, "dist") or not hasattr(given, "support"):
        return given
    return _bounded(name, given, given.dist.name)


def _bounded(name: str, given: Any, kind: str) -> Any:
    low, high = (float(end) for end in given.support())
    if not math.isfinite(low) or not math.isfinite(high):
        raise IllegalDefinition(name, f"the distribution {kind!r} has no bounds; give Continuous(low, high) instead")
    if hasattr(given, "pmf"):  # a discrete one
        return Integer(int(low), int(high)) if low < high else int(low)
    if kind in ("loguniform", "reciprocal"):
        if not math.isclose(float(given.ppf(0.5)), math.sqrt(low * high), rel_tol=1e-6):
            raise IllegalDefinition(
                name, f"a shifted {kind!r} is on no scale there is; give Continuous(low, high, scale='log') instead"
            )
        return Continuous(low, high, scale="log")
    return Continuous(low, high)
