"""Trials as jobs of a launcher, each started once whatever happens to the driver."""

from __future__ import annotations

import contextlib
import math
import secrets
import shutil
import sys
import tempfile
import time
from collections import deque
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from evohpo.closing import Closing
from evohpo.errors import UsageError
from evohpo.evaluators.calling import check_limits, check_workers, failed, timed_out
from evohpo.evaluators.context import Verdict
from evohpo.evaluators.launchers.individual import Individual, Record
from evohpo.evaluators.launchers.naming import Name, Places, head_of
from evohpo.evaluators.launchers.patience import Patience, is_transient
from evohpo.evaluators.launchers.protocol import ENDED, LIVE, split
from evohpo.evaluators.protocol import Failed, Job, Started
from evohpo.evaluators.script.command import Arguments, Command, texts
from evohpo.evaluators.script.reading import STDOUT
from evohpo.evaluators.script.running import due
from evohpo.evaluators.script.sources import check_measured, check_reduce, sources_of

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from evohpo.evaluators.launchers.protocol import Launcher
    from evohpo.evaluators.metrics import Steps
    from evohpo.evaluators.protocol import Event
    from evohpo.study import Study

UNSEEN = 60.0  # seconds that a job may be unknown to its launcher


class Launched(Closing):
    r"""Runs each trial as a job of a launcher: Slurm, or one of your own with four methods.

    A job is a script that runs elsewhere. Its command line, arguments, metrics, steps and environment variables (`EVOHPO_TRIAL`,
    `EVOHPO_PARAMS` and the others) are those of `Script`; what it prints is read through the launcher and kept in the trial's
    folder, as `stdout.txt`. `evohpo.report`, `evohpo.trial` and files of results need that folder to be on a file system that
    jobs see too: give `tune` a `store=` there. Printed metrics do not.

    A job's name says study, generation and individual. A driver that was killed, and is started again with the same `store=`,
    adopts jobs that wait, run or ended meanwhile, and starts no trial twice.

    Args:
        launcher: starts, watches, ends and reads jobs; see `evohpo.evaluators.launchers.Launcher`.
        command: the words of the command line, see `Script`.
        metrics: where they are found, see `Script`.
        arguments: how parameters that no word names are given, see `Script`.
        steps: what makes reports of printed metrics, for pruners, see `Script`.
        reduce: which of a metric's values counts: "last", "first", "max", "min" or "mean"; a dict for several metrics.
        checkpoints: whether a script whose steps are counted goes on after `EVOHPO_STEP`; else it counts from 1 again.
        workers: jobs at once, waiting ones included; None leaves it to the study.
        timeout: seconds a trial may run, counted from when its job is first seen running; a job's own timeout goes before it.
        retries: how often a trial is started again whose job was lost with its machine or preempted.
        resources: what each job needs, in the launcher's words.
        environment: further environment variables.
        prefix: what the jobs' names begin with.
        poll: seconds between looks at the launcher.
        settle: seconds to wait for the output of a job that has ended without its metrics.
        grace: seconds to wait for a job to end that was cancelled.
        outage: seconds for which a launcher may give no answer before the study ends; its jobs go on.
        on_exit: what becomes of jobs when a run is broken off: "stop" cancels them, "leave" lets them go on until the same call
            adopts them.

    Raises:
        UsageError: an argument that makes no sense.

    Example:
        evaluator = eh.Launched(eh.Slurm(partition="gpu", gpus=1, time="2:00:00"), "train.py", {"loss": r"loss=(\S+)"})
        eh.tune(None, space, minimize="loss", evaluator=evaluator, store="/shared/study.db", trials=100, workers=20)
    """

    def __init__(
        self, launcher: Launcher, command: str | Path | Sequence[str | os.PathLike[str]] | Command, metrics: Any = None, *,
        arguments: Arguments = "--{name} {value}", steps: Steps = None, reduce: str | Mapping[str, str] = "last",
        checkpoints: bool = False, workers: int | None = None, timeout: float | None = None, retries: int = 3,
        resources: Mapping[str, Any] | None = None, environment: Mapping[str, Any] | None = None, prefix: str = "evohpo",
        poll: float = 5.0, settle: float = 30.0, grace: float = 60.0, outage: float = 1800.0, on_exit: str = "stop",
    ) -> None:  # fmt: skip
        check_limits(workers, timeout=timeout, poll=poll, settle=settle, grace=grace, outage=outage)
        missing = [name for name in ("submit", "poll", "cancel", "read") if not callable(getattr(launcher, name, None))]
        if missing:
            raise UsageError(f"{launcher!r} is no launcher: it has no method {missing[0]}(...), see Launcher")
        if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
            raise UsageError(f"retries={retries!r}: must be a whole number of at least 0")
        if on_exit not in ("stop", "leave"):
            raise UsageError(f'on_exit={on_exit!r}: must be "stop" or "leave"')
        self.launcher, self.capacity = launcher, workers or 0
        self.timeout, self.retries, self.poll, self.settle, self.grace = timeout, retries, poll, settle, grace
        self._command = command if isinstance(command, Command) else Command(command, arguments)
        self._sources = sources_of(metrics, steps)
        check_reduce(reduce, self._sources)
        self._reduce, self._counts, self._checkpoints = reduce, steps is True, checkpoints
        self._resources, self._environment = dict(resources or {}), texts(environment)
        self._prefix, self._on_exit = prefix, on_exit
        self._study: Study | None = None
        self._head, self._places = head_of(prefix, "jobs", secrets.token_hex(3)), Places(None)
        self._trials: dict[int, Individual] = {}  # all that have not ended
        self._queue: deque[Individual] = deque()
        self._live: list[Individual] = []  # those with a job
        self._scratch: Path | None = None
        self._submitting = Patience("submitting a job", poll, outage)
        self._asking = Patience("asking for the states of jobs", poll, outage)
        self._next_look = 0.0
        self._started = False

    def begin(self, study: Study) -> None:
        """Learn whose jobs these are; refuse what cannot work before anything is started.

        Raises:
            UsageError: says what is wrong.
        """
        self._study, self._places = study, Places(study)
        self._head = head_of(self._prefix, study.name, study.settings.id or secrets.token_hex(3))
        check_measured(study, self._sources)

    # ---- the protocol

    def submit(self, job: Job) -> None:
        """Put a trial in line; its job is submitted as soon as fewer than `capacity` others wait or run.

        Raises:
            UsageError: there is an objective to call, or the very first job is refused.
        """
        check_workers(self)
        if job.objective is not None:
            who = type(self).__name__
            raise UsageError(f"{who} runs its command and calls no objective: give None, as in tune(None, space, ...)")
        study, limit = "", 0
        if self._study is not None:
            study, limit = self._study.settings.id, self._study.trials[job.number].limit
        timeout = self.timeout if job.timeout is None else job.timeout
        folder = self._folder(job)
        individual = Individual(job, folder, study, limit, timeout, self._sources, self._counts, self._checkpoints)
        individual.name = Name(self._head, *self._places.of(job.number), job.step)
        self._trials[job.number] = individual
        self._queue.append(individual)

    def wait(self, timeout: float | None) -> list[Event]:
        """Submit what there is room for, look at what runs, and return what happened; see `Evaluator`."""
        limit = math.inf if timeout is None else monotonic() + timeout
        while True:
            self._fill()
            events = due(self._trials)
            if not events and monotonic() >= self._next_look:
                self._look()
                self._fill()
                events = due(self._trials)
            now = monotonic()
            if events or not self._trials or now >= limit:
                return events
            time.sleep(max(0.0, min(limit, self._soonest(now)) - now))

    def stop(self, number: int, pause: bool = False) -> None:
        """End or pause a trial at the step that was returned last; its job is cancelled."""
        individual = self._trials.get(number)
        if individual is None:
            return
        individual.verdict = Verdict.PAUSE if pause else Verdict.STOP
        individual.events.clear()
        if individual in self._queue:
            self._queue.remove(individual)
        if individual not in self._live:
            individual.end(individual.ended_early())
        elif individual.settled < math.inf:  # its job is over
            self._live.remove(individual)
            individual.end(individual.ended_early())
        else:
            self._cancel(individual)

    def close(self) -> None:
        """Cancel all jobs, and wait `grace` seconds for them to end; or leave them, as `on_exit` says."""
        live, self._live = self._live, []
        self._queue.clear()
        self._trials.clear()
        if live and self._on_exit == "leave":
            sys.stderr.write(
                f"\n{len(live)} jobs go on ({live[0].name} ...); the same call with the same store= adopts them\n"
            )
        else:
            self._cancel_all(live)
        if close := getattr(self.launcher, "close", None):
            close()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    # ---- starting

    def _fill(self) -> None:
        now = monotonic()
        for individual in list(self._queue):
            if len(self._live) >= self.capacity or not self._submitting.ready():
                return
            if now < individual.not_before:
                continue
            self._queue.remove(individual)
            try:
                self._start(individual)
            except Exception as error:
                if is_transient(error):
                    self._queue.appendleft(individual)
                    self._submitting.failed(error, bounded=not self._live)
                    return
                if not self._started and isinstance(error, UsageError):
                    raise  # so would all others
                individual.end(
                    failed(individual.job, error, individual.seconds, individual.job.step, individual.worker)
                )
                continue
            self._submitting.answered()
            self._live.append(individual)
            individual.attempts += 1
            self._next_look = min(self._next_look, monotonic() + self.poll)

    def _start(self, individual: Individual) -> None:
        """Submit the job of a trial, or adopt it."""
        individual.worker = getattr(self.launcher, "worker", type(self.launcher).__name__.lower())
        if individual.attempts == 0 and (kept := individual.remembered()) is not None:
            name = Name.read(kept.name, self._head)
            assert name is not None
            if not kept.ended and self._adopted(individual, name, kept):
                return
            if name.step == individual.name.step:
                individual.name = name
        while (found := self._find(individual.name)) is not None or self._is_used(individual):
            if found is not None and self._adopted(individual, individual.name, None):
                return
            individual.name = individual.name._replace(attempt=individual.name.attempt + 1)
        individual.start()
        absent = () if self._study is None else set(self._study.space.names) - individual.job.params.keys()
        words, arguments = self._command.line(individual.trial, absent)
        individual.note(words)
        around = self._environment | arguments | individual.facts()
        wanted = individual.resources(self._resources)
        job = self.launcher.submit(str(individual.name), words, around, individual.trial.directory, wanted)
        assert individual.record is not None
        individual.remember(replace(individual.record, id=str(job)))
        self._started = True

    def _is_used(self, individual: Individual) -> bool:
        """Return whether an earlier job of the trial had the name; one whose submission failed had not."""
        record = individual.record or individual.remembered()
        return record is not None and record.name == str(individual.name) and bool(record.id)

    def _find(self, name: Name) -> str | None:
        find = getattr(self.launcher, "find", None)
        return None if find is None else find(str(name))

    def _adopted(self, individual: Individual, name: Name, kept: Record | None) -> bool:
        """Take over a job that was submitted under a name; False if there is none, or none whose end counts."""
        job = self._find(name) or (kept.id if kept is not None else "")
        if not job:
            return False
        state, _ = split(self.launcher.poll([job]).get(job, "lost"))
        if state in ("lost", "cancelled"):
            return False
        individual.name = name
        known = kept or individual.record
        if known is None or known.name != str(name):
            output = individual.trial.directory / STDOUT
            begins = output.stat().st_size if output.exists() else 0
            known = Record(individual.study, str(name), "", begins, name.step)
        individual.adopt(replace(known, id=job))
        self._started = True
        return True

    def _folder(self, job: Job) -> Path:
        if job.directory is not None:
            return job.directory
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="evohpo-"))
        return self._scratch / f"trial-{job.number:06d}"

    # ---- looking

    def _soonest(self, now: float) -> float:
        """Return when there is something to do next."""
        times = [self._next_look] if self._live else []
        if self._queue and len(self._live) < self.capacity:
            times.append(max(self._submitting.until, min(individual.not_before for individual in self._queue)))
        times += [individual.deadline for individual in self._live if not individual.cancelled]
        soonest = min(times, default=now + self.poll)
        return max(soonest, now + 0.001)

    def _look(self) -> None:
        """Ask for the states of all jobs at once, and read what they printed."""
        self._next_look = monotonic() + self.poll
        live = [individual for individual in self._live if individual.settled == math.inf]
        try:
            states = self.launcher.poll([individual.id for individual in live]) if live else {}
            for individual in list(self._live):
                self._look_at(individual, states.get(individual.id))
        except Exception as error:
            if not is_transient(error):
                raise
            self._asking.failed(error)
            self._next_look = self._asking.until
            return
        self._asking.answered()

    def _look_at(self, individual: Individual, text: str | None) -> None:
        """See to one job, of which the launcher says `text`."""
        now = monotonic()
        if individual.settled < math.inf:
            individual.fetch(self.launcher)
            self._finish(individual)
            return
        if individual.cancelled and now >= individual.deadline:
            state, reason = "lost", ""
        elif text is None:
            quiet = individual.missed(now) < UNSEEN and not individual.cancelled
            state, reason = ("running" if individual.began is not None else "waiting", "") if quiet else ("lost", "")
            reason = reason or f"{type(self.launcher).__name__} does not know job {individual.id} any more"
        else:
            individual.unseen = math.inf
            state, reason = split(text)
        if state not in LIVE and state not in ENDED:
            raise UsageError(
                f"{type(self.launcher).__name__}.poll says {text!r} of job {individual.id}: "
                f"must begin with one of {', '.join(LIVE + ENDED)}"
            )
        if state != "waiting":
            self._begin(individual)
        if state != "waiting" and individual.verdict is Verdict.GO and individual.fate is None:
            individual.fetch(self.launcher)
        if state in ENDED:
            self._ended(individual, state, reason)
        elif now >= individual.deadline and individual.fate is None and individual.verdict is Verdict.GO:
            assert individual.timeout is not None
            individual.fate = timed_out(
                individual.job, individual.timeout, individual.seconds, individual.step, individual.worker
            )
            self._cancel(individual)
        elif individual.verdict is not Verdict.GO or individual.fate is not None:
            self._cancel(individual)

    def _begin(self, individual: Individual) -> None:
        if individual.began is None:
            individual.begin()
            individual.events.appendleft(Started(individual.job.number, individual.worker, str(individual.name)))

    def _ended(self, individual: Individual, state: str, reason: str) -> None:
        """See to a job that ended: its trial ends too, or starts again."""
        if individual.verdict is Verdict.GO and individual.fate is None:
            if state == "done":
                individual.settled = monotonic() + self.settle
                self._finish(individual)
                return
            if state == "lost" and individual.attempts <= self.retries:
                self._live.remove(individual)
                individual.name = individual.name._replace(attempt=individual.name.attempt + 1)
                individual.not_before = monotonic() + self.poll
                self._queue.append(individual)
                return
        self._live.remove(individual)
        if individual.verdict is not Verdict.GO:
            individual.end(individual.ended_early())
        else:
            individual.end(individual.fate or individual.ended_badly(state, reason))

    def _finish(self, individual: Individual) -> None:
        """End a trial whose job is done, unless its metrics may still come."""
        end = individual.finish(self._reduce)
        if isinstance(end, Failed) and monotonic() < individual.settled:
            return
        self._live.remove(individual)
        individual.end(end)

    # ---- ending

    def _cancel(self, individual: Individual) -> None:
        """Have a job cancelled; if that cannot be done now, the next look tries again."""
        if individual.cancelled:
            return
        try:
            self.launcher.cancel(individual.id)
        except Exception as error:
            if not is_transient(error):
                raise
            self._asking.failed(error)
            return
        individual.cancelled, individual.deadline = True, monotonic() + self.grace
        assert individual.record is not None
        individual.remember(replace(individual.record, ended=True))
        self._next_look = min(self._next_look, monotonic() + self.poll)

    def _cancel_all(self, live: list[Individual]) -> None:
        """Cancel jobs and wait until they have ended, as long as `grace` lasts."""
        until = monotonic() + self.grace
        waited_for = [individual for individual in live if individual.settled == math.inf]
        while waited_for:
            for individual in waited_for:
                if not individual.cancelled:
                    with contextlib.suppress(Exception):
                        self.launcher.cancel(individual.id)
                        individual.cancelled = True
            with contextlib.suppress(Exception):
                states = self.launcher.poll([individual.id for individual in waited_for])
                waited_for = [i for i in waited_for if not i.cancelled or split(states.get(i.id, "lost"))[0] in LIVE]
            if waited_for and monotonic() >= until:
                names = ", ".join(str(individual.name) for individual in waited_for[:3])
                sys.stderr.write(f"\n{len(waited_for)} jobs may still be running: {names}\n")
                return
            if waited_for:
                time.sleep(min(self.poll, 0.5))
