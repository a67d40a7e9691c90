"""TorchX as a launcher: components on whatever scheduler it knows."""

from __future__ import annotations

import contextlib
import inspect
import json
import signal
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from evohpo.errors import UsageError
from evohpo.evaluators.context import plain
from evohpo.evaluators.launchers.evaluator import Launched
from evohpo.evaluators.launchers.protocol import LIVE
from evohpo.evaluators.script.command import PLACEHOLDER, Arguments, Command, filled, text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from evohpo.reporting import RunningTrial
    from evohpo.study import Study

SETTLE = 10.0  # seconds that the last lines of a job may take
STATES = {
    "UNSUBMITTED": "waiting", "SUBMITTED": "waiting", "PENDING": "waiting", "RUNNING": "running", "UNKNOWN": "running",
    "SUCCEEDED": "done", "FAILED": "failed", "CANCELLED": "cancelled",
}  # fmt: skip
NOTHING = "<NONE>"  # what TorchX says where it has nothing to say
END = "--"  # between what a component names and the rest


class TorchX(Launched):
    r"""Runs each trial as a job of TorchX: a component on Slurm, Kubernetes, AWS Batch, docker, or this machine.

    Hyperparameters that the component names are its arguments; the others are words for its `*args`, if it has any. What the
    first replica of the first role prints is read while it runs. The environment variables of `Script` are set in all roles.

    Only "local_cwd" is tested here; other schedulers are the same calls of TorchX. On "local_cwd" trials run in this process's
    folder and end with it: a driver that was killed starts them anew, as everywhere where TorchX cannot list jobs by name.

    Args:
        component: a function that returns a `torchx.specs.AppDef`, or the name of one: "utils.python", "dist.ddp",
            "components.py:train".
        metrics: where they are found, see `Script`.
        constants: further arguments of the component, by name; "*" stands for a list of words for its `*args`, before the
            others. In texts `{learning_rate}` stands for that parameter, `{number}`, `{seed}`, `{step}` and `{directory}` for
            what the trial is.
        arguments: how parameters that neither the component nor a constant names are given, see `Script`.
        scheduler: "local_cwd", "local_docker", "slurm", "kubernetes", "aws_batch", ...
        config: of the scheduler: {"partition": "gpu"}, {"queue": "default"}.
        workspace: the folder that TorchX puts into the job's image, see TorchX.
        poll: seconds between looks at the scheduler; 0.2 on this machine, else 10.
        options: those of `Launched`: steps, reduce, checkpoints, workers, timeout, retries, environment, ...

    Raises:
        UsageError: torchx is missing, or an argument makes no sense.

    Example:
        evaluator = eh.TorchX(
            "dist.ddp", {"loss": r"loss=(\S+)"}, constants={"script": "train.py", "j": "1x4"}, scheduler="slurm",
            config={"partition": "gpu"}, steps=r"epoch=(\d+)",
        )
    """

    def __init__(
        self, component: str | Callable[..., Any], metrics: Any = None, *, constants: Mapping[str, Any] | None = None,
        arguments: Arguments = "--{name} {value}", scheduler: str = "local_cwd", config: Mapping[str, Any] | None = None,
        workspace: str | None = None, poll: float | None = None, **options: Any,
    ) -> None:  # fmt: skip
        runner = Runner(component, scheduler, config, workspace)
        self._line = Line(runner.component, constants or {}, arguments)
        if poll is None:
            poll = 0.2 if scheduler.startswith("local") else 10.0
        super().__init__(runner, self._line, metrics, poll=poll, **options)

    def begin(self, study: Study) -> None:
        """Learn whose jobs these are; refuse hyperparameters that the component could not take.

        Raises:
            UsageError: says what is wrong.
        """
        self._line.refuse(study.space.names)
        super().begin(study)


