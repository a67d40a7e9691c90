"""Checks for whoever writes an optimizer: does it keep the promises that every study relies on?

from evohpo.testing import check_optimizer

def test_my_de_keeps_its_promises():
    check_optimizer(my_de)
"""

from evohpo.testing.card import CheckFailed, Outcome, capability_card, check_optimizer
from evohpo.testing.checks import CHECKS

__all__ = ["CHECKS", "CheckFailed", "Outcome", "capability_card", "check_optimizer"]
