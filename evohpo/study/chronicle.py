"""Every change of a study: applied in memory, written to the journal, and applied the same way when the journal is read."""

from __future__ import annotations

import json
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.errors import StoreError, UsageError
from evohpo.optimizers.protocol import Population
from evohpo.pruners import Decision
from evohpo.study.conversation import Conversation, Proposal
from evohpo.study.journal import Moment
from evohpo.study.ledger import Ledger
from evohpo.study.prior import Lesson
from evohpo.study.untold import END
from evohpo.trials.goals import BASELINE
from evohpo.trials.trial import Status, Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evohpo.optimizers.registry import Resolved
    from evohpo.pruners import Pruner
    from evohpo.study.journal import Journal, Record
    from evohpo.study.seeds import Seeds
    from evohpo.study.settings import Settings

TIMED = frozenset({"start", "resume", "end"})  # events whose times are kept in memory, too
INITIAL = "initial"  # label of configurations given to be tried first
SHARED = ("metrics", "fitness", "violation", "steps", "error", "kind")  # what a duplicate takes over


class Chronicle:
    """The one place where trials change.

    Attributes:
        ledger: the trials.
        conversation: the talk with the optimizer.
        initial: configurations to try before the optimizer is asked, with their labels.
        again: trials whose configurations are to be measured again before that.
        journal: where events go, None for a study in memory.
        stopped: why the last run ended; {} while one goes on.
        doomed: trials whose last report was answered with STOP, until they have ended.
        moments: of a study in memory, when its trials were started, paused, taken up again and ended; a journal keeps them
            itself. No decision hangs on them.
    """

    def __init__(
        self, settings: Settings, seeds: Seeds, resolved: Resolved | None, pruner: Pruner | None,
        journal: Journal | None,
    ) -> None:  # fmt: skip
        self.settings, self.goals, self.pruner, self.journal = settings, settings.goals, pruner, journal
        self.doomed: set[int] = set()
        self.ledger = Ledger(len(settings.goals.objectives) == 1, settings.repeats is not None)
        self.conversation = Conversation(resolved, settings, seeds, self.ledger, self.write)
        self.initial: deque[tuple[dict[str, Any], str]] = deque()
        self.again: deque[int] = deque()
        self.stopped: dict[str, Any] = {}
        self.moments: list[Moment] = []
        if journal is not None:
            for record in journal.events():
                self.apply(record)

    # ---- changes

    def begin(self, facts: dict[str, Any]) -> None:
        """Fix what the optimizer is started with, the first time only."""
        if not self.conversation.facts:
            self.conversation.facts = facts
            self.write("begin", None, facts)

    def stop(self, reason: dict[str, Any]) -> None:
        """Say why a run ended."""
        self.stopped = reason
        plain = json.loads(json.dumps(reason, default=str))  # a user's rule may say anything
        self.write("stop", None, plain)

    def learn(self, lessons: Sequence[Lesson]) -> None:
        """Let the optimizer know what earlier studies found."""
        if lessons:
            self.conversation.lessons = list(lessons)
            data = [{"params": lesson.params, "scores": lesson.scores.tolist()} for lesson in lessons]
            self.write("prior", None, data)

    def try_first(self, configs: list[dict[str, Any]], label: str = INITIAL) -> None:
        """Put configurations before everything the optimizer will propose."""
        if configs:
            self.initial.extend((config, label) for config in configs)
            self.write("initial", None, configs if label == INITIAL else {"label": label, "params": configs})

    def has_baseline(self) -> bool:
        """Return whether a next trial can be judged, where constraints speak of a baseline: once the first one has ended.

        Without any configuration of the user's, the first trial is that of the space's defaults and mid-points.

        Raises:
            UsageError: the first trial failed.
        """
        trials = self.ledger.trials
        if not trials:
            if not self.initial:
                self.try_first([self.settings.space.complete({})], BASELINE)
            return True
        if trials[0].failed:
            raise UsageError(
                f"the baseline, trial 0, failed ({trials[0].error}), so that constraints relative to it cannot be judged: attach "
                "or give first (initial=) a configuration that works, in a new study"
            )
        return trials[0].ended

    def measure_again(self, numbers: list[int]) -> None:
        """Put the configurations of earlier trials before everything else that would be tried."""
        if numbers:
            self.again.extend(numbers)
            self.write("again", None, numbers)

    def start_first(self) -> Trial:
        """Make the first of the configurations that come before the optimizer's a trial."""
        trial = self._start_first()
        self.write("start", trial.number)
        return trial

    def start(self, proposal: Proposal) -> Trial:
        """Make the next proposal a trial."""
        trial = self._start(proposal)
        self.write("start", trial.number)
        return trial

    def share_or_run(self, trial: Trial) -> None:
        """Give a trial the result of an earlier one with the same configuration, or mark it as running."""
        if self.settings.duplicates == "reuse" and trial.heir < 0 and trial.repeats < 0:  # an heir has another history
            original = self.ledger.twin(trial, self._identity(trial))
            if original is not None and original is not trial:
                if original.ended:
                    self._share(trial, original)
                else:
                    self.ledger.park(trial, original)
                return
        self.ledger.reused_in_a_row = 0
        self.ledger.move(trial, Status.RUNNING)
        if self.pruner is not None:
            self._hook("started", trial)
            self.write("run", trial.number)

    def take_over(self) -> list[Trial]:
        """Return the trials an earlier process left running, each set running, in order; duplicates are shared.

        One whose last report was its end ends. The others go on after their last report.
        """
        for trial in self.ledger.unfinished:
            if trial.number in self.doomed and trial.reports:
                self.end_early(trial)
            elif trial.status is Status.PAUSED:
                continue
            elif trial.reports:
                self.ledger.move(trial, Status.RUNNING)
            else:
                self.share_or_run(trial)
        return [t for t in self.ledger.unfinished if t.status is Status.RUNNING]

    def go_on(self, trial: Trial) -> None:
        """Let a paused trial run on."""
        self._go_on(trial)
        self.write("resume", trial.number)

    def end_early(self, trial: Trial) -> None:
        """End a trial with its last report."""
        assert trial.reports
        facts = {"metrics": {**trial.reports[-1][1], **trial.metrics}, "status": self.early(trial)}
        kept = {name: getattr(trial, name) for name in ("steps", "seconds", "worker", "job", "resumed")}
        self.finish(trial, facts | kept)

    def early(self, trial: Trial) -> Status:
        """Return what a trial is that was ended early: completed, where nothing more was to come."""
        completes = getattr(self.pruner, "completes", None)
        asked = bool(trial.limit) and trial.steps >= trial.limit
        return Status.COMPLETED if asked or (completes is not None and completes(trial)) else Status.STOPPED

    def finish(self, trial: Trial, facts: dict[str, Any]) -> None:
        """End a trial; `facts` are fields of `Trial`. Duplicates that waited for it end with it."""
        status = facts["status"]
        kept = {k: v for k, v in facts.items() if v not in ("", {}, 0, 0.0, None)} if self.journal is not None else None
        self.write("end", trial.number, kept)
        for twin in self._finish(trial, status, facts):
            self._share(twin, trial)

    def report(self, trial: Trial, step: int, metrics: dict[str, Any]) -> Decision:
        """Record an intermediate result and make it durable; return whether the trial goes on."""
        decision = self._report(trial, step, metrics)
        if trial.limit and step >= trial.limit:
            decision = Decision.STOP
        self._obey(trial, decision)
        self.write(
            "report", trial.number, [step, metrics] if decision is Decision.CONTINUE else [step, metrics, decision]
        )
        if self.journal is None and decision is Decision.PAUSE:
            self.moments.append(Moment("pause", trial.number, time.time()))
        self.commit()
        return decision

    def attach(self, params: dict[str, Any], metrics: dict[str, Any], label: str) -> Trial:
        """Add a trial measured elsewhere.

        Raises:
            UsageError: the trial that it is to be compared with has not ended.
        """
        if self.goals.relative and self.ledger.trials and not self.ledger.trials[0].ended:
            raise UsageError(
                "trial 0, the baseline of the constraints, has not ended: attach results before or after it"
            )
        trial = self._attach(params, metrics, label)
        self.write("attach", trial.number, {"params": params, "metrics": metrics, "label": label})
        return trial

    def _identity(self, trial: Trial) -> Any:
        """Return what trials with one result have in common."""
        key = self.settings.space.key(trial.params)
        return (key, trial.limit) if trial.limit else key

    def _share(self, trial: Trial, original: Trial) -> None:
        self.ledger.reused_in_a_row += 1
        facts = {name: getattr(original, name) for name in SHARED} | {
            "status": original.status,
            "job": f"reused {original.number}",
        }
        self.finish(trial, facts)

    def pass_over(self, trial: Trial) -> None:
        """Let the optimizer go on without a running trial, and without the duplicates that wait for it."""
        self._pass_over(trial)
        self.write("late", trial.number)

    def close_rungs(self) -> None:
        """Tell the pruner that no new trial comes before paused ones are decided on."""
        self._hook("close")
        self.write("close")

    # ---- the same, live and on reading

    def _start_first(self) -> Trial:
        if self.again:
            first = self.ledger.trials[self.again.popleft()]
            trial = Trial(
                len(self.ledger.trials), dict(first.params), first.generation, label=f"repeats {first.number}",
                x=first.x, limit=first.limit, repeats=first.number,
            )  # fmt: skip
            self.ledger.add(trial)
            return trial
        params, label = self.initial.popleft()
        trial = Trial(len(self.ledger.trials), params, label=label)
        self.ledger.add(trial)
        return trial

    def _start(self, proposal: Proposal) -> Trial:
        trial = Trial(
            len(self.ledger.trials), proposal.params, proposal.generation, parents=proposal.parents,
            operator=proposal.operator, x=proposal.x, asked=True, limit=proposal.limit, heir=proposal.heir,
        )  # fmt: skip
        self.ledger.add(trial)
        self.conversation.take(trial)
        return trial

    def _finish(self, trial: Trial, status: Status, facts: dict[str, Any]) -> list[Trial]:
        for name, value in facts.items():
            if name != "status":
                setattr(trial, name, value)
        if status is not Status.FAILED and trial.fitness is None:
            if trial.number == 0:
                self.goals.baseline.update(trial.metrics)
            trial.fitness = self.goals.fitness(trial.metrics)
            trial.violation = self.goals.violation(trial.metrics) if self.goals.constraints else 0.0
        twins = self.ledger.end(trial, status)
        self.doomed.discard(trial.number)
        self._hook("ended", trial)
        self.conversation.untold.ended(trial)
        return twins

    def _report(self, trial: Trial, step: int, metrics: dict[str, Any]) -> Decision:
        if trial.reports is None:
            trial.reports = []
        trial.reports.append((step, metrics))
        trial.steps = step
        if self.pruner is None:
            return Decision.CONTINUE
        return self.pruner.report(trial, step, self.goals.fitness(metrics))

    def _obey(self, trial: Trial, decision: Decision) -> None:
        """Do what a decision on a report says."""
        if decision is Decision.STOP:
            self.doomed.add(trial.number)
        elif decision is Decision.PAUSE:
            self.ledger.move(trial, Status.PAUSED)
            self.conversation.untold.reached(trial)
        elif self.conversation.levelled and self._at_rung(trial):
            self.conversation.untold.reached(trial)

    def _at_rung(self, trial: Trial) -> bool:
        rungs = getattr(self.pruner, "rungs", None)
        return self.pruner is not None and (rungs is None or trial.steps in rungs)

    def _go_on(self, trial: Trial) -> None:
        self.ledger.move(trial, Status.RUNNING)
        self._hook("resumed", trial)

    def _pass_over(self, trial: Trial) -> None:
        for late in (trial, *self.ledger.twins(trial)):
            self.conversation.untold.pass_over(late)

    def _hook(self, name: str, *arguments: Any) -> None:
        """Tell the pruner, if it wants to know."""
        hook = getattr(self.pruner, name, None)
        if hook is not None:
            hook(*arguments)

    def _attach(self, params: dict[str, Any], metrics: dict[str, Any], label: str) -> Trial:
        trial = Trial(len(self.ledger.trials), params, label=label)
        self.ledger.add(trial)
        self.ledger.attached += 1
        self.ledger.remember(trial, self.settings.space.key(params))
        self._finish(trial, Status.COMPLETED, {"metrics": metrics})
        return trial

    def apply(self, record: Record) -> None:
        """Do what an event says happened.

        Raises:
            StoreError: it is of a kind that is not known here.
        """
        kind, number, data, rows = record
        trials = self.ledger.trials
        if kind == "begin":
            self.conversation.facts = data
        elif kind == "initial":
            label, configs = (INITIAL, data) if isinstance(data, list) else (data["label"], data["params"])
            self.initial.extend((config, label) for config in configs)
        elif kind == "prior":
            self.conversation.lessons = [Lesson(one["params"], np.array(one["scores"])) for one in data]
        elif kind == "again":
            self.again.extend(data)
        elif kind == "ask":
            self._apply_ask(data, rows)
        elif kind == "tell":
            self.conversation.recorded([tuple(e) if isinstance(e, list) else (e, END) for e in data])
        elif kind == "stop":
            self.stopped = data
        elif kind == "start":
            self.stopped = {}  # somebody went on
            given = self.initial or self.again
            trial = self._start_first() if given else self._start(self.conversation.queue[0])
            if trial.heir < 0 and trial.repeats < 0:
                self.ledger.remember(trial, self._identity(trial))
            self.ledger.move(trial, Status.RUNNING)
        elif kind == "report":
            assert number is not None
            step, metrics, *decision = data
            self._report(trials[number], step, metrics)
            self._obey(trials[number], Decision(*decision) if decision else Decision.CONTINUE)
        elif kind == "run":
            assert number is not None
            self._hook("started", trials[number])
        elif kind == "resume":
            assert number is not None
            self._go_on(trials[number])
        elif kind == "late":
            assert number is not None
            self._pass_over(trials[number])
        elif kind == "close":
            self._hook("close")
        elif kind == "end":
            assert number is not None
            status = Status(data["status"])
            facts = data | {"fitness": tuple(data["fitness"])} if data.get("fitness") else data
            self._finish(trials[number], status, facts)
        elif kind == "attach":
            self._attach(data["params"], data["metrics"], data["label"])
        elif kind == "restart":
            self.conversation.restarted()
        else:
            raise StoreError(f"unknown event {kind!r}; the study was written by another version of evohpo")

    def _apply_ask(self, data: dict[str, Any], rows: bytes | None) -> None:
        params = data["params"]
        matrix = None if rows is None else np.frombuffer(rows).reshape(len(params), -1)
        parents = data.get("parents")
        population = Population(
            matrix if matrix is not None else params,
            None if parents is None else np.asarray(parents, np.int64),
            data.get("operator"),
            steps=data.get("steps"),
            heirs=data.get("heirs"),
        )
        proposed = params if matrix is None else matrix
        self.conversation.enqueue(proposed, params, data["generation"], data["size"], population)
        self.conversation.recorded((data["n"], proposed))

    # ---- the file

    def write(self, kind: str, number: int | None = None, data: Any = None, rows: bytes | None = None) -> None:
        """Append an event; a study opened for reading takes the writer's place first.

        Raises:
            StoreError: somebody else wrote to the store since it was opened.
        """
        if self.journal is None:
            if kind in TIMED and number is not None:
                self.moments.append(Moment(kind, number, time.time()))
            return
        if not self.journal.writing:
            self.journal = self.journal.reopen_for_writing()
        self.journal.append(kind, number, data, rows)

    def commit(self) -> None:
        """Make everything written durable."""
        if self.journal is not None:
            self.journal.commit()

    def close(self) -> None:
        """Release the store."""
        if self.journal is not None:
            self.journal.close()
