"""What a study is after: which metrics to maximise and minimise, and which bounds to keep."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from evohpo.errors import IllegalDefinition, IllegalValue, UsageError
from evohpo.space.expressions import Expression


@dataclass(frozen=True, slots=True)
class Objective:
    """One metric to be made large or small."""

    metric: str
    maximize: bool

    def __str__(self) -> str:
        return f"{'maximize' if self.maximize else 'minimize'} {self.metric}"


@dataclass(frozen=True, slots=True)
class Goals:
    """Objectives in the order maximised, minimised; outcome constraints as parsed text.

    Attributes:
        objectives: at least one.
        constraints: comparisons over metric names, e.g. "accuracy >= 0.85".
        required: names of all metrics a result must have: objectives, then those only constraints mention.
    """

    objectives: tuple[Objective, ...]
    constraints: tuple[Expression, ...] = ()
    required: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        maximize: str | Iterable[str] | None = None,
        minimize: str | Iterable[str] | None = None,
        constraints: Iterable[str] = (),
    ) -> Goals:
        """Build goals from what a user types.

        Raises:
            UsageError: no objective, one metric named twice, or a name that is not text.
            IllegalDefinition: a constraint that does not parse or is not a comparison.
        """
        objectives = [Objective(m, True) for m in _names(maximize)] + [Objective(m, False) for m in _names(minimize)]
        if not objectives:
            raise UsageError(
                'say what to optimize: maximize="accuracy", minimize="loss", or several: minimize=["loss", "seconds"]'
            )
        metrics = [o.metric for o in objectives]
        for metric in metrics:
            if not isinstance(metric, str) or not metric:
                raise UsageError(f"an objective is the name of a metric, not {metric!r}")
            if metrics.count(metric) > 1:
                raise UsageError(f"the metric {metric!r} is named twice: a metric is either maximized or minimized")
        texts = [constraints] if isinstance(constraints, str) else list(constraints)
        parsed = tuple(Expression.parse(text) for text in texts)
        for expression in parsed:
            if not expression.is_comparison:
                raise IllegalDefinition(
                    None, f'constraint {expression.text!r} is not a comparison such as "accuracy >= 0.85"'
                )
        required = dict.fromkeys([*metrics, *(name for expression in parsed for name in expression.names)])
        return cls(tuple(objectives), parsed, tuple(required))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the objectives' metrics."""
        return tuple(o.metric for o in self.objectives)

    def check(self, value: Any) -> dict[str, Any]:
        """Return what an objective returned as a dict of metrics.

        A bare number is the value of the single objective. Further metrics are kept: numbers and short texts.

        Raises:
            IllegalValue: a required metric is missing or not a finite number, or something is not a metric at all.
        """
        required = self.required
        if not isinstance(value, Mapping):
            number = as_number(value)
            if number is None or len(required) > 1:
                wanted = (
                    f"a dict with {', '.join(map(repr, required))}"
                    if len(required) > 1
                    else f"a number or a dict with {required[0]!r}"
                )
                raise IllegalValue("result", value, f"is {_kind(value)}; the objective must return {wanted}")
            value = {required[0]: number}
        metrics: dict[str, Any] = {}
        for name, raw in value.items():
            if not isinstance(name, str):
                raise IllegalValue("result", name, f"metric names are text, this one is {_kind(name)}")
            number = as_number(raw)
            if number is None and not (isinstance(raw, str) and name not in required and len(raw) <= 1000):
                raise IllegalValue(name, raw, f"is {_kind(raw)}, not a number")
            metrics[name] = raw if number is None else number
        for name in required:
            if name not in metrics:
                came = ", ".join(map(repr, metrics)) or "nothing"
                raise IllegalValue(name, None, f"this metric is missing from the result; what came: {came}")
            if not math.isfinite(metrics[name]):
                raise IllegalValue(name, metrics[name], "not a finite number")
        return metrics

    def fitness(self, metrics: Mapping[str, Any]) -> tuple[float, ...]:
        """Return the objectives' values with the sign that makes each one to be minimised."""
        return tuple([-metrics[o.metric] if o.maximize else metrics[o.metric] for o in self.objectives])

    def violation(self, metrics: Mapping[str, Any]) -> float:
        """Return by how much the outcome constraints are missed in total; 0 where all are met."""
        total = 0.0
        for expression in self.constraints:
            total += sum(max(0.0, float(margin)) for margin in expression.margins(metrics))
        return total if math.isfinite(total) else 1e30

    def to_dict(self) -> dict[str, list[str]]:
        """Return the arguments of `of` that make these goals again."""
        return {
            "maximize": [o.metric for o in self.objectives if o.maximize],
            "minimize": [o.metric for o in self.objectives if not o.maximize],
            "constraints": [c.text for c in self.constraints],
        }

    def __str__(self) -> str:
        return ", ".join([*map(str, self.objectives), *(c.text for c in self.constraints)])


def as_number(value: Any) -> float | None:
    """Return `value` as a float if it is one number (NumPy scalars and 0-d arrays too), else None."""
    if type(value) is float:
        return value
    if isinstance(value, bool):
        return None
    if isinstance(value, Real):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    item = getattr(value, "item", None)  # 0-d arrays and tensors
    if item is not None and getattr(value, "shape", None) == ():
        number = item()
        return float(number) if isinstance(number, int | float) and not isinstance(number, bool) else None
    return None


def _kind(value: Any) -> str:
    shape = getattr(value, "shape", None)
    name = type(value).__name__
    return "None" if value is None else f"{name} of shape {shape}" if shape else f"of type {name}"


def _names(metrics: str | Iterable[str] | None) -> list[str]:
    return [] if metrics is None else [metrics] if isinstance(metrics, str) else list(metrics)
