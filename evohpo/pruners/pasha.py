"""Progressive ASHA: the last rung is a low one until the order of trials there is seen to change.

Reference: Bohdal, Balles, Wistuba, Ermis, Archambeau, Zappella (2023), PASHA: Efficient HPO and NAS with progressive
resource allocation.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from evohpo.pruners.asha import ASHA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evohpo.trials.trial import Trial

PERCENTILE = 90  # of the differences between trials whose curves cross and cross back: what is noise


class PASHA(ASHA):
    """ASHA by promotion whose trials go no further than they have to.

    At first the second rung is the last one. Whenever a trial gets there, the order of all that did is compared with their
    order one rung below; if they disagree by more than noise, the next rung is opened. Noise is the 90th percentile of the
    final differences between trials whose curves have crossed and crossed back.

    Args:
        max_steps: the step at which a trial is complete; None takes the space's `epochs` or `max_epochs`.
        min_steps: the first rung.
        eta: the share that passes is 1/eta; at least 2.
        rungs: explicit rungs instead.

    Attributes:
        limit: the last step that trials go to at present.
    """

    def __init__(
        self, max_steps: int | None = None, min_steps: int = 1, eta: int = 3, rungs: Sequence[int] | None = None
    ) -> None:
        super().__init__(max_steps, min_steps, eta, kind="promotion", rungs=rungs)
        self._open = 1  # index of the last open rung
        self._curves: dict[int, Trial] = {}

    @property
    def limit(self) -> int:
        """The last step that trials go to at present."""
        rungs = self.rungs
        return rungs[min(self._open, len(rungs) - 1)]

    def _is_open(self, step: int) -> bool:
        return step < self.limit

    def _recorded(self, trial: Trial, key: tuple[int, int]) -> None:
        rungs = self.rungs
        if key[1] != self.limit or self._open >= len(rungs) - 1:
            return
        self._curves[trial.number] = trial
        if not self._same_order(rungs[self._open - 1], key[1]):
            self._open += 1
            self._curves.clear()

    def _same_order(self, below: int, top: int) -> bool:
        """Return whether each place among those at the top is held by a trial that the order below puts there, or as good."""
        upper, lower = self._rungs[0, top], self._rungs[0, below]
        numbers = [n for n in upper.values if n in lower]
        by_upper, by_lower = upper.best_first(numbers), lower.best_first(numbers)
        if by_upper == by_lower:
            return True
        if len(next(iter(upper.values.values()))[1]) > 1:
            return all(upper.ahead(a) == upper.ahead(b) for a, b in zip(by_upper, by_lower, strict=True))
        noise = self._noise(by_upper)
        loss = {n: upper.values[n][1][0] for n in numbers}
        return all(abs(loss[a] - loss[b]) <= noise for a, b in zip(by_upper, by_lower, strict=True))

    def _noise(self, numbers: list[int]) -> float:
        """Return the difference that means nothing: between trials whose curves cross and cross back."""
        goals = self._setting.goals
        curves = {
            n: {step: goals.fitness(metrics)[0] for step, metrics in trial.reports or ()}
            for n in numbers
            if goals is not None and (trial := self._curves.get(n)) is not None
        }
        differences = []
        for a, b in combinations(sorted(curves), 2):
            steps = sorted(curves[a].keys() & curves[b].keys())
            gaps = np.array([curves[a][s] - curves[b][s] for s in steps])
            signs = np.sign(gaps[gaps != 0])
            if (signs[1:] != signs[:-1]).sum() >= 2:
                differences.append(abs(float(gaps[-1])))
        return float(np.percentile(differences, PERCENTILE)) if differences else 0.0
