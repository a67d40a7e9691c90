"""For whoever writes an optimizer: small checks, one property each, as functions, and all together."""

from evohpo.testing.checks import CHECKS
from evohpo.testing.kit import CheckFailed, CheckResult, capability_card, check_optimizer

__all__ = ["CHECKS", "CheckFailed", "CheckResult", "capability_card", "check_optimizer"]
