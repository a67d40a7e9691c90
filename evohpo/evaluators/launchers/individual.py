"""One trial of `Launched`: its job, the file that remembers it, and what was read of it so far."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from evohpo.evaluators.launchers.naming import Name
from evohpo.evaluators.metrics import Gathering
from evohpo.evaluators.script.reading import STDOUT
from evohpo.evaluators.script.running import Running, write
from evohpo.evaluators.script.tail import last_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evohpo.evaluators.launchers.protocol import Launcher
    from evohpo.evaluators.protocol import Failed

RECORD = "job.json"
KINDS = {
    "timeout": ("timeout", "the job took longer than the scheduler allows"),
    "memory": ("memory", "the job used more memory than the scheduler allows"),
    "lost": ("lost", "the job was lost"),
    "cancelled": ("lost", "the job was cancelled by somebody"),
}


@dataclass(frozen=True, slots=True)
class Record:
    """The latest job of a trial, as its folder remembers it over the death of the driver.

    Attributes:
        study: whose trial it is.
        name: of the job.
        id: the launcher's own; "" where the driver did not come to know it.
        begins: bytes of the output kept that are those of earlier jobs.
        step: the step after which it was to go on.
        ended: whether the job is over for its trial: it was read to its end, or it was cancelled.
    """

    study: str
    name: str
    id: str
    begins: int
    step: int
    ended: bool = False


class Individual(Running):
    """A trial under way, over all its jobs.

    Attributes:
        name: of the job under way, or to be started.
        record: what its folder remembers of that job; None before the first.
        offset: where to go on reading what it prints.
        not_before: when it may be started, on the monotonic clock.
        cancelled: whether the launcher took the request to cancel it.
        unseen: since when the launcher does not know it; inf while it does.
        settled: until when its output is waited for after its end; inf while it runs.
        adopted: whether another driver had started it.
    """

    name: Name
    record: Record | None = None
    offset = 0
    not_before = 0.0
    cancelled = adopted = False
    unseen = settled = math.inf

    @property
    def study(self) -> str:
        """What tells its study from others."""
        return self._study

    @property
    def id(self) -> str:
        """The launcher's id of its job."""
        return "" if self.record is None else self.record.id

    def remembered(self) -> Record | None:
        """Return the job that its folder remembers, None if there is none of this trial's."""
        try:
            kept = Record(**json.loads((self.trial.directory / RECORD).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        name = Name.read(kept.name, self.name.head)
        same = name is not None and name.trial == self.name.trial and kept.study == self._study
        return kept if same and self._was_here() else None

    def remember(self, record: Record) -> None:
        """Have the folder remember its job."""
        self.record = record
        write(self.trial.directory / RECORD, asdict(record))

    def start(self) -> None:
        """Make the folder ready for the next job, which the launcher is not yet asked for."""
        self.prepare()
        output = self.trial.directory / STDOUT
        output.touch()
        begins = output.stat().st_size
        self._reset()
        self.remember(Record(self._study, str(self.name), "", begins, self.trial.step))

    def adopt(self, record: Record) -> None:
        """Go on with a job that another driver started: what it printed is read anew."""
        path = self.trial.directory / STDOUT
        if path.exists():
            with path.open("r+b") as file:
                file.truncate(min(record.begins, file.seek(0, 2)))
        self.prepare()
        before = self._gathering
        self._resumed = "adopted" if max(before.last, self.job.step) else ""
        # what it told of steps that the study knows counts for the result, too: there may be no others
        self._gathering = Gathering(before.names, before.counts, record.step)
        self._gathering.begin(record.step, counted=record.step if self._checkpoints else 0)
        self._gathering.values.update(before.values)
        self._reset()
        self.adopted = True
        self.remember(record)

    def fetch(self, launcher: Launcher) -> bool:
        """Take over what the job printed since the last time, and read it; return whether there was anything.

        Raises:
            Exception: the launcher cannot read now, or at all.
        """
        came = False
        while True:
            printed, offset = launcher.read(self.id, self.offset)
            if not printed:
                break
            with (self.trial.directory / STDOUT).open("ab") as file:
                file.write(printed)
            self.offset, came = offset, True
        self.read(whole=True)
        return came

    def facts(self) -> dict[str, str]:
        """Return the environment variables that tell a job of its trial; its output is not to wait in a buffer."""
        return {"PYTHONUNBUFFERED": "1"} | super().facts()

    def resources(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the launcher is to be asked for, what the study says of this trial included."""
        return {**given, **self.job.resources}

    def ended_badly(self, state: str, reason: str) -> Failed:
        """Return the failure of a job that ended in a state other than "done"."""
        said = last_lines(self.trial.directory / STDOUT, 1)
        if state == "failed":
            return self.failed("raised", ": ".join([reason or "the job failed", *said]))
        kind, otherwise = KINDS[state]
        return self.failed(kind, f"{otherwise}: {reason}" if reason else otherwise)

    def _reset(self) -> None:
        self.offset, self.cancelled, self.adopted = 0, False, False
        self.unseen = self.settled = math.inf

    def missed(self, now: float) -> float:
        """Return for how many seconds the launcher has not known its job."""
        self.unseen = min(self.unseen, now)
        return now - self.unseen

    def begin(self) -> None:
        """Let its time run."""
        if self.began is None:
            self.began = monotonic()
            self.deadline = self.began + (math.inf if self.timeout is None else self.timeout)
