"""Which of many parameters a plot shows: those that matter most, as far as that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evohpo.errors import UsageError

if TYPE_CHECKING:
    from evohpo.study.study import Study


def chosen(study: Study, metric: str, most: int) -> tuple[list[str], str]:
    """Return at most so many searched parameters in the space's order, and a sentence on those left out, else "".

    Raises:
        UsageError: the space has only static parameters.
    """
    from evohpo.analysis.importance import importance

    names = list(study.space.searched)
    if not names:
        raise UsageError("the space has only static parameters: there is nothing to show")
    if len(names) <= most:
        return names, ""
    try:
        table = importance(study, metric)
        kept, why = set(table["parameter"][:most]), "that matter most"
    except UsageError:  # too few trials to tell
        kept, why = set(names[:most]), "that come first"
    return [name for name in names if name in kept], f"Shown are the {most} of {len(names)} parameters {why}."
