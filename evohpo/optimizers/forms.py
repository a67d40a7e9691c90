"""The forms an author may write an optimizer in, each turned into ask and tell over arrays.

The inner form is the generator of populations; a search function is one too, once it is turned inside out.
"""

from __future__ import annotations

import difflib
import inspect
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from evohpo.errors import UsageError
from evohpo.optimizers.bare import Bare, spelling
from evohpo.optimizers.guests import Arrays, Generations
from evohpo.optimizers.signatures import OFFERED, arguments, catches_all, parameters_of, required

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from evohpo.optimizers.protocol import Optimizer, Problem, Traits
    from evohpo.optimizers.scope import GlobalStreams

# ---- recognising


def form(target: Any) -> str:
    """Return "class", "object", "search function", "generator" or "factory"; "" for what is no optimizer."""
    talks = spelling(target) is not None
    if isinstance(target, type):
        return "class" if talks else ""
    if talks:
        return "object"
    if not callable(target):
        return ""
    if next(iter(parameters_of(target)), "") == "evaluate":
        return "search function"
    return "generator" if inspect.isgeneratorfunction(target) else "factory"


def is_search(target: Any) -> bool:
    """Return whether `target` is a search function: its first parameter is named `evaluate`."""
    return form(target) == "search function"


def check(target: Any, options: Mapping[str, Any], name: str) -> None:
    """Check that `target` can be started with these options.

    Raises:
        UsageError: an option that it does not have, or a parameter that nobody gives.
    """
    if form(target) == "object":
        if options:
            raise UsageError(
                f"optimizer {name!r} is a live object, it takes no options ({', '.join(options)}): set them on it"
            )
        return
    parameters = parameters_of(target)
    legal = [p for p in parameters if p not in ("problem", "rng", "evaluate") and not catches_all(parameters[p])]
    for option in options:
        if option not in legal and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            near = difflib.get_close_matches(option, legal, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"it has: {', '.join(legal) or 'none'}"
            raise UsageError(f"optimizer {name!r} has no option {option!r}: {hint}")
    for parameter in legal:
        if parameters[parameter].default is inspect.Parameter.empty and parameter not in (*OFFERED, *options):
            raise UsageError(
                f"optimizer {name!r} has a parameter {parameter!r} that nobody gives: attach it with "
                f"evohpo.use(..., {parameter}=...), or take one of {', '.join(OFFERED)}"
            )


# ---- starting


def start(
    target: Any, options: Mapping[str, Any], traits: Traits, name: str, problem: Problem, rng: np.random.Generator,
    *, scoped: bool,
) -> Optimizer:  # fmt: skip
    """Return the optimizer that `target` is, makes or describes.

    Args:
        target: an optimizer in any form that `form` knows.
        options: arguments it is started with.
        traits: what it declares of itself.
        name: for messages.
        problem: the task.
        rng: the source of all its draws.
        scoped: give it global random generators of its own, a copy of their state swapped in whenever it works.

    Raises:
        UsageError: a factory returned something that is no optimizer.
    """
    scope: AbstractContextManager[Any] = _streams(rng) if scoped else nullcontext()
    kind = form(target)
    if kind == "search function":
        from evohpo.optimizers.inverter import Inverter

        given = arguments(target, options, problem, rng)
        return Generations(Inverter(lambda evaluate: target(evaluate, **given)), problem, name, traits, scope)
    with scope:
        guest = target if kind == "object" else target(**arguments(target, options, problem, rng))
    if inspect.isgenerator(guest):
        return Generations(guest, problem, name, traits, scope)
    if form(guest) != "object":
        raise UsageError(
            f"optimizer {name!r} returned {type(guest).__name__}, which is neither a generator of "
            "populations nor an object with ask and tell"
        )
    return (Bare if _is_bare(guest) else Arrays)(guest, problem, name, traits, scope)


def _streams(rng: np.random.Generator) -> GlobalStreams:
    from evohpo.optimizers.scope import GlobalStreams

    return GlobalStreams(rng)


def _is_bare(guest: Any) -> bool:
    """Return whether `ask` can only be called without a number; one with a parameter `n` follows the array protocol."""
    if spelling(guest) != ("ask", "tell"):
        return True
    parameters = parameters_of(guest.ask)
    return "n" not in parameters and not required(guest.ask) and not any(map(catches_all, parameters.values()))
