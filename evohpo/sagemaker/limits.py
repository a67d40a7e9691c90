"""The limits of the API, checked before anything is started: boto3 itself checks neither lengths nor patterns.

The figures are those of the CreateTrainingJob and CreateHyperParameterTuningJob requests in the API reference.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from evohpo.evaluators.launchers.naming import LONGEST_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
MOST_HYPERPARAMETERS, LONGEST_KEY, LONGEST_VALUE = 100, 256, 2500
MOST_METRICS, LONGEST_REGEX = 40, 500
MOST_TAGS, MOST_VARIABLES, MOST_CHANNELS = 50, 100, 20
LONGEST_WARM = 3600  # seconds


def problems(request: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the service would refuse in a CreateTrainingJob request, a clause each."""
    name = request.get("TrainingJobName", "")
    if not NAME.fullmatch(name):
        yield f"the job name {name!r} ({len(name)} characters) must be 1 to {LONGEST_NAME} letters, digits and hyphens"
    yield from _hyperparameters(request.get("HyperParameters", {}))
    metrics = request.get("AlgorithmSpecification", {}).get("MetricDefinitions", ())
    yield from _most("metric definitions", len(metrics), MOST_METRICS)
    for metric in metrics:
        if not 1 <= len(metric["Regex"]) <= LONGEST_REGEX:
            yield f"the regex of metric {metric['Name']!r} has {len(metric['Regex'])} characters, at most {LONGEST_REGEX}"
    yield from _most("tags", len(request.get("Tags", ())), MOST_TAGS)
    yield from _most("environment variables", len(request.get("Environment", {})), MOST_VARIABLES)
    yield from _most("input channels", len(request.get("InputDataConfig", ())), MOST_CHANNELS)
    yield from _resources(request)


def _hyperparameters(values: Mapping[str, str]) -> Iterator[str]:
    yield from _most("hyperparameters, static ones included,", len(values), MOST_HYPERPARAMETERS)
    for key, value in values.items():
        if not 1 <= len(key) <= LONGEST_KEY:
            yield f"the hyperparameter name {key[:40]!r}... has {len(key)} characters, at most {LONGEST_KEY}"
        if len(value) > LONGEST_VALUE:
            yield f"hyperparameter {key!r} is {len(value)} characters of text, at most {LONGEST_VALUE}"


def _resources(request: Mapping[str, Any]) -> Iterator[str]:
    spot = request.get("EnableManagedSpotTraining", False)
    limits = request.get("StoppingCondition", {})
    longest = limits.get("MaxRuntimeInSeconds", 86400)
    if spot and limits.get("MaxWaitTimeInSeconds", 0) < longest:
        yield f"managed spot training needs MaxWaitTimeInSeconds of at least MaxRuntimeInSeconds, {longest}"
    if not spot and "MaxWaitTimeInSeconds" in limits:
        yield "MaxWaitTimeInSeconds is for managed spot training only"
    warm = request.get("ResourceConfig", {}).get("KeepAlivePeriodInSeconds", 0)
    if warm and spot:
        yield "warm pools (KeepAlivePeriodInSeconds) do not go with managed spot training"
    if not 0 <= warm <= LONGEST_WARM:
        yield f"KeepAlivePeriodInSeconds is {warm}, at most {LONGEST_WARM}"


def _most(what: str, n: int, most: int) -> Iterator[str]:
    if n > most:
        yield f"{n} {what} are more than {most}"
