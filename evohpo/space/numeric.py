"""Numbers as parameters: continuous and whole ones, on a scale, with or without steps."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.errors import IllegalDefinition
from evohpo.space import scales
from evohpo.space.parameters import Parameter, Values, bins, with_default

if TYPE_CHECKING:
    from evohpo.space.conditions import When
    from evohpo.space.scales import Array, Scale

LARGEST = 10**15  # of whole numbers: all floats below 2**53 are exact, and bins as narrow are still told apart
FIRST, LAST = math.nextafter(0, 1), math.nextafter(1, 0)
LARGEST_LOG = 10**12  # on a log scale, where neighbours are this close together: relative to the step


@dataclass(frozen=True)
class Continuous(Parameter):
    """A number between `low` and `high`, both included.

    Values are rounded to 13 digits (of the range, on a log scale of each value), so that going through the gene and back
    gives exactly the same value. Only extreme ranges have fewer.

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
        """Return the definition with floats as bounds."""
        low, high = _number(name, "low", self.low), _number(name, "high", self.high)
        step = None if self.step is None else _number(name, "step", self.step)
        _check_order(name, low, high)
        if reason := scales.trouble(self.scale, low, high):
            raise IllegalDefinition(name, reason)
        if not math.isfinite(high - low):
            raise IllegalDefinition(name, f"the range from {low!r} to {high!r} is too wide for a float")
        if self.scale != "log" and high - low < 1e-290:
            raise IllegalDefinition(name, f"the range from {low!r} to {high!r} is too narrow for a float's digits")
        if scales.warp(self.scale, low) == scales.warp(self.scale, high):
            raise IllegalDefinition(
                name, f"{low!r} and {high!r} are too close for a {self.scale} scale; write a linear one"
            )
        if step is not None:
            _check_step(name, low, high, step)
        checked: Continuous = with_default(name, dataclasses.replace(self, low=low, high=high, step=step))
        return checked

    @cached_property
    def _grid(self) -> Array:
        assert self.step is not None
        exponents = [Decimal(repr(x)).as_tuple().exponent for x in (self.low, self.step)]
        decimals = max(0, *(-e for e in exponents if isinstance(e, int)))
        grid = self.low + np.arange(round((self.high - self.low) / self.step) + 1) * self.step
        grid = np.round(grid, decimals) if decimals <= scales.EXACT else grid  # 0.3, not 0.30000000000000004
        grid[0], grid[-1] = self.low, self.high
        return np.clip(grid, self.low, self.high)

    @cached_property
    def _ends(self) -> tuple[float, float]:
        low, high = (self.low, self.high) if self.step is None else (self._edge(self.low, -1), self._edge(self.high, 1))
        return scales.warp(self.scale, low), scales.warp(self.scale, high)

    @cached_property
    def _precision(self) -> tuple[bool, int]:
        return scales.precision(self.scale, self.low, self.high)

    @property
    def cardinality(self) -> int:
        """How many steps there are on a linear scale, else 0."""
        return len(self._grid) if self.step is not None and self.scale == "linear" else 0

    @property
    def size(self) -> float:
        """How many steps there are, else math.inf."""
        return math.inf if self.step is None else len(self._grid)

    def read(self, u: Array) -> Values:
        """Return the values at `u` on the scale, the ends exactly; of steps the nearest one."""
        if self.step is not None and self.scale == "linear":
            return self._grid.take(bins(u, len(self._grid)))
        low, high = self._ends
        x = scales.unwarp(self.scale, low + u * (high - low))
        if self.step is not None:
            index = np.rint((x - self.low) / self.step)
            return self._grid.take(index.astype(int), mode="clip")
        return np.where(u <= 0, self.low, np.where(u >= 1, self.high, self._rounded(x)))

    def gene(self, value: float) -> float:
        """Return where `value` is on the scale; of steps the middle of its share."""
        if self.cardinality:
            assert self.step is not None
            return (round((value - self.low) / self.step) + 0.5) / self.cardinality
        if self.step is not None:
            return sum(self._share(value)) / 2
        if value <= self.low or value >= self.high:
            return 0.0 if value <= self.low else 1.0
        low, high = self._ends
        u = (scales.warp(self.scale, value) - low) / (high - low)
        return min(max(u, FIRST), LAST)  # between the ends, even where it cannot be told from them

    def canonical(self, value: Any) -> float:
        """Return `value` as a float, rounded as all values are."""
        if isinstance(value, bool) or not isinstance(value, Real):
            raise ValueError(f"must be a number, not {type(value).__name__}")
        if not self.low <= value <= self.high:  # type: ignore[operator]  # a Real compares
            raise ValueError(f"outside [{self.low!r}, {self.high!r}]")
        number = float(value)
        if self.step is not None:
            nearest = float(self._grid[min(max(round((number - self.low) / self.step), 0), len(self._grid) - 1)])
            if abs(nearest - number) > 1e-9 * self.step:
                raise ValueError(
                    f"not on the grid of steps {self.step!r} from {self.low!r}; the nearest is {nearest!r}"
                )
            return nearest
        if number in (self.low, self.high):
            return number
        return float(self._rounded(np.array([number]))[0])

    def values_listed(self) -> list[float]:
        """Return all steps."""
        values: list[float] = self._grid.tolist()
        return values

    @property
    def narrowest(self) -> float:
        """The smallest share of a step; 0 without steps."""
        if self.step is None or self.cardinality:
            return super().narrowest
        centre = float(self._grid[np.abs(self._grid - 0.5).argmin()])  # where a logit scale is densest
        return min(high - low for low, high in map(self._share, (self.low, centre, self.high)))

    def _rounded(self, x: Array) -> Array:
        x = np.minimum(np.maximum(x, self.low), self.high)
        return np.minimum(np.maximum(scales.rounded(x, *self._precision), self.low), self.high)

    def _edge(self, value: float, side: int) -> float:
        """Return half a step from `value`, or half the way to where the scale ends."""
        assert self.step is not None
        bounded = self.scale in (("log", "logit") if side < 0 else ("logit", "reverse_log"))
        room = (value if side < 0 else 1 - value) if bounded else math.inf
        return value + side * min(self.step, room) / 2

    def _share(self, value: float) -> tuple[float, float]:
        low, high = self._ends
        edges = (scales.warp(self.scale, self._edge(value, side)) for side in (-1, 1))
        lower, upper = ((edge - low) / (high - low) for edge in edges)
        return max(lower, 0.0), min(upper, 1.0)


