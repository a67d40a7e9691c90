"""The loop: hands trials to an evaluator, tells the study what became of them, until a rule says stop. And `tune`."""

from __future__ import annotations

import shutil
import sys
import tempfile
import warnings
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evohpo.callbacks.dispatching import Dispatcher, checked
from evohpo.errors import EvohpoError, EvohpoWarning, OptimizerError, UsageError
from evohpo.evaluators.folders import inherit
from evohpo.evaluators.protocol import Evaluator, Event, Failed, Finished, Job, Paused, Reported, Started
from evohpo.pruners import Decision
from evohpo.stragglers import Stragglers
from evohpo.study import Study
from evohpo.study.stop import Reason, Rule, as_rule, reason
from evohpo.trials.trial import Status, Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from evohpo.callbacks.protocol import AnyCallback
    from evohpo.evaluators.slots import Gpus
    from evohpo.space import Space

HOPELESS = 10  # failures without a single success after which a study gives up
TICK = 1.0  # seconds between looks at the clock while trials run


def tune(
    objective: Callable[..., Any] | None, space: Space | Mapping[str, Any], *, maximize: str | Iterable[str] | None = None,
    minimize: str | Iterable[str] | None = None, constraints: Iterable[str] = (), optimizer: Any = "auto",
    pruner: Any = None, trials: int | None = None, generations: int | None = None, population: int | None = None,
    workers: int = 1, gpus: Gpus = None, evaluator: Evaluator | None = None, quorum: float | None = None,
    stop: Rule | None = None, timeout: float | None = None,
    initial: Iterable[Mapping[str, Any]] = (), duplicates: str = "reuse", lookahead: int | None = None,
    repeats: int | str | None = None, prior: Iterable[Study | str | Path] = (), seed: int | None = None,
    store: str | Path | None = None, name: str | None = None, owner: str | None = None, description: str | None = None,
    callbacks: Iterable[AnyCallback] = (), progress: bool = True,
) -> Study:  # fmt: skip
    """Search `space` for the best configurations of `objective`.

    Args:
        objective: called with a dict of hyperparameters (and a trial context, if it takes a second argument); returns a
            number or a dict of metrics, or yields one a training step. `Batched(f)` is called once a population.
        space: a `Space`, or the dict that makes one.
        maximize: a metric or several to be made large; at least one objective is required.
        minimize: a metric or several to be made small.
        constraints: outcome constraints such as "seconds <= 1", "2 * latency + size <= 40", "accuracy >= 0.95 * baseline"; the
            baseline is what the first trial has as that metric: the first of `initial`, else the space's defaults.
        optimizer: a registered name, `use(...)`, a class, a generator or search function, or a live foreign object.
        pruner: ends or pauses trials that will not win: `ASHA(max_steps=81)`, a name such as "median", a live pruner.
        trials: at most so many trials in all, those of earlier runs of the same store included.
        generations: at most so many generations of `population` trials.
        population: trials a generation; None leaves it to the optimizer.
        workers: trials that run at once; above 1 each in its own process.
        gpus: how many graphics processors there are, or their ids; each trial has its own, in `ctx.resources["gpu"]` and in
            CUDA_VISIBLE_DEVICES, and where there are fewer than workers some share one.
        evaluator: where trials run, if not in this process or its children.
        quorum: the share of a generation after which the next begins if workers are idle: 0.8 does not wait for the slowest
            fifth. Late trials are told when they end, and are ended when the next generation has come so far, too.
        stop: `Stop(...)`, rules joined by `&` and `|`, or a function of the study. Running trials come to their end.
        timeout: seconds after which this run ends; running trials are broken off and start again when the store goes on.
        initial: configurations to try first; partial ones are completed by defaults and mid-points.
        duplicates: "reuse" gives a repeated configuration the earlier result, "evaluate" measures it again.
        lookahead: makes an optimizer that never waits independent of timing and workers, see `Study`.
        repeats: for results with noise: how often the best configurations are measured, in trials of their own; "auto" for as
            often as their order is uncertain. `study.best` is then chosen by the mean, `study.estimate()` gives an interval.
        prior: earlier studies of related tasks, or the paths of stored ones: a few configurations that did well there are tried
            first, and an optimizer that models may learn from all of them. Their spaces may differ.
        seed: the root of all randomness; drawn, recorded and shown where not given.
        store: path of a file that makes the study durable; the same call with the same path goes on.
        name: a name for people.
        owner: whose study it is.
        description: what it is about.
        callbacks: functions of study and trial, called when a trial has ended; or objects that hear of more, such as
            `callbacks.TensorBoardWriter("runs")`: see `callbacks.Callback`.
        progress: False for silence. There is no output where standard error is not a terminal or a notebook.

    Returns:
        The study: `study.best`, `study.front()`, `study.table()`; `study.stopped` says why it ended.

    Raises:
        UsageError: an argument that makes no sense, or no budget.
        StoreError: the store cannot be read or written.
        OptimizerError: the optimizer raised or broke the protocol; nothing measured is lost.

    Example:
        >>> from evohpo.space import Continuous
        >>> study = tune(lambda p: (p["x"] - 1) ** 2, {"x": Continuous(-5, 5)}, minimize="loss", optimizer="de",
        ...              generations=20, population=10, seed=1, progress=False)
        >>> abs(study.best.params["x"] - 1) < 0.1
        True
    """  # fmt: skip
    check_run(objective, workers, trials, generations, timeout)
    callbacks = checked(callbacks)
    study = Study(
        space, maximize=maximize, minimize=minimize, constraints=constraints, optimizer=optimizer, pruner=pruner,
        population=population, initial=initial, duplicates=duplicates, lookahead=lookahead, repeats=repeats, prior=prior,
        seed=seed, store=store, name=name, owner=owner, description=description,
    )  # fmt: skip
    return run(
        study, objective, trials=trials, generations=generations, workers=workers, gpus=gpus, evaluator=evaluator,
        quorum=quorum, stop=stop, timeout=timeout, callbacks=callbacks, progress=progress,
    )  # fmt: skip


