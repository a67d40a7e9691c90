"""Pruners: spend less on trials that will not win."""

from evohpo.pruners.adapters import resolve_pruner
from evohpo.pruners.protocol import Decision, Pruner

__all__ = ["Decision", "Pruner", "resolve_pruner"]
