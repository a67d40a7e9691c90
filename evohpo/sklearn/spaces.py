"""Search spaces as users of scikit-learn write them: lists, also of objects, and SciPy's distributions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evohpo.errors import IllegalDefinition, UsageError
from evohpo.space import Categorical, Space, Static
from evohpo.space.parameters import Listed, Parameter

LONGEST_LABEL = 80  # characters of an object's repr


@dataclass(frozen=True)
class Searched:
    """What is searched: a space of plain values, and the objects that some of them stand for.

    Attributes:
        space: the space of the study.
        objects: by parameter, what its labels stand for: tuples, functions, estimators.

    Example:
        >>> searched = Searched.of({"hidden_layer_sizes": [(8,), (8, 8)], "alpha": [0.1, 1.0]})
        >>> searched.params({"alpha": 0.1, "hidden_layer_sizes": "(8, 8)"})
        {'alpha': 0.1, 'hidden_layer_sizes': (8, 8)}
    """

    space: Space
    objects: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Any) -> Searched:
        """Return what a space, or a dict of parameters, lists and distributions, means.

        A dict is taken in the order of its names, as scikit-learn does, unless it has conditional parameters, whose parents
        come first.

        Raises:
            UsageError: it is neither, or an entry cannot be searched; names the entry.
        """
        if isinstance(given, Space):
            return cls(given)
        if not isinstance(given, Mapping) or not given:
            raise UsageError(
                f"the space must be an evohpo.Space, or a dict of parameters, lists or distributions, not {given!r}"
                + ("; write a list of dicts as one space with conditional parameters" if given else "")
            )
        conditional = any(isinstance(p, Parameter) and p.when is not None for p in given.values())
        objects: dict[str, dict[str, Any]] = {}
        entries = {name: given[name] for name in (given if conditional else sorted(given))}
        for name, entry in entries.items():
            listed = isinstance(entry, list | tuple | np.ndarray)
            if isinstance(entry, Parameter) or (listed and all(map(_plain, entry))):
                continue
            if listed or not (_plain(entry) or isinstance(entry, range) or hasattr(entry, "rvs")):
                objects[name] = _labels(list(entry) if listed else [entry])
                entries[name] = list(objects[name])
            elif hasattr(entry, "rvs") and not hasattr(entry, "support"):
                raise IllegalDefinition(name, f"{entry!r} tells no bounds; give evohpo.Continuous or a list instead")
        return cls(Space.from_distributions(entries), objects)

    def params(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return a configuration with objects in place of their labels, for `set_params`."""
        return {name: self.objects[name][value] if name in self.objects else value for name, value in config.items()}

    def config(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the configuration that parameters of an estimator are, labels in place of objects."""
        return {
            name: next((label for label, o in self.objects[name].items() if o is value or _same(o, value)), value)
            if name in self.objects
            else value
            for name, value in params.items()
        }

    def resolution(self) -> dict[str, int]:
        """Return how many levels a full grid has in each parameter: of listed values all, else 10."""
        sizes = {name: self.space.parameters[name] for name in self.space.searched}
        return {name: p.cardinality if isinstance(p, Listed) else 10 for name, p in sizes.items()}

    def with_columns(self, n: int) -> Searched:
        """Return the space with one more choice for each of `n` columns: whether it is used. At least one is."""
        names = columns(n)
        genes: dict[str, Any] = {name: Categorical([True, False]) if n > 1 else Static(True) for name in names}
        if taken := genes.keys() & self.space.parameters.keys():
            raise UsageError(
                f"features=True: {min(taken)!r} is the name of a column's choice; it cannot be a parameter"
            )
        any_of = " or ".join(names)
        # longer ones do not parse; nor does chance leave all of so many columns out
        guard = [any_of] if n > 1 and len(any_of) < 1000 else []
        constraints = [constraint.text for constraint in self.space.constraints]
        return Searched(Space({**self.space.parameters, **genes}, [*constraints, *guard]), self.objects)


def columns(n: int) -> list[str]:
    """Return the names of the choices of `n` columns."""
    return [f"column_{i}" for i in range(n)]


def _plain(value: Any) -> bool:
    if isinstance(value, float | np.floating):
        return math.isfinite(value)
    return value is None or isinstance(value, str | int | np.integer | np.bool_)


def _labels(values: list[Any]) -> dict[str, Any]:
    texts = [" ".join(repr(value).split())[:LONGEST_LABEL] for value in values]
    unique = len(set(texts)) == len(texts)
    return {text if unique else f"{i}: {text}": values[i] for i, text in enumerate(texts)}


def _same(one: Any, other: Any) -> bool:
    try:
        return type(one) is type(other) and bool(one == other)
    except (TypeError, ValueError):  # arrays have no truth value
        return False
