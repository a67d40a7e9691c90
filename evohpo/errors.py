"""Every error evohpo raises on purpose: a class to catch, fields to read, and a message that says what to do."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class EvohpoError(Exception):
    """Base of all errors that evohpo raises on purpose."""


class EvohpoWarning(UserWarning):
    """Base of all warnings that evohpo gives."""


class UsageError(EvohpoError, ValueError):
    """A call that cannot be carried out as it was made; the message says what to change."""


class IllegalDefinition(UsageError):
    """A parameter, condition or constraint that cannot be defined like this.

    Attributes:
        parameter: the name of the parameter, or None for one not yet named.
        reason: what is wrong and what to do.
    """

    def __init__(self, parameter: str | None, reason: str) -> None:
        self.parameter, self.reason = parameter, reason
        super().__init__(parameter, reason)

    def __str__(self) -> str:
        return f"parameter {self.parameter!r}: {self.reason}" if self.parameter else self.reason


class IllegalValue(UsageError):
    """A value that a parameter or metric cannot take.

    Attributes:
        name: the parameter's or metric's name.
        value: what was given.
        reason: why it is refused, with the legal range.
    """

    def __init__(self, name: str, value: Any, reason: str) -> None:
        self.name, self.value, self.reason = name, value, reason
        super().__init__(name, value, reason)

    def __str__(self) -> str:
        return f"{self.name} = {self.value!r}: {self.reason}"


class UnknownName(UsageError, LookupError):
    """A name nobody registered; the message lists the nearest known ones.

    Attributes:
        kind: what was looked up, e.g. "optimizer".
        name: the name as given.
        known: the names there are.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        super().__init__(kind, name, self.known)

    def __str__(self) -> str:
        near = difflib.get_close_matches(self.name, self.known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {', '.join(self.known)}"
        return f"unknown {self.kind} {self.name!r}: {hint}"


class OptimizerError(EvohpoError, RuntimeError):
    """An optimizer raised, or broke the protocol (wrong shape, genes outside [0, 1], nothing to propose)."""


class StoreError(EvohpoError, RuntimeError):
    """A store that cannot be opened, read, written or gone on with."""
