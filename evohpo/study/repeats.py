"""Trials of one configuration, measured again: what they say together of it."""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evohpo.trials.trial import Trial

CAUTION = 1.64  # standard errors by which a mean may be worse than it seems: 95 %
CONFIDENCE = 0.95  # of intervals


class Estimate(NamedTuple):
    """What is known of a metric of a configuration: its mean over so many `trials`, and where that lies with 95 %.

    The bounds are NaN while nothing was measured twice.
    """

    mean: float
    low: float
    high: float
    trials: int

    def __str__(self) -> str:
        between = "" if math.isnan(self.low) else f", {self.low:.4g} to {self.high:.4g} with 95 %"
        return f"{self.mean:.6g} (mean of {self.trials}{between})"


class Repeats:
    """All configurations of a study that were measured again, by the first trial of each."""

    def __init__(self) -> None:
        self._groups: dict[int, list[Trial]] = {}
        self._attempts: dict[int, int] = {}
        self._known: dict[int, tuple[float, float, int]] = {}  # by group: mean violation, mean of one objective, trials
        self._squares: NDArray[np.float64] | float = 0.0  # of deviations from groups' means, an objective
        self._freedom = 0
        self._alone: list[tuple[float, float, int]] = []  # heap of trials measured once: violation, fitness, number

    def add_first(self, trial: Trial) -> None:
        """Take in a trial with a result whose configuration is new; with one objective only."""
        assert trial.fitness is not None
        heapq.heappush(self._alone, (trial.violation, trial.fitness[0], trial.number))

    def add(self, first: Trial, trial: Trial) -> None:
        """Take in the end of `trial`, which measured the configuration of `first` again."""
        self._attempts[first.number] = self._attempts.get(first.number, 0) + 1
        if trial.fitness is None:
            return
        group = self._groups.setdefault(first.number, [first])
        before = _squares(self._fitness(first))
        group.append(trial)
        F = self._fitness(first)
        self._squares = self._squares + _squares(F) - before
        self._freedom += 1
        self._known[first.number] = (sum(t.violation for t in group) / len(group), float(F[:, 0].mean()), len(group))

    def attempts(self, first: Trial) -> int:
        """Return how often the configuration of `first` was tried, whatever became of it."""
        return 1 + self._attempts.get(first.number, 0)

    def group(self, first: Trial) -> list[Trial]:
        """Return all trials with a result of the configuration of `first`."""
        return self._groups.get(first.number, [first])

    def mean(self, first: Trial) -> NDArray[np.float64]:
        """Return `(m,)` the mean fitness of a configuration."""
        return np.asarray(self._fitness(first).mean(0))

    def noise(self) -> NDArray[np.float64] | None:
        """Return `(m,)` the standard deviation of repeated results, over all configurations; None before the first one."""
        return np.sqrt(np.maximum(self._squares, 0.0) / self._freedom) if self._freedom else None

    def estimate(self, first: Trial, sign: float, objective: int) -> Estimate:
        """Return mean and interval of an objective as it was measured.

        Args:
            first: the first trial of the configuration.
            sign: -1 where the metric is maximised.
            objective: which one, from 0.

        Reference: Student's t with the variance pooled over all configurations, as in the analysis of variance.
        """
        from scipy.stats import t

        values = sign * self._fitness(first)[:, objective]
        mean, noise = float(values.mean()), self.noise()
        if noise is None:
            return Estimate(mean, math.nan, math.nan, len(values))
        half = float(t.ppf(0.5 + CONFIDENCE / 2, self._freedom) * noise[objective] / math.sqrt(len(values)))
        return Estimate(mean, mean - half, mean + half, len(values))

    # ---- with one objective

    def ranking(self, trials: list[Trial], caution: float) -> list[Trial]:
        """Return the first trials of the best two configurations, or of one: feasible ones first, then by mean fitness.

        Args:
            trials: all of the study.
            caution: standard errors that are added to the mean, and where results do vary, those that were measured once do
                not count: the best of many is mostly the luckiest. 0 for what seems best.
        """
        noise = self.noise()
        error = 0.0 if noise is None else caution * float(noise[0])

        known = [(v, f + error / math.sqrt(n), number) for number, (v, f, n) in self._known.items()]
        if not error:
            known += self._best_alone()
        return [trials[number] for _, _, number in heapq.nsmallest(2, known)]

    def _best_alone(self) -> list[tuple[float, float, int]]:
        """Return the best two that were measured once."""
        best: list[tuple[float, float, int]] = []
        while self._alone and len(best) < 2:
            entry = heapq.heappop(self._alone)
            if entry[2] not in self._groups:
                best.append(entry)
        for entry in best:
            heapq.heappush(self._alone, entry)
        return best

    def _fitness(self, first: Trial) -> NDArray[np.float64]:
        return np.array([t.fitness for t in self.group(first)])


def _squares(F: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `(m,)` the sum of squared deviations from the mean; exactly 0 for equal rows."""
    return np.where(np.ptp(F, 0) > 0, ((F - F.mean(0)) ** 2).sum(0), 0.0)
