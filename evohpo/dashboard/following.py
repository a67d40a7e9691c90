"""Following a study that another process writes: each refresh reads what is new in its journal, and nothing twice."""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evohpo.analysis.report.rows import metric_names
from evohpo.errors import StoreError
from evohpo.pruners.naming import pruner_of
from evohpo.study import Study
from evohpo.study import journal as journals
from evohpo.study.journal import Journal, Record
from evohpo.study.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evohpo.trials import Trial

OFTEN = 0.3  # seconds within which a second look at the file is not worth it, however many pages ask
PATIENCE = 5  # seconds to wait for a file that is just being put in order after a crash
RESULTS = ("end", "attach")  # events that bring one


@dataclass(slots=True)
class Look:
    """What one look at a store brought.

    Attributes:
        header: of the study, if it is another one than before; else None.
        events: those not seen before, with their ids and when they were written, seconds since 1970.
        damage: why reading ended early; "" where it did not.
    """

    header: dict[str, Any] | None = None
    events: list[tuple[int, float, Record]] = field(default_factory=list)
    damage: str = ""


def look(path: Path, seen: int, latest: float) -> Look:
    """Read what a store has after its event `seen`, which was written at time `latest`; all of it if that is another event.

    It takes no lock that a writer waits for: SQLite's write-ahead log shows a reader the state at the beginning of its read,
    whatever is written meanwhile. The file is open only while it is read, so that the last writer can put it in order when
    it ends.

    Raises:
        sqlite3.Error, ValueError: the file cannot be opened, or its header cannot be read.
    """
    found = Look()
    address = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=PATIENCE)) as db:
        db.execute("BEGIN")  # all below sees one state
        last = db.execute("SELECT time FROM events WHERE id = ?", (seen,)).fetchone()
        if last is None or last[0] != latest:
            found.header = {key: json.loads(value) for key, value in db.execute("SELECT key, value FROM header")}
            seen = 0
        query = "SELECT id, kind, number, time, data, rows FROM events WHERE id > ? ORDER BY id"
        try:
            for id_, kind, number, written, data, rows in db.execute(query, (seen,)):
                if id_ != seen + 1:
                    raise sqlite3.DatabaseError(f"event {seen + 1} is missing")
                record = Record(kind, number, None if data is None else json.loads(data), rows)
                found.events.append((id_, written, record))
                seen = id_
        except (sqlite3.Error, ValueError) as error:  # ValueError: neither JSON nor text
            found.damage = f"damaged after event {seen} ({error})"
    return found


class Elsewhere(Journal):
    """The journal of a study that another process writes: where it is, and no more."""

    def __init__(self, path: Path) -> None:
        self.path, self._lock = path, None

    def events(self) -> Iterator[Record]:
        """Yield nothing: the study is empty, and follows."""
        return iter(())

    def reopen_for_writing(self) -> Journal:
        """Refuse.

        Raises:
            StoreError: always.
        """
        raise StoreError(f"store {self.path}: is only followed here, and never written")

    def close(self) -> None:
        """Do nothing: no file is open."""


class Followed:
    """One study as its journal tells it. All that is read of it is read under `lock`.

    Attributes:
        path: its file, which need not exist yet.
        lock: to be held while the study is looked at.
        study: the study as of the last refresh, which cannot be written; None until there is one.
        problem: what is wrong with the file, "" if nothing is.
        epoch: names the study as it was opened here: trials of another epoch have nothing to do with those of this one.
        seen: how many events were taken in.
        latest: when the last of them was written, seconds since 1970; 0 if there is none.
        results: how many results there are; what is drawn from results alone is out of date when it changes.
        metrics: names of all metrics seen.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.lock = threading.RLock()
        self.study: Study | None = None
        self.problem = ""
        self._header: dict[str, Any] = {}
        self._looked = -OFTEN
        self._forget()

    def _forget(self) -> None:
        self.epoch, self.seen, self.latest, self.results = secrets.token_hex(4), 0, 0.0, 0
        self.metrics: list[str] = []
        self._broken = ""  # why nothing more can be taken in of this study
        self._touched: dict[int, int] = {}  # trial, last event about it; in the order of events

    @property
    def version(self) -> str:
        """Names the state: it changes with every event, and when another study takes the place."""
        return f"{self.epoch}.{self.seen}"

    def refresh(self) -> None:
        """Take in what was written since the last call. Never raises: what is wrong stands in `problem`."""
        with self.lock:
            if time.monotonic() - self._looked < OFTEN:
                return
            try:
                self.problem = self._look()
            except (StoreError, OSError) as error:
                self.problem = str(error)
            except Exception as error:  # noqa: BLE001 - the file may be anybody's, with anything in it
                self.problem = f"store {self.path}: cannot be read ({error or type(error).__name__})"
            if self.problem and self.study is not None and not self._broken:
                self.problem += "; shown is what was read before"
            self._looked = time.monotonic()

    def changed_since(self, version: str) -> list[Trial] | None:
        """Return the trials that changed after `version`, in no order; None if that version is not known here."""
        epoch, _, event = version.partition(".")
        if self.study is None or epoch != self.epoch or not event.isdecimal():
            return None
        changed = []
        for number, last in reversed(self._touched.items()):
            if last <= int(event):
                break
            changed.append(self.study.trials[number])
        return changed

    def _look(self) -> str:
        """Read on; return what is wrong with the file."""
        if not self.path.exists():
            return (
                f"store {self.path}: the file is gone"
                if self.study
                else f"store {self.path}: no such file yet, waiting for it"
            )
        if self.study is None and not journals.exists(self.path):
            return f"store {self.path}: there is no study in it yet"
        news = look(self.path, self.seen, self.latest)
        if news.header is not None and (self.seen or news.header != self._header):
            settings = Settings.from_header(news.header)
            study = Study.opened(
                settings, None, pruner_of(settings.pruner), Elsewhere(self.path)
            )  # runs no code of its
            self._forget()
            self.study, self._header = study, news.header
        if not self._broken:
            self._take_in(news.events)
        return self._broken or (news.damage and f"store {self.path}: {news.damage}")

    def _take_in(self, events: list[tuple[int, float, Record]]) -> None:
        study = self.study
        assert study is not None
        touched = set()
        for id_, written, record in events:
            try:
                study.follow(record)
            except Exception as error:  # noqa: BLE001 - see refresh
                why = str(error) if isinstance(error, StoreError) else f"{type(error).__name__}: {error}"
                self._broken = f"store {self.path}: event {id_} makes no sense ({why}); shown is what came before"
                break
            self.seen, self.latest = id_, written
            if record.number is not None:
                touched.add(record.number)
                self._touched.pop(record.number, None)  # to its end, for the order
                self._touched[record.number] = id_
            self.results += record.kind in RESULTS
        self.metrics = metric_names((study.trials[number] for number in touched), self.metrics)
