"""What tuning jobs of the local service draw from, how they draw, and what the service refuses."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping, Sequence

NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}")
STRATEGIES = ("Bayesian", "Random", "Hyperband", "Grid")
WARM_STARTS = ("IdenticalDataAndAlgorithm", "TransferLearning")
MOST_RANGES, MOST_PARENTS, MOST_HYPERPARAMETERS = 30, 5, 100


@dataclass(frozen=True, slots=True)
class Range:
    """What a hyperparameter may be, laid out on the unit interval.

    Attributes:
        name: the hyperparameter.
        values: the texts it may be; empty for numbers.
        low: the smallest number.
        high: the largest one.
        scaling: "Linear", "Logarithmic", "ReverseLogarithmic" or "Auto" (here logarithmic from a factor of 1000 on).
        whole: whether it is a whole number.
    """

    name: str
    values: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    scaling: str = "Linear"
    whole: bool = False

    def text(self, u: float) -> str:
        """Return the value at `u` as the training job gets it."""
        if self.values:
            return self.values[min(int(u * len(self.values)), len(self.values) - 1)]
        low, high = self._warp(self.low), self._warp(self.high)
        t = low + u * (high - low)
        x = (
            math.exp(t)
            if self._scale == "Logarithmic"
            else -math.expm1(-t)
            if self._scale == "ReverseLogarithmic"
            else t
        )
        x = min(max(x, self.low), self.high)
        return str(round(x)) if self.whole else repr(x)

    def unit(self, text: str) -> float:
        """Return where the value is, in [0, 1]; the middle for one that is no longer in the range."""
        if self.values:
            return (self.values.index(text) + 0.5) / len(self.values) if text in self.values else 0.5
        x = min(max(float(text), self.low), self.high)
        return (self._warp(x) - self._warp(self.low)) / (self._warp(self.high) - self._warp(self.low))

    @property
    def _scale(self) -> str:
        wide = self.low > 0 and self.high / self.low >= 1000
        return self.scaling if self.scaling != "Auto" else "Logarithmic" if wide else "Linear"

    def _warp(self, x: float) -> float:
        scale = self._scale
        return math.log(x) if scale == "Logarithmic" else -math.log1p(-x) if scale == "ReverseLogarithmic" else x


def ranges_of(request: Mapping[str, Any]) -> list[Range]:
    """Return the ranges of a request's ParameterRanges."""
    ranges = [Range(r["Name"], tuple(r["Values"])) for r in request.get("CategoricalParameterRanges", ())]
    for kind, whole in (("Continuous", False), ("Integer", True)):
        for r in request.get(f"{kind}ParameterRanges", ()):
            scaling = r.get("ScalingType", "Auto")
            ranges.append(Range(r["Name"], (), float(r["MinValue"]), float(r["MaxValue"]), scaling, whole))
    return ranges


def propose(
    strategy: str, ranges: Sequence[Range], results: Sequence[tuple[Mapping[str, str], float]], number: int,
    rng: random.Random,
) -> dict[str, str] | None:  # fmt: skip
    """Return the hyperparameters of the training job `number`, from 0; None when the grid is done.

    Args:
        strategy: "Grid", "Random", or one of the two stand-ins that perturb the best.
        ranges: what is tuned.
        results: hyperparameters and objective, to be made small, of all training jobs that have one.
        number: how many were proposed before.
        rng: the source of all draws.
    """
    if strategy == "Grid":
        grid = itertools.product(*(r.values for r in ranges))
        row = next(itertools.islice(grid, number, None), None)
        return None if row is None else {r.name: text for r, text in zip(ranges, row, strict=True)}
    if strategy == "Random" or len(results) < 3 or rng.random() < 0.3:
        return {r.name: r.text(rng.random()) for r in ranges}
    best = min(results, key=lambda result: result[1])[0]
    proposal = {}
    for r in ranges:
        u = r.unit(best[r.name]) if r.name in best else rng.random()
        moved = rng.random() if r.values and rng.random() < 0.25 else u + (0 if r.values else rng.gauss(0, 0.15))
        proposal[r.name] = r.text(min(max(moved, 0.0), 1.0))
    return proposal


