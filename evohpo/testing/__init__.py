"""Checks for whoever writes an optimizer, an evaluator, a pruner or an encoding: does it keep its promises?

from evohpo.testing import check_optimizer

def test_my_de_keeps_its_promises():
    check_optimizer(my_de)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evohpo.lazy import exports

if TYPE_CHECKING:
    from evohpo.testing.card import Card, capability_card, check_optimizer, parametrize_with_checks
    from evohpo.testing.encodings import check_encoding
    from evohpo.testing.evaluators import check_evaluator
    from evohpo.testing.optimizers import CHECKS
    from evohpo.testing.outcome import Case, CheckFailed, Inapplicable, Outcome
    from evohpo.testing.pruners import check_pruner

__getattr__, __dir__ = exports(
    __name__,
    {
        "card": ("Card", "capability_card", "check_optimizer", "parametrize_with_checks"),
        "encodings": ("check_encoding",),
        "evaluators": ("check_evaluator",),
        "optimizers": ("CHECKS",),
        "outcome": ("Case", "CheckFailed", "Inapplicable", "Outcome"),
        "pruners": ("check_pruner",),
    },
)

__all__ = [
    "CHECKS", "Card", "Case", "CheckFailed", "Inapplicable", "Outcome", "capability_card", "check_encoding", "check_evaluator",
    "check_optimizer", "check_pruner", "parametrize_with_checks",
]  # fmt: skip
