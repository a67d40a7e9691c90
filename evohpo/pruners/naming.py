"""Pruners by name, and as plain data for the journal."""

from __future__ import annotations

import inspect
import json
from typing import Any

from evohpo.errors import UnknownName, UsageError
from evohpo.pruners.asha import ASHA
from evohpo.pruners.combine import Both, Either, Joinable
from evohpo.pruners.hyperband import Hyperband, SuccessiveHalving
from evohpo.pruners.pasha import PASHA
from evohpo.pruners.percentile import Median, Percentile
from evohpo.pruners.plateau import Plateau

NAMES: dict[str, type[Joinable]] = {
    "asha": ASHA, "pasha": PASHA, "hyperband": Hyperband, "halving": SuccessiveHalving, "median": Median,
    "percentile": Percentile, "plateau": Plateau,
}  # fmt: skip
JOINED: dict[str, type[Joinable]] = {"both": Both, "either": Either}


def make_pruner(name: str, options: dict[str, Any]) -> Any:
    """Return the pruner of a name, with options.

    Raises:
        UnknownName: there is none; says which there are.
        UsageError: an option that it does not have, or one that it needs.

    >>> make_pruner("asha", {"max_steps": 9}).rungs
    [1, 3, 9]
    """
    if name not in NAMES:
        raise UnknownName("pruner", name, sorted(NAMES))
    try:
        inspect.signature(NAMES[name]).bind(**options)
    except TypeError as error:
        legal = ", ".join(inspect.signature(NAMES[name]).parameters)
        raise UsageError(f"pruner {name!r}: {error}; its options are {legal}") from None
    return NAMES[name](**options)


def describe_pruner(pruner: Any) -> dict[str, Any] | None:
    """Return what the journal keeps of a pruner: its name and what it was made with; None for none."""
    if pruner is None:
        return None
    for name, kind in (NAMES | JOINED).items():
        if type(pruner) is kind:
            given = inspect.signature(kind).bind(*pruner.given[0], **pruner.given[1]).arguments
            parts = {
                key: value if isinstance(value, int | float | str | None) else _plain(value)
                for key, value in given.items()
            }
            return {"name": name, "options": parts}
    kind = type(pruner)
    return {"name": getattr(pruner, "name", None) or f"{kind.__module__}:{kind.__qualname__}"}


def _plain(value: Any) -> Any:
    return describe_pruner(value) if hasattr(value, "report") else json.loads(json.dumps(list(value), default=int))


def pruner_of(recorded: dict[str, Any] | None) -> Any:
    """Return the pruner that `describe_pruner` described; None for none, and for one that is the user's own code."""
    if recorded is None or "options" not in recorded:
        return None
    options = {
        key: pruner_of(value) if isinstance(value, dict) else value for key, value in recorded["options"].items()
    }
    if any(value is None and isinstance(recorded["options"][key], dict) for key, value in options.items()):
        return None  # a part of it is
    return (NAMES | JOINED)[recorded["name"]](**options)


def pruner_text(recorded: dict[str, Any]) -> str:
    """Return what `describe_pruner` described as people write it.

    >>> pruner_text(describe_pruner(ASHA(9) | Plateau(tol=0.1)))
    'asha max_steps=9 | plateau tol=0.1'
    """
    options = recorded.get("options", {})
    if recorded["name"] in JOINED:
        sign = " & " if recorded["name"] == "both" else " | "
        return sign.join(pruner_text(part) for part in options.values())
    return " ".join([recorded["name"], *(f"{name}={value}" for name, value in options.items())])
