"""The training jobs of the local service: one method an operation of the API, called by its name."""

from __future__ import annotations

import os
import threading
from datetime import datetime
from typing import TYPE_CHECKING, Any

from evohpo.sagemaker.limits import problems
from evohpo.sagemaker.local.cloud import now
from evohpo.sagemaker.local.container import Container
from evohpo.sagemaker.local.errors import ApiError, invalid
from evohpo.sagemaker.local.faults import Faults
from evohpo.sagemaker.local.job import TrainingJob

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from evohpo.sagemaker.local.cloud import Cloud

ACCOUNT = "123456789012"


class Jobs:
    """All training jobs.

    Args:
        folder: where they run.
        cloud: storage and logs.
        images: by image, the command that stands for it.
        environment: what scripts need to reach the service.
        region: the region's name.
        quota: instances that may be in use at once, for every type or by type; None for no limit.
        processes: scripts that run at once on this machine; twice its cores by default. Other jobs are pending.
        grace: seconds that a stopped script has to end by itself (120 in the real service).
        faults: what is to go wrong.

    Attributes:
        started: names of all jobs ever created, in order.
    """

    def __init__(
        self, folder: Path, cloud: Cloud, images: Mapping[str, Sequence[str]], environment: Mapping[str, str],
        region: str, quota: int | Mapping[str, int] | None = None, processes: int | None = None, grace: float = 10.0,
        faults: Faults | None = None,
    ) -> None:  # fmt: skip
        self._folder, self._cloud, self._images, self._environment = folder, cloud, images, environment
        self._region, self.quota, self._grace = region, quota, grace
        self.faults = faults or Faults()
        self._slots = threading.Semaphore(processes or 2 * (os.cpu_count() or 1))
        self._jobs: dict[str, TrainingJob] = {}
        self._lock = threading.RLock()

    @property
    def started(self) -> list[str]:
        """Names of all jobs ever created, in order."""
        return list(self._jobs)

    # ---- operations

    def create_training_job(self, request: dict[str, Any]) -> dict[str, Any]:
        """Start a job."""
        found = list(problems(request))
        if found:
            raise invalid(f"{len(found)} validation errors detected: {'; '.join(found)}")
        name = request["TrainingJobName"]
        with self._lock:
            if name in self._jobs:
                raise ApiError(
                    "ResourceInUse",
                    "Training job names must be unique within an AWS account and region, and a training job with this "
                    f"name already exists ({self._jobs[name].arn})",
                )
            self._check_quota(request["ResourceConfig"])
            arn = f"arn:aws:sagemaker:{self._region}:{ACCOUNT}:training-job/{name}"
            job = TrainingJob(
                request, arn, self._cloud, lambda: self._container(request), self.faults, self._slots, self._grace
            )
            self._jobs[name] = job
        job.start()
        self.faults.after_creation()
        return {"TrainingJobArn": job.arn}

    def describe_training_job(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Say how a job is."""
        return self._job(request).describe()

    def stop_training_job(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Stop a job."""
        self._job(request).stop()
        return {}

    def update_training_job(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Change how long a job keeps its instances warm."""
        job = self._job(request)
        job.request["ResourceConfig"].update(request.get("ResourceConfig", {}))
        return {"TrainingJobArn": job.arn}

    def list_training_jobs(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """List jobs, a page at a time."""
        visible = now() - self.faults.list_delay
        part, status = request.get("NameContains", ""), request.get("StatusEquals")
        jobs = [
            j for j in list(self._jobs.values())
            if part in j.name and status in (None, j.status) and j.created <= visible
            and _within(request, "CreationTime", j.created) and _within(request, "LastModifiedTime", j.modified)
        ]  # fmt: skip
        order = {"Name": "name", "Status": "status"}.get(request.get("SortBy", ""), "created")
        jobs.sort(key=lambda j: getattr(j, order), reverse=request.get("SortOrder") == "Descending")
        first, most = int(request.get("NextToken") or 0), request.get("MaxResults", 10)
        page: dict[str, Any] = {"TrainingJobSummaries": [j.summary() for j in jobs[first : first + most]]}
        return page | ({"NextToken": str(first + most)} if first + most < len(jobs) else {})

    def list_tags(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """List a job's tags."""
        name = request["ResourceArn"].rpartition("/")[2]
        return {"Tags": self._job({"TrainingJobName": name}).request.get("Tags", [])}

    def add_tags(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Add tags to a job."""
        job = self._job({"TrainingJobName": request["ResourceArn"].rpartition("/")[2]})
        tags = {t["Key"]: t for t in [*job.request.get("Tags", []), *request["Tags"]]}
        job.request["Tags"] = list(tags.values())
        return {"Tags": job.request["Tags"]}

    # ---- the rest

    def close(self) -> None:
        """Stop all jobs and wait for their ends."""
        jobs = list(self._jobs.values())
        for job in jobs:
            if job.status == "InProgress":
                try:
                    job.stop()
                except ApiError:
                    continue  # it just ended by itself
        for job in jobs:
            job.join(self._grace + 5.0)

    def _job(self, request: Mapping[str, Any]) -> TrainingJob:
        job = self._jobs.get(request["TrainingJobName"])
        if job is None:
            raise invalid("Requested resource not found.")
        return job

    def _container(self, request: dict[str, Any]) -> Container:
        folder = self._folder / request["TrainingJobName"]
        return Container(request, folder, self._cloud, self._images, self._environment)

    def _check_quota(self, resources: Mapping[str, Any]) -> None:
        kind, wanted = resources.get("InstanceType", ""), resources.get("InstanceCount", 1)
        quota = self.quota if self.quota is None or isinstance(self.quota, int) else self.quota.get(kind)
        used = sum(
            j.request["ResourceConfig"].get("InstanceCount", 1) for j in self._jobs.values()
            if j.holds_instance and j.request["ResourceConfig"].get("InstanceType", "") == kind
        )  # fmt: skip
        if quota is not None and used + wanted > quota:
            raise ApiError(
                "ResourceLimitExceeded",
                f"The account-level service limit '{kind} for training job usage' is {quota} Instances, with current "
                f"utilization of {used} Instances and a request delta of {wanted} Instances. Please use AWS Service Quotas "
                "to request an increase for this quota.",
            )


def _within(request: Mapping[str, Any], what: str, time: float) -> bool:
    """Return whether `time` is between the bounds that a request gives for `what`."""
    return _seconds(request.get(f"{what}After", 0.0)) <= time <= _seconds(request.get(f"{what}Before", 1e12))


def _seconds(time: str | float) -> float:
    """Return a time of a request in seconds since the epoch."""
    return datetime.fromisoformat(time).timestamp() if isinstance(time, str) else float(time)
