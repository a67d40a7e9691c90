"""Hyperband and successive halving, synchronous: a rung is decided when all its trials are there.

Reference: Jamieson, Talwalkar (2016), Non-stochastic best arm identification and hyperparameter optimization; Li, Jamieson,
DeSalvo, Rostamizadeh, Talwalkar (2018), Hyperband: A novel bandit-based approach to hyperparameter optimization.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evohpo.pruners.combine import Joinable
from evohpo.pruners.protocol import Decision, Setting
from evohpo.pruners.rung import Rung, value_of
from evohpo.pruners.steps import check, check_whole, unknown_max
from evohpo.trials.brackets import Bracket, halving, plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evohpo.trials.trial import Trial


class _Race:
    """One bracket under way."""

    def __init__(self, bracket: Bracket, eta: int) -> None:
        self.bracket, self.eta = bracket, eta
        self.members: set[int] = set()
        self.closed = False  # to new trials
        self.level = 0
        self.rung = Rung()
        self.out: set[int] = set()  # trials on their way to the rung

    @property
    def step(self) -> int:
        """Return the steps up to the rung that trials are on their way to."""
        return self.bracket.rungs[self.level]

    def join(self, number: int) -> None:
        """Take in a trial."""
        self.members.add(number)
        self.out.add(number)
        self.closed = len(self.members) >= self.bracket.n

    def halve(self) -> tuple[list[int], list[int]]:
        """Return who goes on to the next rung, the best first, and who does not."""
        order = self.rung.best_first(self.rung.values)
        full = len(self.members) >= self.bracket.n
        keep = self.bracket.sizes[self.level + 1] if full else max(1, len(order) // self.eta)
        self.level += 1
        self.rung = Rung()
        self.out = set(order[:keep])
        return order[:keep], order[keep:]


class Hyperband(Joinable):
    """Runs brackets of successive halving, from many trials of few steps to few trials of all steps, again and again.

    Trials join brackets in the order in which they start. At a rung a trial pauses; when all of its bracket are there, the
    best 1/eta go on, the best of them first, and the others end. Where no new trial can come (an optimizer that waits for its
    generation, or the budget is spent) the bracket is closed with the trials that it has. So the decisions do not depend on the
    number of workers or on time. With an optimizer that learns, such as "de", this is the scheme of DEHB and BOHB.

    Args:
        max_steps: the step at which a trial is complete; None takes the space's `epochs` or `max_epochs`.
        min_steps: the first rung of the first bracket, at least.
        eta: the share that goes on is 1/eta; at least 2.

    Raises:
        UsageError: an argument that makes no sense.

    Example:
        >>> [(b.n, b.rungs) for b in Hyperband(max_steps=9).brackets]
        [(9, (1, 3, 9)), (5, (3, 9)), (3, (9,))]
    """

    pauses = True

    def __init__(self, max_steps: int | None = None, min_steps: int = 1, eta: int = 3) -> None:
        check(type(self).__name__, min_steps, max_steps, eta)
        self.max_steps, self.min_steps, self.eta = max_steps, min_steps, eta
        self._setting = Setting()
        self._races: list[_Race] = []  # those with trials, the last one may be open
        self._begun = 0
        self._race: dict[int, _Race] = {}
        self._decided: dict[int, Decision] = {}  # on paused trials, in the order in which they are carried out

    @property
    def brackets(self) -> list[Bracket]:
        """The plan, which is repeated."""
        if self.max_steps is None:
            raise unknown_max(type(self).__name__)
        return plan(self.max_steps, self.min_steps, self.eta)

    @property
    def rungs(self) -> list[int]:
        """All steps at which trials of any bracket are compared."""
        return sorted({step for bracket in self.brackets for step in bracket.rungs})

    def begin(self, setting: Setting) -> None:
        """Take from the study what was not given."""
        self._setting = setting
        if self.max_steps is None:
            self.max_steps = setting.max_steps
        _ = self.brackets

    def started(self, trial: Trial) -> None:
        """Give the trial a place in the first bracket that is open."""
        if trial.number in self._race:
            return
        if not self._races or self._races[-1].closed:
            brackets = self.brackets
            self._races.append(_Race(brackets[self._begun % len(brackets)], self.eta))
            self._begun += 1
        self._race[trial.number] = self._races[-1]
        self._races[-1].join(trial.number)

    def report(self, trial: Trial, step: int, value: Sequence[float]) -> Decision:
        """Return PAUSE at the next rung of the trial's bracket, STOP at the last one, else CONTINUE."""
        self.started(trial)
        race = self._race[trial.number]
        if step < race.step or trial.number not in race.out:
            return Decision.CONTINUE
        if race.level == len(race.bracket.rungs) - 1:
            return Decision.STOP
        race.rung.add(trial.number, value_of(trial, value, self._setting))
        race.out.discard(trial.number)
        self._settle(race)
        return Decision.PAUSE

    def resumed(self, trial: Trial) -> None:
        """Take it that the trial runs on."""
        self._decided.pop(trial.number, None)

    def ended(self, trial: Trial) -> None:
        """Take it that the trial comes to no further rung."""
        self._decided.pop(trial.number, None)
        race = self._race.pop(trial.number, None)
        if race is not None:
            race.out.discard(trial.number)
            self._settle(race)

    def decide(self) -> tuple[int, Decision] | None:
        """Return the next decision on a paused trial."""
        return next(iter(self._decided.items()), None)

    def close(self) -> None:
        """Let the last bracket begin its decisions with the trials that it has."""
        if self._races and not self._races[-1].closed:
            self._races[-1].closed = True
            self._settle(self._races[-1])

    def completes(self, trial: Trial) -> bool:
        """Return whether the trial has all its steps."""
        return self.max_steps is not None and trial.steps >= self.max_steps

    def _settle(self, race: _Race) -> None:
        """Decide a rung that nobody is on the way to."""
        if not race.closed or race.out or not len(race.rung):
            return
        on, over = race.halve()
        self._decided |= dict.fromkeys(over, Decision.STOP) | dict.fromkeys(on, Decision.CONTINUE)


class SuccessiveHalving(Hyperband):
    """Runs one bracket of successive halving after the other: `n` trials from `min_steps` on, 1/eta of them eta times further.

    Args:
        n: trials of a bracket.
        max_steps: the step at which a trial is complete; None takes the space's `epochs` or `max_epochs`.
        min_steps: the first rung.
        eta: the share that goes on is 1/eta; at least 2.

    Example:
        >>> SuccessiveHalving(9, max_steps=9).brackets
        [Bracket(rungs=(1, 3, 9), sizes=(9, 3, 1))]
    """

    def __init__(self, n: int, max_steps: int | None = None, min_steps: int = 1, eta: int = 3) -> None:
        check_whole("SuccessiveHalving", n=n)
        super().__init__(max_steps, min_steps, eta)
        self.n = n

    @property
    def brackets(self) -> list[Bracket]:
        """The bracket that is repeated."""
        if self.max_steps is None:
            raise unknown_max(type(self).__name__)
        return [halving(self.n, self.min_steps, self.max_steps, self.eta)]


__all__ = ["Bracket", "Hyperband", "SuccessiveHalving", "plan"]
