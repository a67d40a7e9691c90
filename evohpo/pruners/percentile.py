"""Stopping by comparison at the same step: with a percentile of all results there, or with their median.

Reference: Golovin, Solnik, Moitra, Kochanski, Karro, Sculley (2017), Google Vizier, section 3.2.2 (median).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evohpo.errors import UsageError
from evohpo.pruners.combine import Joinable
from evohpo.pruners.protocol import Decision, Setting
from evohpo.pruners.rung import Rung, Value, value_of
from evohpo.pruners.steps import check_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evohpo.trials.trial import Trial


class Percentile(Joinable):
    """Stops a trial that is among the worst `percentile` percent of all results at the same step.

    Args:
        percentile: share of the worst that is stopped, in percent, above 0 and below 100.
        min_steps: before this step none is stopped.
        min_trials: while a step has fewer results, none is stopped there.
        max_steps: the step at which a trial is complete; None lets it end by itself.

    Raises:
        UsageError: an argument that makes no sense.

    Example:
        >>> from evohpo.trials import Trial
        >>> pruner = Percentile(50, min_trials=2)
        >>> [pruner.report(Trial(number, {}), 1, (loss,)).value for number, loss in enumerate([0.3, 0.4, 0.2])]
        ['continue', 'stop', 'continue']
    """

    def __init__(
        self, percentile: float = 50.0, min_steps: int = 1, min_trials: int = 5, max_steps: int | None = None
    ) -> None:
        name = type(self).__name__
        if isinstance(percentile, bool) or not 0 < percentile < 100:
            raise UsageError(f"{name}(percentile={percentile!r}): must be above 0 and below 100")
        check_whole(name, min_steps=min_steps, min_trials=min_trials, max_steps=max_steps)
        self.percentile, self.min_steps, self.min_trials = percentile, min_steps, min_trials
        self.max_steps = max_steps
        self._setting = Setting()
        self._steps: dict[int, Rung] = {}

    def begin(self, setting: Setting) -> None:
        """Take note of the study's goals."""
        self._setting = setting

    def report(self, trial: Trial, step: int, value: Sequence[float]) -> Decision:
        """Return STOP if too many results at this step are ahead, or the trial is complete."""
        rung = self._steps.setdefault(step, Rung())
        rung.add(trial.number, self._compared(trial, value))
        if self.max_steps is not None and step >= self.max_steps:
            return Decision.STOP
        n = len(rung)
        if step < self.min_steps or n < self.min_trials:
            return Decision.CONTINUE
        ahead = rung.ahead(trial.number)
        return Decision.STOP if ahead > 0 and ahead >= n * (1 - self.percentile / 100) else Decision.CONTINUE

    def completes(self, trial: Trial) -> bool:
        """Return whether the trial has all its steps."""
        return self.max_steps is not None and trial.steps >= self.max_steps

    def _compared(self, trial: Trial, value: Sequence[float]) -> Value:
        return value_of(trial, value, self._setting)


class Median(Percentile):
    """Stops a trial whose mean result so far is worse than the median of the means of all trials at the same step.

    Means make it patient with a single bad step. Trials that miss the outcome constraints are behind all others.

    Args:
        min_steps: before this step none is stopped.
        min_trials: while a step has fewer results, none is stopped there.
        max_steps: the step at which a trial is complete; None lets it end by itself.

    Raises:
        UsageError: an argument that makes no sense.
    """

    def __init__(self, min_steps: int = 1, min_trials: int = 5, max_steps: int | None = None) -> None:
        super().__init__(50.0, min_steps, min_trials, max_steps)
        self._sums: dict[int, tuple[int, np.ndarray]] = {}

    def ended(self, trial: Trial) -> None:
        """Forget the trial's sum; its means stay."""
        self._sums.pop(trial.number, None)

    def _compared(self, trial: Trial, value: Sequence[float]) -> Value:
        violation, fitness = value_of(trial, value, self._setting)
        n, total = self._sums.get(trial.number, (0, np.zeros(len(fitness))))
        n, total = n + 1, total + fitness
        self._sums[trial.number] = n, total
        return violation, tuple((total / n).tolist())
