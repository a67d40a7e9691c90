"""What a check is, what comes of one, and the smallest case in which it fails."""

from __future__ import annotations

import inspect
import random
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Literal, TypeAlias

import numpy as np

from evohpo.errors import EvohpoError, EvohpoWarning, UnknownName

Check: TypeAlias = Callable[..., None]
PATIENCE = 5.0  # seconds that may go into looking for a smaller case


class CheckFailed(AssertionError):
    """What was checked broke a promise.

    Attributes:
        check: the name of the check.
        reason: what it did instead.
    """

    def __init__(self, check: str, claim: str, reason: str) -> None:
        self.check, self.reason = check, reason
        super().__init__(f"{check}: {claim} But: {reason}")


class Inapplicable(Exception):
    """Raised by a check that makes no sense for what is checked; says why."""


@dataclass(frozen=True, slots=True)
class Case:
    """How large a check's problem is. A check with a parameter of this type is tried in smaller ones when it fails.

    Attributes:
        dim: number of continuous parameters in [-1, 1].
        trials: how many trials there are.
        seed: the study's seed.
    """

    dim: int = 4
    trials: int = 60
    seed: int = 1

    def __str__(self) -> str:
        return f"{self.dim} gene{'s' * (self.dim > 1)}, {self.trials} trials, seed {self.seed}"

    def smaller(self) -> Iterator[Case]:
        """Yield smaller cases, the smallest first."""
        for dim in (1, 2, self.dim):
            for trials in (1, 2, 3, 5, 8, 12, 20, 30, 40, 60):
                if dim <= self.dim and trials <= self.trials and (dim, trials) != (self.dim, self.trials):
                    yield replace(self, dim=dim, trials=trials)


USUAL = Case()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one check.

    Attributes:
        check: its name.
        claim: what it claims, one sentence.
        status: "ok"; "failed"; "expected" where it failed and was known to; "skipped" where it does not apply.
        reason: why it is not "ok".
        seconds: how long it took.
        smallest: the smallest case found in which it fails, "" where there is none.
    """

    check: str
    claim: str
    status: Literal["ok", "failed", "expected", "skipped"]
    reason: str
    seconds: float
    smallest: str = ""


def run_checks(checks: Sequence[Check], target: Any, expected: Mapping[str, str]) -> list[Outcome]:
    """Run checks on a target, one after the other.

    Args:
        checks: functions of the target, and of a `Case` if they have a second parameter.
        target: what is checked.
        expected: by name of a check, why it may fail.

    Raises:
        UnknownName: `expected` names a check that there is not.
    """
    names = [check.__name__ for check in checks]
    for name in expected:
        if name not in names:
            raise UnknownName("check", name, names)
    return [run_check(check, target, expected.get(check.__name__)) for check in checks]


def raise_failures(outcomes: Sequence[Outcome]) -> None:
    """Raise for the first check that failed.

    Raises:
        CheckFailed: names it, and why.
    """
    for outcome in outcomes:
        if outcome.status == "failed":
            smallest = f" (smallest case: {outcome.smallest})" if outcome.smallest else ""
            raise CheckFailed(outcome.check, outcome.claim, outcome.reason + smallest)


def run_check(check: Check, target: Any, known: str | None = None) -> Outcome:
    """Run one check; look for the smallest case in which it fails."""
    began = perf_counter()
    status, reason = _try(check, target)
    smallest = ""
    if status == "failed" and known is None and len(inspect.signature(check).parameters) > 1:
        for case in USUAL.smaller():
            if perf_counter() - began > PATIENCE:
                break
            again, why = _try(check, target, case)
            if again == "failed":
                smallest, reason = str(case), why
                break
        else:
            smallest = str(USUAL)
    if status == "failed" and known is not None:
        status, reason = "expected", f"{known} ({reason})"
    claim = (check.__doc__ or "").strip()
    return Outcome(check.__name__, claim, status, reason, round(perf_counter() - began, 3), smallest)


def _try(check: Check, *arguments: Any) -> tuple[Literal["ok", "failed", "expected", "skipped"], str]:
    with warnings.catch_warnings(), set_global_generators(0):  # whoever calls us keeps theirs, whatever a guest does
        warnings.simplefilter("ignore", EvohpoWarning)  # a check looks for itself
        try:
            check(*arguments)
        except Inapplicable as error:
            return "skipped", str(error)
        except (AssertionError, EvohpoError) as error:
            return "failed", str(error) or type(error).__name__
        except Exception as error:  # noqa: BLE001 - one check that breaks must not hide what the others find
            return "failed", f"{type(error).__name__}: {error}"
    return "ok", ""


@contextmanager
def set_global_generators(seed: int) -> Iterator[None]:
    """Put the global generators into a known state, and back into their own afterwards."""
    before = random.getstate(), np.random.get_state()  # noqa: NPY002 - it is the legacy one that is watched
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
