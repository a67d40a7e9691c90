"""The five kinds of parameter: each knows its range, and how values and genes in [0, 1] turn into each other."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from evohpo.errors import IllegalDefinition
from evohpo.space import scales
from evohpo.space.conditions import When
from evohpo.space.scales import Array, Scale

Values: TypeAlias = NDArray[Any]  # one column: float64, int64, or objects
SCALARS = (str, int, float, bool, type(None))  # what a choice may be: it has to survive JSON


class Parameter:
    """What all kinds share. Definitions are checked when a space is made, so that errors can name the parameter.

    `cardinality` is the number of values that own equal shares of the gene, 0 where the gene is continuous.
    """

    default: Any
    when: When
    ordered = True

    @property
    def cardinality(self) -> int:
        """How many values own equal shares of the gene; 0 for a continuous gene."""
        raise NotImplementedError

    @property
    def size(self) -> float:
        """How many values there are."""
        return self.cardinality or math.inf

    def checked(self, name: str) -> Any:
        """Return the definition in canonical form, or raise IllegalDefinition with `name` in it."""
        raise NotImplementedError

    def read(self, u: Array) -> Values:
        """Return the values that genes `u` stand for."""
        raise NotImplementedError

    def gene(self, value: Any) -> float:
        """Return the gene of a legal value: the middle of its share."""
        raise NotImplementedError

    def canonical(self, value: Any) -> Any:
        """Return a value given by a user in the parameter's own type; raise ValueError with the reason if it is illegal."""
        raise NotImplementedError

    def middle(self) -> Any:
        """Return the default, or the mid-point where there is none."""
        return self.default if self.default is not None else self.read(np.array([0.5])).tolist()[0]

    def levels(self, resolution: int) -> list[Any]:
        """Return at most `resolution` values from end to end; of categories, all."""
        k = self.cardinality
        if k and k <= resolution:
            u = (np.arange(k) + 0.5) / k
        else:
            u = np.linspace(0, 1, resolution) if resolution > 1 else np.array([0.5])
        return list(dict.fromkeys(self.read(u).tolist()))


@dataclass(frozen=True)
class Continuous(Parameter):
    """A number between `low` and `high`, both included.

    Attributes:
        low: smallest value.
        high: largest value.
        scale: "linear", "log", "logit" (both ends matter, in (0, 1)) or "reverse_log" (log of 1 - x: values near 1 matter).
        step: if given, only low, low + step, ... up to high.
        default: the value of a configuration that does not say; the mid-point on the scale if None.
        when: the condition under which it applies.
    """

    low: float
    high: float
    scale: Scale = "linear"
    step: float | None = None
    default: float | None = None
    when: When = None

    def checked(self, name: str) -> Continuous:
        low, high = (_number(name, side, getattr(self, side)) for side in ("low", "high"))
        step = None if self.step is None else _number(name, "step", self.step)
        _check_range(name, low, high, self.scale)
        if step is not None:
            _check_step(name, low, high, step)
        return _with_default(name, dataclasses.replace(self, low=low, high=high, step=step))

    @cached_property
    def _grid(self) -> Array:
        assert self.step is not None
        exponents = [Decimal(repr(x)).as_tuple().exponent for x in (self.low, self.step)]
        decimals = max(0, *(-e for e in exponents if isinstance(e, int)))
        steps = np.arange(round((self.high - self.low) / self.step) + 1)
        return np.clip(np.round(self.low + steps * self.step, decimals), self.low, self.high)

    @cached_property
    def _ends(self) -> tuple[float, float]:
        low, high = scales.warp(self.scale, np.array([self.low, self.high], float)).tolist()
        return low, high

    @property
    def cardinality(self) -> int:
        return len(self._grid) if self.step is not None and self.scale == "linear" else 0

    @property
    def size(self) -> float:
        return math.inf if self.step is None else len(self._grid)

    def read(self, u: Array) -> Values:
        if self.step is not None and self.scale == "linear":
            return self._grid[_bins(u, len(self._grid))]
        low, high = self._ends
        x = scales.unwarp(self.scale, low + u * (high - low))
        if self.step is not None:
            return self._grid[np.clip(np.rint((x - self.low) / self.step), 0, len(self._grid) - 1).astype(int)]
        x = np.clip(
            scales.rounded(self.scale, np.clip(x, self.low, self.high), self.low, self.high), self.low, self.high
        )
        return np.where(u <= 0, self.low, np.where(u >= 1, self.high, x))

    def gene(self, value: float) -> float:
        if self.cardinality:
            return (round((value - self.low) / self.step) + 0.5) / self.cardinality  # type: ignore[operator]
        low, high = self._ends
        return float(np.clip((float(scales.warp(self.scale, np.float64(value))) - low) / (high - low), 0, 1))  # type: ignore[arg-type]

    def canonical(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, Real):
            raise ValueError(f"must be a number, not {type(value).__name__}")
        number = float(value)
        if not self.low <= number <= self.high:
            raise ValueError(f"outside [{self.low!r}, {self.high!r}]")
        if self.step is not None:
            nearest = float(self._grid[min(max(round((number - self.low) / self.step), 0), len(self._grid) - 1)])
            if abs(nearest - number) > 1e-9 * self.step:
                raise ValueError(
                    f"not on the grid of steps {self.step!r} from {self.low!r}; the nearest is {nearest!r}"
                )
            return nearest
        return number


