"""Failed trials grouped by reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evohpo.analysis.findings import reason_of
from evohpo.analysis.report.rows import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evohpo.trials import Trial

SHOWN = 12  # numbers of trials named of one group


@dataclass(frozen=True, slots=True)
class Failure:
    """Trials that failed for one reason.

    Attributes:
        kind: what kind of failure it was ("raised", "timeout", ...).
        error: the first one's message.
        count: how many there are.
        trials: numbers of the first ones.
        traceback: of the first one that has one.
    """

    kind: str
    error: str
    count: int
    trials: list[int]
    traceback: str


def failures_of(trials: Iterable[Trial]) -> list[Failure]:
    """Group failed trials whose messages differ in numbers alone, the largest group first."""
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        if trial.failed:
            groups.setdefault((trial.kind, reason_of(trial)), []).append(trial)
    found = [
        Failure(
            group[0].kind or "failed",
            shortened(group[0].error, 1000) or "(no message)",
            len(group),
            [t.number for t in group[:SHOWN]],
            next((t.traceback for t in group if t.traceback), ""),
        )
        for group in groups.values()
    ]
    return sorted(found, key=lambda f: (-f.count, f.trials[0]))
