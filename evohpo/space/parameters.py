"""What every kind of parameter does, and the kinds that list their values: categorical, ordinal and static ones."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from evohpo.errors import IllegalDefinition

if TYPE_CHECKING:
    from evohpo.space.conditions import When
    from evohpo.space.scales import Array

Values: TypeAlias = NDArray[Any]  # one column: float64, int64, or objects
MOST_CHOICES = 1_000_000


class Parameter:
    """What all kinds share. Definitions are checked when a space is made, so that errors can name the parameter.

    Attributes:
        default: the value of a configuration that does not say.
        when: the condition under which it applies; in a space always as the text of an expression.
        ordered: whether neighbouring values are alike.
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
        """How many values there are: an int, or math.inf."""
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
        """Return a value given by a user as the parameter has it; raise ValueError with the reason if it is illegal."""
        raise NotImplementedError

    def values_listed(self) -> list[Any]:
        """Return all values, of a parameter that has finitely many."""
        raise NotImplementedError

    @property
    def narrowest(self) -> float:
        """The smallest share of the gene that one value owns; 0 where there are infinitely many."""
        return 1 / self.cardinality if self.cardinality else 0.0

    def middle(self) -> Any:
        """Return the default, or the mid-point where there is none."""
        return self.default if self.default is not None else self.read(np.array([0.5])).tolist()[0]

    def levels(self, resolution: int) -> list[Any]:
        """Return at most `resolution` different values from end to end; of categories, all."""
        if self.size <= resolution or not self.ordered:
            return self.values_listed()
        u = np.linspace(0, 1, resolution) if resolution > 1 else np.array([0.5])
        return list(dict.fromkeys(self.read(u).tolist()))


class Listed(Parameter):
    """What categorical and ordinal parameters share: `options`, the values in the order given."""

    @property
    def options(self) -> Sequence[Any]:
        """The values."""
        raise NotImplementedError

    @cached_property
    def _table(self) -> Values:
        kinds = {type(v) for v in self.options}  # columns of numbers are faster than columns of objects
        if kinds == {float} or kinds == {int}:
            return np.array(self.options)
        return np.fromiter(self.options, object, len(self.options))

    @cached_property
    def _places(self) -> dict[tuple[type, Any], int]:
        return {(type(v), v): i for i, v in enumerate(self.options)}  # 1, 1.0 and True are three values

    @property
    def cardinality(self) -> int:
        """How many values there are."""
        return len(self.options)

    def read(self, u: Array) -> Values:
        """Return the values whose bins `u` is in."""
        return self._table[bins(u, len(self._table))]

    def gene(self, value: Any) -> float:
        """Return the middle of the value's bin."""
        place = self._places.get((type(value), value))
        if place is None:
            value = self.canonical(value)
            place = self._places[type(value), value]
        return (place + 0.5) / len(self.options)

    def canonical(self, value: Any) -> Any:
        """Return the option that equals `value`: of the same type, else the number of another type."""
        value = plain(value)
        if isinstance(value, str | int | float | None):
            if (type(value), value) in self._places:
                return value
            for option in self.options:
                if option == value and not isinstance(option, bool) and not isinstance(value, bool):
                    return option
        few = ", ".join(map(repr, self.options[:20])) + (", ..." if len(self.options) > 20 else "")
        raise ValueError(f"not one of {few}")

    def values_listed(self) -> list[Any]:
        """Return the values in the order given."""
        return list(self.options)

    def _checked(self, name: str, what: str) -> Any:
        options = _choices(name, what, self.options)
        default = self.default
        if default is None and None not in options:
            default = ...
        return with_default(name, dataclasses.replace(self, **{what: options, "default": default}))  # type: ignore[type-var]


@dataclass(frozen=True)
class Categorical(Listed):
    """One of `choices`, which have no order. Values of another type are other choices: 1 is not 1.0, nor True.

    Attributes:
        choices: text, numbers, truth values or None.
        default: the choice of a configuration that does not say; the first if not given (`...`: None may be a choice).
        when: the condition under which it applies.
    """

    choices: Sequence[Any]
    default: Any = ...
    when: When = None
    ordered = False

    def checked(self, name: str) -> Categorical:
        """Return the definition with plain choices and its default one of them."""
        checked: Categorical = self._checked(name, "choices")
        return checked

    @property
    def options(self) -> Sequence[Any]:
        """The choices."""
        return self.choices

    def middle(self) -> Any:
        """Return the default, or the first choice."""
        return self.options[0] if self.default is ... else self.default