@dataclass(frozen=True)
class Integer(Parameter):
    """A whole number between `low` and `high`, both included.

    On a log scale it is `round(exp(u))` with u uniform on [log(low - 0.5), log(high + 0.5)].

    Attributes:
        low: smallest value.
        high: largest value.
        scale: "linear" or "log".
        step: distance of neighbouring values.
        default: the value of a configuration that does not say; the mid-point on the scale if None.
        when: the condition under which it applies.
    """

    low: int
    high: int
    scale: Scale = "linear"
    step: int = 1
    default: int | None = None
    when: When = None

    def checked(self, name: str) -> Integer:
        low, high, step = (_whole(name, side, getattr(self, side)) for side in ("low", "high", "step"))
        if self.scale not in ("linear", "log"):
            raise IllegalDefinition(name, f"scale={self.scale!r}: an Integer is 'linear' or 'log'")
        _check_range(name, low, high, self.scale)
        _check_step(name, low, high, step)
        return _with_default(name, dataclasses.replace(self, low=low, high=high, step=step))

    @property
    def _count(self) -> int:
        return (self.high - self.low) // self.step + 1

    @cached_property
    def _ends(self) -> tuple[float, float]:
        half = min(self.step, self.low) / 2
        return math.log(self.low - half), math.log(self.high + self.step / 2)

    @property
    def cardinality(self) -> int:
        return self._count if self.scale == "linear" else 0

    @property
    def size(self) -> float:
        return self._count

    def read(self, u: Array) -> Values:
        if self.scale == "linear":
            return self.low + self.step * _bins(u, self._count)
        low, high = self._ends
        x = np.exp(low + np.clip(u, 0, 1) * (high - low))
        return self.low + self.step * np.clip(np.rint((x - self.low) / self.step), 0, self._count - 1).astype(np.int64)

    def gene(self, value: int) -> float:
        if self.scale == "linear":
            return ((value - self.low) // self.step + 0.5) / self._count
        low, high = self._ends
        edges = (max(low, math.log(value - min(self.step, value) / 2)), math.log(value + self.step / 2))
        return (sum(edges) / 2 - low) / (high - low)

    def canonical(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, Real) or value != value or int(value) != value:
            raise ValueError(f"must be a whole number, not {value!r}")
        number = int(value)
        if not self.low <= number <= self.high:
            raise ValueError(f"outside [{self.low}, {self.high}]")
        if (number - self.low) % self.step:
            raise ValueError(f"not one of {self.low}, {self.low + self.step}, ... {self.high}")
        return number


class Listed(Parameter):
    """What categorical and ordinal parameters share: `options`, the values in the order given."""

    options: Sequence[Any]

    @cached_property
    def _table(self) -> Values:
        table = np.empty(len(self.options), object)
        table[:] = list(self.options)
        return table

    @property
    def cardinality(self) -> int:
        return len(self.options)

    def read(self, u: Array) -> Values:
        return self._table[_bins(u, len(self._table))]

    def gene(self, value: Any) -> float:
        return (self.options.index(value) + 0.5) / len(self.options)

    def canonical(self, value: Any) -> Any:
        for option in self.options:
            if option == value and isinstance(option, bool) == isinstance(value, bool | np.bool_):
                return option
        raise ValueError(f"not one of {', '.join(map(repr, self.options))}")


@dataclass(frozen=True)
class Categorical(Listed):
    """One of `choices`, which have no order.

    Attributes:
        choices: text, numbers, truth values or None.
        default: the choice of a configuration that does not say; the first if None.
        when: the condition under which it applies.
    """

    choices: Sequence[Any]
    default: Any = None
    when: When = None
    ordered = False

    def checked(self, name: str) -> Categorical:
        return _with_default(name, dataclasses.replace(self, choices=_choices(name, "choices", self.choices)))

    @property
    def options(self) -> Sequence[Any]:  # type: ignore[override]
        """The choices."""
        return self.choices

    def middle(self) -> Any:
        return self.default if self.default is not None else self.options[0]

    def levels(self, resolution: int) -> list[Any]:
        return list(self.options)


@dataclass(frozen=True)
class Ordinal(Listed):
    """One of `values`, in the order in which they are given.

    Attributes:
        values: text, numbers, truth values or None, from one end to the other.
        default: the value of a configuration that does not say; the middle one if None.
        when: the condition under which it applies.
    """

    values: Sequence[Any]
    default: Any = None
    when: When = None

    def checked(self, name: str) -> Ordinal:
        return _with_default(name, dataclasses.replace(self, values=_choices(name, "values", self.values)))

    @property
    def options(self) -> Sequence[Any]:  # type: ignore[override]
        """The values."""
        return self.values

    def middle(self) -> Any:
        return self.default if self.default is not None else self.options[(len(self.options) - 1) // 2]


@dataclass(frozen=True)
class Static(Parameter):
    """A value handed through untouched.

    Attributes:
        value: anything that JSON can hold.
    """

    value: Any
    default = None
    when = None

    def checked(self, name: str) -> Static:
        value = self.value.item() if isinstance(self.value, np.generic) else self.value
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            raise IllegalDefinition(
                name, f"a static value must be text, a number or plain lists and dicts of them, not {value!r}"
            ) from None
        return Static(value)

    @property
    def cardinality(self) -> int:
        return 1


def _bins(u: Array, k: int) -> NDArray[np.int64]:
    return np.clip((u * k).astype(np.int64), 0, k - 1)


def _number(name: str, side: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise IllegalDefinition(name, f"{side}={value!r}: must be a number")
    if not math.isfinite(value):
        raise IllegalDefinition(name, f"{side}={value!r}: must be finite")
    return float(value)


def _whole(name: str, side: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value) or int(value) != value:
        raise IllegalDefinition(name, f"{side}={value!r}: must be a whole number")
    return int(value)


def _check_range(name: str, low: float, high: float, scale: str) -> None:
    if low == high:
        raise IllegalDefinition(name, f"low and high are both {low!r}: write the plain value, it is then static")
    if low > high:
        raise IllegalDefinition(name, f"low={low!r} is above high={high!r}")
    if reason := scales.trouble(scale, low, high):
        raise IllegalDefinition(name, reason)
    if not math.isfinite(high - low):
        raise IllegalDefinition(name, f"the range from {low!r} to {high!r} is too wide for a float")


def _check_step(name: str, low: float, high: float, step: float) -> None:
    if step <= 0:
        raise IllegalDefinition(name, f"step={step!r}: must be above 0")
    steps = (high - low) / step
    if steps > 1e6 and not isinstance(step, int):
        raise IllegalDefinition(name, f"step={step!r}: makes more than a million values; leave it out")
    if abs(steps - round(steps)) > 1e-9 * max(1.0, steps) or round(steps) == 0:
        raise IllegalDefinition(
            name,
            f"high={high!r} is not reached from low={low!r} by steps of {step!r}; the nearest is {low + int(steps) * step!r}",
        )


def _choices(name: str, what: str, values: Any) -> tuple[Any, ...]:
    if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray | range):
        raise IllegalDefinition(name, f"{what}={values!r}: must be a list")
    plain = tuple(v.item() if isinstance(v, np.generic) else v for v in values)
    if not plain:
        raise IllegalDefinition(name, f"{what} is empty")
    for i, value in enumerate(plain):
        if not isinstance(value, SCALARS) or (isinstance(value, float) and not math.isfinite(value)):
            raise IllegalDefinition(
                name, f"{value!r} among its {what}: must be text, a finite number, True, False or None"
            )
        if value in plain[:i]:
            raise IllegalDefinition(name, f"{value!r} is twice among its {what}")
    return plain


def _with_default(name: str, parameter: Any) -> Any:
    """Return the parameter with its default in canonical form."""
    if parameter.default is None:
        return parameter
    try:
        return dataclasses.replace(parameter, default=parameter.canonical(parameter.default))
    except ValueError as error:
        raise IllegalDefinition(name, f"default={parameter.default!r}: {error}") from None
