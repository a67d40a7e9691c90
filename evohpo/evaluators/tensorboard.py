"""Metrics from TensorBoard event files: of a training that has ended, or step by step while its process runs."""

from __future__ import annotations

import contextlib
import re
import subprocess
from bisect import bisect_right
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from evohpo.errors import EvohpoError, UsageError
from evohpo.evaluators.event_files import EventFiles, Series
from evohpo.evaluators.reductions import REDUCTIONS

if TYPE_CHECKING:
    from evohpo.evaluators.context import Context
    from evohpo.trials.trial import Trial

TAIL = 2000  # characters of a failed training's output
Metrics: TypeAlias = dict[str, float]


class TrainingFailed(EvohpoError, RuntimeError):
    """A training process ended with an error.

    Attributes:
        code: its exit code; below 0 the signal that ended it.
        output: the end of what it printed, "" if that was not kept in a file.
    """

    def __init__(self, code: int, output: str) -> None:
        self.code, self.output = code, output
        super().__init__(code, output)
        if output:
            self.add_note(f"the end of its output:\n{output}")

    def __str__(self) -> str:
        from evohpo.evaluators.handle import how_it_died

        lines = self.output.split("\n")
        return f"the training process failed: {how_it_died(self.code)}" + (f": {lines[-1]}" if self.output else "")


class TensorBoard:
    """Reads metrics that trainings write as event files for TensorBoard.

    Args:
        place: the folder of a trial's event files, which are looked for in it and below: a path in which `{number}` stands
            for the trial's number, `{directory}` for its own folder, `{learning_rate}` for the value of that parameter.
        metrics: by name of a metric how its values become one: "last", "first", "max", "min" or "mean"; or the tag and
            that, where the tag has another name: `{"accuracy": ("val/acc", "max")}`. The tag `run/tag` is the one in a
            subfolder, where several have it, such as Keras's `("validation/epoch_accuracy", "last")`.
        poll: seconds between looks at the files of a running training.

    Files of one trial are read as one: where two have a value at the same step, the one that was written later counts.
    Values that were written in single precision are read as they were printed: 0.94, not 0.939999997615814.

    Raises:
        UsageError: a place or reductions that make no sense.

    Example:
        >>> logs = TensorBoard("logs/{number}", {"val_acc": "last", "parameters": ("model/num_params", "last")})
        >>> def train(params, ctx):  # doctest: +SKIP
        ...     process = subprocess.Popen([sys.executable, "train.py", "--logdir", f"logs/{ctx.number}"])
        ...     return (yield from logs.follow(ctx, process))
    """

    def __init__(self, place: str | Path, metrics: Mapping[str, str | tuple[str, str]], *, poll: float = 0.5) -> None:
        if not isinstance(metrics, Mapping) or not metrics:
            raise UsageError('say which metrics to read: TensorBoard("logs/{number}", {"val_acc": "last"})')
        if not poll > 0:
            raise UsageError(f"poll={poll!r}: must be above 0 seconds")
        self.place, self.metrics, self.poll = str(place), dict(metrics), poll
        self._tags: dict[str, str] = {}
        self._how: dict[str, str] = {}
        for name, given in metrics.items():
            tag, how = (name, given) if isinstance(given, str) else given
            if how not in REDUCTIONS:
                raise UsageError(f"metric {name!r}: {how!r} must be one of {', '.join(REDUCTIONS)}")
            self._tags[name], self._how[name] = tag, how

    def folder(self, trial: int | Context | Trial, params: Mapping[str, Any] | None = None) -> Path:
        """Return the folder of a trial's event files.

        Args:
            trial: its number, the context of its objective, or the trial.
            params: its hyperparameters, if the place names one and `trial` is not a `Trial`.

        Raises:
            UsageError: the place names something that is not known.
        """
        known: dict[str, Any] = {} if params is None else dict(params)
        if isinstance(trial, int):
            known["number"] = trial
        else:
            known = {**getattr(trial, "params", {}), **known, "number": trial.number}

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name == "directory" and hasattr(trial, "directory"):
                return str(trial.directory)
            if name not in known:
                cure = "give the objective's context" if name == "directory" else "give its value in params="
                raise UsageError(f"{self.place!r} names {{{name}}}, which is not known here: {cure}")
            return str(known[name])

        return Path(re.sub(r"\{([^{}]+)\}", value, self.place))

    def read(self, trial: int | Context | Trial, params: Mapping[str, Any] | None = None) -> Metrics:
        """Return the metrics of a trial as its files have them now; the arguments are those of `folder`.

        Raises:
            UsageError: there is no value of a metric; names the folder and the tags that are there.
        """
        files = EventFiles(self.folder(trial, params))
        files.read()
        return self._reduced(files)

    def follow(
        self, ctx: Context, process: subprocess.Popen[Any], params: Mapping[str, Any] | None = None,
        output: str | Path | None = None,
    ) -> Generator[Metrics, None, Metrics]:  # fmt: skip
        """Yield the metrics of a training step by step while its process runs, and return those it ended with.

        For generator objectives: `return (yield from logs.follow(ctx, process))`. There is a step for every one at which
        a metric was written, once all have a value; those not written at it keep theirs, and all are reduced up to there.
        A step counts as whole when all metrics are written that were at the one before, or something at a later one.

        While the study decides on a step, and as long as the trial is paused, the process is suspended. When the trial is
        stopped it is killed, and all that it started with it. A trial that goes on after that is not told again of its
        first `ctx.step` steps, whether its training starts anew or goes on.

        Args:
            ctx: the trial's context.
            process: the training. Its output must not be a pipe, which would fill up: redirect it to a file.
            params: the hyperparameters, if the place names one.
            output: that file, for the error of a training that fails.

        Raises:
            TrainingFailed: the process failed.
            UsageError: it ended well and wrote no value of a metric.
        """
        try:
            if process.stdout is not None or process.stderr is not None:
                raise UsageError(
                    "the training's output is a pipe that nobody reads: Popen(..., stdout=open(path, 'w'))"
                )
            following = self.following(self.folder(ctx, params))
            known, over = ctx.step, False
            while not over:
                over = process.poll() is not None  # before reading: nothing is written after that
                for metrics in following.steps(over):
                    known -= 1
                    if known < 0:
                        with _suspended(process):
                            yield metrics
                if not over:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(self.poll)
        finally:
            _end(process)
        if process.returncode:
            raise TrainingFailed(process.returncode, _tail(output))
        return following.metrics()

    def following(self, folder: Path) -> Following:
        """Begin to read a folder of event files step by step, as `follow` does."""
        return Following(self, folder)

    def _reduced(self, files: EventFiles) -> Metrics:
        metrics = {}
        for name, tag in self._tags.items():
            series = files.series(tag)
            if not series:
                raise files.missing(tag)
            metrics[name] = REDUCTIONS[self._how[name]]([series[step][1] for step in sorted(series)])
        return metrics

    def __repr__(self) -> str:
        return f"TensorBoard({self.place!r}, {self.metrics!r})"


