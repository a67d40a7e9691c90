"""The journal: one SQLite file in which a study's events stand in the order in which they happened."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from evohpo.errors import EvohpoWarning, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = 1
MAGIC = 0x45564F48  # "EVOH", SQLite's application_id: tells our files from other databases
SCHEMA = """
CREATE TABLE header (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE events (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, number INTEGER, time REAL NOT NULL, data TEXT, rows BLOB);
"""


_encode = json.JSONEncoder(separators=(",", ":")).encode  # made once: json.dumps makes one a call


class Record(NamedTuple):
    """One event as stored: JSON in `data`, float64 chromosomes in `rows`."""

    kind: str
    number: int | None
    data: Any
    rows: bytes | None


class Moment(NamedTuple):
    """When something happened to a trial.

    Attributes:
        kind: "start", "pause", "resume" or "end"; "last" for the latest event of a study, if it is none of these.
        number: the trial's number, -1 for none.
        time: seconds since 1970.
    """

    kind: str
    number: int
    time: float


class Journal:
    """Appends events and commits them; opens, checks and reads what was written.

    SQLite's write-ahead log with synchronous=NORMAL survives the death of the process at any moment. JSON and plain
    columns only: opening a stranger's study runs none of their code. One process writes at a time, any number read.
    """

    def __init__(self, path: Path, write: bool) -> None:
        self.path = path
        self._pending: list[tuple[int, str, int | None, float, str | None, bytes | None]] = []
        self._count = 0  # events known to be in the file
        self._lock = _lock(path) if write else None
        try:
            self._db = _connect(path, write)
        except BaseException:
            self._release()
            raise

    @classmethod
    def create(cls, path: str | Path, header: dict[str, Any]) -> Journal:
        """Make a new store.

        Raises:
            StoreError: the path cannot be written, or another process writes there.
        """
        path = Path(path)
        if not path.parent.is_dir():
            raise StoreError(f"store {path}: the folder {path.parent} does not exist; make it first")
        journal = cls(path, write=True)
        try:
            with journal._db:  # one transaction: a half-made store is an empty one
                journal._db.execute("BEGIN IMMEDIATE")
                for statement in SCHEMA.strip().splitlines():
                    journal._db.execute(statement)
                journal._db.execute(f"PRAGMA application_id={MAGIC}")
                journal._db.execute(f"PRAGMA user_version={FORMAT}")
                rows = [(key, json.dumps(value)) for key, value in header.items()]
                journal._db.executemany("INSERT INTO header VALUES (?, ?)", rows)
        except sqlite3.Error as error:
            journal.close()
            raise StoreError(f"store {path}: cannot be written ({error})") from error
        return journal

    @property
    def writing(self) -> bool:
        """Whether this process is the one that writes."""
        return self._lock is not None

    def reopen_for_writing(self) -> Journal:
        """Become the writer, if nothing was added to the events that were read or written here.

        Raises:
            StoreError: another process writes or has written.
        """
        journal = Journal(self.path, write=True)
        journal._count = journal._db.execute("SELECT COALESCE(MAX(id), 0) FROM events").fetchone()[0]
        if journal._count != self._count:
            journal.close()
            raise StoreError(
                f"store {self.path}: another process went on with this study since it was opened; load it again"
            )
        self.close()
        return journal

    def header(self) -> dict[str, Any]:
        """Return what was written at creation."""
        return {key: json.loads(value) for key, value in self._db.execute("SELECT key, value FROM header")}

    def events(self) -> Iterator[Record]:
        """Yield all events in order.

        A damaged file gives every event up to the damage, and a warning that says so.
        """
        expected = 1
        try:
            for id_, kind, number, data, rows in self._db.execute(
                "SELECT id, kind, number, data, rows FROM events ORDER BY id"
            ):
                if id_ != expected:
                    raise sqlite3.DatabaseError(f"event {expected} is missing")
                yield Record(kind, number, None if data is None else json.loads(data), rows)
                expected += 1
                self._count += 1
        except (sqlite3.DatabaseError, json.JSONDecodeError, UnicodeDecodeError) as error:
            message = f"store {self.path}: damaged after event {expected - 1} ({error}); the study goes on from there"
            warnings.warn(message, EvohpoWarning, stacklevel=2)
            if self._lock is not None:
                self._salvage(expected - 1)

    def append(self, kind: str, number: int | None = None, data: Any = None, rows: bytes | None = None) -> None:
        """Add an event; it is durable after the next `commit`."""
        text = None if data is None else _encode(data)
        last = self._pending[-1][0] if self._pending else self._count
        self._pending.append((last + 1, kind, number, time.time(), text, rows))

    def commit(self) -> None:
        """Make all appended events durable.

        Ctrl-C may break it off at any point: the next call begins anew, and writes nothing twice.

        Raises:
            StoreError: the disk is full, the file was removed or cannot be written any more.
        """
        if not self._pending:
            return
        written = len(self._pending)
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?)", self._pending)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise StoreError(
                f"store {self.path}: cannot be written ({error}); nothing before this event is lost"
            ) from error
        self._count = self._pending[written - 1][0]
        del self._pending[:written]

    def close(self) -> None:
        """Commit and release the file. A second call does nothing."""
        try:
            self.commit()
        finally:
            self._db.close()
            self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _salvage(self, last: int) -> None:
        """Rewrite the file with the readable events; the damaged one is kept beside it."""
        broken = self.path.with_name(f"{self.path.name}.damaged-{int(time.time())}")
        header = self._db.execute("SELECT key, value FROM header").fetchall()
        events: list[tuple[Any, ...]] = []
        with contextlib.suppress(sqlite3.DatabaseError):  # the index may be damaged too: what comes is what there is
            events.extend(self._db.execute("SELECT * FROM events WHERE id <= ? ORDER BY id", (last,)))
        self._db.close()
        self.path.rename(broken)
        for suffix in ("-wal", "-shm"):
            beside = self.path.with_name(self.path.name + suffix)
            if beside.exists():
                beside.rename(broken.with_name(broken.name + suffix))
        self._db = _connect(self.path, write=True)
        with self._db:
            self._db.executescript(f"PRAGMA application_id={MAGIC}; PRAGMA user_version={FORMAT}; {SCHEMA}")
            self._db.executemany("INSERT INTO header VALUES (?, ?)", header)
            self._db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", events)


def moments(path: Path) -> list[Moment]:
    """Return when the trials of a stored study were started, paused, taken up again and ended, in order.

    Raises:
        StoreError: the file cannot be read.
    """
    kinds = (
        "CASE WHEN kind IN ('start', 'resume', 'end') THEN kind "
        "WHEN kind = 'report' AND json_extract(data, '$[2]') = 'pause' THEN 'pause' "
        "WHEN id = (SELECT max(id) FROM events) THEN 'last' END"
    )
    query = f"SELECT {kinds} AS what, coalesce(number, -1), time FROM events WHERE what IS NOT NULL ORDER BY id"  # noqa: S608
    try:
        with contextlib.closing(_connect(path, write=False)) as db:
            return [Moment(*row) for row in db.execute(query)]
    except sqlite3.Error as error:
        raise StoreError(f"store {path}: cannot be read ({error})") from error


def exists(path: str | Path) -> bool:
    """Return whether there is a study at `path`. An empty file is none.

    Raises:
        StoreError: the path is a folder, or a file that is not a study.
    """
    path = Path(path)
    if path.is_dir():
        raise StoreError(f"store {path}: is a folder; give the path of a file, such as {path / 'study.db'}")
    if not path.exists() or (path.stat().st_size == 0 and not path.with_name(path.name + "-wal").exists()):
        return False
    db = None
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        db.execute("BEGIN")  # what follows is read at one moment: another process may be making the store
        magic, version = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type='table'")}
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"store {path}: is not a study of evohpo, or its first page is damaged ({error}); give another path"
        ) from error
    finally:
        if db is not None:
            db.close()
    if not tables and not magic:
        return False  # created and killed before the first commit
    if magic != MAGIC or not {"header", "events"} <= tables:
        raise StoreError(f"store {path}: is a database, but not a study of evohpo; give another path")
    if version > FORMAT:
        raise StoreError(
            f"store {path}: was written by a newer evohpo (format {version}, this one reads {FORMAT}); update evohpo"
        )
    return True


def _connect(path: Path, write: bool) -> sqlite3.Connection:
    mode = "rwc" if write else "ro"
    try:
        db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=30,
        )
        if write:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            db.execute("PRAGMA trusted_schema=OFF")
    except sqlite3.Error as error:
        raise StoreError(f"store {path}: cannot be opened {'for writing ' if write else ''}({error})") from error
    return db


def _lock(path: Path) -> Any:
    """Take the one writer's lock, or say who is in the way."""
    from filelock import FileLock, Timeout

    lock = FileLock(f"{path}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise StoreError(
            f"store {path}: another process is writing this study; wait for it, or open it for reading with evohpo.load"
        ) from None
    except OSError as error:
        raise StoreError(
            f"store {path}: cannot be written ({error}); give a path in a folder you may write to"
        ) from error
    return lock
