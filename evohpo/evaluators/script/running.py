"""One trial of `Script`: its folder, its process, what was read of it so far."""

from __future__ import annotations

import contextlib
import json
import math
from collections import deque
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from evohpo.errors import EvohpoError
from evohpo.evaluators.calling import REASON, TRACEBACK, ended_early
from evohpo.evaluators.context import Verdict
from evohpo.evaluators.handle import how_it_died
from evohpo.evaluators.metrics import Gathering
from evohpo.evaluators.protocol import Failed, Finished, Paused, Reported
from evohpo.evaluators.script.command import PARAMS
from evohpo.evaluators.script.files import Board
from evohpo.evaluators.script.reading import REPORTS, STDERR, STDOUT
from evohpo.evaluators.script.tail import end_line, last_lines
from evohpo.reporting import RunningTrial

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping, Sequence
    from pathlib import Path

    from evohpo.evaluators.calling import End
    from evohpo.evaluators.protocol import Event, Job
    from evohpo.evaluators.script.process import Process
    from evohpo.evaluators.script.reading import Source
    from evohpo.evaluators.slots import Device

COMMAND = "command.json"
LOGS = (STDOUT, STDERR, REPORTS)
LINES = 40  # of what it said, for the table


class Running:
    """A trial under way, over all its processes.

    Args:
        job: the trial.
        directory: its folder.
        study: what tells the study from others, "" where there is none.
        limit: the last step wanted, 0 where that is not known.
        timeout: seconds it may take, or None.
        sources: where its metrics are found.
        counts: whether steps are counted.
        checkpoints: whether a script that counts its steps goes on after the last one.

    Attributes:
        trial: what its script is told of it.
        process: the one that runs, None before and after.
        worker: who runs it, for the events.
        devices: those it has.
        attempts: how many processes it had.
        began: when the first one began, on the monotonic clock; None before.
        deadline: when it has taken too long, or has to be killed.
        verdict: what the study wants of it.
        asked: it was asked to end.
        fate: how it ends, where its process was ended for a reason.
        events: what happened and was not yet returned.
        step: the last step returned.
        metrics: the metrics of that step.
    """

    def __init__(
        self, job: Job, directory: Path, study: str, limit: int, timeout: float | None, sources: Sequence[Source], counts: bool,
        checkpoints: bool,
    ) -> None:  # fmt: skip
        self.job, self.timeout, self._study = job, timeout, study
        self.trial = RunningTrial(
            job.number, dict(job.params), job.seed, directory.absolute(), job.step, limit, job.resources
        )
        self.process: Process | None = None
        self.worker = ""
        self.devices: list[Device] = []
        self.attempts = 0
        self.began: float | None = None
        self.deadline = math.inf
        self.verdict, self.asked = Verdict.GO, False
        self.fate: Failed | None = None
        self.events: deque[Event] = deque()
        self.step = job.step
        self.metrics: dict[str, float] | None = None
        telling = [source for source in sources if source.steps]
        together = len(telling) > 1 or not all(source.whole for source in telling)
        names = {name for source in telling for name in source.names} if together else ()
        self._gathering = Gathering(names)
        self._sources, self._readings = sources, [(source, source.open(self.trial)) for source in sources]
        self._counts, self._checkpoints = counts, checkpoints
        self._resumed = ""  # how it goes on, until that is told

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return 0.0 if self.began is None else monotonic() - self.began

    # ---- its folder

    def prepare(self) -> None:
        """Make the folder ready for the next process.

        What earlier processes of the trial told of steps that the study does not know yet counts: a script goes on from its
        latest checkpoint, which is after them.
        """
        folder, gathering, first = self.trial.directory, self._gathering, self.attempts == 0
        new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        fresh = new or (first and not self._was_here())
        if fresh and not new:
            for name in LOGS:
                (folder / name).unlink(missing_ok=True)
            for source in self._sources:
                source.clear(self.trial)
        for source, reading in self._readings:
            for step, found in reading.read(whole=True):
                if source.steps and (step is not None or self._checkpoints):
                    self._take(source, step, found)
            reading.begin()
        for name in () if fresh else LOGS:
            end_line(folder / name)
        known = max(gathering.last, self.job.step)
        gathering.counts = self._counts
        gathering.begin(known, counted=known if self._checkpoints else 0)
        self._resumed = "checkpoint" if known else ""
        devices = {"gpu": self.devices} if self.devices else {}
        self.trial = replace(self.trial, step=known, resources={**devices, **self.job.resources})
        write(folder / PARAMS, dict(self.trial.params))

    def note(self, words: Sequence[str]) -> None:
        """Keep the command line in the folder."""
        whose = {"study": self._study, "number": self.job.number, "step": self.trial.step}
        write(self.trial.directory / COMMAND, {**whose, "command": list(words)})

    def _was_here(self) -> bool:
        """Return whether the trial itself ran last in its folder; else the folder was handed on, or is another study's."""
        try:
            kept = json.loads((self.trial.directory / COMMAND).read_text(encoding="utf-8"))
            same = (kept["study"], kept["number"]) == (self._study, self.job.number)
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return same and bool(self._study or self.job.step)

    def facts(self) -> dict[str, str]:
        """Return the environment variables that tell a script of its trial."""
        trial = self.trial
        facts = {
            "EVOHPO_TRIAL": trial.number, "EVOHPO_SEED": trial.seed, "EVOHPO_STEP": trial.step, "EVOHPO_LIMIT": trial.limit,
            "EVOHPO_DIRECTORY": trial.directory, "EVOHPO_PARAMS": trial.directory / PARAMS,
            "EVOHPO_REPORTS": trial.directory / REPORTS, "EVOHPO_RESOURCES": json.dumps(dict(trial.resources)),
        }  # fmt: skip
        return {name: str(value) for name, value in facts.items()}

    # ---- what it tells

    def read(self, whole: bool = False) -> None:
        """Read what it told since the last time; steps become events."""
        for source, reading in self._readings:
            with contextlib.suppress(EvohpoError):  # event files that cannot be read: it is told at the end
                for found in reading.read(whole):
                    self._take(source, *found)

    def _take(self, source: Source, step: int | None, found: list[tuple[str, float]]) -> None:
        if not source.steps:
            self._gathering.note(found)
        elif (complete := self._gathering.tell(step, found)) is not None and complete[0] > self.job.step:
            resumed = self._resumed and ("re-run" if self._gathering.again else self._resumed)
            self.events.append(Reported(self.job.number, *complete, resumed))
            self._resumed = ""

    def finish(self, how: Mapping[str, str] | str) -> End:
        """Return the end of a process that ended well.

        Args:
            how: how many values become one, of all metrics or by name.
        """
        problem = ""
        for source, reading in self._readings:
            try:
                for found in reading.end():
                    self._take(source, *found)
            except (EvohpoError, OSError) as error:
                problem = problem or str(error)
        values = self._gathering.values
        for source, reading in self._readings:
            for name in source.names:
                if name not in values:
                    problem = problem or f"metric {name!r} is missing: {reading.missing(name)}"
        if not problem and not values:
            problem = "it told no metric: call evohpo.report(...) in it, or say in metrics= how to find them"
        if problem:
            return self.failed("value", f"the script ended, and {problem}")
        reduced = {name for source in self._sources if isinstance(source, Board) for name in source.names}
        hows = {name: how if isinstance(how, str) else how.get(name, "last") for name in values.keys() - reduced}
        return Finished(self.job.number, self._gathering.reduced(hows), self.seconds, self._gathering.last, self.worker)

    # ---- how it ends

    def end(self, end: End) -> None:
        """Put its end among the events."""
        self.events.append(end)

    def ended_early(self) -> End:
        """Return the end of a trial that the study stopped or paused after the last step returned."""
        return ended_early(self.job, self.verdict, self.step, self.metrics, self.seconds, self.worker)

    def died(self, code: int) -> Failed:
        """Return the failure of a script that ended with an exit code other than 0, or by a signal."""
        lines = last_lines(self.trial.directory / STDERR, LINES)
        said = f": {lines[-1].strip()}" if lines else ""
        return self.failed("raised" if code > 0 else "crashed", f"{how_it_died(code)}{said}")

    def failed(self, kind: str, reason: str) -> Failed:
        """Return a failure, with the last lines that it wrote to standard error, or else to standard output."""
        folder = self.trial.directory
        said = "\n".join(last_lines(folder / STDERR, LINES) or last_lines(folder / STDOUT, LINES))
        return Failed(
            self.job.number, kind, reason[:REASON], self.seconds, self._gathering.last, self.worker, said[-TRACEBACK:]
        )


def due(trials: MutableMapping[int, Any]) -> list[Event]:
    """Return what happened, of each trial at most to its next report: the study first has to decide on that.

    Args:
        trials: those under way, by number; one whose end is returned leaves them.
    """
    events: list[Event] = []
    for number in sorted(trials):
        running = trials[number]
        while running.events:
            event = running.events.popleft()
            events.append(event)
            if isinstance(event, Reported):
                running.step, running.metrics = event.step, event.metrics
                break
            if isinstance(event, Finished | Failed | Paused):
                del trials[number]
    return events


def write(path: Path, content: Any) -> None:
    """Write a file of JSON."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
