"""What can be found wrong with a definition before anything is searched: names, plain lists, conditions, constraints."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.errors import IllegalDefinition
from evohpo.space.numeric import Integer
from evohpo.space.parameters import Listed, Parameter, Static

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evohpo.space.expressions import Expression

LONGEST_NAME = 200
MOST_TYPES = 1000  # combinations of types tried
MOST_VALUES = 20_000  # combinations of values tried


def legal_name(name: Any) -> str:
    """Return a parameter's name, or raise IllegalDefinition."""
    if not isinstance(name, str) or not name.strip():
        raise IllegalDefinition(repr(name), "a parameter's name is text that is not empty")
    if "`" in name or len(name) > LONGEST_NAME:
        raise IllegalDefinition(name, f"a name has no backquote in it and at most {LONGEST_NAME} characters")
    return name


def parameter(name: str, given: Any) -> Any:
    """Return the parameter that is given, checked; a plain value is a static one, a plain list most likely a mistake."""
    if isinstance(given, Parameter):
        return given.checked(name)
    if isinstance(given, list | tuple | set | frozenset | range | np.ndarray):
        kind = type(given).__name__
        raise IllegalDefinition(
            name,
            f"a plain {kind} may be a mistake: write Categorical([...]) or Ordinal([...]) to choose, or Static([...])",
        )
    return Static(given).checked(name)


def computable(expression: Expression, parameters: Mapping[str, Any], what: str) -> None:
    """Evaluate on one value of every type, so that comparing text with numbers is found now.

    Raises:
        IllegalDefinition: it mentions no parameter, cannot be computed, or is neither true nor false.
    """
    if not expression.names:
        raise IllegalDefinition(None, f"{what} {expression.text!r}: mentions no parameter")
    samples = [_one_a_type(parameters[name]) for name in expression.names]
    for values in itertools.islice(itertools.product(*samples), MOST_TYPES):
        given = dict(zip(expression.names, values, strict=True))
        shown = ", ".join(f"{n} = {v!r}" for n, v in given.items())
        try:
            result = expression(given)
        except (TypeError, ValueError, OverflowError) as error:
            reason = str(error) if "ufunc" not in str(error) else "numbers and text do not mix"
            raise IllegalDefinition(
                None, f"{what} {expression.text!r}: cannot be computed for {shown} ({reason})"
            ) from None
        if not isinstance(result, bool | np.bool_):
            raise IllegalDefinition(
                None, f"{what} {expression.text!r}: is {result!r} for {shown}, neither true nor false; compare it"
            )


def _one_a_type(parameter: Parameter) -> list[Any]:
    if isinstance(parameter, Static):
        return [parameter.value]
    values = [*parameter.options, parameter.middle()] if isinstance(parameter, Listed) else [parameter.middle()]
    return list({type(v): v for v in values}.values())


def never(condition: Expression, parameters: Mapping[str, Any]) -> bool:
    """Return whether no values of its parents meet a condition; False where that cannot be told at little cost."""
    candidates, all_of_them = [], True
    for name in condition.names:
        parameter = parameters[name]
        few = isinstance(parameter, Static | Listed) or parameter.size <= 1000
        candidates.append(_all_values(parameter) if few else _telling_values(parameter, condition))
        all_of_them &= few
    if math.prod(map(len, candidates)) > MOST_VALUES or not (all_of_them or condition.is_simple):
        return False
    combinations = list(itertools.product(*candidates))
    columns = [np.fromiter(column, object, len(combinations)) for column in zip(*combinations, strict=True)]
    return not np.any(condition(dict(zip(condition.names, columns, strict=True))))


def _all_values(parameter: Any) -> list[Any]:
    return [parameter.value] if isinstance(parameter, Static) else parameter.values_listed()


def _telling_values(parameter: Any, condition: Expression) -> list[Any]:
    """Return values between which comparisons with the condition's numbers do not change."""
    step = parameter.step if isinstance(parameter, Integer) else 0
    found = set(parameter.levels(2))
    for number in condition.numbers:
        for value in (number - step, number, number + step):
            if parameter.low <= value <= parameter.high:
                found.add(value)
    values = sorted(found)
    return values if step else values + [(a + b) / 2 for a, b in itertools.pairwise(values)]
