"""How an objective is called: with params or params and context; for a value or step by step; and what may go wrong."""

from __future__ import annotations

import inspect
import tempfile
import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable, Generator
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

from evohpo.errors import UsageError
from evohpo.evaluators.context import Context, Report, Verdict, plain
from evohpo.evaluators.protocol import Evaluator, Failed, Finished, Job, Paused, Reported

End: TypeAlias = Finished | Failed | Paused
# sent None to start, then verdicts; after Paused, GO
Player: TypeAlias = Generator[Reported | Paused, Verdict | None, End]

SUSPENDED = 32  # generators in memory: each holds a model
REASON, TRACEBACK = 500, 20_000  # characters kept
CONTEXT_NAMES = {"ctx", "context"}
HERE = str(Path(__file__).parent)


class Calling:
    """One objective, looked at once: what it takes and how it is run.

    Attributes:
        objective: the function.
        takes_context: its second positional parameter is required, or called `ctx` or `context`.
        generates: it is a generator function.
    """

    def __init__(self, objective: Callable[..., Any]) -> None:
        self.objective = objective
        self.takes_context = _takes_context(objective)
        self.generates = inspect.isgeneratorfunction(objective) or inspect.isgeneratorfunction(
            getattr(objective, "__call__", None)  # noqa: B004 - its kind is asked for
        )

    def play(self, job: Job, worker: str, directory: Path | None = None, report: Report | None = None) -> Player:
        """Run one job as a generator: it yields the steps of a generator objective, is sent verdicts, returns the end.

        KeyboardInterrupt passes through, everything else an objective may raise becomes a `Failed`.

        Args:
            job: the trial.
            worker: who runs it, for the events.
            directory: where `ctx.directory` is; only needed where a context is taken.
            report: takes the reports of `ctx.report`, blocks for the verdict.
        """
        context = Context(job, None if self.generates else report, directory or Path()) if self.takes_context else None
        value: Any = None
        error: BaseException | None = None
        began = perf_counter()
        try:
            params = dict(job.params)
            value = self.objective(params) if context is None else self.objective(params, context)
        except KeyboardInterrupt:
            raise
        except BaseException as raised:  # noqa: BLE001 - whatever it raises ends this trial, not the study
            error = raised
        seconds = perf_counter() - began
        step, metrics = job.step, None
        if context is not None:
            step, metrics = max(step, context._last), context._metrics
            seconds -= context._waited
            if context._verdict is not Verdict.GO:  # TrialStopped came through, or the objective swallowed it
                return ended_early(job, context._verdict, step, metrics, seconds, worker)
        if error is not None:
            return failed(job, error, seconds, step, worker)
        if isinstance(value, Generator):
            return (yield from _steps(job, value, seconds, worker, context))
        return Finished(job.number, metrics if value is None else plain(value), seconds, step, worker)

    def drive(self, job: Job, worker: str, directory: Path, report: Report, suspended: Suspended) -> End:
        """Run one job to its end or pause where blocking is allowed: `report` delivers each step, returns the verdict."""
        began = perf_counter()
        player, verdict = suspended.take(job)
        kept = False
        if player is None:
            player = self.play(job, worker, directory, report)
        try:
            while not isinstance(event := player.send(verdict), Paused):
                verdict = report(event.step, event.metrics, event.resumed)
            kept = True  # from here on another thread may have it
            suspended.keep(event, player)
            return event
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        except KeyboardInterrupt as error:  # raised by the objective: the one from the keyboard never comes here
            return failed(job, error, perf_counter() - began, job.step, worker)
        finally:
            if not kept:
                player.close()


class Suspended:
    """Paused generators that wait to go on, the latest 32; older ones are closed, and run again when they are wanted."""

    def __init__(self) -> None:
        self._players: OrderedDict[int, tuple[int, Player]] = OrderedDict()
        self._lock = threading.RLock()

    def take(self, job: Job) -> tuple[Player | None, Verdict | None]:
        """Return what plays a job on, with the first verdict to send to it; (None, None) if it is not here."""
        with self._lock:
            step, player = self._players.pop(job.number, (0, None))
        if player is not None and step != job.step:
            player.close()
            player = None
        return (None, None) if player is None else (player, Verdict.GO)

    def keep(self, paused: Paused, player: Player) -> None:
        """Keep what plays a paused job."""
        with self._lock:
            self._players[paused.number] = paused.step, player
            if len(self._players) > SUSPENDED:
                self.drop(next(iter(self._players)))

    def drop(self, number: int) -> None:
        """Close a paused generator, if it is here."""
        with self._lock:
            _, player = self._players.pop(number, (0, None))
        if player is not None:
            player.close()

    def close(self) -> None:
        """Close them all."""
        for number in list(self._players):
            self.drop(number)


class Scratch:
    """Folders of trials that were given none: temporary, gone when closed."""

    def __init__(self) -> None:
        self._root: tempfile.TemporaryDirectory[str] | None = None

    def directory(self, job: Job) -> Path:
        """Return the folder of this job's trial, not made yet."""
        if job.directory is not None:
            return job.directory
        if self._root is None:
            self._root = tempfile.TemporaryDirectory(prefix="evohpo-", ignore_cleanup_errors=True)
        return Path(self._root.name) / f"trial-{job.number:06d}"

    def close(self) -> None:
        """Remove them all."""
        if self._root is not None:
            self._root.cleanup()
            self._root = None


