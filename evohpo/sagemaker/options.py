"""What an evaluator changes in the template: instances, time limits, spot and warm pools, metrics, tags, variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evohpo.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


def shape(
    request: dict[str, Any], *, patterns: Mapping[str, str | None], instance_type: str | None, instance_count: int | None,
    volume_gb: int | None, max_runtime: int | None, spot: bool, max_wait: int | None, keep_alive: int,
    tags: Mapping[str, str] | None, environment: Mapping[str, str] | None,
) -> None:  # fmt: skip
    """Write options into a CreateTrainingJob request; what is not given stays as the template has it.

    Raises:
        UsageError: options that exclude each other.
    """
    if keep_alive and spot:
        raise UsageError("keep_alive= and spot=True: warm pools do not go with managed spot training")
    if max_wait is not None and not (spot or request.get("EnableManagedSpotTraining")):
        raise UsageError("max_wait= is for managed spot training: give spot=True, or leave it out")
    resources = request.setdefault("ResourceConfig", {})
    for name, value in (
        ("InstanceType", instance_type), ("InstanceCount", instance_count), ("VolumeSizeInGB", volume_gb),
        ("KeepAlivePeriodInSeconds", keep_alive or None),
    ):  # fmt: skip
        if value is not None:
            resources[name] = value
    limits = request.setdefault("StoppingCondition", {})
    if max_runtime is not None:
        limits["MaxRuntimeInSeconds"] = max_runtime
    if spot:
        request["EnableManagedSpotTraining"] = True
    if request.get("EnableManagedSpotTraining"):
        longest = limits.setdefault("MaxRuntimeInSeconds", 86400)
        limits["MaxWaitTimeInSeconds"] = max_wait or max(limits.get("MaxWaitTimeInSeconds", 0), 2 * longest)
    if tags:
        own = [{"Key": key, "Value": value} for key, value in tags.items()]
        request["Tags"] = [t for t in request.get("Tags", ()) if t["Key"] not in tags] + own
    if environment:
        request["Environment"] = {**request.get("Environment", {}), **environment}
    algorithm = request["AlgorithmSpecification"]
    kept = [d for d in algorithm.get("MetricDefinitions", ()) if d["Name"] not in patterns]
    definitions = kept + [{"Name": name, "Regex": regex} for name, regex in patterns.items() if regex is not None]
    if definitions:
        algorithm["MetricDefinitions"] = definitions


def defined_metrics(request: Mapping[str, Any]) -> dict[str, str]:
    """Return by name the patterns of metrics that a request defines."""
    return {d["Name"]: d["Regex"] for d in request["AlgorithmSpecification"].get("MetricDefinitions", ())}
