"""What a function or a method says of its parameters."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def parameters_of(target: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return the parameters that a caller of `target` can give, by name; none where it does not tell."""
    try:
        return inspect.signature(target).parameters
    except (TypeError, ValueError):  # some callables written in C do not tell
        return {}


def catches_all(parameter: inspect.Parameter) -> bool:
    """Return whether it is an `*args` or `**kwargs`."""
    return parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)


def required(method: Callable[..., Any]) -> list[str]:
    """Return the parameters without which `method` cannot be called."""
    parameters = parameters_of(method).items()
    return [name for name, p in parameters if p.default is p.empty and not catches_all(p)]
