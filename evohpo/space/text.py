"""Spaces as text: JSON for machines, Python for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from evohpo.errors import IllegalDefinition, UnknownName
from evohpo.space.numeric import Continuous, Integer
from evohpo.space.parameters import Categorical, Ordinal, Static

if TYPE_CHECKING:
    from evohpo.space.parameters import Parameter
    from evohpo.space.space import Space

KINDS: dict[str, Any] = {
    "continuous": Continuous, "integer": Integer, "categorical": Categorical, "ordinal": Ordinal, "static": Static,
}  # fmt: skip


def to_json(space: Space) -> str:
    """Return a space's definition as JSON."""
    parameters = {n: {"type": type(p).__name__.lower(), **_fields(p)} for n, p in space.parameters.items()}
    return json.dumps({"parameters": parameters, "constraints": [c.text for c in space.constraints]})


def from_json(text: str) -> tuple[dict[str, Any], list[Any]]:
    """Return parameters and constraints of a definition in JSON.

    Raises:
        IllegalDefinition: it is no JSON, or no definition of a space.
    """
    try:
        data = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise IllegalDefinition(None, f"not JSON: {error}") from None
    parameters = data.get("parameters") if isinstance(data, dict) else None
    constraints = data.get("constraints", []) if isinstance(data, dict) else None
    if not isinstance(parameters, dict) or not isinstance(constraints, list):
        raise IllegalDefinition(None, 'a space in JSON is {"parameters": {...}, "constraints": [...]}')
    return {name: _parameter(name, fields) for name, fields in parameters.items()}, constraints


def show(space: Space) -> str:
    """Return the Python code that makes a space."""
    lines = [f"    {name!r}: {_code(parameter)}," for name, parameter in space.parameters.items()]
    tail = f", constraints={[c.text for c in space.constraints]!r}" if space.constraints else ""
    return "\n".join(["Space({", *lines, "}" + tail + ")"])


def _fields(parameter: Parameter) -> dict[str, Any]:
    """Return the fields that are not as by default."""
    fields = parameter.__dataclass_fields__  # type: ignore[attr-defined]
    values = {name: getattr(parameter, name) for name in fields}
    return {n: list(v) if isinstance(v, tuple) else v for n, v in values.items() if _differs(v, fields[n].default)}


def _differs(value: Any, default: Any) -> bool:
    return type(value) is not type(default) or bool(value != default)


def _code(parameter: Parameter) -> str:
    if isinstance(parameter, Static) and parameter.when is None and not isinstance(parameter.value, list):
        return repr(parameter.value)
    return f"{type(parameter).__name__}({', '.join(f'{n}={v!r}' for n, v in _fields(parameter).items())})"


def _parameter(name: str, fields: Any) -> Any:
    """Return the parameter that a dict of fields with a type describes; anything else is a plain value."""
    if not isinstance(fields, dict) or "type" not in fields:
        return fields
    arguments = {k: v for k, v in fields.items() if k != "type"}
    kind = KINDS.get(str(fields["type"]))
    if kind is None:
        raise IllegalDefinition(name, str(UnknownName("type", str(fields["type"]), KINDS)))
    for field in arguments:
        if field not in kind.__dataclass_fields__:
            raise IllegalDefinition(
                name, str(UnknownName(f"field of {fields['type']}", field, kind.__dataclass_fields__))
            )
    try:
        return kind(**arguments)
    except TypeError as error:
        raise IllegalDefinition(name, str(error).replace(f"{kind.__name__}.__init__()", fields["type"])) from None
