"""What a function or a method says of its parameters."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from evohpo.optimizers.protocol import Problem

OFFERED = ("problem", "rng", "space", "dim", "seed")  # what a guest gets if its signature names it


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


def arguments(
    target: Callable[..., Any], options: Mapping[str, Any], problem: Problem, rng: np.random.Generator
) -> dict[str, Any]:
    """Return what `target` is called with: the options given, and what its signature names of what is offered."""
    parameters = parameters_of(target)
    offered: dict[str, Any] = {"problem": problem, "rng": rng, "space": problem.space, "dim": problem.dim}
    if "seed" in parameters and "seed" not in options:  # drawn only where wanted: it moves the stream
        offered["seed"] = int(rng.integers(2**31))
    if problem.population is not None:
        offered["population"] = problem.population
    return {name: value for name, value in offered.items() if name in parameters} | dict(options)
