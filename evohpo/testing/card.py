"""Runs the checks on an optimizer, one after the other, and says what came of each."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

from evohpo.errors import EvohpoError, EvohpoWarning, UnknownName
from evohpo.optimizers import resolve, use
from evohpo.testing.checks import CHECKS, KNOWN, Inapplicable, set_global_generators

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class CheckFailed(AssertionError):
    """An optimizer broke a promise.

    Attributes:
        check: the name of the check.
        reason: what it did instead.
    """

    def __init__(self, check: str, claim: str, reason: str) -> None:
        self.check, self.reason = check, reason
        super().__init__(f"{check}: {claim} But: {reason}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one check.

    Attributes:
        check: its name.
        claim: what it claims, one sentence.
        status: "ok"; "failed"; "expected" where it failed and was known to; "skipped" where it does not apply.
        reason: why it is not "ok".
        seconds: how long it took.
    """

    check: str
    claim: str
    status: Literal["ok", "failed", "expected", "skipped"]
    reason: str
    seconds: float


def capability_card(target: Any, *, expected: Mapping[str, str] | None = None, **options: Any) -> list[Outcome]:
    """Run every check on an optimizer and return what came of each, in the order of `CHECKS`.

    Args:
        target: whatever `optimizer=` accepts.
        expected: by name of a check, why it may fail.
        **options: what the optimizer is started with.

    Raises:
        UsageError: `target` is no optimizer, or `expected` names a check that there is not.

    Example:
        >>> card = capability_card("random", expected={"better_than_nothing": "it is what others are compared with"})
        >>> {outcome.check: outcome.status for outcome in card}["better_than_nothing"]
        'expected'
    """
    optimizer = use(target, **options)
    known = KNOWN.get(resolve(optimizer).name, {}) | dict(expected or {})
    names = [check.__name__ for check in CHECKS]
    for name in known:
        if name not in names:
            raise UnknownName("check", name, names)
    return [_run(check, optimizer, known.get(check.__name__)) for check in CHECKS]


def check_optimizer(target: Any, *, expected: Mapping[str, str] | None = None, **options: Any) -> None:
    """Check that an optimizer keeps its promises; the arguments are those of `capability_card`.

    Raises:
        CheckFailed: names the first check that failed, and why.
    """
    for outcome in capability_card(target, expected=expected, **options):
        if outcome.status == "failed":
            raise CheckFailed(outcome.check, outcome.claim, outcome.reason)


def _run(check: Callable[[Any], None], optimizer: Any, known: str | None) -> Outcome:
    began = perf_counter()
    status: Literal["ok", "failed", "expected", "skipped"] = "ok"
    reason = ""
    with warnings.catch_warnings(), set_global_generators(0):  # whoever calls us keeps theirs, whatever a guest does
        warnings.simplefilter("ignore", EvohpoWarning)  # a check looks for itself
        try:
            check(optimizer)
        except Inapplicable as error:
            status, reason = "skipped", str(error)
        except (AssertionError, EvohpoError) as error:
            status, reason = "failed", str(error) or type(error).__name__
        except Exception as error:  # noqa: BLE001 - one check that breaks must not hide what the others find
            status, reason = "failed", f"{type(error).__name__}: {error}"
    if status == "failed" and known is not None:
        status, reason = "expected", f"{known} ({reason})"
    claim = (check.__doc__ or "").strip()
    return Outcome(check.__name__, claim, status, reason, round(perf_counter() - began, 3))
