"""The study: it sits between optimizer and objective, and remembers everything."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, overload

from evohpo.closing import Closing
from evohpo.errors import IllegalValue, UsageError
from evohpo.optimizers.registry import Resolved, resolve
from evohpo.pruners import Decision, Setting, resolve_pruner
from evohpo.pruners.naming import describe_pruner
from evohpo.pruners.steps import max_steps_of
from evohpo.space import Space
from evohpo.study import journal as journals
from evohpo.study.chronicle import Chronicle
from evohpo.study.journal import Journal
from evohpo.study.late import Late
from evohpo.study.learned import Learned
from evohpo.study.paused import Paused
from evohpo.study.prior import first_of, lessons_of
from evohpo.study.repeating import Repeating, check_repeats
from evohpo.study.seeds import Seeds, draw
from evohpo.study.settings import Settings, check, describe
from evohpo.trials.goals import Goals
from evohpo.trials.trial import Status, Trial

if TYPE_CHECKING:
    import pandas as pd

    from evohpo.study.journal import Record
    from evohpo.study.stop import Reason


class Study(Learned, Closing):
    """A search in progress: ask it for trials, tell it what became of them, read what was learned.

    Args:
        space: what is searched.
        maximize: a metric or several to be made large.
        minimize: a metric or several to be made small; at least one objective is required.
        constraints: outcome constraints such as "accuracy >= 0.85", "accuracy >= 0.95 * baseline"; see `evohpo.tune`.
        optimizer: a registered name, `evohpo.use(...)`, a class, a generator or search function, or a live object.
        pruner: decides at each report whether a trial goes on: `ASHA(...)`, a name such as "median", an object with
            `report(trial, step, value)`, a live pruner of a library with an adapter.
        population: trials a generation; None leaves it to the optimizer.
        initial: configurations to try first; partial ones are completed.
        duplicates: "reuse" gives a repeated configuration the earlier result, "evaluate" measures it again.
        lookahead: trial k is proposed when all trials up to k - lookahead have ended and been told in order.
        repeats: how often the best configurations are measured, or "auto"; see `evohpo.tune`.
        prior: earlier studies of related tasks, or the paths of stored ones; see `evohpo.tune`.
        seed: root of all randomness; drawn and recorded where not given.
        store: path of the file that makes the study durable; an existing study there goes on.
        name: a name for people.
        owner: whose study it is.
        description: what it is about.
        notes: plain JSON data to keep with the study.

    Raises:
        UsageError: an argument that makes no sense, or a store with another study.
        StoreError: a store that cannot be read or written.

    Example:
        >>> from evohpo.space import Continuous
        >>> study = Study({"x": Continuous(-1, 1)}, minimize="loss", optimizer="random", seed=1)
        >>> for trial in study.ask(3):
        ...     study.tell(trial, {"loss": trial.params["x"] ** 2})
        >>> study.best.number
        2
    """

    def __init__(
        self, space: Space | Mapping[str, Any], *, maximize: str | Iterable[str] | None = None,
        minimize: str | Iterable[str] | None = None, constraints: Iterable[str] = (), optimizer: Any = "auto",
        pruner: Any = None, population: int | None = None, initial: Iterable[Mapping[str, Any]] = (),
        duplicates: str = "reuse", lookahead: int | None = None, repeats: int | str | None = None,
        prior: Iterable[Study | str | Path] = (), seed: int | None = None, store: str | Path | None = None,
        name: str | None = None, owner: str | None = None, description: str | None = None,
        notes: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        space = space if isinstance(space, Space) else Space(space)
        goals = Goals.of(maximize, minimize, constraints)
        check(duplicates, population, lookahead, seed)
        check_repeats(repeats)
        pruner = resolve_pruner(pruner)
        resolved = resolve(optimizer)
        first = [space.complete(dict(config)) for config in ([initial] if isinstance(initial, Mapping) else initial)]
        settings = Settings(
            space, goals, describe(resolved), draw() if seed is None else int(seed), population, duplicates, lookahead,
            describe_pruner(pruner),
            name or (Path(store).stem if store else "study"), owner or "", description or "", notes or {}, repeats=repeats,
        )  # fmt: skip
        if store is not None and journals.exists(store):
            journal = Journal(Path(store), write=True)
            try:
                stored = Settings.from_header(journal.header())
                stored.check_same(settings, seed is not None, str(store))
                self._open(stored, resolved, pruner, journal)
            except BaseException:
                journal.close()
                raise
            return
        self._open(
            settings, resolved, pruner, Journal.create(store, settings.to_header()) if store is not None else None
        )
        self._chronicle.try_first(first)
        self._learn(prior)
        self.commit()

    def _learn(self, prior: Iterable[Study | str | Path]) -> None:
        """Begin with what did well in earlier studies; the baseline of constraints is no configuration of theirs."""
        lessons = lessons_of(prior, self.space, self.goals)
        if lessons and self.goals.relative and not self._chronicle.initial:
            self._chronicle.has_baseline()
        self._chronicle.learn(lessons)
        self._chronicle.try_first(first_of(lessons, self.space), "prior")

    def _open(self, settings: Settings, resolved: Resolved | None, pruner: Any, journal: Journal | None) -> None:
        self.settings, self.space, self.goals = settings, settings.space, settings.goals
        self.seeds = Seeds(settings.seed)
        self.pruner: Any = resolve_pruner(pruner)
        self.max_steps = max_steps_of(settings.space)
        if hasattr(self.pruner, "begin"):
            self.pruner = copy.deepcopy(self.pruner)
            self.pruner.begin(Setting(settings.goals, self.max_steps, settings.seed))
        self.max_steps = getattr(self.pruner, "max_steps", None) or self.max_steps
        self._began = time.monotonic()
        self._chronicle = Chronicle(settings, self.seeds, resolved, self.pruner, journal)
        self.ledger = self._chronicle.ledger
        self.paused, self.late = Paused(self._chronicle), Late(self._chronicle)
        self._repeating = Repeating(self._chronicle, settings.repeats)

    @classmethod
    def opened(cls, settings: Settings, resolved: Resolved | None, pruner: Any, journal: Journal) -> Self:
        """Return the study that `journal` holds; see `load`."""
        study = cls.__new__(cls)
        study._open(settings, resolved, pruner, journal)
        return study

    def follow(self, record: Record) -> None:
        """Take in an event that another process recorded of this study; they must come in order, and whole.

        Raises:
            StoreError: it is of a kind that is not known here.
        """
        self._chronicle.apply(record)

    # ---- what it is

    @property
    def seed(self) -> int:
        """The root of all randomness."""
        return self.settings.seed

    @property
    def name(self) -> str:
        """The study's name."""
        return self.settings.name

    @property
    def store(self) -> Path | None:
        """Path of the study's file, None for a study in memory."""
        journal = self._chronicle.journal
        return journal.path if journal is not None else None

    @property
    def optimizer(self) -> str:
        """The optimizer's name."""
        return str(self.settings.optimizer["name"])

    @property
    def strategy(self) -> str:
        """What the optimizer chose for this task, and why, in one line; "" where there was nothing to choose."""
        return self._chronicle.conversation.strategy

    @property
    def seconds(self) -> float:
        """Time since this run, or this process's study, began."""
        return time.monotonic() - self._began

    @property
    def stopped(self) -> Reason:
        """Why the last run ended, as data such as {"trials": 100}; {} while one goes on."""
        return self._chronicle.stopped

    def end(self, reason: Reason) -> None:
        """Note why a run ended."""
        self._chronicle.stop(reason)
        self.commit()

    def begin(self, **facts: Any) -> None:
        """Note that a run begins, with what the optimizer may know of it: `budget`, `workers`, `max_steps`.

        The optimizer keeps the facts it was first started with, so that a longer budget later does not change the past.
        """
        self._began = time.monotonic()
        self._chronicle.stopped = {}
        self._chronicle.begin({"max_steps": self.max_steps} | facts if self.max_steps else facts)

    # ---- ask and tell

    def ask(self, n: int = 1) -> list[Trial]:
        """Return up to `n` trials to evaluate; fewer, or none, while the optimizer waits for results or when it is done.

        Trials that repeat an earlier configuration get its result at once and are not returned. Paused trials that may go on
        come first; they have `steps` and `reports` already.

        Raises:
            OptimizerError: the optimizer raised or broke the protocol.
        """
        trials: list[Trial] = []
        while len(trials) < n and (trial := self.take(n - len(trials))) is not None:
            if trial.status is Status.RUNNING:
                trials.append(trial)
            elif self.exhausted:
                break
        self.commit()
        return trials

    def take(self, n: int = 1, generations: int | None = None) -> Trial | None:
        """Hand out one trial: to be evaluated if it is RUNNING, else a duplicate. The caller commits before acting on it.

        Args:
            n: how many the caller could use at once.
            generations: hand out nothing of this generation or later.
        """
        trial = self.paused.promote() or self._new(n, generations)
        while trial is None and self.paused.unblock():
            trial = self.paused.promote() or self._new(n, generations)
        return trial

    def _new(self, n: int, generations: int | None) -> Trial | None:
        """Make the next proposal a trial."""
        chronicle = self._chronicle
        if self.goals.relative and not chronicle.has_baseline():
            return None
        if self.ledger.parked >= self.generation_size:
            return None  # more of the same would come: first let something end
        if self._repeating.holds_up():
            return None
        if chronicle.again or chronicle.initial or self._repeating.decide():
            trial = chronicle.start_first()
        else:
            proposal = chronicle.conversation.peek(n)
            if proposal is None or (generations is not None and proposal.generation >= generations):
                return None
            trial = chronicle.start(proposal)
        chronicle.share_or_run(trial)
        self.paused.reopen()
        return trial

    def enqueue(self, params: Mapping[str, Any] | Iterable[Mapping[str, Any]], label: str = "initial") -> None:
        """Try configurations before what the optimizer proposes next; partial ones are completed by defaults and mid-points.

        Args:
            params: a configuration, or several.
            label: the trials' label in the table.

        Raises:
            IllegalValue: one is not in the space.
        """
        configs = [params] if isinstance(params, Mapping) else params
        self._chronicle.try_first([self.space.complete(dict(config)) for config in configs], label)
        self.commit()

    def resume(self) -> list[Trial]:
        """Take over the trials that an earlier run left unfinished, in order; the caller evaluates them."""
        return self._chronicle.take_over()

    @property
    def exhausted(self) -> bool:
        """Whether so many proposals in a row repeated earlier ones that nothing new is to be expected."""
        return self.ledger.reused_in_a_row >= max(1000, 50 * self.generation_size)

    @property
    def generation_size(self) -> int:
        """How many trials count as one generation where the optimizer does not say."""
        return self._chronicle.conversation.generation_size

    @property
    def next_generation(self) -> int:
        """The generation of the proposal that would be handed out next; -1 if there is none now."""
        queue = self._chronicle.conversation.queue
        return queue[0].generation if queue else -1

    @property
    def finite(self) -> bool:
        """Whether the optimizer ends by itself."""
        resolved = self._chronicle.conversation.resolved
        return resolved is not None and resolved.traits.finite

    @property
    def inherits(self) -> bool:
        """Whether trials go on from the folders of others."""
        resolved = self._chronicle.conversation.resolved
        return resolved is not None and resolved.traits.heirs

    @property
    def done(self) -> bool:
        """Whether the optimizer has said that it has nothing more to propose."""
        return (
            self._chronicle.conversation.done and not self._chronicle.conversation.queue and not self._chronicle.initial
        )

    def tell(
        self, trial: Trial | int, metrics: Any = None, *, error: BaseException | str | None = None, **facts: Any
    ) -> None:
        """Say what became of a trial: its metrics, or the error that ended it.

        Metrics that are no legal result make the trial FAILED with the reason in its row.

        Args:
            trial: the trial or its number.
            metrics: what the objective measured: a number, or a dict of them.
            error: why there is no result; `metrics` may then say what is known all the same, such as its cost.
            **facts: further columns: `seconds`, `steps`, `worker`, `job`, `kind`, `traceback`; and `stopped=True` for a
                trial that was ended early.

        Raises:
            UsageError: there is no such trial, or it has ended already.
        """
        self.settle(trial, metrics, error=error, **facts)
        self.commit()

    def settle(
        self, trial: Trial | int, metrics: Any = None, *, error: BaseException | str | None = None, kind: str = "raised",
        stopped: bool = False, **facts: Any,
    ) -> None:  # fmt: skip
        """Do what `tell` does, for a caller that commits before it acts on it."""
        trial = self._open_trial(trial)
        facts.setdefault("steps", trial.steps)
        if error is not None:
            facts["metrics"] = dict(metrics or {})  # what is known of it all the same
        else:
            try:
                facts["metrics"] = self.goals.check(metrics)
                facts["status"] = self._chronicle.early(trial) if stopped else Status.COMPLETED
            except IllegalValue as illegal:
                error, kind = str(illegal), "value"
        if error is not None:
            text = error if isinstance(error, str) else f"{type(error).__name__}: {error}".rstrip(": ")
            facts |= {"status": Status.FAILED, "error": text, "kind": kind}
        self._chronicle.finish(trial, facts)

    def report(self, trial: Trial | int, step: int, metrics: Any) -> Decision:
        """Record an intermediate result and return whether the trial is to go on.

        After STOP the trial is over, with this result. After PAUSE it may go on some time: `ask` returns it then.

        Raises:
            UsageError: the trial has ended, or `step` is not above the last one.
            IllegalValue: `metrics` is no legal result.
        """
        decision = self.note(trial, step, metrics)
        if decision is Decision.STOP:
            self._chronicle.end_early(self._open_trial(trial))
            self.commit()
        return decision

    def note(self, trial: Trial | int, step: int, metrics: Any) -> Decision:
        """Do what `report` does, for a caller that says itself what became of the trial after STOP."""
        trial = self._open_trial(trial)
        last = trial.reports[-1][0] if trial.reports else 0
        if isinstance(step, bool) or int(step) != step or step <= last:
            raise UsageError(f"trial {trial.number}: step {step!r} must be a whole number above the last one, {last}")
        return self._chronicle.report(trial, int(step), self.goals.check(metrics))

    @overload
    def attach(self, params: Mapping[str, Any], metrics: Any, label: str = "attached") -> Trial: ...

    @overload
    def attach(self, params: pd.DataFrame | str | Path, *, label: str = "attached") -> list[Trial]: ...

    def attach(
        self, params: Mapping[str, Any] | pd.DataFrame | str | Path, metrics: Any = None, label: str = "attached"
    ) -> Trial | list[Trial]:
        """Bring results measured elsewhere: trials of their own, told to the optimizer as ones it never asked.

        Args:
            params: a configuration; or many with their results, a DataFrame or the path of a CSV file with a column a
                hyperparameter and a column a metric, empty where a parameter does not apply.
            metrics: what was measured for one configuration.
            label: the trials' label in the table.

        Returns:
            The trial; of many rows the list of trials. Rows that are not in the space, or have no legal result, are
            named in one warning; the others are attached.

        Raises:
            IllegalValue: the configuration is not in the space, or the metrics are no legal result.
        """
        if not isinstance(params, Mapping):
            from evohpo.study.attach import attach_rows

            return attach_rows(self, params, label)
        config, checked = self.space.validate(dict(params)), self.goals.check(metrics)
        trial = self._chronicle.attach(config, checked, label)
        self.commit()
        return trial

    def run(self, objective: Callable[..., Any], **arguments: Any) -> Study:
        """Hand the study to the loop; the arguments are those of `evohpo.tune` that say how and how long."""
        from evohpo.driver import run

        return run(self, objective, **arguments)

    # ---- the file

    def commit(self) -> None:
        """Make everything that happened durable."""
        self._chronicle.commit()

    def close(self) -> None:
        """Release the store; the study can still be read."""
        self._chronicle.close()

    def _open_trial(self, trial: Trial | int) -> Trial:
        number = trial if isinstance(trial, int) else trial.number
        trials = self.ledger.trials
        if not 0 <= number < len(trials):
            raise UsageError(f"there is no trial {number}: the study has {len(trials)}, counted from 0")
        if trials[number].ended:
            raise UsageError(f"trial {number} has ended already ({trials[number].status}); a trial ends once")
        return trials[number]

    def __repr__(self) -> str:
        ledger = self.ledger
        counts = ", ".join(f"{n} {status}" for status, n in ledger.counts.items() if n) or "none"
        head = f"{self.name!r}, {self.goals}, optimizer={self.optimizer!r}, seed={self.seed}"
        return f"Study({head}, {len(self.trials)} trials: {counts})"