def require_objective(job: Job) -> Callable[..., Any]:
    """Return the job's objective.

    Raises:
        UsageError: it has none, and this evaluator starts nothing else.
    """
    if job.objective is None:
        raise UsageError(
            f"trial {job.number} has no objective to call; give one, or use an evaluator that starts scripts"
        )
    return job.objective


def failed(job: Job, error: BaseException, seconds: float, steps: int, worker: str) -> Failed:
    """Return what became of a job whose objective raised `error`: one line, and the traceback of the user's frames."""
    try:
        message = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - a user's exception whose __str__ raises
        message = "(its message cannot be shown)"
    name = type(error).__qualname__
    reason = f"{name}: {message}" if message else name
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(HERE):
        trace = trace.tb_next
    try:
        lines = "".join(traceback.format_exception(type(error), error, trace))
    except Exception:  # noqa: BLE001 - likewise
        lines = "".join(traceback.format_tb(trace)) + reason
    if len(lines) > TRACEBACK:  # both ends tell something: where it began and what it was
        lines = f"{lines[: TRACEBACK // 2 - 10]}\n[...]\n{lines[-(TRACEBACK // 2 - 10) :]}"
    return Failed(job.number, "raised", reason[:REASON], seconds, steps, worker, lines)


def ended_early(job: Job, verdict: Verdict, step: int, metrics: Any, seconds: float, worker: str) -> End:
    """Return the end of a job that the study stopped or paused after `step`."""
    if verdict is Verdict.PAUSE:
        return Paused(job.number, step, seconds, worker)
    if step == job.step:
        return Failed(job.number, "stopped", "stopped before its first report", seconds, step, worker)
    return Finished(job.number, metrics, seconds, step, worker, stopped=True)


def timed_out(job: Job, timeout: float, seconds: float, steps: int, worker: str) -> Failed:
    """Return the failure of a job that took longer than `timeout` seconds."""
    return Failed(job.number, "timeout", f"took longer than {timeout:g} s", seconds, steps, worker)


def timely(end: End, job: Job, timeout: float | None) -> End:
    """Return `end`, or a failure if the job finished too late: whether that was noticed in time is not to matter."""
    if timeout is None or not isinstance(end, Finished) or end.stopped or end.seconds <= timeout:
        return end
    return timed_out(job, timeout, end.seconds, end.steps, end.worker)


def check_workers(evaluator: Evaluator) -> None:
    """Refuse jobs for an evaluator that nobody told how many to run at once.

    Raises:
        UsageError: names the evaluator.
    """
    if evaluator.capacity < 1:
        name = type(evaluator).__name__
        raise UsageError(f"{name}() does not know how many trials to run at once: give {name}(workers=...)")


def check_limits(workers: int | None, **limits: float | None) -> None:
    """Refuse numbers of workers and limits that make no sense.

    Raises:
        UsageError: names the argument and what it may be.
    """
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
        raise UsageError(f"workers={workers!r}: must be a whole number of at least 1, or None to leave it to the study")
    for name, limit in limits.items():
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int | float) or not limit > 0):
            raise UsageError(f"{name}={limit!r}: must be a number above 0, or None")


def _steps(
    job: Job, generator: Generator[Any, Any, Any], seconds: float, worker: str, context: Context | None
) -> Player:
    """Ask a generator objective for one step after the other; steps known from before are passed over."""
    step, metrics, resumed = 0, None, ""
    try:
        while True:
            began = perf_counter()
            try:
                metrics = plain(next(generator))
            except StopIteration as stop:
                value = metrics if stop.value is None else plain(stop.value)
                return Finished(job.number, value, seconds + perf_counter() - began, step, worker)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever it raises ends this trial, not the study
                return failed(job, error, seconds + perf_counter() - began, step, worker)
            seconds += perf_counter() - began
            if step == 0 and job.step:
                resumed = "checkpoint" if context is not None and context._asked else "re-run"
                step = job.step if resumed == "checkpoint" else 0
            step += 1
            if step <= job.step:
                continue
            verdict = yield Reported(job.number, step, metrics, resumed)
            resumed = ""
            if verdict is Verdict.PAUSE:
                yield Paused(job.number, step, seconds, worker)
                seconds, resumed = 0.0, "suspended"
            elif verdict is not Verdict.GO:
                began = perf_counter()
                _close(generator)
                assert verdict is not None
                return ended_early(job, verdict, step, metrics, seconds + perf_counter() - began, worker)
    finally:
        _close(generator)


def _close(generator: Generator[Any, Any, Any]) -> None:
    try:
        generator.close()
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001, S110 - the trial has its result; how its tidying up fails changes nothing
        pass


def _takes_context(objective: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(objective).parameters.values()
    except (TypeError, ValueError):  # some builtins have no signature
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(positional) >= 2 and (
        positional[1].default is inspect.Parameter.empty or positional[1].name in CONTEXT_NAMES
    )
