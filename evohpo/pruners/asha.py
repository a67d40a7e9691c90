"""Asynchronous successive halving: at each rung only the best share of the trials goes on, and nobody waits.

Reference: Li, Jamieson, Rostamizadeh, Gonina, Hardt, Recht, Talwalkar (2020), A system for massively parallel
hyperparameter tuning (promotion); Klein, Tiao, Lienart, Archambeau, Seeger (2020), Model-based asynchronous hyperparameter
and neural architecture search (stopping).
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Literal

import numpy as np

from evohpo.errors import UsageError
from evohpo.pruners.combine import Joinable
from evohpo.pruners.protocol import Decision, Setting
from evohpo.pruners.rung import Rung, value_of
from evohpo.pruners.steps import check, check_whole, unknown_max
from evohpo.trials.brackets import levels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evohpo.trials.trial import Trial

KINDS = ("stopping", "promotion")


class ASHA(Joinable):
    """Lets a trial pass a rung if fewer than 1/eta of the results there are ahead of it.

    Rungs are `min_steps * eta**k` up to and including `max_steps`, where a trial is complete. While fewer than `eta` results
    are at a rung, a trial passes it ("stopping") or pauses there ("promotion"); with explicit `rungs` the ratio to the next
    rung stands for eta. Kind "stopping" ends the others. Kind "promotion" pauses them: whenever a worker is free, the
    best paused trial of the highest rung goes on that may pass by now, before a new trial begins; so objectives have to be
    generators, or to keep checkpoints in `ctx.directory`. Several objectives are compared by non-dominated fronts; trials
    that miss the outcome constraints are behind all others.

    Args:
        max_steps: the step at which a trial is complete; None takes the space's `epochs` or `max_epochs`.
        min_steps: the first rung.
        eta: the share that passes is 1/eta; at least 2.
        brackets: bracket b has no rung before `min_steps * eta**b`. Each trial is in one, drawn as often as Hyperband
            has trials there.
        kind: "stopping" or "promotion".
        rungs: explicit rungs instead.
        per_bracket: trials compete within their bracket only.

    Raises:
        UsageError: an argument that makes no sense.

    Example:
        >>> from evohpo.trials import Trial
        >>> asha = ASHA(max_steps=9, eta=3)
        >>> [asha.report(Trial(number, {}), 1, (loss,)).value for number, loss in enumerate([0.3, 0.2, 0.4, 0.1])]
        ['continue', 'continue', 'stop', 'continue']
    """

    def __init__(
        self, max_steps: int | None = None, min_steps: int = 1, eta: int = 3, brackets: int = 1,
        kind: Literal["stopping", "promotion"] = "stopping", rungs: Sequence[int] | None = None,
        per_bracket: bool = False,
    ) -> None:  # fmt: skip
        name = type(self).__name__
        check(name, min_steps, max_steps, eta, rungs)
        if kind not in KINDS:
            raise UsageError(f"{name}(kind={kind!r}): choose one of {', '.join(map(repr, KINDS))}")
        check_whole(name, brackets=brackets)
        self.max_steps, self.min_steps, self.eta, self.kind = max_steps, min_steps, eta, kind
        self.brackets, self.per_bracket = brackets, per_bracket
        self._explicit = list(rungs) if rungs is not None else None
        self._setting = Setting()
        self._rungs: dict[tuple[int, int], Rung] = {}  # by bracket (0 where all compete) and step
        self._paused: dict[tuple[int, int], list[tuple[float, tuple[float, ...], int]]] = {}  # heaps; stale ones stay
        self._news: set[tuple[int, int]] = set()  # rungs to which something came since their paused were looked at
        self._at: dict[int, tuple[int, int]] = {}  # where a trial is paused
        self._last: dict[int, int] = {}  # the last rung that a trial has reached
        self._bracket: dict[int, int] = {}

    @property
    def pauses(self) -> bool:
        """Whether it pauses trials instead of stopping them."""
        return self.kind == "promotion"

    @property
    def rungs(self) -> list[int]:
        """The steps at which trials are compared, the last one included."""
        if self._explicit is not None:
            last = self.max_steps
            return self._explicit if last is None or last == self._explicit[-1] else [*self._explicit, last]
        if self.max_steps is None:
            raise unknown_max(type(self).__name__)
        return levels(self.min_steps, self.max_steps, self.eta)

    def begin(self, setting: Setting) -> None:
        """Take from the study what was not given."""
        self._setting = setting
        if self.max_steps is None and self._explicit is None:
            self.max_steps = setting.max_steps
        check(type(self).__name__, self.min_steps, self.max_steps, self.eta)
        _ = self.rungs

    def report(self, trial: Trial, step: int, value: Sequence[float]) -> Decision:
        """Return STOP at the last rung; at another one what the results there say; else CONTINUE."""
        self.resumed(trial)
        rungs = self._rungs_of(trial)
        before = self._last.get(trial.number, 0)
        reached = max((r for r in rungs if before < r <= step), default=None)
        if reached is None:
            return Decision.STOP if step >= rungs[-1] else Decision.CONTINUE
        self._last[trial.number] = reached
        key = (self.bracket(trial.number) if self.per_bracket else 0, reached)
        rung = self._rungs.setdefault(key, Rung())
        rung.add(trial.number, value_of(trial, value, self._setting))
        self._news.add(key)
        self._recorded(trial, key)
        if reached >= rungs[-1]:
            return Decision.STOP
        if self._is_open(key[1]) and self._passes(trial.number, key):
            return Decision.CONTINUE
        if not self.pauses:
            return Decision.STOP
        heapq.heappush(self._paused.setdefault(key, []), (*rung.values[trial.number], trial.number))
        self._at[trial.number] = key
        return Decision.PAUSE

    def decide(self) -> tuple[int, Decision] | None:
        """Return the best paused trial of the highest rung that may pass it by now."""
        for key in sorted(self._paused, key=lambda k: (-k[1], k[0])):
            if key not in self._news or not self._is_open(key[1]):
                continue
            best = self._best_paused(key)
            if best is not None and self._passes(best, key):
                return best, Decision.CONTINUE
            self._news.discard(key)  # nothing changes before the next result
        return None

    def resumed(self, trial: Trial) -> None:
        """Take it that the trial is paused no more."""
        self._at.pop(trial.number, None)

    ended = resumed

    def completes(self, trial: Trial) -> bool:
        """Return whether the trial has reached the last rung."""
        return trial.steps >= self.rungs[-1]

    def bracket(self, number: int) -> int:
        """Return the bracket of a trial, a function of the study's seed and its number."""
        if self.brackets == 1:
            return 0
        if number not in self._bracket:
            n = len(self.rungs)
            if self.brackets > n:
                raise UsageError(
                    f"{type(self).__name__}(brackets={self.brackets}): there are only {n} rungs, {self.rungs}"
                )
            shares = np.array([n / (n - b) * float(self.eta) ** (n - 1 - b) for b in range(self.brackets)])
            draw = np.random.default_rng([self._setting.seed, number]).random()
            self._bracket[number] = int(np.searchsorted(np.cumsum(shares) / shares.sum(), draw, side="right"))
        return self._bracket[number]

    def _rungs_of(self, trial: Trial) -> list[int]:
        return self.rungs[self.bracket(trial.number) :]

    def _passes(self, number: int, key: tuple[int, int]) -> bool:
        """Return whether at least eta results are there, and fewer than 1/eta of them ahead."""
        rung = self._rungs[key]
        n, ahead = len(rung), rung.ahead(number)
        up, down = self._ratio(key[1])
        if n * down < up:
            return not self.pauses
        return ahead * up < n * down

    def _ratio(self, step: int) -> tuple[int, int]:
        """Return eta at a rung as a fraction of whole numbers."""
        if self._explicit is None:
            return self.eta, 1
        rungs = self.rungs
        return rungs[rungs.index(step) + 1], step

    def _best_paused(self, key: tuple[int, int]) -> int | None:
        paused, rung = self._paused[key], self._rungs[key]
        while paused and self._at.get(paused[0][-1]) != key:
            heapq.heappop(paused)  # it goes on, or is over
        if not paused or len(paused[0][1]) == 1:
            return paused[0][-1] if paused else None
        return rung.best_first(entry[-1] for entry in paused if self._at.get(entry[-1]) == key)[0]

    def _is_open(self, step: int) -> bool:
        """Return whether trials may pass the rung at this step at all."""
        return step < self.rungs[-1]

    def _recorded(self, trial: Trial, key: tuple[int, int]) -> None:
        """Look at a result that was just recorded."""


__all__ = ["ASHA"]
