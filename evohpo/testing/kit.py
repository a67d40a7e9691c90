"""Running the checks: one failure raised, or a card of all verdicts."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from evohpo.errors import EvohpoError
from evohpo.optimizers import use
from evohpo.testing.checks import CHECKS

if TYPE_CHECKING:
    from collections.abc import Mapping


class CheckFailed(AssertionError):
    """An optimizer does not keep a promise.

    Attributes:
        check: name of the check.
        claim: what should hold.
        reason: how it does not.
    """

    def __init__(self, check: str, claim: str, reason: str) -> None:
        self.check, self.claim, self.reason = check, claim, reason
        super().__init__(f"{check}: {claim} But: {reason}")


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of a capability card."""

    check: str
    claim: str
    verdict: Literal["holds", "failed", "expected"]
    reason: str = ""


def capability_card(target: Any, /, *, expected: Mapping[str, str] | None = None, **options: Any) -> list[CheckResult]:
    """Return the verdict of every check on `target`.

    Args:
        target: whatever `optimizer=` accepts.
        expected: names of checks that are known to fail, with the reason why that is all right.
        **options: arguments the optimizer is started with.
    """
    expected = expected or {}
    card = []
    for name, check in CHECKS.items():
        claim = (check.__doc__ or "").strip().splitlines()[0]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                check(use(target, **options))
        except (AssertionError, EvohpoError) as error:
            reason = str(error) or type(error).__name__
            card.append(
                CheckResult(name, claim, "expected" if name in expected else "failed", expected.get(name, reason))
            )
        else:
            card.append(CheckResult(name, claim, "holds"))
    return card


def check_optimizer(target: Any, /, *, expected: Mapping[str, str] | None = None, **options: Any) -> None:
    """Run every check on `target`; the arguments are those of `capability_card`.

    Raises:
        CheckFailed: the first promise that is not kept, with how.

    Example:
        >>> check_optimizer("de-steady", population=8)
    """
    for result in capability_card(target, expected=expected, **options):
        if result.verdict == "failed":
            raise CheckFailed(result.check, result.claim, result.reason)
