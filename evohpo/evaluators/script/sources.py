"""Where a script's metrics are found, as users say it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from evohpo.errors import UsageError
from evohpo.evaluators.metrics import reductions_of
from evohpo.evaluators.script.files import Board
from evohpo.evaluators.script.printed import Printed, Records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evohpo.evaluators.metrics import Steps
    from evohpo.evaluators.script.reading import Source
    from evohpo.study import Study


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


def check_reduce(reduce: str | Mapping[str, str], sources: Sequence[Source]) -> None:
    """Refuse an unknown reduction, and one of a metric that is found nowhere.

    Raises:
        UsageError: names it.
    """
    names = _names(sources)
    reductions_of(reduce, names if _closed(sources) or isinstance(reduce, str) else [*names, *reduce])


def check_measured(study: Study, sources: Sequence[Source]) -> None:
    """Refuse a study that wants metrics, or steps for its pruner, which are found nowhere.

    Raises:
        UsageError: says which.
    """
    names = _names(sources)
    unmeasured = [name for name in study.goals.metrics if name not in names]
    if _closed(sources) and unmeasured:
        raise UsageError(f"metrics= does not say how to find {unmeasured[0]!r}; it knows {', '.join(names)}")
    if study.pruner is not None and not any(source.steps for source in sources):
        raise UsageError('the pruner would see no steps: give steps=True, or a pattern such as steps=r"epoch=(\\d+)"')


def _names(sources: Sequence[Source]) -> list[str]:
    return [name for source in sources for name in source.names]


def _closed(sources: Sequence[Source]) -> bool:
    return all(source.names for source in sources)  # no other metrics can come
