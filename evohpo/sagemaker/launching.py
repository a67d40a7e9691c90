"""Starting training jobs, each once: a job that is there already is adopted, whoever started it."""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from evohpo.errors import UsageError
from evohpo.evaluators.calling import failed
from evohpo.evaluators.launchers.naming import Name
from evohpo.evaluators.protocol import Finished, Started
from evohpo.sagemaker.clients import code_of, if_there, is_transient, message_of
from evohpo.sagemaker.individual import ENDED
from evohpo.sagemaker.limits import problems

if TYPE_CHECKING:
    from collections.abc import Callable

    from evohpo.sagemaker.clients import Clients
    from evohpo.sagemaker.individual import Individual
    from evohpo.sagemaker.template import Template


class NoQuota(Exception):
    """There are as many instances in use as the account may have."""


class Later(Exception):
    """The service cannot be asked just now."""


class Launcher:
    """Starts the jobs of a template.

    Args:
        clients: of AWS.
        template: what all jobs have in common; None where `train_fn` starts them.
        train_fn: starts a job of a given name with given hyperparameters.
        checkpoints: prefix in S3 below which each trial has its own checkpoints; "" for none.
        prices: by kind of instance, what an hour costs.
        facts: of a trial's number, the variables that its job gets.
    """

    def __init__(
        self, clients: Clients, template: Template | None, train_fn: Callable[..., Any] | None, checkpoints: str,
        prices: Mapping[str, float], facts: Callable[[Individual], Mapping[str, str]],
    ) -> None:  # fmt: skip
        self._clients, self._template, self._train_fn = clients, template, train_fn
        self._checkpoints, self._prices, self._facts = checkpoints.rstrip("/"), prices, facts
        self.started = 0

    def start(self, individual: Individual) -> None:
        """Start the job of a trial, or adopt it; `Started` is among its events then.

        Raises:
            NoQuota: the account has no instance left.
            Later: the service is throttled, faulty or out of reach.
            UsageError: the very first job is refused: so would be all others.
        """
        if individual.job.step and not individual.looked_back:
            self._look_back(individual)
            individual.looked_back = True
            if not individual.own:
                return
        if self._train_fn is not None:
            self._call(individual)
            return
        while not self._created(individual):
            individual.name = individual.name._replace(attempt=individual.name.attempt + 1)

    def request(self, individual: Individual) -> dict[str, Any]:
        """Return the CreateTrainingJob request of a trial."""
        assert self._template is not None
        request = self._template.clone(str(individual.name), individual.job.params)
        request["Environment"] = {**request.get("Environment", {}), **self._facts(individual)}
        request["Tags"] = [
            *request.get("Tags", ()),
            {"Key": "evohpo:study", "Value": individual.name.head}, {"Key": "evohpo:trial", "Value": str(individual.job.number)},
        ]  # fmt: skip
        if self._checkpoints:
            request["CheckpointConfig"] = {
                **request.get("CheckpointConfig", {}), "S3Uri": self.checkpoints(individual.name),
            }  # fmt: skip
        return request

    def checkpoints(self, name: Name) -> str:
        """Return where the checkpoints of a trial are: its own folder, however often it is started."""
        return f"{self._checkpoints}/{name.trial}" if self._checkpoints else ""

    def describe(self, name: str) -> dict[str, Any] | None:
        """Return what the service says of a job, None if there is none."""
        return if_there(self._clients.sagemaker.describe_training_job, TrainingJobName=name)

    def inherit(self, source: Name, target: Name) -> None:
        """Copy the checkpoints of one trial to another that starts with them, unless it has started."""
        if not self._checkpoints or self.describe(str(target)) is not None:
            return
        bucket, prefix = _split(self.checkpoints(source))
        _, own = _split(self.checkpoints(target))
        for page in self._clients.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/"):
            for item in page.get("Contents", ()):
                copied = {"Bucket": bucket, "Key": item["Key"]}
                self._clients.s3.copy(copied, bucket, own + item["Key"][len(prefix) :])

    # ---- within

    def _created(self, individual: Individual) -> bool:
        """Create or adopt the job; return False if its name belongs to one that is over."""
        request = self.request(individual)
        refused = list(problems(request))
        if refused:
            self._refuse(individual, "; ".join(refused))
            return True
        try:
            self._clients.sagemaker.create_training_job(**request)
        except Exception as error:
            code = code_of(error)
            if code == "ResourceInUse":
                return self._adopted(individual, request["HyperParameters"])
            if code == "ResourceLimitExceeded":
                raise NoQuota(message_of(error)) from error
            if is_transient(error):
                raise Later(message_of(error)) from error
            if not code:
                raise
            self._refuse(individual, f"SageMaker refuses it: {message_of(error)} ({code})")
            return True
        individual.own = True
        self._began(individual)
        return True

    def _adopted(self, individual: Individual, wanted: Mapping[str, str]) -> bool:
        """Take over the job that has the name already; False if it is another one's, or was stopped by an earlier run."""
        described = self.describe(str(individual.name))
        if described is None:  # known to be there, and not yet to be seen
            raise Later(f"training job {individual.name} is there and cannot be described")
        found = described.get("HyperParameters", {})
        if any(found.get(name) != wanted[name] for name in individual.job.params if name in wanted):
            return False
        if described["TrainingJobStatus"] in ("Stopping", "Stopped") and described.get("SecondaryStatus") not in (
            "MaxRuntimeExceeded", "MaxWaitTimeExceeded",
        ):  # fmt: skip
            if described["TrainingJobStatus"] == "Stopped":
                individual.spent.add(described, self._prices)
            return False
        individual.own = False
        self._began(individual)
        return True

    def _look_back(self, individual: Individual) -> None:
        """Find the jobs of a trial that began before: adopt one that runs or completed, count what the others cost."""
        name = individual.name
        known = individual.spent.billable > 0
        pages = self._clients.sagemaker.get_paginator("list_training_jobs").paginate(
            NameContains=name.trial, SortBy="CreationTime", SortOrder="Ascending", PaginationConfig={"PageSize": 100}
        )
        jobs = [job for page in pages for job in page["TrainingJobSummaries"]]
        for job in jobs:
            read = Name.read(job["TrainingJobName"], name.head)
            if read is None or read.trial != name.trial:
                continue
            if job["TrainingJobStatus"] in ("InProgress", "Completed"):
                individual.name, individual.own = read, False
                self._began(individual)
                return
            if not known and job["TrainingJobStatus"] in ENDED:
                individual.spent.add(self.describe(str(read)) or {}, self._prices)
            individual.earlier.append(read)
        if not known:
            individual.before = individual.spent.seconds
        individual.name = name._replace(step=individual.job.step)

    def _call(self, individual: Individual) -> None:
        """Let the user's function start the job, unless it is there already."""
        assert self._train_fn is not None
        name, began = str(individual.name), time.perf_counter()
        if self.describe(name) is not None:
            individual.own = False
            self._began(individual)
            return
        try:
            result = self._train_fn(name, dict(individual.job.params))
        except Exception as error:  # noqa: BLE001 - whatever it raises ends this trial, not the study
            individual.events.append(failed(individual.job, error, time.perf_counter() - began, 0, individual.worker))
            individual.over = True
            return
        if isinstance(result, str):
            individual.called = result
        self._began(individual)
        if isinstance(result, Mapping | int | float) and not isinstance(result, bool):
            seconds = time.perf_counter() - began
            individual.events.append(Finished(individual.job.number, result, seconds, 0, individual.worker))
            individual.over = True

    def _began(self, individual: Individual) -> None:
        self.started += 1
        individual.events.append(Started(individual.job.number, individual.worker, individual.known_as))

    def _refuse(self, individual: Individual, reason: str) -> None:
        if not self.started:
            raise UsageError(f"trial {individual.job.number}: {reason}. Nothing was started")
        individual.events.append(individual.failed("raised", reason))
        individual.over = True


def is_train_fn(source: Any) -> bool:
    """Return whether `source` is a function that starts jobs."""
    return inspect.isroutine(source) or (
        callable(source) and not hasattr(source, "fit") and not hasattr(source, "train")
    )


def _split(uri: str) -> tuple[str, str]:
    parts = urlsplit(uri)
    return parts.netloc, parts.path.strip("/")