def run(
    study: Study, objective: Callable[..., Any] | None, *, trials: int | None = None, generations: int | None = None,
    workers: int = 1, gpus: Gpus = None, evaluator: Evaluator | None = None, quorum: float | None = None,
    stop: Rule | None = None, timeout: float | None = None, callbacks: Iterable[AnyCallback] = (), progress: bool = True,
) -> Study:  # fmt: skip
    """Go on with `study` until its budget is spent; the arguments are those of `tune`."""
    check_run(objective, workers, trials, generations, timeout)
    if trials is None and generations is None and timeout is None and stop is None and not study.finite:
        raise UsageError("say how long: trials=, generations=, timeout= or stop=")
    told = Dispatcher(study, callbacks)
    stragglers = Stragglers(quorum)
    evaluator = _evaluator(objective, workers, gpus, evaluator)
    size = study.settings.population
    budget = (
        trials if trials is not None else generations * size if generations is not None and size is not None else None
    )
    study.begin(budget=budget, generations=generations, workers=evaluator.capacity)
    loop = _Loop(
        study, objective, evaluator, trials, generations, None if stop is None else as_rule(stop), timeout, told, stragglers
    )  # fmt: skip
    with ExitStack() as leaving:  # in reverse, each whatever the others raise
        leaving.callback(study.close)
        leaving.callback(told.finish)
        if (begin := getattr(evaluator, "begin", None)) is not None:
            begin(study)
        leaving.callback(loop.leave)
        try:
            told.begin()
            with _shown(study, trials, generations, timeout) if progress else nullcontext():
                loop.run()
        except KeyboardInterrupt:
            study.end({"interrupted": True})
            _say_how_to_go_on(study)
    return study


