"""How a pruner of Optuna decides on the trials of a study of evohpo."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import optuna
from optuna.pruners import BasePruner, ThresholdPruner
from optuna.trial import TrialState

from evohpo.errors import UsageError
from evohpo.pruners.protocol import Decision

from .quiet import quiet
from .state import parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evohpo.trials.trial import Trial


def adapt_pruner(obj: Any) -> Pruning | None:
    """Return the pruner of evohpo that asks a pruner of Optuna; None for what is none.

    Example:
        >>> type(adapt_pruner(optuna.pruners.MedianPruner())).__name__
        'Pruning'
    """
    return Pruning(copy.deepcopy(obj)) if isinstance(obj, BasePruner) else None


class Pruning:
    """A pruner of Optuna at work for one study, whose trials it sees mirrored in a study of Optuna's own.

    When a study goes on it is told all old reports again, in their order, so that it decides as it would have.

    The mirror minimises fitness, so that what is maximised comes negated; pruners that compare trials do not mind. A
    `ThresholdPruner` compares with numbers of the user's: where there is one, the mirror has the metric as it was measured.
    """

    def __init__(self, pruner: BasePruner) -> None:
        self._pruner, self.name = pruner, f"optuna.{type(pruner).__name__}"
        self._as_measured = any(isinstance(part, ThresholdPruner) for part in parts(pruner))
        self._study: optuna.Study | None = None
        self._mirror: list[optuna.Trial] = []  # by the number of the trial
        self._open: dict[int, Trial] = {}  # trials that have reported and are not known to have ended

    def report(self, trial: Trial, step: int, value: Sequence[float]) -> Decision:
        """Return STOP where Optuna would prune the trial.

        Raises:
            UsageError: there are several objectives.
        """
        if len(value) != 1:
            raise UsageError(
                f"pruner {self.name} judges one objective, and this study has {len(value)}: leave the pruner out, "
                "or make the other objectives constraints"
            )
        with quiet():
            study = self._study = self._study or self._begin(maximize=self._seen(trial, value[0]) != value[0])
            self._settle(study, trial)
            while len(self._mirror) <= trial.number:
                self._mirror.append(study.ask())
            mirrored = self._mirror[trial.number]
            self._open[trial.number] = trial
            mirrored.report(self._seen(trial, value[0]), step)
            return Decision.STOP if mirrored.should_prune() else Decision.CONTINUE

    def _begin(self, maximize: bool) -> optuna.Study:
        return optuna.create_study(
            study_name="evohpo",  # a fixed one: the brackets of Hyperband are drawn from name and number
            direction="maximize" if maximize else "minimize",
            pruner=self._pruner,
            sampler=optuna.samplers.RandomSampler(0),
        )

    def _seen(self, trial: Trial, fitness: float) -> float:
        metrics = trial.reports[-1][1].values() if trial.reports else ()
        return -fitness if self._as_measured and fitness not in metrics and -fitness in metrics else fitness

    def _settle(self, study: optuna.Study, reporting: Trial) -> None:
        """End the mirrored trials of those that ended since the last report."""
        for number, trial in list(self._open.items()):
            if trial is reporting or not trial.ended:
                continue
            del self._open[number]
            if trial.failed:
                study.tell(number, state=TrialState.FAIL)
            elif trial.status == "stopped" or trial.fitness is None:
                study.tell(number, state=TrialState.PRUNED)
            else:
                study.tell(number, self._seen(trial, trial.fitness[0]))
