"""Trials, goals, and what optimizers are told of them."""

from evohpo.trials.goals import Goals, Objective
from evohpo.trials.trial import Status, Trial

__all__ = ["Goals", "Objective", "Status", "Trial"]
