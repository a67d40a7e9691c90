"""Parameters from lists and frozen SciPy distributions, by their looks: SciPy itself is not imported."""

from __future__ import annotations

from typing import Any

import numpy as np

from evohpo.errors import IllegalDefinition
from evohpo.space.parameters import Categorical, Continuous, Integer, Ordinal, Parameter


def parameter_of(name: str, given: Any) -> Any:
    """Return the parameter that an entry of `param_distributions` means.

    A list of more than two different numbers keeps its order; any other list is a choice. `randint` excludes its upper
    end, as SciPy does. What has no bounds cannot be searched.

    Raises:
        IllegalDefinition: a distribution that is not bounded, or not known.
    """
    if isinstance(given, Parameter):
        return given
    if isinstance(given, list | tuple | np.ndarray | range):
        values = [v.item() if isinstance(v, np.generic) else v for v in given]
        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
        if len(values) == 1:
            return values[0]
        return Ordinal(sorted(values)) if numbers and len(values) > 2 else Categorical(values)
    kind = getattr(getattr(given, "dist", None), "name", None)
    if kind is None:
        return given
    low, high = (float(end) for end in given.support())
    if kind in ("loguniform", "reciprocal"):
        return Continuous(low, high, scale="log")
    if kind == "uniform":
        return Continuous(low, high)
    if kind == "randint":
        return Integer(int(low), int(high))
    if not np.isfinite([low, high]).all():
        raise IllegalDefinition(name, f"the distribution {kind!r} has no bounds; give Continuous(low, high) instead")
    raise IllegalDefinition(
        name, f"the distribution {kind!r} is not known; give Continuous, Integer, uniform, loguniform or randint"
    )