class Following:
    """A folder of event files that is read while a training writes it.

    Args:
        board: says which metrics are read.
        folder: where they are.
    """

    def __init__(self, board: TensorBoard, folder: Path) -> None:
        self._board, self._files, self._steps = board, EventFiles(folder), _Steps(board._how)

    def steps(self, over: bool) -> Iterator[Metrics]:
        """Yield the metrics of steps that have become whole since the last time; `over` if nobody writes any more."""
        if self._files.read() or over:
            tags = self._board._tags
            yield from self._steps.whole({name: self._files.series(tag) for name, tag in tags.items()}, over)

    def metrics(self) -> Metrics:
        """Return the metrics as the files have them now.

        Raises:
            UsageError: there is no value of a metric; names the folder and the tags that are there.
        """
        return self._board._reduced(self._files)


class _Steps:
    """Which steps of a training are whole, and the metrics reduced up to each.

    Attributes:
        last: the last step that was given out.
    """

    def __init__(self, how: Mapping[str, str]) -> None:
        self._how = how
        self.last = -1
        self._values: dict[str, list[float]] = {name: [] for name in how}
        self._taken = dict.fromkeys(how, -1)  # by metric, the last step whose value is among the values
        self._due: set[str] = set()  # metrics that were written at the last step

    def whole(self, series: Mapping[str, Series], over: bool) -> Iterator[Metrics]:
        """Yield the metrics of further steps, given all values so far; `over` if there will be no more."""
        steps = {name: sorted(one) for name, one in series.items()}
        ahead = sorted({step for one in steps.values() for step in one[bisect_right(one, self.last) :]})
        for i, step in enumerate(ahead):
            written = {name for name, one in series.items() if step in one}
            started = all(one and one[0] <= step for one in steps.values())
            if not over and i == len(ahead) - 1 and not (started and self._due <= written):
                return
            for name, one in steps.items():
                new = one[bisect_right(one, self._taken[name]) : bisect_right(one, step)]
                self._values[name] += [series[name][at][1] for at in new]
                self._taken[name] = new[-1] if new else self._taken[name]
            self.last = step
            if started:
                self._due = written
                yield {name: REDUCTIONS[how](self._values[name]) for name, how in self._how.items()}


@contextlib.contextmanager
def _suspended(process: subprocess.Popen[Any]) -> Iterator[None]:
    """Let a process and its descendants stand still meanwhile."""
    import psutil

    still: list[psutil.Process] = []
    if process.poll() is None:
        with contextlib.suppress(psutil.Error):
            root = psutil.Process(process.pid)
            still = [root, *root.children(recursive=True)]
    for member in still:
        with contextlib.suppress(psutil.Error):
            member.suspend()
    try:
        yield
    finally:
        for member in still[::-1]:
            with contextlib.suppress(psutil.Error):
                member.resume()


def _end(process: subprocess.Popen[Any]) -> None:
    if process.poll() is None:
        from evohpo.evaluators import tree

        tree.end(f"training {process.pid}", process.pid)  # nothing carries this mark: it is the tree that is meant
        process.wait()


def _tail(output: str | Path | None) -> str:
    try:
        return "" if output is None else Path(output).read_bytes()[-TAIL:].decode(errors="replace").strip()
    except OSError:
        return ""
