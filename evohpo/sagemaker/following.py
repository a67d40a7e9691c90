"""Following a tuning job of SageMaker: what happens there is told to a study here."""

from __future__ import annotations

import json
import re
import time
import warnings
from typing import TYPE_CHECKING, Any

from evohpo.errors import EvohpoWarning, UsageError
from evohpo.evaluators.reductions import single
from evohpo.sagemaker.clients import OUTAGE, code_of, explained, if_there, is_transient, poll_of
from evohpo.sagemaker.individual import AGAIN, Spent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evohpo.callbacks.dispatching import Dispatcher
    from evohpo.sagemaker.translation import Translation
    from evohpo.study import Study
    from evohpo.trials.trial import Trial

MOST_LOOKS = 20  # after the end, for training jobs that are not listed yet
OBJECTIVE = "FinalHyperParameterTuningJobObjectiveMetric"
NUMBERED = re.compile(r"-(\d{3,})-[0-9a-f]{8}")  # the tail of a training job's name


class Following:
    """A tuning job on one side, a study on the other: whatever happens there is told here.

    Args:
        study: what is told.
        client: the boto3 client of SageMaker.
        name: the tuning job.
        translation: of hyperparameters.
        metrics: names of the metrics that are read.
        prices: by kind of instance, what an hour costs.
        poll: seconds between looks, None for what fits the service.
        timeout: seconds after which the tuning job is stopped, or None.
        told: the callbacks.
    """

    def __init__(
        self, study: Study, client: Any, name: str, translation: Translation, metrics: list[str],
        prices: Mapping[str, float], poll: float | None, timeout: float | None, told: Dispatcher,
    ) -> None:  # fmt: skip
        self._study, self._client, self._name, self._translation = study, client, name, translation
        self._metrics, self._prices, self._timeout, self._told = metrics, prices, timeout, told
        self._poll = poll if poll is not None else poll_of(client)
        self._worker = ""

    def start(self, request: Mapping[str, Any]) -> None:
        """Start the tuning job, or find it if an earlier run did.

        Raises:
            UsageError: the service refuses it, or there is another one of that name.
        """
        self._worker = request["TrainingJobDefinition"]["ResourceConfig"].get("InstanceType", "")
        with explained():
            found = self._describe()
            if found is None and self._study.trials:
                raise UsageError(f"tuning job {self._name} of store {self._study.store} is no longer there")
            if found is None:
                try:
                    self._client.create_hyper_parameter_tuning_job(**request)
                    return
                except self._client.exceptions.ResourceInUse:  # started, and the answer was lost
                    found = self._describe()
        there = found["HyperParameterTuningJobConfig"]["ResourceLimits"] if found else {}
        here = request["HyperParameterTuningJobConfig"]["ResourceLimits"]
        if any(there.get(name) != value for name, value in here.items()):
            raise UsageError(
                f"tuning job {self._name} was started with {json.dumps(there)} and cannot be changed to {json.dumps(here)}: give "
                f"the same arguments to go on, or begin another study with warm_start={self._name!r}"
            )

    def run(self) -> None:
        """Follow the tuning job to its end."""
        study, stopped, looks = self._study, False, 0
        for trial in [*study.resume(), *study.ask(1)]:  # asked: what a run that was killed had read and not begun
            self._told.note("started", trial)
        while True:
            described = self._patiently(self._describe) or {}
            jobs = self._patiently(lambda: listed(self._client, self._name))
            looks += described.get("HyperParameterTuningJobStatus") not in ("InProgress", "Stopping")
            all_listed = len(jobs) >= sum(described.get("TrainingJobStatusCounters", {}).values())
            over = looks > 0 and (all_listed or looks > MOST_LOOKS)
            if self._read(jobs, over) and over:
                break
            if self._timeout is not None and study.seconds >= self._timeout and not stopped:
                stopped = True
                self._stop()
            time.sleep(self._poll)
        status, reason = described.get("HyperParameterTuningJobStatus", "gone"), described.get("FailureReason", "")
        if status == "Failed":
            warnings.warn(f"tuning job {self._name} failed: {reason}", EvohpoWarning, stacklevel=3)
        ended = {"trials": len(study.trials)} if status == "Completed" else {"tuning job": f"{status} {reason}".strip()}
        study.end({"timeout": self._timeout} if stopped else ended)

    def _read(self, jobs: list[dict[str, Any]], over: bool) -> bool:
        """Make trials of new training jobs, and tell the ends of others; return whether all have ended.

        Trials are numbered as training jobs were created. One that is not listed yet leaves a gap: those after it wait.
        """
        study, running = self._study, 0
        for number, job in enumerate(jobs):
            if not over and _number(job) not in (number + 1, None):
                return False
            if number == len(study.trials):
                study.enqueue(self._translation.params(job["TunedHyperParameters"]), label="")
                for trial in study.ask(1):
                    self._told.note("started", trial)
            trial = study.trials[number]
            trial.job, trial.worker = job["TrainingJobName"], self._worker
            if job["TrainingJobStatus"] in ("InProgress", "Stopping"):
                running += 1
            elif not trial.ended:
                self._tell(trial, job)
            self._told.flush()
        return running == 0

    def _tell(self, trial: Trial, job: Mapping[str, Any]) -> None:
        name, study, goal = job["TrainingJobName"], self._study, self._study.goals.objectives[0].metric
        described = self._patiently(lambda: self._client.describe_training_job(TrainingJobName=name))
        said = {m["MetricName"]: single(m["Value"]) for m in described.get("FinalMetricDataList", ())}
        if OBJECTIVE in job:
            said[goal] = single(job[OBJECTIVE]["Value"])
        spent = Spent()
        spent.add(described, self._prices)
        metrics = {m: said[m] for m in self._metrics if m in said}
        facts = {"seconds": spent.seconds, "job": name, "worker": self._worker}
        status, reason = job["TrainingJobStatus"], job.get("FailureReason") or described.get("FailureReason", "")
        if status == "Failed":
            kind = "lost" if reason.startswith(AGAIN) else "raised"
            study.tell(
                trial, {**metrics, **spent.metrics}, error=reason or f"training job {name} failed", kind=kind, **facts
            )
        elif goal in metrics:
            study.tell(trial, {**spent.metrics, **metrics}, stopped=status == "Stopped", **facts)
        else:
            late = described.get("SecondaryStatus") in ("MaxRuntimeExceeded", "MaxWaitTimeExceeded")
            kind = "value" if status == "Completed" else "timeout" if late else "stopped"
            why = f"training job {name} {'took too long' if late else f'is {status}'}, and printed nothing for metric {goal!r}"
            study.tell(trial, {**metrics, **spent.metrics}, error=why, kind=kind, **facts)

    def _describe(self) -> dict[str, Any] | None:
        """Return what the service says of the tuning job, None if there is none."""
        return if_there(self._client.describe_hyper_parameter_tuning_job, HyperParameterTuningJobName=self._name)

    def _stop(self) -> None:
        try:
            self._client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=self._name)
        except self._client.exceptions.ClientError as error:
            if code_of(error) != "ValidationException":  # it has just ended by itself
                with explained():
                    raise

    def _patiently(self, call: Callable[[], Any]) -> Any:
        """Return what `call` returns; while the service is out of reach, wait."""
        began = time.monotonic()
        while True:
            with explained():
                try:
                    return call()
                except Exception as error:
                    if not is_transient(error) or time.monotonic() - began > OUTAGE:
                        raise
            time.sleep(self._poll)


def listed(client: Any, name: str) -> list[dict[str, Any]]:
    """Return the training jobs of a tuning job in order of creation."""
    pages = client.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
        HyperParameterTuningJobName=name, PaginationConfig={"PageSize": 100}
    )
    jobs = [job for page in pages for job in page["TrainingJobSummaries"]]
    return sorted(jobs, key=lambda job: (_number(job) or 0, job["CreationTime"], job["TrainingJobName"]))


def _number(job: Mapping[str, Any]) -> int | None:
    """Return which of a tuning job's training jobs it is, from 1."""
    found = NUMBERED.search(job["TrainingJobName"])
    return int(found[1]) if found else None
