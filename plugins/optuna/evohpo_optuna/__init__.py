"""Live samplers and pruners of Optuna in studies of evohpo."""

from .pruners import adapt_pruner
from .samplers import adapt

__all__ = ["adapt", "adapt_pruner"]
