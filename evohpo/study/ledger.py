"""The ledger: all trials of a study, and what is known of them at a glance, each kept up to date in O(1) a trial."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.study.repeats import CAUTION, Repeats
from evohpo.trials.trial import Status, Trial

if TYPE_CHECKING:
    from numpy.typing import NDArray

REPEATABLE = {"raised", "value", "timeout", "memory"}  # failures that would only happen again


class Ledger:
    """Trials in the order of their numbers, with counts, the best one, and progress by generation.

    Attributes:
        trials: every trial handed out, attached or reused.
        counts: trials by status.
        steps: steps of all trials together.
        cost: sum of the metric named "cost".
        best: the best trial of a single objective: feasible before infeasible, then by fitness, then the earlier number.
        succeeded: trials that ended with a result.
        attached: trials that the user brought with their results.
        repeats: what was measured again; the best one is then the best within a standard error of its mean.
        repeated: trials that measure a configuration again.
        repeating: how many of these have not ended.
        reused_in_a_row: how many of the last trials in a row only repeated earlier ones.
        fresh: trials that ended since somebody last emptied this list (the loop does, for its stop rules).
        history: by completed generation, the best feasible fitness up to its end (None where there is none yet). With
            several objectives, minus the generation of the front's newest member: it falls when the front moves.
    """

    def __init__(self, single: bool, repeats: bool = False) -> None:
        self.trials: list[Trial] = []
        self.counts: dict[Status, int] = dict.fromkeys(Status, 0)
        self.steps = 0
        self.cost = 0.0
        self.best: Trial | None = None
        self.succeeded = 0
        self.attached = 0
        self.fresh: list[Trial] = []
        self.reused_in_a_row = 0
        self.history: list[float | None] = []
        self.repeats = Repeats()
        self.repeated = self.repeating = 0
        self.single, self._repeats = single, repeats
        self._by_key: dict[Any, int] = {}
        self._twins: dict[int, list[Trial]] = {}
        self.parked = 0  # duplicates that wait for the end of the trial they repeat
        self._sizes: dict[int, int] = {}
        self._ended: Counter[int] = Counter()
        self._results: list[Trial] = []  # feasible results that may be in the front

    def add(self, trial: Trial) -> None:
        """Take in a trial that was just handed out; its number is the next one."""
        self.trials.append(trial)
        self.counts[trial.status] += 1
        if trial.repeats >= 0:
            self.repeated += 1
            self.repeating += 1

    def move(self, trial: Trial, status: Status) -> None:
        """Change the status of a trial that has not ended."""
        self.counts[trial.status] -= 1
        self.counts[status] += 1
        trial.status = status

    def end(self, trial: Trial, status: Status) -> list[Trial]:
        """Book a trial whose result fields are filled; return the duplicates that waited for it."""
        self.move(trial, status)
        reused = trial.job.startswith("reused ")  # costs nothing again
        self.steps += 0 if reused else trial.steps
        self.succeeded += not trial.failed
        self.fresh.append(trial)
        cost = trial.metrics.get("cost", 0.0)
        self.cost += cost if isinstance(cost, int | float) and not reused else 0.0
        if self._repeats:
            self._weigh(trial)
        elif self.single and trial.fitness is not None and (self.best is None or _rank(trial) < _rank(self.best)):
            self.best = trial
        self._count(trial)
        twins = self._twins.pop(trial.number, [])
        self.parked -= len(twins)
        return twins

    def _weigh(self, trial: Trial) -> None:
        """Take in an end where configurations are measured again."""
        if trial.repeats >= 0:
            self.repeating -= 1
            self.repeats.add(self.trials[trial.repeats], trial)
        elif self.single and trial.fitness is not None and not trial.job.startswith("reused "):
            self.repeats.add_first(trial)
        if self.single:
            self.best = next(iter(self.repeats.ranking(self.trials, CAUTION)), None)

    # ---- duplicates

    def twin(self, trial: Trial, key: Any) -> Trial | None:
        """Return the earlier trial with the same configuration whose result `trial` can share, or None."""
        number = self._by_key.get(key)
        if number is None:
            self._by_key[key] = trial.number
            return None
        original = self.trials[number]
        if original.failed and original.kind not in REPEATABLE:
            self._by_key[key] = trial.number
            return None
        return original

    def remember(self, trial: Trial, key: Any) -> None:
        """Let later duplicates of `trial` share its result."""
        self._by_key.setdefault(key, trial.number)

    def park(self, trial: Trial, original: Trial) -> None:
        """Let `trial` wait for the end of `original`."""
        self._twins.setdefault(original.number, []).append(trial)
        self.parked += 1

    def twins(self, trial: Trial) -> list[Trial]:
        """Return the duplicates that wait for the end of `trial`."""
        return self._twins.get(trial.number, [])

    # ---- generations

    def open_generation(self, generation: int, size: int) -> None:
        """Say how many trials `generation` will have."""
        self._sizes[generation] = size

    def share_ended(self, generation: int) -> float:
        """Return which share of a generation has ended; 0 for one whose size is not known."""
        size = self._sizes.get(generation, 0)
        return self._ended[generation] / size if size else 0.0

    def _count(self, trial: Trial) -> None:
        if trial.feasible and not self.single and trial.repeats < 0 and not trial.job.startswith("reused "):
            self._results.append(trial)
        if not trial.asked:
            return
        self._ended[trial.generation] += 1
        while (g := len(self.history)) in self._sizes and self._ended[g] >= self._sizes[g]:
            self.history.append(self._progress())

    def _progress(self) -> float | None:
        if self.single:
            best = self.best
            return best.fitness[0] if best is not None and best.feasible and best.fitness is not None else None
        if not self._results:
            return None
        front = self.front
        if not self._repeats:
            self._results = front  # what is dominated stays so: the cost doesn't grow with the study
        return -float(max(t.generation for t in front))

    @property
    def front(self) -> list[Trial]:
        """Feasible trials that no other one dominates, in the order of their numbers; for several objectives."""
        from evohpo.trials import pareto

        if not self._results:
            return []
        mask = pareto.front(np.array([self.repeats.mean(t) if self._repeats else t.fitness for t in self._results]))
        return sorted((t for t, keep in zip(self._results, mask, strict=True) if keep), key=lambda t: t.number)

    @property
    def worst(self) -> NDArray[np.float64] | None:
        """The worst feasible fitness in each objective, None while there is none."""
        F = np.array([t.fitness for t in self.trials if t.feasible])
        return F.max(0) if len(F) else None

    def hypervolume(self, reference: NDArray[np.float64]) -> float:
        """Return the volume between the front and `reference`, in units of fitness."""
        from evohpo.trials import pareto

        F = np.array([t.fitness for t in self.trials if t.feasible])
        return float(pareto.hypervolume(F, reference)) if len(F) else 0.0

    @property
    def unfinished(self) -> list[Trial]:
        """Trials that were handed out and have not ended, in order; duplicates that wait for another are not among them."""
        if sum(self.counts[s] for s in (Status.WAITING, Status.RUNNING, Status.PAUSED)) == 0:
            return []
        parked = {t.number for twins in self._twins.values() for t in twins}
        return [t for t in self.trials if not t.ended and t.number not in parked]

    @property
    def ended(self) -> int:
        """How many trials have ended."""
        return self.counts[Status.COMPLETED] + self.counts[Status.STOPPED] + self.counts[Status.FAILED]


def _rank(trial: Trial) -> tuple[float, float, int]:
    assert trial.fitness is not None
    return trial.violation, trial.fitness[0], trial.number
