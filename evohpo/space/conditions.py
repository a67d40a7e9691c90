"""When a parameter applies: every way of saying it becomes one expression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from evohpo.errors import IllegalDefinition


@dataclass(frozen=True, slots=True)
class Test:
    """A test of one parent's value; `template` holds "{}" where its name goes."""

    template: str


When: TypeAlias = "str | Mapping[str, Any] | None"


def at_least(value: Any) -> Test:
    """Applies where the parent is `value` or more.

    Example:
        >>> expression({"layers": at_least(2)})
        'layers >= 2'
    """
    return Test(f"{{}} >= {value!r}")


def at_most(value: Any) -> Test:
    """Applies where the parent is `value` or less."""
    return Test(f"{{}} <= {value!r}")


def between(low: Any, high: Any) -> Test:
    """Applies where the parent is `low`, `high` or in between."""
    return Test(f"{low!r} <= {{}} <= {high!r}")


def expression(when: When) -> str | None:
    """Return what `when` means as the text of an expression, None for a parameter that always applies.

    Raises:
        IllegalDefinition: it is neither text nor a dict of parents and their values.
    """
    if when is None or isinstance(when, str):
        return when
    if not isinstance(when, Mapping) or not when:
        raise IllegalDefinition(None, f"when={when!r}: write when={{'solver': 'sgd'}} or when=\"solver == 'sgd'\"")
    return " and ".join(_clause(name, value) for name, value in when.items())


def _clause(name: str, value: Any) -> str:
    quoted = name if name.isidentifier() else f"`{name}`"
    if isinstance(value, Test):
        return value.template.format(quoted)
    if isinstance(value, list | tuple | set | frozenset):
        choices = sorted(value, key=repr) if isinstance(value, set | frozenset) else list(value)
        return f"{quoted} in {tuple(choices)!r}"
    return f"{quoted} == {value!r}"