# ---- what the service refuses


def hyperparameters(request: Mapping[str, Any]) -> set[str]:
    """Return the names of all hyperparameters, static and tuned."""
    ranges = ranges_of(request["HyperParameterTuningJobConfig"].get("ParameterRanges", {}))
    return {r.name for r in ranges} | set(request["TrainingJobDefinition"].get("StaticHyperParameters", {}))


def problems(request: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the service would refuse in a CreateHyperParameterTuningJob request, a clause each."""
    config, definition = request["HyperParameterTuningJobConfig"], request.get("TrainingJobDefinition", {})
    if not NAME.fullmatch(name := request.get("HyperParameterTuningJobName", "")):
        yield f"the tuning job name {name!r} ({len(name)} characters) must be 1 to 32 letters, digits and hyphens"
    if not definition.get("ResourceConfig"):
        yield "a TrainingJobDefinition with a ResourceConfig is required here"
        return
    if (strategy := config["Strategy"]) not in STRATEGIES:
        yield f"the strategy {strategy!r} is none of {', '.join(STRATEGIES)}"
    if strategy == "Hyperband" and config.get("TrainingJobEarlyStoppingType", "Off") != "Off":
        yield "the Hyperband strategy has its own early stopping; TrainingJobEarlyStoppingType must be Off"
    metrics = [m["Name"] for m in definition["AlgorithmSpecification"].get("MetricDefinitions", ())]
    if config.get("HyperParameterTuningJobObjective", {}).get("MetricName") not in metrics:
        yield "a metric is required for this hyperparameter tuning job objective. Provide a metric in the metric definitions"
    yield from _of_ranges(config.get("ParameterRanges", {}), definition.get("StaticHyperParameters", {}), strategy)
    limits = config["ResourceLimits"]
    if "MaxNumberOfTrainingJobs" not in limits and strategy != "Grid":
        yield "MaxNumberOfTrainingJobs is required"
    if min(limits.get("MaxNumberOfTrainingJobs", 1), limits["MaxParallelTrainingJobs"]) < 1:
        yield "MaxNumberOfTrainingJobs and MaxParallelTrainingJobs must be at least 1"
    if "WarmStartConfig" in request:
        parents = request["WarmStartConfig"]["ParentHyperParameterTuningJobs"]
        if not 1 <= len(parents) <= MOST_PARENTS:
            yield f"{len(parents)} parent tuning jobs, where 1 to {MOST_PARENTS} are allowed"
        if request["WarmStartConfig"]["WarmStartType"] not in WARM_STARTS:
            yield f"the warm start type is none of {', '.join(WARM_STARTS)}"


def _of_ranges(given: Mapping[str, Any], static: Mapping[str, str], strategy: str) -> Iterator[str]:
    ranges = ranges_of(given)
    names = [r.name for r in ranges]
    if not 1 <= len(ranges) <= MOST_RANGES:
        yield f"{len(ranges)} parameter ranges, where 1 to {MOST_RANGES} are allowed"
    if len(names) + len(static) > MOST_HYPERPARAMETERS:
        yield f"{len(names) + len(static)} hyperparameters, static ones included, are more than {MOST_HYPERPARAMETERS}"
    for name in sorted({n for n in names if names.count(n) > 1 or n in static}):
        yield f"the hyperparameter {name!r} is given twice"
    for r in ranges:
        if strategy == "Grid" and not r.values:
            yield f"the Grid strategy tunes categorical parameters only, and {r.name!r} is none"
        if len(r.values) > MOST_RANGES:
            yield f"the parameter {r.name!r} has {len(r.values)} values, at most {MOST_RANGES}"
        elif not r.values and not r.low < r.high:
            yield f"MinValue of the parameter {r.name!r} must be below its MaxValue"
        elif r.scaling == "Logarithmic" and r.low <= 0:
            yield f"Logarithmic scaling of the parameter {r.name!r} needs values above 0"
        elif r.scaling == "ReverseLogarithmic" and not 0 <= r.low < r.high < 1:
            yield f"ReverseLogarithmic scaling of the parameter {r.name!r} needs values in [0, 1)"
