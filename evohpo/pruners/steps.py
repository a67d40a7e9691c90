"""What pruners are told about steps, checked; and the last step of a trial, found in the space."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from evohpo.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evohpo.space import Space

LAST_STEP = ("epochs", "max_epochs", "num_epochs", "num_epoch", "max_steps", "max_iter", "max_t")


def check_whole(name: str, low: int = 1, **arguments: int | None) -> None:
    """Refuse what is no whole number of at least `low`; None passes.

    Raises:
        UsageError: names the pruner's argument and what it may be.
    """
    for argument, value in arguments.items():
        if value is not None and (isinstance(value, bool) or int(value) != value or value < low):
            raise UsageError(f"{name}({argument}={value!r}): must be a whole number of at least {low}")


def check(name: str, min_steps: int, max_steps: int | None, eta: int, rungs: Sequence[int] | None = None) -> None:
    """Refuse numbers that make no rungs.

    Raises:
        UsageError: names the pruner's argument and what it may be.
    """
    check_whole(name, min_steps=min_steps)
    check_whole(name, min_steps, max_steps=max_steps)
    check_whole(name, 2, eta=eta)
    if rungs is not None:
        whole = all(not isinstance(r, bool) and int(r) == r and r >= 1 for r in rungs)
        if not rungs or not whole or any(a >= b for a, b in pairwise(rungs)):
            raise UsageError(f"{name}(rungs={list(rungs)!r}): must be steps that grow, whole numbers of at least 1")
        if max_steps is not None and rungs[-1] > max_steps:
            raise UsageError(f"{name}(rungs={list(rungs)!r}, max_steps={max_steps}): no rung may be above max_steps")


def unknown_max(name: str) -> UsageError:
    """Return the error for a pruner that nobody told the last step."""
    return UsageError(
        f"{name} has to know the last step of a trial: give {name}(max_steps=...), or the space a parameter "
        f"{' or '.join(map(repr, LAST_STEP[:2]))}"
    )


def max_steps_of(space: Space) -> int | None:
    """Return the largest value of the parameter that says how long a trial trains, by its name; None if there is none.

    >>> from evohpo.space import Integer, Space
    >>> max_steps_of(Space({"epochs": 81})), max_steps_of(Space({"max_epochs": Integer(10, 50)}))
    (81, 50)
    """
    for name in LAST_STEP:
        for known, parameter in space.parameters.items():
            if known.lower().replace("-", "_") != name:
                continue
            for attribute in ("value", "high"):
                value = getattr(parameter, attribute, None)
                if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
                    return value
            values = getattr(parameter, "values", ())
            if not callable(values) and values and all(isinstance(v, int) and v >= 1 for v in values):
                return int(max(values))
    return None
