"""Metrics in what a trial prints or writes: patterns, steps, and the one value that counts in the end."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any, TypeAlias

from evohpo.errors import EvohpoWarning, UsageError
from evohpo.evaluators.reductions import REDUCTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?nan|[-+]?inf)"
"""A pattern for one number: signs, exponents, nan and inf included."""
SAMPLES = ("0.5", "9.5e-05", "-1.5", "nan")
Steps: TypeAlias = str | bool | None
Found: TypeAlias = tuple[int | None, list[tuple[str, float]]]  # a step, where it is known, and metrics in order


def check_pattern(name: str, regex: str, whole: bool = False) -> str:
    """Return `regex`, with a warning if its group cannot read every number, unless only `whole` ones are meant.

    Raises:
        UsageError: it is no regular expression, or has no group.
    """
    if not isinstance(regex, str):
        raise UsageError(f"metric {name!r}: the pattern must be text, not {type(regex).__name__}")
    try:
        compiled = re.compile(regex)
    except re.error as error:
        raise UsageError(f"metric {name!r}: {regex!r} is no regular expression: {error}") from error
    if not compiled.groups:
        raise UsageError(f"metric {name!r}: {regex!r} has no group ( ) around the number")
    group = _first_group(regex)
    try:
        wrong = [text for text in SAMPLES if group and not re.fullmatch(group, text)]
    except re.error:  # a group that means nothing by itself
        wrong = []
    if wrong and len(wrong) < len(SAMPLES) and not whole:
        warnings.warn(
            f"metric {name!r}: ({group}) cannot read {', '.join(wrong)}; evohpo.evaluators.NUMBER reads every number",
            EvohpoWarning,
            stacklevel=4,
        )
    return regex


def _first_group(regex: str) -> str:
    """Return what is in the first capturing parentheses, "" if that is hard to say."""
    depth, start, in_class, i = 0, -1, False, 0
    while i < len(regex):
        c = regex[i]
        if c == "\\":
            i += 1
        elif in_class:
            in_class = c != "]"
        elif c == "[":
            in_class = True
        elif c == "(":
            depth += 1
            if start < 0 and regex[i + 1 : i + 2] != "?":
                start, outer = i + 1, depth
        elif c == ")":
            if start >= 0 and depth == outer:
                return regex[start:i]
            depth -= 1
        i += 1
    return ""


class Gathering:
    """Puts together what is told of steps, piece by piece and from several sides.

    A step is complete when all metrics of it have been told; steps before one that is complete are not waited for.

    Args:
        names: the metrics of a step; none where whatever is told of it is all there is.
        counts: whether steps without a number are counted.
        first: the last step that was complete before.

    Attributes:
        values: by name, all values in order, those of a step that is told again but once.
        last: the last step that was complete.
        again: whether steps were told that those who tell now were to go on after.
    """

    def __init__(self, names: Iterable[str], counts: bool = False, first: int = 0) -> None:
        self.names, self.counts = frozenset(names), counts
        self.values: dict[str, list[float]] = {}
        self.last = 0
        self.begin(first)

    def begin(self, step: int, counted: int | None = None) -> None:
        """Take it that what follows is told by somebody new, to whom all up to `step` is known.

        Args:
            step: the last step that is known.
            counted: the one after which they count; `step` by default.
        """
        self.last, self._known, self.again = max(self.last, step), step, False
        self._counted = step if counted is None else counted
        self._counting: dict[str, float] = {}  # of the step that is counted next
        self._open: dict[int, dict[str, float]] = {}  # of those with a number

    def note(self, found: Iterable[tuple[str, float]]) -> None:
        """Take in metrics that belong to no step."""
        for name, value in found:
            self.values.setdefault(name, []).append(value)

    def tell(self, step: int | None, found: Iterable[tuple[str, float]]) -> tuple[int, dict[str, float]] | None:
        """Take in metrics, and return the step that they complete, if they do.

        Args:
            step: which they belong to, None where that is not said.
            found: names and values in order.
        """
        pairs, counts = list(found), step is None and self.counts
        at = self._counted + 1 if counts else step
        if at is None or at > self.last:
            self.note(pairs)
        if at is None:
            return None
        metrics = self._counting if counts else self._open.setdefault(at, {})
        metrics.update(pairs)
        if not self.names <= metrics.keys():
            return None
        if counts:
            self._counted, self._counting = at, {}
        self._open = {ahead: known for ahead, known in self._open.items() if ahead > at}
        if at <= self.last:
            self.again = self.again or at <= self._known
            return None
        self.last = at
        return at, metrics

    def reduced(self, how: Mapping[str, str]) -> dict[str, float]:
        """Return by name the value that counts, of metrics that have been told; "last" for those not named."""
        return {name: REDUCTIONS[how.get(name, "last")](values) for name, values in self.values.items()}


class Matcher:
    """Finds metrics in lines.

    Args:
        patterns: by name, the pattern whose first group is the value.
        marker: the pattern whose first group is the number of the step, None where no line says it.
    """

    def __init__(self, patterns: Mapping[str, str], marker: str | None = None) -> None:
        self._patterns = {name: re.compile(regex) for name, regex in patterns.items()}
        self._marker = None if marker is None else re.compile(marker)
        self.begin()

    def begin(self) -> None:
        """Take it that lines of somebody else follow."""
        self._step: int | None = None

    def find(self, line: str) -> Found | None:
        """Return what a line says, None if it says nothing."""
        if self._marker is not None and (mark := self._marker.search(line)) is not None:
            self._step = whole_number(mark[1], self._step)
        found = [
            (name, value)
            for name, pattern in self._patterns.items()
            for match in pattern.finditer(line)
            if (value := number(match[1])) is not None
        ]
        return (self._step, found) if found else None


class Reader:
    """Reads metrics out of lines as they are printed.

    Args:
        patterns: by name, the pattern whose first group is the value; None for a metric that is not printed.
        steps: None if the job has no steps; True to count them; a pattern whose first group is the number of the step.
        first: the last step before these lines.

    Attributes:
        lines: how many lines were read.
    """

    def __init__(self, patterns: Mapping[str, str | None], steps: Steps = None, first: int = 0) -> None:
        printed = {name: regex for name, regex in patterns.items() if regex is not None}
        self._names = list(printed)
        self._matcher = Matcher(printed, steps if isinstance(steps, str) else None)
        self._gathering = Gathering(printed, steps is True, first)
        self.lines = 0

    @property
    def values(self) -> Mapping[str, list[float]]:
        """By name, all values in order."""
        return {name: self._gathering.values.get(name, []) for name in self._names}

    @property
    def again(self) -> bool:
        """Whether steps were printed that these lines were to go on after."""
        return self._gathering.again

    def begin(self, step: int) -> None:
        """Take it that the lines of another job follow, which goes on after `step`."""
        self._matcher.begin()
        self._gathering.begin(step)

    def feed(self, line: str) -> tuple[int, dict[str, float]] | None:
        """Read one line; return the step that it completes, if it does."""
        self.lines += 1
        found = self._matcher.find(line)
        return None if found is None else self._gathering.tell(*found)

    def reduced(self, how: Mapping[str, str]) -> dict[str, float]:
        """Return by name the value that counts, of metrics that have been printed."""
        return self._gathering.reduced(how)


def reductions_of(reduce: str | Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Return by name how many values become one.

    Raises:
        UsageError: an unknown reduction or metric.
    """
    how = {name: reduce if isinstance(reduce, str) else reduce.get(name, "last") for name in names}
    unknown = set(reduce) - set(how) if not isinstance(reduce, str) else set()
    if unknown:
        raise UsageError(f"reduce= names {min(unknown)!r}, which is no metric; there are {', '.join(how)}")
    for name, one in how.items():
        if one not in REDUCTIONS:
            raise UsageError(f"metric {name!r}: reduce={one!r}: must be one of {', '.join(REDUCTIONS)}")
    return how


def number(text: Any) -> float | None:
    """Return the number that a text is or begins with (`0.98.` is 0.98), None if it does not."""
    try:
        return float(text)
    except (TypeError, ValueError, OverflowError):
        found = re.match(NUMBER, text) if isinstance(text, str) else None
        return float(found[1]) if found else None


def whole_number(value: Any, otherwise: int | None = None) -> int | None:
    """Return the whole number that a value or text is or begins with, `otherwise` if it is none.

    >>> whole_number("3/10"), whole_number(4.0), whole_number("nan"), whole_number(None)
    (3, 4, None, None)
    """
    read = None if isinstance(value, bool) else number(value)
    return int(read) if read is not None and abs(read) < 2**53 else otherwise
