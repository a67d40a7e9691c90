"""The house's main job on show: a real neural network, tuned by eight algorithms, and a killed run that goes on."""

from evohpo.demo.comparison import NAMES, show

__all__ = ["NAMES", "show"]