def check_run(objective: Any, workers: int, trials: int | None, generations: int | None, timeout: float | None) -> None:
    """Refuse run arguments that make no sense, before anything is made.

    Raises:
        UsageError: says which argument, and what it may be.
    """
    if objective is not None and not callable(objective):
        raise UsageError(
            f"the objective must be a function of a dict of hyperparameters, not {type(objective).__name__}"
        )
    for name, value in (("workers", workers), ("trials", trials), ("generations", generations)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise UsageError(f"{name}={value!r}: must be a whole number of at least 1")
    if timeout is not None and not timeout > 0:
        raise UsageError(f"timeout={timeout!r}: must be above 0 seconds")


def _evaluator(objective: Any, workers: int, gpus: Gpus, evaluator: Evaluator | None) -> Evaluator:
    from evohpo.evaluators import Batched, BatchedInline, Inline, Processes

    if gpus is not None and evaluator is not None:
        raise UsageError("gpus= is for trials on this machine: an evaluator has its own, such as Script(..., gpus=2)")
    simulate = getattr(objective, "simulate", None)  # recorded curves, see Replayed
    if simulate is not None and evaluator is None:
        simulation: Evaluator = simulate(workers)
        return simulation
    if isinstance(objective, Batched):
        if evaluator is not None or workers != 1:
            raise UsageError(
                "a Batched objective evaluates its whole population itself: leave out workers= and evaluator="
            )
        return BatchedInline()
    if objective is None and evaluator is None:
        raise UsageError("there is no objective: give a function of a dict of hyperparameters")
    if evaluator is None:
        return Inline() if workers == 1 and gpus is None else Processes(workers, gpus=gpus)
    if evaluator.capacity == 0:
        evaluator.capacity = workers
    return evaluator


class _Loop:
    """One run: fills the workers, handles what comes back, ends when a rule says so."""

    def __init__(
        self, study: Study, objective: Any, evaluator: Evaluator, trials: int | None, generations: int | None,
        stop: Rule | None, timeout: float | None, told: Dispatcher, stragglers: Stragglers,
    ) -> None:  # fmt: skip
        self.study, self.objective, self.evaluator = study, objective, evaluator
        self.trials, self.generations, self.stop, self.timeout = trials, generations, stop, timeout
        self.told, self.stragglers = told, stragglers  # told: the callbacks
        self.running: dict[int, Trial] = {}  # with the evaluator
        self.paused: set[int] = set()  # with the evaluator too, as far as it keeps them
        self.parting: set[int] = set()  # running ones that are to go on again when their pause is through
        self.doomed: dict[int, EvohpoError] = {}  # trials that reported nonsense, until they have stopped
        self.resumed: list[Trial] = []
        self.directory = study.store.with_name(f"{study.store.name}.files") if study.store is not None else None
        if self.directory is None and study.inherits:  # folders have to outlive their trials
            self.directory = Path(tempfile.mkdtemp(prefix="evohpo-"))

    def run(self) -> None:
        """Run until there is nothing more to do."""
        study = self.study
        self.resumed = study.resume()[::-1]
        stop: Reason | None = None
        while True:
            stop = self._settled() or stop
            self.told.flush()
            why = stop or self._fill()
            if self.stragglers.pass_over(study, self.evaluator, self.running, why is not None):
                continue
            study.commit()
            if not self.running:
                if why is not None:
                    if study.paused.end():
                        self._settled()
                    break
                continue
            if self.timeout is not None and study.seconds >= self.timeout:
                why = {"timeout": self.timeout}
                break
            self._handle(self.evaluator.wait(self._patience()))
            if (heard := getattr(self.evaluator, "heard", None)) is not None:
                study.commit()
                heard()
        study.end(why)

    def leave(self) -> None:
        """End what still runs; those trials wait for whoever goes on."""
        self.evaluator.close()
        if self.directory is not None and self.study.store is None:
            shutil.rmtree(self.directory, ignore_errors=True)
        for trial in [*self.running.values(), *self.resumed]:
            if trial.status is Status.RUNNING:
                self.study.ledger.move(trial, Status.WAITING)
        self.running.clear()

    def _patience(self) -> float | None:
        looks = [TICK] if self.stop is not None or self.timeout is not None else []
        looks += [] if self.timeout is None else [max(0.0, self.timeout - self.study.seconds)]
        return min([*looks, *([] if (tick := self.stragglers.patience) is None else [tick])], default=None)

    # ---- giving out

    def _fill(self) -> Reason | None:
        """Start trials while there are free workers; return why there will be no more, or None."""
        study, evaluator = self.study, self.evaluator
        fresh: list[Trial] = []
        why: Reason | None = None
        while why is None and (free := evaluator.capacity - len(self.running) - len(fresh)) > 0:
            if self.resumed:
                self._start(self.resumed.pop(), fresh)
                continue
            spent = self.trials is not None and len(study.trials) - study.ledger.attached >= self.trials
            trial = study.paused.promote() if spent else self._take(free, fresh)
            if trial is None and spent:
                if not fresh and study.paused.unblock():
                    continue
                why = {"trials": self.trials}
                break
            if trial is None:
                why = self._why_none(bool(fresh))
                break
            if trial.status is Status.RUNNING:
                self._start(trial, fresh)
            else:
                why = self._settled()
        study.commit()  # before anything acts on it
        for trial in fresh:
            if trial.number in self.running:
                self.parting.add(trial.number)
            else:
                self._submit(trial)
        self.told.flush()
        return why

    def _take(self, free: int, fresh: list[Trial]) -> Trial | None:
        """Return one more trial; those that are evaluated together are of one generation, so that others learn from it."""
        if not getattr(self.evaluator, "gathers", False):
            return self.study.take(free, self.generations)
        ends = fresh[-1].generation + 1 if fresh else self.generations
        return self.study.take(min(free, self.study.generation_size), ends)

    def _start(self, trial: Trial, fresh: list[Trial]) -> None:
        fresh.append(trial)
        self.told.note("started", trial)

    def _submit(self, trial: Trial) -> None:
        self.running[trial.number] = trial
        self.stragglers.started(trial)
        self.evaluator.submit(self._job(trial))

    def _why_none(self, started: bool) -> Reason | None:
        study = self.study
        if study.done:
            return {"optimizer": "has nothing more to propose"}
        if self.generations is not None and study.next_generation >= self.generations:
            return {"generations": self.generations}
        if not self.running and not started:
            raise OptimizerError(
                f"optimizer {study.optimizer!r} has nothing to propose although everything it proposed has been told; "
                "its ask must return rows, or None when it is done"
            )
        return None

    def _job(self, trial: Trial) -> Job:
        directory, step = self.directory and self.directory / _folder(trial.number), trial.steps
        if trial.heir >= 0 and not step:
            step = self.study.trials[trial.heir].steps
            if directory is not None:
                inherit(directory.with_name(_folder(trial.heir)), directory)
        return Job(trial.number, trial.params, self.objective, self.study.seeds.trial(trial.number), directory, step)

    # ---- taking in

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            trial = self.running.get(event.number)
            if trial is None:
                continue
            if isinstance(event, Started):
                trial.worker, trial.job = event.worker, event.job
            elif isinstance(event, Reported):
                self._report(trial, event)
            elif isinstance(event, Paused):
                del self.running[event.number]
                trial.seconds += event.seconds
                trial.metrics.update(event.metrics)
                self.paused.add(event.number)
                if event.number in self.parting:
                    self.parting.discard(event.number)
                    self._submit(trial)
            else:
                del self.running[event.number]
                self._settle(trial, event)

    def _report(self, trial: Trial, event: Reported) -> None:
        try:
            if event.resumed:
                trial.resumed = event.resumed
            decision = self.study.note(trial, event.step, event.metrics)
            self.told.note_report(trial, decision)
        except EvohpoError as error:
            self.doomed[trial.number] = error
            decision = Decision.STOP
        if decision is not Decision.CONTINUE:
            self.evaluator.stop(trial.number, pause=decision is Decision.PAUSE)

    def _settle(self, trial: Trial, event: Finished | Failed) -> None:
        facts: dict[str, Any] = {
            "seconds": round(trial.seconds + event.seconds, 6),
            "resumed": trial.resumed,
            "steps": max(event.steps, trial.steps),
            "worker": event.worker or trial.worker,
            "job": trial.job,
        }
        doom = self.doomed.pop(trial.number, None)
        if doom is not None:
            self.study.settle(trial, error=str(doom), kind="value", **facts)
        elif isinstance(event, Failed):
            facts |= {"metrics": dict(event.metrics), "kind": event.kind, "traceback": event.traceback}
            self.study.settle(trial, error=self.stragglers.reason(trial) or event.reason, **facts)
        else:
            value = trial.reports[-1][1] if event.value is None and trial.reports else event.value
            self.study.settle(trial, value, stopped=event.stopped, **facts)

    def _settled(self) -> Reason | None:
        """Take in which trials ended since the last look; return what the rules say."""
        study = self.study
        if not study.ledger.fresh and self.stop is None:
            return None
        for trial in study.ledger.fresh:
            if trial.number in self.paused and trial.number not in self.running:
                self.paused.discard(trial.number)
                self.evaluator.stop(trial.number)
        why = reason(self.stop, study) if self.stop is not None else None
        self.told.forget_ends()
        counts = study.ledger.counts
        if study.ledger.succeeded == 0 and counts[Status.FAILED] >= HOPELESS:
            first = next(t for t in study.trials if t.failed)
            warnings.warn(
                f"the first {counts[Status.FAILED]} trials all failed, so the study stops. Trial {first.number}: {first.error}\n"
                f"{first.traceback}",
                EvohpoWarning,
                stacklevel=4,
            )
            return {"failing": counts[Status.FAILED]}
        if study.exhausted and self.trials is None and self.generations is None:
            return {"exhausted": study.ledger.reused_in_a_row}
        return why


def _folder(number: int) -> str:
    return f"trial-{number:06d}"


def _shown(study: Study, trials: int | None, generations: int | None, timeout: float | None) -> Any:
    from evohpo.progress import Progress

    return Progress(study, trials, generations, timeout)


def _say_how_to_go_on(study: Study) -> None:
    where = (
        f"; the same call goes on from {study.store}"
        if study.store is not None
        else " (give store= to be able to go on)"
    )
    sys.stderr.write(f"\nStopped after {study.ledger.ended} trials{where}\n")