@dataclass(frozen=True)
class Integer(Parameter):
    """A whole number between `low` and `high`, both included.

    On a log scale it is `round(exp(u))` with u uniform on [log(low - 0.5), log(high + 0.5)]. A reverse_log scale is its
    mirror image: the values near `high` are told apart as those near `low` are on a log scale.

    Attributes:
        low: smallest value.
        high: largest value.
        scale: "linear", "log" or "reverse_log".
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
        """Return the definition with ints as bounds."""
        low, high, step = (_whole(name, side, getattr(self, side)) for side in ("low", "high", "step"))
        if self.scale not in ("linear", "log", "reverse_log"):
            raise IllegalDefinition(name, f"scale={self.scale!r}: an Integer is 'linear', 'log' or 'reverse_log'")
        _check_order(name, low, high)
        if self.scale != "linear" and low < 1:
            raise IllegalDefinition(name, f"an Integer on a {self.scale} scale needs low >= 1, not {low!r}")
        _check_step(name, low, high, step)
        if self.scale != "linear" and high > LARGEST_LOG * step:
            raise IllegalDefinition(
                name,
                f"high={high!r} is too large for whole numbers on a {self.scale} scale: write Continuous, or a step",
            )
        checked: Integer = with_default(name, dataclasses.replace(self, low=low, high=high, step=step))
        return checked

    @cached_property
    def _ends(self) -> tuple[float, float]:
        return math.log(self.low - min(self.step, self.low) / 2), math.log(self.high + self.step / 2)

    @property
    def cardinality(self) -> int:
        """How many values there are on a linear scale, else 0."""
        return self.size if self.scale == "linear" else 0

    @property
    def size(self) -> int:
        """How many values there are."""
        return (self.high - self.low) // self.step + 1

    def read(self, u: Array) -> Values:
        """Return the values whose shares `u` is in."""
        if self.scale == "linear":
            return self.low + self.step * bins(u, self.size)
        low, high = self._ends
        x = np.exp(low + (u if self.scale == "log" else 1 - u) * (high - low))
        index = np.minimum(np.maximum(np.rint((x - self.low) / self.step), 0), self.size - 1).astype(np.int64)
        return self.low + self.step * (index if self.scale == "log" else self.size - 1 - index)

    def gene(self, value: int) -> float:
        """Return the middle of the value's share."""
        if self.scale == "linear":
            return ((value - self.low) // self.step + 0.5) / self.size
        return sum(self._share(value)) / 2

    def canonical(self, value: Any) -> int:
        """Return `value` as an int."""
        if isinstance(value, bool) or not isinstance(value, Real) or not _is_whole(value):
            raise ValueError("must be a whole number")
        number = int(value)  # type: ignore[call-overload]  # a Real that is whole
        if not self.low <= number <= self.high:
            raise ValueError(f"outside [{self.low}, {self.high}]")
        if (number - self.low) % self.step:
            raise ValueError(f"not one of {self.low}, {self.low + self.step}, ... {self.high}")
        return int(number)

    def values_listed(self) -> list[int]:
        """Return all values."""
        return list(range(self.low, self.high + 1, self.step))

    @property
    def narrowest(self) -> float:
        """The smallest share of a value."""
        if self.cardinality:
            return super().narrowest
        lower, upper = self._share(self.high if self.scale == "log" else self.low)
        return upper - lower

    def _share(self, value: int) -> tuple[float, float]:
        low, high = self._ends
        value = value if self.scale == "log" else self.low + self.high - value
        edges = math.log(value - min(self.step, value) / 2), math.log(value + self.step / 2)
        lower, upper = (max(edges[0], low) - low) / (high - low), (edges[1] - low) / (high - low)
        return (lower, upper) if self.scale == "log" else (1 - upper, 1 - lower)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) or (math.isfinite(value) and int(value) == value)


