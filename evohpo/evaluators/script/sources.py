"""Where a script's metrics are found, as users say it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from evohpo.errors import UsageError
from evohpo.evaluators.script.files import Board
from evohpo.evaluators.script.printed import Printed, Records

if TYPE_CHECKING:
    from evohpo.evaluators.metrics import Steps
    from evohpo.evaluators.script.reading import Source


def sources_of(metrics: Any, steps: Steps) -> list[Source]:
    """Return where metrics are found.

    Args:
        metrics: None for what is told by `evohpo.report`; names, or names and patterns; a source; or a list of these.
        steps: for patterns, see `Printed`.

    Raises:
        UsageError: something else.
    """
    if metrics is None:
        return [Records()]
    given: list[Any] = (
        [metrics] if isinstance(metrics, str | Mapping) or not isinstance(metrics, Iterable) else list(metrics)
    )
    names = [one for one in given if isinstance(one, str)]
    sources: list[Source] = [Records(names)] if names or not given else []
    for one in given:
        if isinstance(one, Mapping):
            sources.append(Printed(one, steps))
        elif hasattr(one, "open") and hasattr(one, "names"):
            sources.append(one)
        elif hasattr(one, "following"):
            sources.append(Board(one))
        elif not isinstance(one, str):
            raise UsageError(
                f"metrics={metrics!r}: give names, names and patterns, ResultsFile(...), TensorBoard(...), or a list of these"
            )
    return sources
