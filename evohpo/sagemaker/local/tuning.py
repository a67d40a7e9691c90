"""The tuning jobs of the local service: they propose hyperparameters and really run them as training jobs.

Random and Grid are what they are in the real service. **Bayesian and Hyperband are stand-ins**: both perturb the best result
so far, and neither is a model of the service's own algorithms. Results of them must never be quoted as a comparison with AWS.
Early stopping, completion criteria, Autotune and several training job definitions are not imitated.
"""

from __future__ import annotations

import copy
import hashlib
import random
import threading
from typing import TYPE_CHECKING, Any

from evohpo.sagemaker.local.cloud import now
from evohpo.sagemaker.local.errors import ApiError, invalid
from evohpo.sagemaker.local.proposing import hyperparameters, problems, propose, ranges_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evohpo.sagemaker.local.jobs import Jobs

TICK = 0.05  # seconds between looks at the training jobs
ENDED = ("Completed", "Failed", "Stopped")
HANDED_ON = (
    "AlgorithmSpecification", "RoleArn", "InputDataConfig", "VpcConfig", "OutputDataConfig", "ResourceConfig",
    "StoppingCondition", "EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining",
    "CheckpointConfig", "RetryStrategy", "Environment",
)  # fmt: skip


class Tuning:
    """All tuning jobs: one method an operation of the API, called by its name.

    Args:
        jobs: where their trials run.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._training = jobs
        self._tuning: dict[str, TuningJob] = {}
        self._lock = threading.Lock()

    def create_hyper_parameter_tuning_job(self, request: dict[str, Any]) -> dict[str, Any]:
        """Start a tuning job."""
        found = list(problems(request))
        if found:
            raise invalid(f"{len(found)} validation errors detected: {'; '.join(found)}")
        name = request["HyperParameterTuningJobName"]
        with self._lock:
            if name in self._tuning:
                raise ApiError(
                    "ResourceInUse",
                    "Hyper parameter tuning job names must be unique within an AWS account and region, and a tuning job "
                    f"with this name already exists ({self._tuning[name].arn})",
                )
            parents = self._parents(request)
            self._check_quota(request)
            job = self._tuning[name] = TuningJob(copy.deepcopy(request), parents, self._training)
        job.start()
        return {"HyperParameterTuningJobArn": job.arn}

    def describe_hyper_parameter_tuning_job(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Say how a tuning job is."""
        return self._job(request["HyperParameterTuningJobName"]).describe()

    def stop_hyper_parameter_tuning_job(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Stop a tuning job and its training jobs."""
        self._job(request["HyperParameterTuningJobName"]).stop()
        return {}

    def list_hyper_parameter_tuning_jobs(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """List tuning jobs, a page at a time."""
        part, status = request.get("NameContains", ""), request.get("StatusEquals")
        rows = [job.summary() for job in list(self._tuning.values())]
        rows = [
            r for r in rows
            if part in r["HyperParameterTuningJobName"] and status in (None, r["HyperParameterTuningJobStatus"])
        ]  # fmt: skip
        key = {"Name": "HyperParameterTuningJobName", "Status": "HyperParameterTuningJobStatus"}
        rows.sort(key=lambda r: r[key.get(request.get("SortBy", "Name"), "CreationTime")])
        return _page("HyperParameterTuningJobSummaries", rows, request)

    def list_training_jobs_for_hyper_parameter_tuning_job(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """List the training jobs of a tuning job, a page at a time."""
        rows, status = self._job(request["HyperParameterTuningJobName"]).rows(), request.get("StatusEquals")
        rows = [r for r in rows if status in (None, r["TrainingJobStatus"])]
        by = request.get("SortBy", "Name")
        if by == "FinalObjectiveMetricValue":
            rows = [r for r in rows if "FinalHyperParameterTuningJobObjectiveMetric" in r]
            rows.sort(key=lambda r: float(r["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]))
        else:
            key = {"Name": "TrainingJobName", "Status": "TrainingJobStatus", "CreationTime": "CreationTime"}[by]
            rows.sort(key=lambda r: r[key])
        return _page("TrainingJobSummaries", rows, request)

    def close(self) -> None:
        """End all tuning jobs where they are; their training jobs are left to whoever ends those."""
        jobs = list(self._tuning.values())
        for job in jobs:
            job.abandon()

    def _job(self, name: str) -> TuningJob:
        job = self._tuning.get(name)
        if job is None:
            raise invalid("Requested resource not found.")
        return job

    def _parents(self, request: Mapping[str, Any]) -> list[TuningJob]:
        """Return the tuning jobs whose results are known from the start."""
        config = request.get("WarmStartConfig")
        if config is None:
            return []
        parents = []
        for parent in config["ParentHyperParameterTuningJobs"]:
            name = parent["HyperParameterTuningJobName"]
            if name not in self._tuning:
                raise invalid(f"Parent tuning job {name} does not exist.")
            job = self._tuning[name]
            if job.status not in ENDED:
                raise invalid(f"Parent tuning job {name} is {job.status}; it must have ended.")
            if job.objective != request["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]:
                raise invalid(f"Parent tuning job {name} has another objective metric.")
            if len(job.hyperparameters) != len(hyperparameters(request)):
                raise invalid(f"Parent tuning job {name} has another number of hyperparameters.")
            image, other = (
                r["TrainingJobDefinition"]["AlgorithmSpecification"].get("TrainingImage")
                for r in (request, job.request)
            )
            if config["WarmStartType"] == "IdenticalDataAndAlgorithm" and image != other:
                raise invalid(f"Parent tuning job {name} has another training image.")
            parents.append(job)
        return parents

    def _check_quota(self, request: Mapping[str, Any]) -> None:
        resources = request["TrainingJobDefinition"]["ResourceConfig"]
        kind, quota = resources.get("InstanceType", ""), self._training.quota
        most = quota if quota is None or isinstance(quota, int) else quota.get(kind)
        parallel = request["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxParallelTrainingJobs"]
        wanted = parallel * resources.get("InstanceCount", 1)
        if most is not None and wanted > most:
            raise ApiError(
                "ResourceLimitExceeded",
                f"The account-level service limit '{kind} for training job usage' is {most} Instances, with a request delta "
                f"of {wanted} Instances. Please use AWS Service Quotas to request an increase for this quota.",
            )


class TuningJob:
    """A tuning job from its creation to its end, on a thread of its own.

    Args:
        request: the CreateHyperParameterTuningJob request.
        parents: tuning jobs whose results are known from the start.
        training: where trials run.
    """

    def __init__(self, request: dict[str, Any], parents: list[TuningJob], training: Jobs) -> None:
        self.request, self._training, self._parents = request, training, parents
        self.name: str = request["HyperParameterTuningJobName"]
        self._config, self._definition = request["HyperParameterTuningJobConfig"], request["TrainingJobDefinition"]
        self.objective: dict[str, Any] = self._config["HyperParameterTuningJobObjective"]
        self.hyperparameters = hyperparameters(request)
        self.ranges = ranges_of(self._config.get("ParameterRanges", {}))
        self.arn = f"arn:aws:sagemaker:us-east-1:123456789012:hyper-parameter-tuning-job/{self.name}"
        self.status, self._reason = "InProgress", ""
        self.created = self._modified = now()
        self._rows: dict[str, dict[str, Any]] = {}  # by training job, in order of creation, as listings have them
        self._ended: float | None = None
        self._stopping, self._abandoned, self._lock = threading.Event(), threading.Event(), threading.RLock()
        self._random = random.Random(self._config.get("RandomSeed"))  # noqa: S311 - not for secrets
        self._known = [known for parent in parents for known in parent.results()]
        self._thread = threading.Thread(target=self._live, name=f"tuning-{self.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end.

        Raises:
            ApiError: it is not in progress.
        """
        with self._lock:
            if self.status != "InProgress":
                raise invalid(
                    f"The request was rejected because the hyperparameter tuning job is in status {self.status}."
                )
            self.status, self._modified = "Stopping", now()
        self._stopping.set()

    def abandon(self) -> None:
        """End its thread, and nothing else."""
        self._abandoned.set()
        self._thread.join(5.0)

    # ---- what is said of it

    def results(self) -> list[tuple[dict[str, str], float]]:
        """Return tuned hyperparameters and objective of every training job that has one."""
        return [
            (row["TunedHyperParameters"], row["FinalHyperParameterTuningJobObjectiveMetric"]["Value"])
            for row in self.rows() if "FinalHyperParameterTuningJobObjectiveMetric" in row
        ]  # fmt: skip

    def rows(self) -> list[dict[str, Any]]:
        """Return the training jobs as listings have them, in order of creation."""
        with self._lock:
            return copy.deepcopy(list(self._rows.values()))

    def summary(self) -> dict[str, Any]:
        """Return what listings say."""
        with self._lock:
            statuses = [
                f"{row['TrainingJobStatus']} {row.get('FailureReason', '')}".split(":")[0]
                for row in self._rows.values()
            ]
            retryable = sum(s in ("Failed CapacityError", "Failed InternalServerError") for s in statuses)
            goals = [row["ObjectiveStatus"] for row in self._rows.values()]
            said = {
                "HyperParameterTuningJobName": self.name, "HyperParameterTuningJobArn": self.arn,
                "HyperParameterTuningJobStatus": self.status, "Strategy": self._config["Strategy"],
                "CreationTime": self.created, "LastModifiedTime": self._modified,
                "ResourceLimits": self._config["ResourceLimits"],
                "TrainingJobStatusCounters": {
                    "Completed": sum(s.startswith("Completed") for s in statuses),
                    "InProgress": sum(s.startswith(("InProgress", "Stopping")) for s in statuses),
                    "RetryableError": retryable,
                    "NonRetryableError": sum(s.startswith("Failed") for s in statuses) - retryable,
                    "Stopped": sum(s.startswith("Stopped") for s in statuses),
                },
                "ObjectiveStatusCounters": {s: goals.count(s) for s in ("Succeeded", "Pending", "Failed")},
            }  # fmt: skip
            return said | ({"HyperParameterTuningEndTime": self._ended} if self._ended is not None else {})

    def describe(self) -> dict[str, Any]:
        """Return what DescribeHyperParameterTuningJob says."""
        with self._lock:
            said = {k: v for k, v in self.summary().items() if k not in ("Strategy", "ResourceLimits")}
            said |= {"HyperParameterTuningJobConfig": self._config, "TrainingJobDefinition": self._definition}
            if self._reason:
                said["FailureReason"] = self._reason
            if "WarmStartConfig" in self.request:
                said["WarmStartConfig"] = self.request["WarmStartConfig"]
                if self.request["WarmStartConfig"]["WarmStartType"] == "IdenticalDataAndAlgorithm":
                    rows = [row | {"TuningJobName": job.name} for job in (*self._parents, self) for row in job.rows()]
                    said |= self._best("OverallBestTrainingJob", rows)
            return copy.deepcopy(said | self._best("BestTrainingJob", self.rows()))

    def _best(self, name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
        measured = [r for r in rows if "FinalHyperParameterTuningJobObjectiveMetric" in r]
        sign = -1 if self.objective["Type"] == "Maximize" else 1
        key = "FinalHyperParameterTuningJobObjectiveMetric"
        return {name: min(measured, key=lambda r: sign * r[key]["Value"])} if measured else {}

    # ---- its life

    def _live(self) -> None:
        limits = self._config["ResourceLimits"]
        most = limits.get("MaxNumberOfTrainingJobs", 10**9)
        waiting: dict[str, str] | None = None  # proposed, but there was no instance for it
        try:
            while not self._abandoned.wait(TICK):
                running = self._look()
                more = not self._stopping.is_set()
                while more and running < limits["MaxParallelTrainingJobs"] and len(self._rows) < most:
                    waiting = waiting or self._propose()
                    if waiting is None:
                        most = len(self._rows)  # the grid is done
                    elif not self._launch(waiting):
                        break
                    else:
                        waiting, running = None, running + 1
                if not running and (not more or len(self._rows) >= most):
                    self._end()
                    return
        except Exception as error:  # noqa: BLE001 - whatever goes wrong here is the service's fault, and the job's end
            self._move("Failed", f"InternalServerError: {type(error).__name__}: {error}")

    def _propose(self) -> dict[str, str] | None:
        sign = -1.0 if self.objective["Type"] == "Maximize" else 1.0
        results = [(tuned, sign * value) for tuned, value in [*self._known, *self.results()]]
        return propose(self._config["Strategy"], self.ranges, results, len(self._rows), self._random)

    def _launch(self, tuned: dict[str, str]) -> bool:
        """Start a training job; return False where there is no instance for it now."""
        number = len(self._rows) + 1
        name = f"{self.name}-{number:03d}-{hashlib.sha256(f'{self.name}{number}'.encode()).hexdigest()[:8]}"
        values = self._definition.get("StaticHyperParameters", {}) | tuned
        request = {
            "TrainingJobName": name,
            "HyperParameters": values | {"_tuning_objective_metric": self.objective["MetricName"]},
            **copy.deepcopy({key: self._definition[key] for key in HANDED_ON if key in self._definition}),
            "Tags": [*self.request.get("Tags", ())],
        }
        try:
            arn = self._training.create_training_job(request)["TrainingJobArn"]
        except ApiError as error:
            if error.code == "ResourceLimitExceeded":
                return False
            if error.status < 500:
                raise
            arn = self._training.describe_training_job({"TrainingJobName": name})["TrainingJobArn"]  # it was started
        with self._lock:
            self._rows[name] = {
                "TrainingJobName": name, "TrainingJobArn": arn, "CreationTime": now(), "TrainingJobStatus": "InProgress",
                "TunedHyperParameters": tuned, "ObjectiveStatus": "Pending",
            }  # fmt: skip
        return True

    def _look(self) -> int:
        """Bring the rows up to date and return how many training jobs have not ended."""
        running = [name for name, row in self._rows.items() if row["TrainingJobStatus"] not in ENDED]
        for name in running:
            said = self._training.describe_training_job({"TrainingJobName": name})
            if self._stopping.is_set() and said["TrainingJobStatus"] == "InProgress":
                try:
                    self._training.stop_training_job({"TrainingJobName": name})
                except ApiError:
                    continue  # it just ended by itself
            keys = ("TrainingJobStatus", "TrainingStartTime", "TrainingEndTime", "FailureReason")
            row: dict[str, Any] = {key: said[key] for key in keys if key in said}
            if said["TrainingJobStatus"] in ENDED:
                values = [
                    m["Value"] for m in said["FinalMetricDataList"] if m["MetricName"] == self.objective["MetricName"]
                ]
                counts = bool(values) and said["TrainingJobStatus"] != "Failed"
                row["ObjectiveStatus"] = "Succeeded" if counts else "Failed"
                if counts:
                    row["FinalHyperParameterTuningJobObjectiveMetric"] = {**self.objective, "Value": values[-1]}
            with self._lock:
                self._rows[name] |= row
        return sum(self._rows[name]["TrainingJobStatus"] not in ENDED for name in running)

    def _end(self) -> None:
        rows = self.rows()
        if self._stopping.is_set():
            self._move("Stopped")
        elif any(row["ObjectiveStatus"] == "Succeeded" for row in rows):
            self._move("Completed")
        elif all(row["TrainingJobStatus"] == "Failed" for row in rows):
            self._move(
                "Failed",
                "All training jobs failed. Please take a look at the training jobs failures to get more details.",
            )
        else:
            self._move(
                "Failed",
                f"No objective metrics found after running {len(rows)} training jobs. Please ensure that the custom algorithm "
                "is emitting the objective metric as defined by the regular expression provided.",
            )

    def _move(self, status: str, reason: str = "") -> None:
        with self._lock:
            self.status, self._reason, self._modified = status, reason, now()
            self._ended = self._modified


def _page(name: str, rows: list[dict[str, Any]], request: Mapping[str, Any]) -> dict[str, Any]:
    rows = rows[::-1] if request.get("SortOrder") == "Descending" else rows
    first, most = int(request.get("NextToken") or 0), request.get("MaxResults", 10)
    page: dict[str, Any] = {name: rows[first : first + most]}
    return page | ({"NextToken": str(first + most)} if first + most < len(rows) else {})
