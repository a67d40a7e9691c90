"""What a study is after: which metrics to maximise and minimise, and which bounds to keep."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.errors import IllegalDefinition, IllegalValue, UsageError
from evohpo.space.expressions import Expression

if TYPE_CHECKING:
    from numpy.typing import NDArray

BASELINE = "baseline"  # in a constraint: what trial 0 has as the metric that is compared


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
        constraints: comparisons over metric names, e.g. "accuracy >= 0.85", "2 * a + b <= 3", "accuracy >= 0.95 * baseline".
        required: names of all metrics a result must have: objectives, then those only constraints mention.
        baseline: the metrics of the study's first trial, which the study puts in when it has them; until then a result is
            compared with itself.
    """

    objectives: tuple[Objective, ...]
    constraints: tuple[Expression, ...] = ()
    required: tuple[str, ...] = ()
    baseline: dict[str, Any] = field(default_factory=dict, compare=False)

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
        parsed = tuple(_constraint(text) for text in texts)
        required = dict.fromkeys([*metrics, *(name for expression in parsed for name in _metrics_of(expression))])
        return cls(tuple(objectives), parsed, tuple(required))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the objectives' metrics."""
        return tuple(o.metric for o in self.objectives)

    @property
    def signs(self) -> NDArray[np.float64]:
        """`(m,)` what makes fitness of the objectives' metrics, and metrics of fitness: -1 where one is maximised, else 1."""
        return np.array([-1.0 if o.maximize else 1.0 for o in self.objectives])

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
        """Return by how much the outcome constraints are missed in total, each as a share of its bound; 0 where all are met.

        So a constraint on accuracy and one on bytes count alike. What is compared with 0, or with another metric, is missed by
        as much as the difference.

        >>> Goals.of("accuracy", constraints=["accuracy >= 0.8", "size <= 2000"]).violation({"accuracy": 0.4, "size": 2100})
        0.55
        """
        total = sum(margin for expression in self.constraints for margin in self.missed(expression, metrics))
        return total if math.isfinite(total) else 1e30

    def missed(self, constraint: Expression, metrics: Mapping[str, Any]) -> list[float]:
        """Return by how much each comparison of a constraint is missed, as a share of its bound; 0 where it is met."""
        values = {**metrics, **self._base(constraint, metrics)}
        scales = constraint.scales(values, _metrics_of(constraint))
        return [max(0.0, float(m)) / scale for m, scale in zip(constraint.margins(values), scales, strict=True)]

    @property
    def relative(self) -> bool:
        """Whether a constraint speaks of the baseline, so that no result can be judged before there is one."""
        return any(BASELINE in constraint.names for constraint in self.constraints)

    @property
    def thresholds(self) -> dict[str, float]:
        """What objectives must reach to be of interest, by metric: what constraints bound on their good side.

        >>> Goals.of("accuracy", "size", ["0.94 <= accuracy", "size <= 80_000", "accuracy <= 1"]).thresholds
        {'accuracy': 0.94, 'size': 80000.0}
        """
        found: dict[str, float] = {}
        for o in self.objectives:
            bounds = [
                bound
                for constraint in self.constraints
                for lower, bound in constraint.bounds(o.metric, self._base(constraint, {}))
                if lower == o.maximize and math.isfinite(bound)
            ]
            if bounds:
                found[o.metric] = max(bounds) if o.maximize else min(bounds)
        return found

    def _base(self, constraint: Expression, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """Return what "baseline" stands for in a constraint."""
        if BASELINE not in constraint.names:
            return {}
        metric = _metrics_of(constraint)[0]
        return {BASELINE: self.baseline.get(metric, metrics.get(metric))}

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


def _metrics_of(constraint: Expression) -> list[str]:
    return [name for name in constraint.names if name != BASELINE]


def _constraint(text: str) -> Expression:
    """Return an outcome constraint.

    Raises:
        IllegalDefinition: it does not parse, is no comparison of metrics, or does not say what the baseline is that of.
    """
    expression = Expression.parse(text)
    metrics = _metrics_of(expression)
    if expression.flaw is not None:
        raise IllegalDefinition(
            None, f'constraint {text!r} is not a comparison such as "accuracy >= 0.85": {expression.flaw}'
        )
    if (at := re.sub(r"`[^`]*`", lambda name: "`" * len(name[0]), text).find("%")) >= 0:
        raise IllegalDefinition(None, f"constraint {text!r}: % is no percentage (at character {at + 1}); write 0.95 *")
    if not metrics:
        raise IllegalDefinition(None, f'constraint {text!r} names no metric; write one such as "accuracy >= 0.85"')
    if BASELINE in expression.names and len(metrics) > 1:
        raise IllegalDefinition(
            None,
            f"constraint {text!r}: baseline is what trial 0 has as the metric of the constraint, and here are "
            f"{len(metrics)}: {', '.join(metrics)}; write a constraint a metric",
        )
    return expression


def _kind(value: Any) -> str:
    shape = getattr(value, "shape", None)
    name = type(value).__name__
    return "None" if value is None else f"{name} of shape {shape}" if shape else f"of type {name}"


def _names(metrics: str | Iterable[str] | None) -> list[str]:
    return [] if metrics is None else [metrics] if isinstance(metrics, str) else list(metrics)
