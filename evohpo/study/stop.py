"""When a study ends: rules over what is known of it, joined by `&` and `|`; the reason is kept as data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeAlias

from evohpo.errors import UnknownName, UsageError
from evohpo.trials.trial import Status

if TYPE_CHECKING:
    from evohpo.study.study import Study

Reason: TypeAlias = dict[str, Any]
Rule: TypeAlias = "Stop | Both | Either | Callable[[Study], Any]"


class _Joinable:
    """Rules join by `&` and `|`, with each other and with any callable."""

    __slots__ = ()

    def __and__(self, other: Rule) -> Both:
        return Both(as_rule(self), as_rule(other))

    def __rand__(self, other: Rule) -> Both:
        return Both(as_rule(other), as_rule(self))

    def __or__(self, other: Rule) -> Either:
        return Either(as_rule(self), as_rule(other))

    def __ror__(self, other: Rule) -> Either:
        return Either(as_rule(other), as_rule(self))


@dataclass(frozen=True)
class Stop(_Joinable):
    """Ends a study when any of the given bounds is reached.

    Attributes:
        target: a value of the objective's metric that is good enough; with several objectives a dict of them, all of
            which one trial must reach.
        stagnation: so many completed generations in a row without enough improvement.
        improvement: what counts as enough for `stagnation`: more than this, in units of the metric.
        seconds: time since this run began.
        cost: sum of the metric "cost" over all trials.
        trials: trials started.
        finished: trials that ended with a result.
        failed: trials that failed.
        steps: steps reported by all trials together.
        generations: completed generations.

    Example:
        >>> Stop(target=0.99) | Stop(stagnation=5) & Stop(trials=100)
        Stop(target=0.99) | (Stop(stagnation=5) & Stop(trials=100))
    """

    target: float | Mapping[str, float] | None = None
    stagnation: int | None = None
    improvement: float = 0.0
    seconds: float | None = None
    cost: float | None = None
    trials: int | None = None
    finished: int | None = None
    failed: int | None = None
    steps: int | None = None
    generations: int | None = None

    def __post_init__(self) -> None:
        for name in ("stagnation", "seconds", "cost", "trials", "finished", "failed", "steps", "generations"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"Stop({name}={value!r}): must be above 0")
        if all(getattr(self, f.name) is None for f in fields(self) if f.name != "improvement"):
            raise UsageError("Stop() needs at least one bound, such as Stop(seconds=600)")

    def __call__(self, study: Study) -> Reason | None:
        """Return which bound is reached and at what value, or None."""
        ledger = study.ledger
        reached: dict[str, Any] = {
            "seconds": study.seconds if self.seconds is not None else 0.0,
            "cost": ledger.cost,
            "trials": len(ledger.trials),
            "finished": ledger.counts[Status.COMPLETED] + ledger.counts[Status.STOPPED],
            "failed": ledger.counts[Status.FAILED],
            "steps": ledger.steps,
            "generations": len(ledger.history),
        }
        for name, value in reached.items():
            bound = getattr(self, name)
            if bound is not None and value >= bound:
                return {name: value}
        if self.stagnation is not None and self._stagnates(study):
            return {"stagnation": self.stagnation}
        return None if self.target is None else self._target(study)

    def _stagnates(self, study: Study) -> bool:
        k = self.stagnation
        assert k is not None
        history = study.ledger.history
        if len(history) <= k:
            return False
        before, now = history[-k - 1], history[-1]
        return before is not None and now is not None and before - now <= self.improvement

    def _target(self, study: Study) -> Reason | None:
        objectives = study.goals.objectives
        target = self.target if isinstance(self.target, Mapping) else {objectives[0].metric: self.target}
        if unknown := set(target) - set(study.goals.metrics):
            raise UnknownName("metric in Stop(target=...)", min(unknown), study.goals.metrics)
        candidates = study.ledger.fresh if len(objectives) > 1 or study.ledger.best is None else [study.ledger.best]
        for trial in candidates:
            if trial.feasible and all(
                trial.metrics[o.metric] >= target[o.metric]
                if o.maximize
                else trial.metrics[o.metric] <= target[o.metric]
                for o in objectives
                if o.metric in target
            ):
                return {"target": {name: trial.metrics[name] for name in target}, "trial": trial.number}
        return None

    def __repr__(self) -> str:
        given = (f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if getattr(self, f.name) != f.default)
        return f"Stop({', '.join(given)})"


@dataclass(frozen=True)
class Both(_Joinable):
    """Ends a study when both rules say so."""

    first: Rule
    second: Rule

    def __call__(self, study: Study) -> Reason | None:
        """Return the reasons of both, or None."""
        a, b = reason(self.first, study), reason(self.second, study)
        return {**a, **b} if a and b else None

    def __repr__(self) -> str:
        return f"({self.first!r} & {self.second!r})"


@dataclass(frozen=True)
class Either(_Joinable):
    """Ends a study when one of the rules says so."""

    first: Rule
    second: Rule

    def __call__(self, study: Study) -> Reason | None:
        """Return the reason of the first that has one, or None."""
        return reason(self.first, study) or reason(self.second, study)

    def __repr__(self) -> str:
        return f"{self.first!r} | {self.second!r}"


def reason(rule: Rule, study: Study) -> Reason | None:
    """Return what `rule` says of `study` as data; a callable may return a dict, a text or True."""
    said = rule(study)
    if not said:
        return None
    if isinstance(said, dict):
        return said
    name = getattr(rule, "__name__", type(rule).__name__)
    return {
        name: said
        if isinstance(said, str | int | float) and not (isinstance(said, float) and math.isnan(said))
        else True
    }


def as_rule(rule: Any) -> Rule:
    """Return `rule` if it is one.

    Raises:
        UsageError: it is not callable.
    """
    if not callable(rule):
        raise UsageError(f"stop={rule!r}: give eh.Stop(...), rules joined by & and |, or a function of the study")
    return rule  # type: ignore[no-any-return]
