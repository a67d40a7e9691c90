"""Metrics of training jobs: how they are found in what a job prints, and what the service keeps of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from evohpo.errors import UsageError
from evohpo.evaluators.metrics import NUMBER as NUMBER
from evohpo.evaluators.metrics import check_pattern


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


def same_single(a: float, b: float) -> bool:
    """Return whether two values are one in single precision."""
    return math.isclose(a, b, rel_tol=1e-6) or (math.isnan(a) and math.isnan(b))
