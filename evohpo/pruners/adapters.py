"""Live pruners of other libraries, accepted as they are."""

from __future__ import annotations

from typing import Any

from evohpo import plugins
from evohpo.errors import UsageError
from evohpo.pruners.protocol import Pruner


def resolve_pruner(given: Any) -> Pruner | None:
    """Return what `pruner=` was given as a pruner; None for None, the one of that name for "asha", "median" and so on.

    A live object of another library is handed to the adapter of entry-point group `evohpo.pruner_adapters` that is named
    after the package it comes from.

    Raises:
        UsageError: it is no pruner, or its library's plugin is not installed.
    """
    if given is None or isinstance(given, Pruner):
        return given
    if isinstance(given, str):
        from evohpo.pruners.naming import make_pruner

        named: Pruner = make_pruner(given, {})
        return named
    adapt = plugins.adapter(given, "evohpo.pruner_adapters", "the pruner adapter for")
    adapted: Pruner | None = adapt(given) if adapt is not None else None
    if adapted is None:
        missing = [plugins.EXTRAS[root] for root in plugins.roots(given) if root in plugins.EXTRAS]
        hint = f": pip install 'evohpo[{missing[0]}]'" if missing and adapt is None else ""
        raise UsageError(
            f"pruner={given!r} is no pruner: a name such as 'asha', an object with report(trial, step, value), or a "
            f"live pruner of a library that has an adapter{hint}"
        )
    return adapted
