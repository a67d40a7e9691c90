"""Pruners joined: `a & b` stops where both would, `a | b` where one would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from evohpo.errors import UsageError
from evohpo.pruners.protocol import Decision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evohpo.pruners.protocol import Setting
    from evohpo.trials.trial import Trial


class Joinable:
    """Gives pruners `&` and `|`, and a memory of what they were made with.

    Attributes:
        given: positional and named arguments, for the journal.
    """

    given: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *arguments: Any, **named: Any) -> Self:
        """Remember the arguments."""
        self = super().__new__(cls)
        self.given = arguments, named
        return self

    def __repr__(self) -> str:
        arguments = [*map(repr, self.given[0]), *(f"{name}={value!r}" for name, value in self.given[1].items())]
        return f"{type(self).__name__}({', '.join(arguments)})"

    def __and__(self, other: Any) -> Both:
        return Both(self, other)

    def __or__(self, other: Any) -> Either:
        return Either(self, other)

    def __rand__(self, other: Any) -> Both:
        return Both(other, self)

    def __ror__(self, other: Any) -> Either:
        return Either(other, self)


class _Joined(Joinable):
    """Two pruners that see the same trials."""

    def __init__(self, first: Any, second: Any) -> None:
        from evohpo.pruners.adapters import resolve_pruner

        self._parts: list[Any] = [resolve_pruner(first), resolve_pruner(second)]
        if None in self._parts:
            raise UsageError("None is no pruner to be joined with another one: leave it out")

    def _each(self, hook: str, *arguments: Any) -> list[Any]:
        return [method(*arguments) for p in self._parts if (method := getattr(p, hook, None)) is not None]

    def begin(self, setting: Setting) -> None:
        """Start both."""
        self._each("begin", setting)

    def started(self, trial: Trial) -> None:
        """Tell both."""
        self._each("started", trial)

    def resumed(self, trial: Trial) -> None:
        """Tell both."""
        self._each("resumed", trial)

    def ended(self, trial: Trial) -> None:
        """Tell both."""
        self._each("ended", trial)

    def close(self) -> None:
        """Tell both."""
        self._each("close")

    def decide(self) -> tuple[int, Decision] | None:
        """Return what the one that pauses has decided."""
        return next((decided for decided in self._each("decide") if decided is not None), None)

    def completes(self, trial: Trial) -> bool:
        """Return whether the trial has come to its natural end for one of them."""
        return any(self._each("completes", trial))

    @property
    def max_steps(self) -> int | None:
        """The earliest step at which one of them ends every trial."""
        known = [steps for p in self._parts if (steps := getattr(p, "max_steps", None)) is not None]
        return min(known, default=None)

    @property
    def rungs(self) -> list[int] | None:
        """The steps at which one of them compares; None for each step."""
        levels = [getattr(p, "rungs", None) for p in self._parts]
        return None if None in levels else sorted({step for rungs in levels for step in rungs or ()})

    def _decisions(self, trial: Trial, step: int, value: Sequence[float]) -> list[Decision]:
        return [p.report(trial, step, value) for p in self._parts]


class Both(_Joined):
    """Stops a trial where both pruners would; none of them may pause trials.

    Raises:
        UsageError: one of them pauses trials.
    """

    def __init__(self, first: Any, second: Any) -> None:
        super().__init__(first, second)
        for part in self._parts:
            if hasattr(part, "decide") and getattr(part, "pauses", True):
                raise UsageError(
                    f"{type(part).__name__} pauses trials, and a trial cannot be paused for one pruner alone: join it "
                    "with |, or take pruners that stop"
                )

    pauses = False

    def report(self, trial: Trial, step: int, value: Sequence[float]) -> Decision:
        """Return STOP if both would stop the trial, or one of them says that it is at its end."""
        decisions = self._decisions(trial, step, value)
        stops = all(d is Decision.STOP for d in decisions)
        last = self.max_steps
        return Decision.STOP if stops or (last is not None and step >= last) else Decision.CONTINUE


class Either(_Joined):
    """Stops a trial where one pruner would, pauses it where one would pause it."""

    @property
    def pauses(self) -> bool:
        """Whether one of them pauses trials."""
        return any(hasattr(p, "decide") and getattr(p, "pauses", True) for p in self._parts)

    def report(self, trial: Trial, step: int, value: Sequence[float]) -> Decision:
        """Return the stricter of both decisions."""
        decisions = self._decisions(trial, step, value)
        return next((d for d in (Decision.STOP, Decision.PAUSE) if d in decisions), Decision.CONTINUE)