class Line(Command):
    """Makes the arguments of a component: `name=value` with values as JSON, then "--" and the words of `*args`.

    Args:
        component: the function.
        constants: arguments that are the same for all trials, but for what they name in braces.
        arguments: how the parameters are given that nothing names.

    Raises:
        UsageError: a constant that the component does not take, or one missing that it needs.
    """

    def __init__(self, component: Callable[..., Any], constants: Mapping[str, Any], arguments: Arguments) -> None:
        parameters = inspect.signature(component).parameters.values()
        self._takes = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        self._needs = {p.name for p in parameters if p.name in self._takes and p.default is p.empty}
        self._rest = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        self._what = getattr(component, "__name__", repr(component))
        self._constants = dict(constants)
        words = [text(word) for word in self._constants.pop("*", ())]
        if unknown := sorted(self._constants.keys() - self._takes):
            raise UsageError(f"constants= names {unknown[0]!r}, which {self._what} does not take: {self._taken()}")
        if words and not self._rest:
            raise UsageError(f'constants= has words for "*", and {self._what} has no *args')
        super().__init__([END, *words], arguments)
        self._named |= {name for value in self._constants.values() for name in _names(value)} | self._takes

    def refuse(self, names: Sequence[str]) -> None:
        """Refuse hyperparameters that do not fit the component.

        Raises:
            UsageError: names one.
        """
        for name in names:
            if name in self._constants:
                raise UsageError(f"{name!r} is a hyperparameter and in constants= too")
            if name not in self._named and (not self._rest or self.arguments is None):
                raise UsageError(
                    f"{self._what} takes no {name!r}: {self._taken()}. Add it there, or name {{{name}}} in constants="
                )
        if missing := sorted(self._needs - set(names) - self._constants.keys()):
            raise UsageError(f"{self._what} needs {missing[0]!r}: give it in constants=")

    def line(self, trial: RunningTrial, absent: Collection[str] = ()) -> tuple[list[str], dict[str, str]]:
        """Return the arguments of a trial's component, and environment variables, see `Command`."""
        # of the words, TorchX replaces what looks like one of its macros, ${app_id}
        trial = replace(
            trial,
            params={
                name: one.replace("$", "$$") if isinstance(one, str) else one for name, one in trial.params.items()
            },
        )
        known = {"number": trial.number, "seed": trial.seed, "step": trial.step, "directory": str(trial.directory)}
        texts = {name: text(value) for name, value in (known | dict(trial.params)).items()}
        given = {name: plain(trial.params[name]) for name in trial.params if name in self._takes}
        given |= {
            name: filled(value, texts) if isinstance(value, str) else value
            for name, value in self._constants.items()
            if set(absent).isdisjoint(_names(value))
        }
        words, variables = super().line(trial, absent)
        return [f"{name}={json.dumps(value)}" for name, value in given.items()] + words, variables

    def _taken(self) -> str:
        return f"it takes {', '.join(sorted(self._takes))}{' and *args' if self._rest else ''}"


