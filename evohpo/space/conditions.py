"""When a parameter applies: every way of saying it becomes one expression."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from evohpo.errors import IllegalDefinition
from evohpo.space.expressions import quoted


@dataclass(frozen=True, slots=True)
class Test:
    """A test of one parent's value: the text before and after its name."""

    before: str
    after: str


When: TypeAlias = "str | Mapping[str, Any] | None"


def at_least(value: Any) -> Test:
    """Applies where the parent is `value` or more.

    Example:
        >>> expression({"layers": at_least(2)})
        'layers >= 2'
    """
    return Test("", f" >= {_literal(value)}")


def at_most(value: Any) -> Test:
    """Applies where the parent is `value` or less."""
    return Test("", f" <= {_literal(value)}")


def between(low: Any, high: Any) -> Test:
    """Applies where the parent is `low`, `high` or in between."""
    return Test(f"{_literal(low)} <= ", f" <= {_literal(high)}")


def expression(when: When) -> str | None:
    """Return what `when` means as the text of an expression, None for a parameter that always applies.

    Raises:
        IllegalDefinition: it is neither text nor a dict of parents and their values.
    """
    if when is None or isinstance(when, str):
        return when
    if not isinstance(when, Mapping) or not when or not all(isinstance(name, str) and name for name in when):
        raise IllegalDefinition(None, f"{when!r}: write when={{'solver': 'sgd'}} or when=\"solver == 'sgd'\"")
    return " and ".join(_clause(quoted(name), value) for name, value in when.items())


def _clause(name: str, value: Any) -> str:
    if isinstance(value, Test):
        return value.before + name + value.after
    if isinstance(value, list | tuple | set | frozenset):
        choices = sorted(map(_literal, value)) if isinstance(value, set | frozenset) else map(_literal, value)
        return f"{name} in [{', '.join(choices)}]"
    return f"{name} == {_literal(value)}"


def _literal(value: Any) -> str:
    """Return a plain value as an expression has it."""
    plain = value.item() if isinstance(value, np.generic) else value
    if not (plain is None or type(plain) in (str, int, float, bool)) or (
        type(plain) is float and not math.isfinite(plain)
    ):
        raise IllegalDefinition(None, f"{value!r} in a condition: must be text, a finite number, True, False or None")
    return repr(plain)
