"""The tuner that SageMaker has built in, beside ours: started from the same estimator and space, read as the same table."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from evohpo.callbacks.dispatching import Dispatcher, checked
from evohpo.errors import UsageError
from evohpo.evaluators.launchers.naming import LONGEST_NAME
from evohpo.evaluators.reductions import single
from evohpo.optimizers.protocol import Traits
from evohpo.optimizers.registry import Registered
from evohpo.sagemaker.clients import client_of, explained
from evohpo.sagemaker.following import NUMBERED, OBJECTIVE, Following, listed
from evohpo.sagemaker.limits import problems
from evohpo.sagemaker.metrics import patterns_of
from evohpo.sagemaker.options import defined_metrics
from evohpo.sagemaker.template import template_of
from evohpo.sagemaker.translation import Translation, whole
from evohpo.space import Space
from evohpo.study import Study
from evohpo.tables import by_column, table
from evohpo.trials.trial import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    import pandas as pd

    from evohpo.callbacks.protocol import AnyCallback
    from evohpo.sagemaker.template import Template

STRATEGIES = ("Bayesian", "Random", "Hyperband", "Grid")
WARM_STARTS = ("IdenticalDataAndAlgorithm", "TransferLearning")
LONGEST_TUNING_NAME = 32  # characters
MOST_PARENTS, MOST_VARIABLES = 5, 48
HANDED_ON = (
    "RoleArn", "InputDataConfig", "VpcConfig", "OutputDataConfig", "ResourceConfig", "StoppingCondition",
    "EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining", "CheckpointConfig",
    "RetryStrategy", "Environment",
)  # fmt: skip
ALGORITHM = ("TrainingImage", "TrainingInputMode", "AlgorithmName", "MetricDefinitions")


def builtin_search(
    estimator: Any, space: Space | Mapping[str, Any], *, metric: str | Iterable[str] | Mapping[str, str],
    maximize: str | None = None, minimize: str | None = None, trials: int, max_parallel_jobs: int = 1,
    strategy: str = "Bayesian", early_stopping: bool = False, seed: int | None = None,
    warm_start: str | Study | Iterable[str | Study] = (), warm_start_type: str = "IdenticalDataAndAlgorithm",
    inputs: Any = None, job_prefix: str | None = None, store: str | Path | None = None, name: str | None = None,
    poll: float | None = None, prices: Mapping[str, float] | None = None, client: Any = None, timeout: float | None = None,
    callbacks: Iterable[AnyCallback] = (), progress: bool = True,
) -> Study:  # fmt: skip
    """Search `space` with SageMaker's own tuner, and return what it measured as a study.

    A trial is a training job of the tuning job, in order of creation. Training jobs that the tuner or somebody else stopped
    are "stopped" trials if they had measured something. With `store` the same call goes on with the same tuning job, after a
    crash or Ctrl-C; meanwhile the service goes on by itself.

    Args:
        estimator: what `evohpo.SageMaker` takes: an estimator, a trainer, or a CreateTrainingJob request.
        space: without conditions, constraints or steps, which the built-in tuner does not know. Ordinal parameters are
            categorical for it.
        metric: names and patterns, or names of metrics that the estimator or its algorithm defines.
        maximize: the metric to be made large.
        minimize: the metric to be made small; either this or `maximize`.
        trials: how many training jobs.
        max_parallel_jobs: how many at once.
        strategy: "Bayesian", "Random", "Hyperband" or "Grid" (categorical and ordinal parameters only).
        early_stopping: whether the service stops training jobs that will not win.
        seed: of the tuner's draws, drawn and recorded where not given; the service promises little for Bayesian.
        warm_start: up to five ended tuning jobs whose results count: names, or studies that this function returned.
        warm_start_type: "IdenticalDataAndAlgorithm" or "TransferLearning".
        inputs: the data, as the estimator's own `fit` or `train` takes them.
        job_prefix: what the tuning job's name begins with, at most 25 characters; the study's name if not given.
        store: path of a file that makes the study durable.
        name: the study's name.
        poll: seconds between looks at the service; 15, and 0.1 for one on this machine.
        prices: by kind of instance, what an hour costs; makes the column "cost".
        client: a boto3 client of SageMaker; one of the estimator's own session by default.
        timeout: seconds after which the tuning job is stopped, for good.
        callbacks: functions of study and trial, called when a trial has ended; or objects, see `callbacks.Callback`.
        progress: False for silence.

    Returns:
        The study. `study.stopped` says why it ended.

    Raises:
        UsageError: what the tuner cannot do, or the service refuses; nothing was started.
    """
    space = space if isinstance(space, Space) else Space(space)
    prices, callbacks = dict(prices or {}), checked(callbacks)
    template = template_of(estimator, inputs)
    patterns = patterns_of(metric, defined_metrics(template.request))
    translation = Translation(space, template.encode)
    refused = [
        *_refused_arguments(maximize, minimize, patterns, trials, max_parallel_jobs, strategy, early_stopping, timeout),
        *translation.refused(strategy, trials), *_refused_request(template, translation, prices),
    ]  # fmt: skip
    parents = [_tuning_job(p) for p in ([warm_start] if isinstance(warm_start, str | Study) else warm_start)]
    if len(parents) > MOST_PARENTS or warm_start_type not in WARM_STARTS:
        refused.append(f"a warm start takes up to {MOST_PARENTS} tuning jobs and a type of {' or '.join(WARM_STARTS)}")
    if job_prefix is not None and (len(job_prefix) > LONGEST_TUNING_NAME - 7 or _slug(job_prefix) != job_prefix):
        refused.append(f"job_prefix={job_prefix!r} must be up to {LONGEST_TUNING_NAME - 7} letters, digits and hyphens")
    if refused:
        raise UsageError(f"the built-in tuner: {'; '.join(refused)}. Nothing was started")
    client = client if client is not None else client_of("sagemaker", template.session)
    study = Study(
        space, maximize=maximize, minimize=minimize, optimizer=_proposing_nothing(strategy), duplicates="evaluate",
        seed=seed, store=store, name=name,
    )  # fmt: skip
    tuning, told = _name(study, job_prefix), Dispatcher(study, callbacks)
    try:
        if study.stopped and trials == study.ledger.ended:
            return study  # there is nothing left to be read
        request = _request(tuning, template, translation, patterns, study, trials, max_parallel_jobs, strategy)
        request["HyperParameterTuningJobConfig"]["TrainingJobEarlyStoppingType"] = "Auto" if early_stopping else "Off"
        if parents:
            named = [{"HyperParameterTuningJobName": parent} for parent in parents]
            request["WarmStartConfig"] = {"ParentHyperParameterTuningJobs": named, "WarmStartType": warm_start_type}
        study.begin(budget=trials, workers=max_parallel_jobs)
        following = Following(study, client, tuning, translation, list(patterns), prices, poll, timeout, told)
        following.start(request)
        told.begin()
        with _shown(study, trials, timeout) if progress else nullcontext():
            following.run()
    except KeyboardInterrupt:
        study.end({"interrupted": True})
        _say_what_goes_on(study, tuning)
    finally:
        for trial in study.trials:
            if trial.status is Status.RUNNING:
                study.ledger.move(trial, Status.WAITING)
        try:
            told.finish()
        finally:
            study.close()
    return study


def tuning_trials(name: str, client: Any = None) -> pd.DataFrame:
    """Return the training jobs of an existing tuning job, a row each, to be looked at or given to `study.attach`.

    Rows without a result are there too; `study.attach` names them in a warning, so leave them out:
    `study.attach(frame.dropna(subset="accuracy"))`.

    Args:
        name: the tuning job.
        client: a boto3 client of SageMaker.

    Returns:
        Columns of hyperparameters, the objective, "seconds", "status", "job" and "error".

    Raises:
        UsageError: there is no such tuning job, or it cannot be read.
    """
    client = client if client is not None else client_of()
    with explained():
        described = client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        jobs = listed(client, name)
    config = described["HyperParameterTuningJobConfig"]
    ranges, objective = config["ParameterRanges"], config["HyperParameterTuningJobObjective"]["MetricName"]
    kinds: dict[str, Callable[[str], Any]] = {r["Name"]: _value for r in ranges.get("CategoricalParameterRanges", ())}
    kinds |= {r["Name"]: float for r in ranges.get("ContinuousParameterRanges", ())}
    kinds |= {r["Name"]: whole for r in ranges.get("IntegerParameterRanges", ())}
    rows = []
    for job in jobs:
        row = {parameter: read(job["TunedHyperParameters"][parameter]) for parameter, read in kinds.items()}
        row[objective] = single(job[OBJECTIVE]["Value"]) if OBJECTIVE in job else None
        began, ended = job.get("TrainingStartTime"), job.get("TrainingEndTime")
        row["seconds"] = (ended - began).total_seconds() if began and ended else None
        status, error = job["TrainingJobStatus"].lower(), job.get("FailureReason", "")
        rows.append(row | {"status": status, "job": job["TrainingJobName"], "error": error})
    return table(by_column(rows, (*kinds, objective, "seconds", "status", "job", "error")))


def _refused_arguments(
    maximize: str | None, minimize: str | None, patterns: Mapping[str, str | None], trials: int, parallel: int,
    strategy: str, early_stopping: bool, timeout: float | None,
) -> Iterator[str]:  # fmt: skip
    goals = [goal for goal in (maximize, minimize) if goal is not None]
    if len(goals) != 1 or not isinstance(goals[0], str):
        yield "has one objective: maximize= or minimize= must name one metric"
    elif goals[0] not in patterns:
        yield f"needs the metric {goals[0]!r}, and metric= has {', '.join(patterns)}"
    for name, value in (("trials", trials), ("max_parallel_jobs", parallel)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            yield f"{name}={value!r}: must be a whole number of at least 1"
    if strategy not in STRATEGIES:
        yield f"strategy={strategy!r}: must be one of {', '.join(STRATEGIES)}"
    if strategy == "Hyperband" and early_stopping:
        yield "Hyperband stops training jobs by itself: leave out early_stopping="
    if timeout is not None and not timeout > 0:
        yield f"timeout={timeout!r}: must be above 0 seconds"


def _refused_request(template: Template, translation: Translation, prices: Mapping[str, float]) -> Iterator[str]:
    request = template.request
    for field in ("ContainerEntrypoint", "ContainerArguments", "TrainingImageConfig"):
        if field in request["AlgorithmSpecification"]:
            yield f"cannot set {field}, which this training job needs (scripts of a ModelTrainer do); evohpo.SageMaker can"
    if len(request.get("Environment", {})) > MOST_VARIABLES:
        yield f"takes up to {MOST_VARIABLES} environment variables, not {len(request['Environment'])}"
    example = translation.static | dict.fromkeys(translation.space.searched, "")
    yield from problems(template.clone("x" * LONGEST_NAME, example))
    kind = request["ResourceConfig"].get("InstanceType")
    if prices and kind not in prices:
        yield f"prices= has no price for {kind}"


# ---- the request


def _request(
    tuning: str, template: Template, translation: Translation, patterns: Mapping[str, str | None], study: Study,
    trials: int, parallel: int, strategy: str,
) -> dict[str, Any]:  # fmt: skip
    job = template.clone(tuning, translation.static)
    definitions = defined_metrics(job) | {name: regex for name, regex in patterns.items() if regex is not None}
    job["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": n, "Regex": r} for n, r in definitions.items()]
    job["ResourceConfig"].pop("KeepAlivePeriodInSeconds", None)  # the tuner keeps its instances by itself
    goal = study.goals.objectives[0]
    config = {
        "Strategy": strategy, "ParameterRanges": translation.ranges, "RandomSeed": study.seed % 2**31,
        "HyperParameterTuningJobObjective": {"Type": "Maximize" if goal.maximize else "Minimize", "MetricName": goal.metric},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": trials, "MaxParallelTrainingJobs": parallel},
    }  # fmt: skip
    searched = translation.space.searched
    definition = {
        "StaticHyperParameters": {name: text for name, text in job["HyperParameters"].items() if name not in searched},
        "AlgorithmSpecification": {k: v for k, v in job["AlgorithmSpecification"].items() if k in ALGORITHM and v},
        **{key: job[key] for key in HANDED_ON if key in job},
    }
    request = {
        "HyperParameterTuningJobName": tuning,
        "HyperParameterTuningJobConfig": config,
        "TrainingJobDefinition": definition,
    }
    return copy.deepcopy(request | ({"Tags": job["Tags"]} if job.get("Tags") else {}))


def _name(study: Study, prefix: str | None) -> str:
    """Return the name of a study's tuning job, always the same."""
    identity = study.settings.id or hashlib.sha256(f"{study.name}-{study.seed}".encode()).hexdigest()[:6]
    readable = prefix or _slug(study.name)[: LONGEST_TUNING_NAME - 1 - len(identity)].strip("-") or "evohpo"
    return f"{readable}-{identity}"


