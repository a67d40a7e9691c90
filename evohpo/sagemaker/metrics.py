"""Metrics in what a job prints: patterns, steps, and the one value that counts in the end."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from evohpo.errors import EvohpoWarning, UsageError
from evohpo.evaluators.reductions import REDUCTIONS

NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?nan|[-+]?inf)"
"""A pattern for one number: signs, exponents, nan and inf included."""
SAMPLES = ("0.5", "9.5e-05", "-1.5", "nan")
Steps = str | bool | None


def patterns_of(metric: str | Iterable[str] | Mapping[str, str], defined: Mapping[str, str]) -> dict[str, str | None]:
    """Return by name of a metric the pattern that finds it, None where only the service knows.

    Args:
        metric: names and patterns; or names that the estimator or the algorithm defines.
        defined: what the estimator defines.

    Raises:
        UsageError: no metric, or a pattern that cannot be read or has no group.
    """
    if isinstance(metric, Mapping):
        patterns: dict[str, str | None] = {name: check_pattern(name, regex) for name, regex in metric.items()}
    else:
        names = [metric] if isinstance(metric, str) else list(metric)
        patterns = {name: defined.get(name) for name in names}
    if not patterns:
        raise UsageError('metric= is empty: give names and patterns, such as {"accuracy": r"accuracy=(\\S+)"}')
    return patterns


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
            f"metric {name!r}: ({group}) cannot read {', '.join(wrong)}; evohpo.sagemaker.NUMBER reads every number",
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


class Reader:
    """Reads metrics out of lines as they are printed.

    A step is complete when every metric that has a pattern has been printed since the one before.

    Args:
        patterns: by name, the pattern whose first group is the value.
        steps: None if the job has no steps; True to count them; a pattern whose first group is the number of the step.
        first: the last step before these lines.

    Attributes:
        values: by name, all values in order.
        lines: how many lines were read.
        again: whether steps were printed that are not above the last one before these lines.
    """

    def __init__(self, patterns: Mapping[str, str | None], steps: Steps = None, first: int = 0) -> None:
        self._patterns = {name: re.compile(regex) for name, regex in patterns.items() if regex is not None}
        self._marker = re.compile(steps) if isinstance(steps, str) else None
        self._counts = steps is True
        self._step, self._reported = first, first
        self._current: dict[str, float] = {}
        self.values: dict[str, list[float]] = {name: [] for name in self._patterns}
        self.lines, self.again = 0, False

    def begin(self, step: int) -> None:
        """Take it that the lines of another job follow, which goes on after `step`."""
        self._step, self._current = step, {}

    def feed(self, line: str) -> tuple[int, dict[str, float]] | None:
        """Read one line; return the step that it completes, if it does."""
        self.lines += 1
        if self._marker is not None and (mark := self._marker.search(line)) is not None:
            step = number(mark[1])
            if step is not None and step != self._step:
                self._step, self._current = int(step), {}
        for name, pattern in self._patterns.items():
            for found in pattern.finditer(line):
                if (value := number(found[1])) is not None:
                    self.values[name].append(value)
                    self._current[name] = value
        if len(self._current) < len(self._patterns) or not (self._counts or self._marker):
            return None
        current, self._current = self._current, {}
        if self._counts:
            self._step += 1
        if self._step <= self._reported:  # by a job that was started again
            self.again = True
            return None
        self._reported = self._step
        return self._step, current

    def reduced(self, how: Mapping[str, str]) -> dict[str, float]:
        """Return by name the value that counts, of metrics that have been printed."""
        return {name: REDUCTIONS[how[name]](values) for name, values in self.values.items() if values}


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


def same_single(a: float, b: float) -> bool:
    """Return whether two values are one in single precision."""
    return math.isclose(a, b, rel_tol=1e-6) or (math.isnan(a) and math.isnan(b))


def number(text: Any) -> float | None:
    """Return the number that a text is or begins with (`0.98.` is 0.98), None if it does not."""
    try:
        return float(text)
    except (TypeError, ValueError):
        found = re.match(NUMBER, text or "")
        return float(found[1]) if found else None