@dataclass(frozen=True)
class Ordinal(Listed):
    """One of `values`, in the order in which they are given.

    Attributes:
        values: text, numbers, truth values or None, from one end to the other.
        default: the value of a configuration that does not say; the middle one if not given (`...`), of two the lower.
        when: the condition under which it applies.
    """

    values: Sequence[Any]
    default: Any = ...
    when: When = None

    def checked(self, name: str) -> Ordinal:
        """Return the definition with plain values and its default one of them."""
        checked: Ordinal = self._checked(name, "values")
        return checked

    @property
    def options(self) -> Sequence[Any]:
        """The values."""
        return self.values

    def middle(self) -> Any:
        """Return the default, or the value in the middle."""
        return self.options[(len(self.options) - 1) // 2] if self.default is ... else self.default


@dataclass(frozen=True)
class Static(Parameter):
    """A value handed through untouched.

    Attributes:
        value: anything that JSON gives back as it was: text, finite numbers, True, False, None, lists and dicts of them.
        when: the condition under which it applies.
    """

    value: Any
    when: When = None
    default = None

    def checked(self, name: str) -> Static:
        """Return the definition with a copy of the value that nobody else holds."""
        value = plain(self.value)
        try:
            copy = json.loads(json.dumps(value, allow_nan=False))
        except (TypeError, ValueError, RecursionError):
            copy = self  # equal to nothing that JSON can hold
        if copy != value:
            raise IllegalDefinition(
                name,
                f"a static value must be text, a finite number, True, False, None, or lists and dicts (with text as keys)"
                f" of these, not {value!r}; give its name as text and make the object of it in the objective",
            )
        return Static(copy, self.when)

    @property
    def cardinality(self) -> int:
        """One."""
        return 1


def plain(value: Any) -> Any:
    """Return a scalar in Python's own type: NumPy's scalars, enumerations of text or numbers."""
    if isinstance(value, np.generic):
        value = value.item()
    for kind in (str, bool, int, float):
        if isinstance(value, kind):
            return value if type(value) is kind else kind.__str__(value) if kind is str else kind(value)
    return value


def bins(u: Array, k: int) -> NDArray[np.int64]:
    """Return in which of `k` equal bins of [0, 1] each gene is."""
    return np.minimum(np.maximum((u * k).astype(np.int64), 0), k - 1)


def with_default(name: str, parameter: Any) -> Any:
    """Return the parameter with its default in canonical form."""
    if parameter.default is (... if isinstance(parameter, Listed) else None):
        return parameter
    try:
        return dataclasses.replace(parameter, default=parameter.canonical(parameter.default))
    except ValueError as error:
        raise IllegalDefinition(name, f"default={parameter.default!r}: {error}") from None


def _choices(name: str, what: str, values: Any) -> tuple[Any, ...]:
    if isinstance(values, str | bytes) or not isinstance(values, Sequence | np.ndarray):
        raise IllegalDefinition(name, f"{what}={values!r}: must be a list")
    if len(values) > MOST_CHOICES:
        raise IllegalDefinition(name, f"more than a million {what}: write Integer or Continuous with a step")
    if not len(values):
        raise IllegalDefinition(name, f"{what} is empty")
    result: dict[tuple[type, Any], None] = {}
    for value in map(plain, values):
        kind = type(value)
        if kind not in (str, int, float, bool, type(None)) or (kind is float and not math.isfinite(value)):
            raise IllegalDefinition(
                name, f"{value!r} among its {what}: must be text, a finite number, True, False or None"
            )
        if kind is int and abs(value) >= 2**63:
            raise IllegalDefinition(name, f"{value!r} among its {what}: too large a number; write it as text")
        if (kind, value) in result:
            raise IllegalDefinition(name, f"{value!r} is twice among its {what}")
        result[kind, value] = None
    return tuple(value for _, value in result)