def _number(name: str, side: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise IllegalDefinition(name, f"{side}={value!r}: must be a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise IllegalDefinition(name, f"{side}={value!r}: must be finite")
    return number


def _whole(name: str, side: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, Real) or not _is_whole(value):
        raise IllegalDefinition(name, f"{side}={value!r}: must be a whole number")
    number = int(value)  # type: ignore[call-overload]  # a Real that is whole
    if abs(number) > LARGEST:
        raise IllegalDefinition(name, f"{side}={value!r}: whole numbers go up to 10**15")
    return int(number)


def _check_order(name: str, low: float, high: float) -> None:
    if low == high:
        raise IllegalDefinition(name, f"low and high are both {low!r}: write Static({low!r}) or the plain value")
    if low > high:
        raise IllegalDefinition(name, f"low={low!r} is above high={high!r}")


def _check_step(name: str, low: float, high: float, step: float) -> None:
    if step <= 0:
        raise IllegalDefinition(name, f"step={step!r}: must be above 0")
    steps = (high - low) / step
    if isinstance(step, float) and steps > 1e6:
        raise IllegalDefinition(name, f"step={step!r}: makes more than a million values; leave it out")
    whole = (high - low) % step == 0 if isinstance(step, int) else abs(steps - round(steps)) <= 1e-9 * max(1.0, steps)
    if not whole or round(steps) == 0:
        nearest = low + max(1, round(steps)) * step
        nearest = nearest if isinstance(step, int) else float(f"{nearest:.12g}")
        raise IllegalDefinition(
            name, f"high={high!r} is not reached from low={low!r} by steps of {step!r}; the nearest high is {nearest!r}"
        )