class Runner:
    """The launcher: TorchX's own runner.

    Args:
        component: a function that returns an AppDef, or its name.
        scheduler: where jobs run.
        config: of the scheduler.
        workspace: see TorchX.

    Raises:
        UsageError: torchx is missing, or there is no such component or scheduler.
    """

    def __init__(
        self, component: str | Callable[..., Any], scheduler: str, config: Mapping[str, Any] | None, workspace: str | None
    ) -> None:  # fmt: skip
        try:
            from torchx.runner import get_runner
            from torchx.specs.finder import (
                ComponentNotFoundException,
                ComponentValidationException,
                get_component,
            )
        except ImportError as error:
            raise UsageError("TorchX needs torchx: pip install 'evohpo[torchx]'") from error
        try:
            self.component: Callable[..., Any] = (
                get_component(component).fn if isinstance(component, str) else component
            )
        except (ComponentNotFoundException, ComponentValidationException, ValueError) as error:
            raise UsageError(f"TorchX has no component {component!r}: {error}") from error
        self._scheduler, self._config, self._workspace = scheduler, config or {}, workspace
        self._runner = get_runner()
        if scheduler not in (known := self._runner.scheduler_backends()):
            raise UsageError(f"scheduler={scheduler!r}: TorchX has {', '.join(sorted(known))}")
        self.worker = f"torchx:{scheduler}"
        self._jobs: dict[str, Output] = {}

    def submit(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], directory: Path,  # noqa: ARG002
        resources: Mapping[str, Any],  # noqa: ARG002 - a component says itself where it runs and what it needs
    ) -> str:  # fmt: skip
        """Start a component; its words are those of `Line`."""
        at = command.index(END)
        given = {key: json.loads(value) for key, _, value in (word.partition("=") for word in command[:at])}
        try:
            app = self._called(given, command[at + 1 :])
        except TypeError as error:
            raise UsageError(f"the component cannot be called with {', '.join(given)}: {error}") from error
        app.name = name
        for role in app.roles:
            role.env.update({key: value.replace("$", "$$") for key, value in environment.items()})
        with _own_signals():
            handle: str = self._runner.run(app, self._scheduler, self._config, self._workspace)
        self._jobs[handle] = Output(self._runner, handle, app.roles[0].name)
        return handle

    def _called(self, given: Mapping[str, Any], words: Sequence[str]) -> Any:
        """Return the component's AppDef; parameters before `*args` are given by place, for then they must be."""
        parameters = inspect.signature(self.component).parameters.values()
        before = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD] if words else []
        places = [given[name] for name in before]
        named = {name: value for name, value in given.items() if name not in before}
        return self.component(*places, *words, **named)

    def find(self, name: str) -> str | None:
        """Return the handle of a job by its name, where the scheduler lists jobs under their names."""
        if self._scheduler.startswith("local"):
            return None
        with contextlib.suppress(Exception):  # not all schedulers can
            for app in self._runner.list(self._scheduler):
                if name in app.app_id.split("/")[-1]:
                    return str(app.app_handle)
        return None

    def poll(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the states of jobs."""
        states = {}
        for job in ids:
            if (status := self._runner.status(job)) is not None:
                state = STATES.get(status.state.name, "running")
                if state not in LIVE and job in self._jobs:
                    self._jobs[job].finish()
                said = [one for one in (status.msg, status.structured_error_msg) if one and one != NOTHING]
                states[job] = f"{state}: {' '.join(' '.join(said).split())}"
        return states

    def cancel(self, job: str) -> None:
        """End a job."""
        self._runner.cancel(job)

    def read(self, job: str, offset: int) -> tuple[bytes, int]:
        """Return what the first replica of the first role printed from a byte on."""
        if job not in self._jobs:  # adopted
            described = self._runner.describe(job)
            if described is None:
                return b"", offset
            self._jobs[job] = Output(self._runner, job, described.roles[0].name)
        printed = self._jobs[job].since(offset)
        return printed, offset + len(printed)

    def close(self) -> None:
        """End what runs on this machine."""
        with _own_signals():
            self._runner.close()
        for output in self._jobs.values():
            output.join()
        self._jobs.clear()


class Output:
    """What a job prints, read as it comes: TorchX gives an iterator over lines that waits for the next one.

    Args:
        runner: of TorchX.
        handle: of the job.
        role: whose first replica is read.
    """

    def __init__(self, runner: Any, handle: str, role: str) -> None:
        self._runner, self._handle, self._role = runner, handle, role
        self._printed, self._finished = bytearray(), False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._follow, name=f"evohpo-{handle}", daemon=True)
        self._thread.start()

    def since(self, offset: int) -> bytes:
        """Return what was printed from a byte on."""
        with self._lock:
            return bytes(self._printed[offset:])

    def finish(self) -> None:
        """Have all that a job printed which has ended.

        It is read once more: who follows a log may be told that the job is over before its last lines are there.
        """
        if self._finished:
            return
        self._finished = True
        self.join()
        with contextlib.suppress(Exception):  # its log is gone
            whole = "".join(self._runner.log_lines(self._handle, self._role, 0)).encode()
            with self._lock:
                if whole.startswith(self._printed):
                    self._printed += whole[len(self._printed) :]

    def join(self) -> None:
        """Wait until nobody follows the log of a job that has ended."""
        self._thread.join(SETTLE)

    def _follow(self) -> None:
        with contextlib.suppress(
            Exception
        ):  # the job ended without a word, or its log is gone: metrics will be missing
            for line in self._runner.log_lines(self._handle, self._role, 0, should_tail=True):
                with self._lock:
                    self._printed += line.encode()


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep this process's handlers of signals: TorchX's local scheduler sets its own, which would end studies badly."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            if handler is not None:
                signal.signal(number, handler)


def _names(value: Any) -> set[str]:
    return set(PLACEHOLDER.findall(value)) if isinstance(value, str) else set()
