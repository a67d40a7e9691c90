"""What other distributions bring: entry points, found by name without importing anything, imported when wanted."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from evohpo.errors import UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

NOBODYS = {"builtins", "abc", "typing", "functools", "evohpo", "__main__", "None"}
EXTRAS = {
    "ax": "ax", "bayes_opt": "bayes-opt", "cma": "cma", "cmaes": "cmaes", "deap": "deap", "nevergrad": "nevergrad",
    "optuna": "optuna", "pygad": "pygad", "pymoo": "pymoo", "ray": "ray", "scipy": "scipy", "skopt": "skopt",
}  # fmt: skip
"""By package of a library, the extra of evohpo that brings its adapter."""


def plugins(group: str) -> dict[str, list[EntryPoint]]:
    """Return the entry points of `group` by name; more than one where distributions claim the same name."""
    from importlib import metadata  # slow to import, and seldom needed

    found: dict[str, dict[tuple[str, str], EntryPoint]] = {}
    for point in metadata.entry_points(group=group):  # a distribution may be on the path twice
        found.setdefault(point.name, {})[origin(point), point.value] = point
    return {name: list(points.values()) for name, points in found.items()}


def origin(point: EntryPoint) -> str:
    """Return "plugin <distribution> <version>"."""
    return f"plugin {point.dist.name} {point.dist.version}" if point.dist is not None else f"plugin {point.value}"


@cache  # reading a distribution's texts takes milliseconds, and every study wants some
def version(distribution: str) -> str:
    """Return the version of an installed distribution, or "" where there is none of that name."""
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def only(points: list[EntryPoint], what: str) -> EntryPoint:
    """Return the one entry point that there should be.

    Raises:
        UsageError: several distributions claim the name; shows all of them.
    """
    if len(points) > 1:
        claims = " and ".join(f"{origin(p)} ({p.value})" for p in points)
        raise UsageError(f"{what} {points[0].name!r} is brought by {claims}: uninstall one of them")
    return points[0]


def load(points: list[EntryPoint], what: str) -> Any:
    """Import what an entry point names.

    Raises:
        UsageError: several distributions claim the name, or it cannot be imported; says whose it is.
    """
    point = only(points, what)
    try:
        return point.load()
    except Exception as error:
        message = f"{what} {point.name!r} of {origin(point)} failed to import, {type(error).__name__}: {error}"
        raise UsageError(message) from error


def roots(target: Any) -> list[str]:
    """Return the packages that an object, a class or a function comes from, its own first, then those of its bases."""
    kin = target.__mro__ if isinstance(target, type) else type(target).__mro__
    function = getattr(target, "func", target)  # a functools.partial stands for its function
    homes = [getattr(function, "__module__", None), *(base.__module__ for base in kin)]
    names = dict.fromkeys(str(home).partition(".")[0] for home in homes)
    return [name for name in names if name not in NOBODYS]


def adapter(target: Any, group: str, what: str) -> Any:
    """Return the adapter of `group` for a live object, by the package it comes from; None if there is none.

    Raises:
        UsageError: the adapter cannot be imported, or belongs to a library whose plugin is not installed.
    """
    names = roots(target)
    if not names:
        return None
    found = plugins(group)
    for name in names:
        if name in found:
            return load(found[name], what)
    return None