def _slug(text: str) -> str:
    return re.sub(r"[^a-zA-Z0-9]+", "-", text).strip("-")


def _proposing_nothing(strategy: str) -> Registered:
    """Return an optimizer in name: the service proposes."""

    def nothing(problem: Any, rng: Any) -> Iterator[Any]:  # noqa: ARG001 - what every generator takes
        yield from ()

    return Registered(f"builtin-{strategy.lower()}", nothing, Traits(finite=True), "evohpo")


def _tuning_job(parent: str | Study) -> str:
    if isinstance(parent, str):
        return parent
    job = next((t.job for t in parent.trials if NUMBERED.search(t.job)), None)
    if job is None:
        raise UsageError(f"warm_start= has the study {parent.name!r}, which has no training job of a tuning job")
    return job.rsplit("-", 2)[0]


def _value(text: str) -> Any:
    """Return the value that a text stands for: numbers, truth values and quoted text are JSON, other text is itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _shown(study: Study, trials: int, timeout: float | None) -> Any:
    from evohpo.progress import Progress

    return Progress(study, trials, None, timeout)


def _say_what_goes_on(study: Study, name: str) -> None:
    again = f"; the same call goes on from {study.store}" if study.store is not None else ""
    sys.stderr.write(
        f"\nStopped following after {study.ledger.ended} trials{again}. Tuning job {name} goes on by itself; it is stopped by\n"
        f"aws sagemaker stop-hyper-parameter-tuning-job --hyper-parameter-tuning-job-name {name}\n"
    )
