"""Live pruners of other libraries, accepted as they are."""

from __future__ import annotations

from typing import Any

from evohpo import plugins
from evohpo.errors import UsageError
from evohpo.pruners.protocol import Pruner


def resolve_pruner(given: Any) -> Pruner | None:
    """Return what `pruner=` was given as a pruner; None for None.

    A live object of another library is handed to the adapter of entry-point group `evohpo.pruner_adapters` that is named
    after the package it comes from.

    Raises:
        UsageError: it is no pruner, or its library's plugin is not installed.
    """
    if given is None or isinstance(given, Pruner):
        return given
    adapt = plugins.adapter(given, "evohpo.pruner_adapters", "the pruner adapter for")
    adapted: Pruner | None = adapt(given) if adapt is not None else None
    if adapted is None:
        missing = [plugins.EXTRAS[root] for root in plugins.roots(given) if root in plugins.EXTRAS]
        hint = f": pip install 'evohpo[{missing[0]}]'" if missing and adapt is None else ""
        raise UsageError(
            f"pruner={given!r} is no pruner: an object with report(trial, step, value), or a live pruner of a library "
            f"that has an adapter{hint}"
        )
    return adapted
