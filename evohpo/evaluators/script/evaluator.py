"""Trials as runs of a script in any language."""

from __future__ import annotations

import math
import os
import secrets
import selectors
import time
import weakref
from collections import deque
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from evohpo.closing import Closing
from evohpo.errors import UsageError
from evohpo.evaluators.calling import check_limits, check_workers, failed, timed_out
from evohpo.evaluators.context import Verdict
from evohpo.evaluators.handle import Guardian, how_it_died
from evohpo.evaluators.processes import LOST, MEMORY_TICK
from evohpo.evaluators.protocol import Event, Job, Started
from evohpo.evaluators.script.command import Arguments, Command, texts
from evohpo.evaluators.script.process import Process
from evohpo.evaluators.script.running import Running, due
from evohpo.evaluators.script.sources import check_measured, check_reduce, sources_of
from evohpo.evaluators.slots import Gpus, Slots, variables
from evohpo.evaluators.surroundings import cores, environment, size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evohpo.evaluators.metrics import Steps
    from evohpo.study import Study

TICK = 0.05  # seconds between looks at what scripts wrote
SWEEP = 1.0  # seconds between looks for processes that scripts left behind


class Script(Closing):
    r"""Runs each trial as a process of a command line, in any language.

    A trial runs in its own folder, where `stdout.txt`, `stderr.txt`, `params.json` and `command.json` are kept. What it prints
    is read as soon as it is flushed (Python's output is not buffered). Its hyperparameters are words of its command line, which
    no shell ever sees; if the command is a shell, give them as words after its text: `["sh", "-c", "train $1", "sh", "{rate}"]`.
    It may read what it has to know of its trial from environment variables: `EVOHPO_TRIAL` (its number), `EVOHPO_SEED`,
    `EVOHPO_DIRECTORY`, `EVOHPO_PARAMS` (the path of `params.json`), `EVOHPO_STEP` (the last step told before a pause or a
    restart), `EVOHPO_LIMIT` (the last one wanted, 0 where that is not known) and `EVOHPO_RESOURCES`; a Python script has them
    from `evohpo.trial()`.

    A trial that is stopped or paused gets SIGTERM, with its children, and is killed when `grace` is over. One that goes on is
    started again in the same folder: a script with checkpoints goes on after `EVOHPO_STEP`, of one that starts anew the steps
    that are known are passed over. Nothing that a script started outlives it by more than about a second, or this process.

    Args:
        command: the words of the command line, such as `["python", "train.py"]`; or one text, split into words as a shell would
            do it; or the path of a script. Words that name a file are found from the folder that this process is in.
            `{learning_rate}` in a word stands for that parameter, `{number}`, `{seed}`, `{step}`, `{directory}` for the trial's;
            words of parameters that do not apply are left out.
        metrics: where they are found: names and patterns for printed lines, `{"accuracy": r"accuracy=(\S+)"}`; names alone for
            what is told with `evohpo.report` or printed as JSON lines, `{"step": 3, "accuracy": 0.9}`; a `TensorBoard`, or a
            `ResultsFile` of evohpo.evaluators.script, both in the trial's folder unless their paths are absolute; a list of
            these; None for all that is told with `evohpo.report`. What belongs to one step is printed to one stream.
        arguments: how parameters that no word names are given: a text in which `{name}` and `{value}` stand for one;
            "flags" (`--name value`, `--name` or `--no-name` for true and false, nothing for None), "hydra" (`name=value`),
            "json" (one word with all), "file" (the path of `params.json`), "environment" (variables); a function of the
            hyperparameters that returns words; None for not at all. Values are texts as they are, numbers that are read back
            exactly, and JSON for the rest: true, null, [1, 2].
        steps: what makes reports of printed metrics, for pruners: True counts them, a pattern finds the step's number in a
            line, `r"epoch=(\d+)"`; None for scripts without steps. JSON lines and `evohpo.report` say it themselves.
        reduce: which of a metric's values counts: "last", "first", "max", "min" or "mean"; a dict for several metrics.
        checkpoints: whether a script whose steps are counted goes on after `EVOHPO_STEP`; else it counts from 1 again.
        workers: how many scripts run at once; None leaves it to the study.
        timeout: seconds a trial may run; a job's own timeout goes before it.
        memory: bytes a trial may use, with all processes it started (resident memory, looked at ten times a second).
        retries: how often a trial starts again whose process was killed from outside.
        grace: seconds from SIGTERM to SIGKILL.
        threads: native threads (OpenMP, BLAS) a script may use; None shares the cores among the workers.
        gpus: how many devices the scripts share, or a list of their ids: each has its own in `CUDA_VISIBLE_DEVICES`,
            `HIP_VISIBLE_DEVICES` and `EVOHPO_RESOURCES`, where there are enough; else several share one.
        environment: further environment variables.
        directory: where scripts run, if not in their trials' folders.

    Raises:
        UsageError: an argument that makes no sense.

    Example:
        evaluator = eh.Script(["python", "train.py"], {"accuracy": r"accuracy=(\S+)"}, steps=r"epoch=(\d+)")
        eh.tune(None, space, maximize="accuracy", evaluator=evaluator, pruner=eh.ASHA(max_steps=27), trials=50, workers=4)
    """

    def __init__(
        self, command: str | Path | Sequence[str | os.PathLike[str]], metrics: Any = None, *,
        arguments: Arguments = "--{name} {value}", steps: Steps = None, reduce: str | Mapping[str, str] = "last",
        checkpoints: bool = False, workers: int | None = None, timeout: float | None = None, memory: float | None = None,
        retries: int = 1, grace: float = 5.0, threads: int | None = None, gpus: Gpus = None,
        environment: Mapping[str, Any] | None = None, directory: str | Path | None = None,
    ) -> None:  # fmt: skip
        check_limits(workers, timeout=timeout, memory=memory, threads=threads)
        if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
            raise UsageError(f"retries={retries!r}: must be a whole number of at least 0")
        if not grace >= 0:
            raise UsageError(f"grace={grace!r}: must be a number of seconds of at least 0")
        self.capacity = workers or 0
        self.timeout, self.memory, self.retries, self.grace, self.threads = timeout, memory, retries, grace, threads
        self._command = Command(command, arguments)
        self._sources = sources_of(metrics, steps)
        check_reduce(reduce, self._sources)
        self._reduce, self._counts, self._checkpoints = reduce, steps is True, checkpoints
        self._environment = texts(environment)
        self._place = None if directory is None else Path(directory).absolute()
        if self._place is not None and not self._place.is_dir():
            raise UsageError(f"directory={str(directory)!r}: there is no such folder")
        self._slots = Slots(gpus)
        self._study: Study | None = None
        self._checked = False
        self._reset()

    def _reset(self) -> None:
        self._trials: dict[int, Running] = {}  # all that have not ended
        self._queue: deque[Running] = deque()
        self._live: list[Running] = []  # those with a process
        self._events: list[Event] = []
        self._guardian: Guardian | None = None
        self._selector: selectors.BaseSelector | None = None
        self._finalizer: Callable[[], Any] | None = None
        self._born = 0
        self._ended: set[str] = set()  # marks of processes that may have left others behind
        self._swept: set[str] = set()  # those that the guardian looks for now
        self._next_read = self._next_sweep = self._next_weighing = 0.0

    def begin(self, study: Study) -> None:
        """Learn whose trials these are; refuse what cannot work before anything is started.

        Raises:
            UsageError: says what is wrong.
        """
        self._study = study
        self._check()
        check_measured(study, self._sources)

    def _check(self) -> None:
        if not self._checked:
            self._command.check((os.environ | self._environment).get("PATH"))
            self._checked = True

    # ---- the protocol

    def submit(self, job: Job) -> None:
        """Start a trial's script, or queue it while `capacity` others run.

        Raises:
            UsageError: there is an objective to call, or the command cannot be started.
        """
        check_workers(self)
        if job.objective is not None:
            raise UsageError("Script runs its command and calls no objective: give None, as in tune(None, space, ...)")
        self._check()
        if self._guardian is None:
            self._selector = selectors.DefaultSelector()
            self._guardian = Guardian(secrets.token_hex(8))
            self._finalizer = weakref.finalize(self, _shut, os.getpid(), self._guardian)
        folder = job.directory or self._guardian.scratch / f"trial-{job.number:06d}"
        study, limit = "", 0
        if self._study is not None:
            study, limit = self._study.settings.id, self._study.trials[job.number].limit
        timeout = self.timeout if job.timeout is None else job.timeout
        running = Running(job, folder, study, limit, timeout, self._sources, self._counts, self._checkpoints)
        self._trials[job.number] = running
        self._queue.append(running)
        self._fill()

    def wait(self, timeout: float | None) -> list[Event]:
        """Block until something happens, at most `timeout` seconds; returns at once when there is no job."""
        limit = math.inf if timeout is None else monotonic() + timeout
        events, self._events = self._events, []
        self._fill()
        events += due(self._trials)
        while self._trials and not events:
            pause = max(0.0, min(limit, self._soonest()) - monotonic())
            if self._selector is None or not self._selector.get_map():
                time.sleep(pause)
            else:
                self._selector.select(pause)
            self._look()
            self._fill()
            events += due(self._trials)
            if monotonic() >= limit:
                break
        return events

    def stop(self, number: int, pause: bool = False) -> None:
        """End or pause a trial at the step that was returned last; what it told after that does not count."""
        running = self._trials.get(number)
        if running is None:
            return
        running.verdict = Verdict.PAUSE if pause else Verdict.STOP
        running.events.clear()
        if running in self._queue:
            self._queue.remove(running)
        if running.process is None:
            running.end(running.ended_early())
        else:
            self._ask_to_end(running)

    def close(self) -> None:
        """End all scripts and what they started: they have `grace` seconds after SIGTERM."""
        live, finalizer = self._live, self._finalizer
        for running in live:
            assert running.process is not None
            running.process.ask_to_end()
        until = monotonic() + self.grace
        while monotonic() < until and not all(r.process is None or r.process.exited() for r in live):
            time.sleep(0.01)
        if self._selector is not None:
            self._selector.close()
        self._reset()
        if finalizer is not None:
            finalizer()
        for running in live:
            self._slots.give_back(running.devices)
            if running.process is not None:
                running.process.bury()

    # ---- starting

    def _fill(self) -> None:
        while self._queue and len(self._live) < self.capacity:
            self._start(self._queue.popleft())

    def _start(self, running: Running) -> None:
        assert self._guardian is not None
        self._guardian.check()
        if running.attempts or running.job.step:
            self._sweep()  # nobody else is to write to its folder
        taken = {other.worker for other in self._live}
        running.worker = next(f"script-{i}" for i in range(1, len(taken) + 2) if f"script-{i}" not in taken)
        self._born += 1
        mark = f"{self._guardian.run}-{self._born}"
        running.devices = self._slots.take(self.capacity)
        try:
            running.prepare()
            absent = () if self._study is None else set(self._study.space.names) - running.job.params.keys()
            words, arguments = self._command.line(running.trial, absent)
            running.note(words)
            around = environment(mark, self.threads, max(1, cores() // self.capacity))
            around |= {"PYTHONUNBUFFERED": "1"} | self._environment | arguments
            around |= variables(running.devices) | running.facts()
            folder = running.trial.directory
            running.process = Process(words, around, self._place or folder, folder, mark)
        except Exception as error:  # noqa: BLE001 - no such character in a word, the user's function: this trial's alone
            self._slots.give_back(running.devices)
            running.end(failed(running.job, error, 0.0, running.job.step, running.worker))
            return
        self._live.append(running)
        self._guardian.watch(running.process.pid)
        if running.process.exit_fd is not None and self._selector is not None:
            self._selector.register(running.process.exit_fd, selectors.EVENT_READ)
        if running.began is None:
            running.began = monotonic()
            running.deadline = running.began + (math.inf if running.timeout is None else running.timeout)
            running.events.appendleft(Started(running.job.number, running.worker))
        running.attempts += 1

    # ---- looking

    def _soonest(self) -> float:
        """Return when to look next, if nothing is heard until then."""
        times = [self._next_read, *(running.deadline for running in self._live)]
        if self.memory is not None:
            times.append(self._next_weighing)
        return min(times)

    def _look(self) -> None:
        """Read what scripts wrote; find those that ended, and end those that took too long or too much."""
        now = monotonic()
        reads, weighs = now >= self._next_read, self.memory is not None and now >= self._next_weighing
        for running in list(self._live):
            process = running.process
            assert process is not None
            if process.exited():
                self._bury(running, process)
                continue
            if reads and running.verdict is Verdict.GO and running.fate is None:
                running.read()
            if now >= running.deadline:
                self._late(running, process)
            elif (
                weighs and running.fate is None and self.memory is not None and (used := process.memory()) > self.memory
            ):
                running.fate = running.failed("memory", f"used {size(used)}, the limit is {size(self.memory)}")
                process.kill()
        if reads:
            self._next_read = monotonic() + TICK
        if weighs:
            self._next_weighing = monotonic() + MEMORY_TICK
        if self._ended and now >= self._next_sweep and self._guardian is not None:
            self._next_sweep = now + SWEEP
            self._guardian.sweep(self._ended)
            self._swept, self._ended = self._ended, set()

    def _late(self, running: Running, process: Process) -> None:
        """End a script that took too long, or that did not end when it was asked to."""
        if running.asked:
            running.deadline = math.inf
            process.kill()
        else:
            assert running.timeout is not None
            running.fate = timed_out(running.job, running.timeout, running.seconds, running.step, running.worker)
            self._ask_to_end(running)

    def _ask_to_end(self, running: Running) -> None:
        assert running.process is not None
        if not running.asked:
            running.asked = True
            running.deadline = monotonic() + self.grace
            running.process.ask_to_end()

    def _bury(self, running: Running, process: Process) -> None:
        """See to a script that ended: what is left of it ends, its trial ends or starts again."""
        assert self._guardian is not None
        if process.exit_fd is not None and self._selector is not None:
            self._selector.unregister(process.exit_fd)
        code = process.bury()
        self._guardian.forget(process.pid)
        self._live.remove(running)
        self._slots.give_back(running.devices)
        self._ended.add(process.mark)
        running.process = None
        if running.verdict is not Verdict.GO:
            running.end(running.ended_early())
            return
        running.read(whole=True)
        if running.fate is not None:
            running.end(running.fate)
        elif code in LOST and running.attempts <= self.retries:
            self._queue.appendleft(running)
        elif code in LOST:
            hint = " (by the system, if memory ran out)" if code == -9 else ""
            running.end(running.failed("lost", f"its process was lost: {how_it_died(code)}{hint}"))
        else:
            running.end(running.died(code) if code else running.finish(self._reduce))

    def _sweep(self) -> None:
        """End at once what scripts left behind in sessions of their own."""
        from evohpo.evaluators import tree

        if (marks := self._ended | self._swept) and tree.members(marks):
            tree.end(marks)
        self._ended, self._swept = set(), set()


def _shut(owner: int, guardian: Guardian) -> None:
    """Have everything killed; runs at close, when forgotten, or at exit."""
    if os.getpid() == owner:  # else a forked copy: the scripts are not its own
        guardian.end()
