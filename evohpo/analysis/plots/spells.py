"""When each trial was worked on, as the journal tells: it keeps the time of every event."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from evohpo.errors import StoreError, UsageError
from evohpo.pruners import Decision

if TYPE_CHECKING:
    from pathlib import Path

    from evohpo.study.study import Study

BREAK = 60.0  # seconds
KINDS = ("start", "resume", "report", "end")


class Spell(NamedTuple):
    """A time in which one trial was worked on without a break; seconds since the first one began.

    Attributes:
        begin: when it began.
        end: when it ended; of a running trial, when the last event was written.
        number: the trial's number.
        worker: who worked; "" where nobody told.
        kind: "paused" if the trial was paused then, else "" (its status tells).
        open: whether the trial has not ended.
    """

    begin: float
    end: float
    number: int
    worker: str
    kind: str = ""
    open: bool = False


def spells_of(study: Study) -> list[Spell]:
    """Return all times in which trials were worked on.

    Raises:
        UsageError: the study is kept in memory alone.
    """
    if study.store is None:
        raise UsageError("a study in memory keeps no times: give it a file, store='study.db', to see who worked when")
    return _read(study, _events(study.store))


def without_breaks(spells: list[Spell]) -> tuple[list[Spell], list[tuple[float, float]]]:
    """Return the spells with breaks cut out, and for each break where it was cut and its length in seconds.

    A break is more than a minute, and more than a tenth of all time, in which nobody worked: a study that went on the next day
    was not idle over night.
    """
    total = max(s.end for s in spells)
    cuts, until, away, kept = [], 0.0, 0.0, []
    for s in sorted(spells):
        gap = s.begin - until
        if gap > max(BREAK, total / 10):
            cuts.append((until - away, gap))
            away += gap
        until = max(until, s.end)
        kept.append(s._replace(begin=s.begin - away, end=s.end - away))
    return kept, cuts


def _events(path: Path) -> list[tuple[str, int | None, float, str | None]]:
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=30)) as db:
            data = "CASE WHEN kind = 'report' THEN data END"  # the others' may be long
            query = f"SELECT kind, number, time, {data} FROM events WHERE kind IN {KINDS} ORDER BY id"  # noqa: S608 - no input
            return db.execute(query).fetchall()
    except sqlite3.Error as error:
        raise StoreError(f"store {path}: cannot be read ({error})") from error


def _read(study: Study, events: list[tuple[str, int | None, float, str | None]]) -> list[Spell]:
    trials, opened, found = study.trials, {}, []
    last = max((time for *_, time, _ in events), default=0.0)
    for kind, n, time, data in events:
        if n is None or n >= len(trials):
            continue
        trial = trials[n]
        if kind in ("start", "resume"):
            opened[n] = time
        elif kind == "report" and n in opened and _pauses(data):
            found.append(Spell(opened.pop(n), time, n, trial.worker, "paused"))
        elif kind == "end" and n in opened:
            begin = opened.pop(n)
            if trial.job.startswith("reused "):
                continue  # nobody worked
            if trial.seconds:  # what lies before was waiting, or a run that was killed
                begin = max(begin, time - trial.seconds)
            found.append(Spell(begin, time, n, trial.worker))
    found += [Spell(time, last, n, trials[n].worker, open=True) for n, time in opened.items() if not trials[n].ended]
    first = min((s.begin for s in found), default=0.0)
    return sorted(s._replace(begin=s.begin - first, end=s.end - first) for s in found)


def _pauses(data: str | None) -> bool:
    report = json.loads(data or "[]")
    return len(report) > 2 and report[2] == Decision.PAUSE
