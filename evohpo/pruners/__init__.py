"""Pruners: spend less on trials that will not win."""

from evohpo.pruners.adapters import resolve_pruner
from evohpo.pruners.asha import ASHA
from evohpo.pruners.hyperband import Hyperband, SuccessiveHalving
from evohpo.pruners.pasha import PASHA
from evohpo.pruners.percentile import Median, Percentile
from evohpo.pruners.plateau import Plateau
from evohpo.pruners.protocol import Decision, Pruner, Setting

__all__ = [
    "ASHA", "PASHA", "Decision", "Hyperband", "Median", "Percentile", "Plateau", "Pruner", "Setting",
    "SuccessiveHalving", "resolve_pruner",
]  # fmt: skip
