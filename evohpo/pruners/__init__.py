"""Pruners: spend less on trials that will not win."""

from evohpo.pruners.protocol import Decision, Pruner

__all__ = ["Decision", "Pruner"]
