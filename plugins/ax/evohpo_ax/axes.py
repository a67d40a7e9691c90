"""A space as Ax sees it: a parameter of Ax for each that is searched, and the way from values to Ax's and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from ax.core.parameter import ChoiceParameter, FixedParameter, Parameter, ParameterType, RangeParameter
from ax.core.search_space import SearchSpace

from evohpo.errors import IllegalValue, UsageError
from evohpo.space import Categorical, Continuous, Integer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evohpo.space import Space

NARROW = 1e-4  # of a range: Ax refuses widths below 1.5e-5
MANY = 10_000  # Ax makes a list of all values of a whole number


@dataclass(frozen=True, slots=True)
class Axis:
    """One parameter as Ax sees it.

    Attributes:
        parameter: the parameter of the space.
        ax: the parameter of Ax.
        code: what Ax's value stands for: the "value" itself, the "index" of the value, or its "gene" in [0, 1].
    """

    parameter: Any
    ax: Parameter
    code: Literal["value", "index", "gene"]

    def encode(self, value: Any) -> Any:
        """Return a legal value as Ax has it."""
        if self.code == "value":
            return self.ax.cast(value)
        gene = self.parameter.gene(value)
        return int(gene * self.parameter.cardinality) if self.code == "index" else gene

    def decode(self, given: Any) -> Any:
        """Return what Ax gave as the parameter's value; raise ValueError with the reason where it is none."""
        if self.code == "value":
            if isinstance(self.ax, RangeParameter):  # 10**log10(x) may be past x by rounding
                given = self.ax.cast(min(max(given, self.ax.lower), self.ax.upper))
            return self.parameter.canonical(given)
        u = (given + 0.5) / self.parameter.cardinality if self.code == "index" else given
        return self.parameter.read(np.array([u], float)).tolist()[0]


def axis(name: str, parameter: Any) -> Axis:
    """Return a searched parameter as Ax sees it.

    Linear and log ranges are themselves. What lists its values or has steps is the index of its value, of categories
    without an order. The rest are genes: other scales, log scales with steps, and ranges that are too narrow for Ax or
    have too many whole numbers.

    Example:
        >>> from evohpo.space import Ordinal
        >>> batch_size = axis("batch_size", Ordinal([32, 64, 128, 256]).checked("batch_size"))
        >>> batch_size.ax.values, batch_size.ax.is_ordered, batch_size.encode(64), batch_size.decode(3)
        ([0, 1, 2, 3], True, 1, 256)
    """
    p, k, whole = parameter, parameter.cardinality, isinstance(parameter, Integer)
    plain = isinstance(p, Continuous | Integer) and p.step in (None, 1) and p.scale in ("linear", "log")
    if plain and p.high - p.low >= NARROW and k <= MANY:
        kind = ParameterType.INT if whole else ParameterType.FLOAT
        return Axis(p, RangeParameter(name, kind, p.low, p.high, log_scale=p.scale == "log"), "value")
    if k == 1:
        return Axis(p, FixedParameter(name, ParameterType.INT, 0), "index")
    if isinstance(p, Categorical) or 0 < k <= MANY:
        ordered = not isinstance(p, Categorical)
        indices: Any = list(range(k))
        choice = ChoiceParameter(
            name, ParameterType.INT, indices, is_ordered=ordered, sort_values=True, bypass_cardinality_check=True
        )
        return Axis(p, choice, "index")
    return Axis(p, RangeParameter(name, ParameterType.FLOAT, 0.0, 1.0), "gene")


def own_axis(name: str, ax: Parameter, parameter: Any) -> Axis:
    """Return a parameter of the user's own experiment with the space's of the same name.

    Raises:
        UsageError: it can take values that the space's cannot.
    """
    if isinstance(ax, RangeParameter):
        extremes: Any = [ax.lower, ax.upper]
    elif isinstance(ax, ChoiceParameter):
        extremes = ax.values
    elif isinstance(ax, FixedParameter):
        extremes = [ax.value]
    else:
        raise UsageError(
            f"parameter {name!r} of the Ax experiment is a {type(ax).__name__}: make it static in the space"
        )
    for value in extremes:
        try:
            parameter.canonical(value)
        except ValueError as error:
            raise UsageError(
                f"parameter {name!r} of the Ax experiment can be {value!r}, and in the space that is {error}: define both "
                "alike, or hand over a client without an experiment"
            ) from None
    return Axis(parameter, ax, "value")


class Axes(dict[str, Axis]):
    """The searched parameters of a space by name, as Ax sees them; none of them is conditional for Ax.

    Args:
        space: the space.
        own: the search space of the user's own experiment, if there is one; its linear constraints stay.

    Attributes:
        search_space: what Ax searches.

    Raises:
        UsageError: the user's own experiment has other parameters than the space.
    """

    def __init__(self, space: Space, own: SearchSpace | None = None) -> None:
        self.space = space
        if own is None:
            super().__init__({name: axis(name, space.parameters[name]) for name in space.searched})
            self.search_space = SearchSpace([a.ax for a in self.values()])
            return
        if odd := sorted(set(own.parameters) ^ set(space.searched)):
            raise UsageError(
                f"the Ax experiment has the parameters {', '.join(own.parameters)}, and the space searches "
                f"{', '.join(space.searched)}: {', '.join(odd)} must be in both, or hand over a client without an experiment"
            )
        self.search_space = own.clone().flatten()
        parameters = self.search_space.parameters
        super().__init__({name: own_axis(name, parameters[name], space.parameters[name]) for name in space.searched})

    def decode(self, arm: Mapping[str, Any]) -> dict[str, Any]:
        """Return the configuration that an arm of Ax stands for, without what does not apply.

        Raises:
            IllegalValue: a value that is not in the space.
        """
        config = {}
        for name, a in self.items():
            try:
                config[name] = a.decode(arm[name])
            except ValueError as error:
                raise IllegalValue(name, arm[name], f"what Ax proposed is {error}") from None
        return self.space.narrowed(config)

    def encode(self, config: Mapping[str, Any], rest: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arm of a configuration; what does not apply is as in the arm `rest`, or the parameter's usual value."""
        arm = {}
        for name, a in self.items():
            if name in config:
                arm[name] = a.encode(config[name])
            else:
                arm[name] = rest[name] if name in rest else a.encode(a.parameter.middle())
        return arm
