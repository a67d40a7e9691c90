"""What the local tuning jobs do as the service does, seen by an unmodified client."""

import math
import sys
import time

import pytest
from botocore.exceptions import ClientError

from evohpo.sagemaker.clients import client_of
from evohpo.sagemaker.local import Faults, LocalSageMaker

SCRIPT = """
import json, os, pathlib, sys, time
folder = pathlib.Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
given = json.loads((folder / "input/config/hyperparameters.json").read_text())
if given.get("solver") == "broken":
    sys.exit(3)
if given.get("solver") != "silent":
    print(f"loss={(float(given.get('x', 0.3)) - 0.3) ** 2}", flush=True)
time.sleep(float(given.get("sleep", 0)))
"""
X = {"Name": "x", "MinValue": "0", "MaxValue": "1", "ScalingType": "Linear"}
FOREVER = {"sleep": "600"}


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    script = tmp_path_factory.mktemp("image") / "train.py"
    script.write_text(SCRIPT, "utf-8")
    with LocalSageMaker({"image": [sys.executable, str(script)]}, grace=1.0) as service:
        yield service


@pytest.fixture
def client(aws):
    yield client_of()
    aws.jobs.quota, aws.faults.lost_responses, aws.faults.capacity = None, 0, 0.0


def request(aws, name, *, ranges=None, static=None, strategy="Random", trials=4, parallel=2, seed=1, **config):
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": strategy,
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": trials, "MaxParallelTrainingJobs": parallel},
            "ParameterRanges": {"ContinuousParameterRanges": [X]} if ranges is None else ranges,
            "RandomSeed": seed,
            **config,
        },
        "TrainingJobDefinition": {
            "StaticHyperParameters": static or {},
            "AlgorithmSpecification": {
                "TrainingImage": "image",
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "loss", "Regex": r"loss=(\S+)"}],
            },
            "RoleArn": aws.role,
            "OutputDataConfig": {"S3OutputPath": f"s3://{aws.bucket}/output"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
    }


def describe(client, name):
    return client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)


def rows(client, name, **arguments):
    page = {"MaxResults": 100, "SortBy": "CreationTime"} | arguments
    listed = client.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=name, **page)
    return listed["TrainingJobSummaries"]


def eventually(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def ended(client, name):
    eventually(lambda: describe(client, name)["HyperParameterTuningJobStatus"] not in ("InProgress", "Stopping"))
    return describe(client, name)


def run(client, made):
    client.create_hyper_parameter_tuning_job(**made)
    return ended(client, made["HyperParameterTuningJobName"])


def values(client, name, parameter="x"):
    return [row["TunedHyperParameters"][parameter] for row in rows(client, name)]


def refusal(client, made):
    with pytest.raises(ClientError) as caught:
        client.create_hyper_parameter_tuning_job(**made)
    return caught.value.response["Error"]


# ---- what runs


def test_trials_are_training_jobs_that_really_ran(aws, client):
    done = run(client, request(aws, "real", static={"epochs": "3"}))
    assert done["HyperParameterTuningJobStatus"] == "Completed"
    assert done["TrainingJobStatusCounters"]["Completed"] == done["ObjectiveStatusCounters"]["Succeeded"] == 4
    for number, row in enumerate(rows(client, "real"), 1):
        head, count, tail = row["TrainingJobName"].rsplit("-", 2)
        assert (head, int(count), len(tail)) == ("real", number, 8)
        job = client.describe_training_job(TrainingJobName=row["TrainingJobName"])
        x = row["TunedHyperParameters"]["x"]
        assert job["HyperParameters"] == {"epochs": "3", "x": x, "_tuning_objective_metric": "loss"}
        measured = row["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
        assert measured == job["FinalMetricDataList"][0]["Value"] == pytest.approx((float(x) - 0.3) ** 2, rel=1e-6)


def test_the_best_training_job_is_the_one_with_the_least_loss(aws, client):
    best = run(client, request(aws, "best", trials=6))["BestTrainingJob"]
    losses = {
        r["TrainingJobName"]: r["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for r in rows(client, "best")
    }
    assert best["TrainingJobName"] == min(losses, key=losses.get)
    in_order = rows(client, "best", SortBy="FinalObjectiveMetricValue")
    assert [r["TrainingJobName"] for r in in_order] == sorted(losses, key=losses.get)


def test_no_more_training_jobs_run_at_once_than_allowed(aws, client):
    client.create_hyper_parameter_tuning_job(**request(aws, "parallel", trials=9, parallel=3, static={"sleep": "0.4"}))
    seen = []

    def over():
        described = describe(client, "parallel")
        seen.append(described["TrainingJobStatusCounters"]["InProgress"])
        return described["HyperParameterTuningJobStatus"] == "Completed"

    eventually(over)
    assert max(seen) == 3


# ---- strategies


def test_random_draws_the_same_with_the_same_seed_alone(aws, client):
    for name, seed in (("seed-1", 1), ("again-1", 1), ("seed-2", 2)):
        run(client, request(aws, name, seed=seed))
    assert values(client, "seed-1") == values(client, "again-1") != values(client, "seed-2")


def test_grid_runs_every_combination_once(aws, client):
    ranges = {
        "CategoricalParameterRanges": [{"Name": "x", "Values": ["0.1", "0.2"]}, {"Name": "y", "Values": list("abc")}]
    }
    made = request(aws, "grid", strategy="Grid", ranges=ranges)
    del made["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxNumberOfTrainingJobs"]
    assert run(client, made)["HyperParameterTuningJobStatus"] == "Completed"
    pairs = [(r["TunedHyperParameters"]["x"], r["TunedHyperParameters"]["y"]) for r in rows(client, "grid")]
    assert len(pairs) == 6 == len(set(pairs))


@pytest.mark.parametrize("strategy", ["Bayesian", "Hyperband"])
def test_the_stand_ins_search_near_the_best(aws, client, strategy):
    name = f"near-{strategy}"
    assert (
        run(client, request(aws, name, strategy=strategy, trials=24, parallel=1))["TrainingJobStatusCounters"][
            "Completed"
        ]
        == 24
    )
    far = [abs(float(x) - 0.3) for x in values(client, name)]
    assert sum(far[12:]) < 12 * 0.29  # the mean of uniform draws


@pytest.mark.parametrize(
    ("scaling", "low", "high", "axis"),
    [
        ("Linear", 0.0, 1.0, lambda x: x),
        ("Logarithmic", 1e-6, 1.0, lambda x: 1 + math.log10(x) / 6),
        ("ReverseLogarithmic", 0.0, 0.999999, lambda x: -math.log10(1 - x) / 6),
        ("Auto", 1e-6, 1.0, lambda x: 1 + math.log10(x) / 6),
    ],
)
def test_values_are_spread_evenly_on_the_axis_of_their_scaling(aws, client, scaling, low, high, axis):
    name, range_ = (
        f"scale-{scaling}",
        {"Name": "x", "MinValue": str(low), "MaxValue": str(high), "ScalingType": scaling},
    )
    run(client, request(aws, name, ranges={"ContinuousParameterRanges": [range_]}, trials=30, parallel=6))
    drawn = [float(x) for x in values(client, name)]
    assert all(low <= x <= high for x in drawn)
    thirds = [sum(k / 3 <= axis(x) < (k + 1) / 3 for x in drawn) for k in range(3)]
    assert min(thirds) >= 4


def test_whole_numbers_and_choices_arrive_as_such(aws, client):
    ranges = {
        "IntegerParameterRanges": [{"Name": "n", "MinValue": "1", "MaxValue": "3", "ScalingType": "Linear"}],
        "CategoricalParameterRanges": [{"Name": "solver", "Values": ["adam", "sgd"]}],
    }
    run(client, request(aws, "kinds", ranges=ranges, trials=20, parallel=6))
    assert set(values(client, "kinds", "n")) == {"1", "2", "3"}
    assert set(values(client, "kinds", "solver")) == {"adam", "sgd"}


# ---- warm start


def test_results_of_parents_count_from_the_start(aws, client):
    run(client, request(aws, "parent", trials=10, parallel=4))
    parent = describe(client, "parent")["BestTrainingJob"]
    made = request(aws, "child", strategy="Bayesian", trials=8, parallel=1, seed=3)
    parents = [{"HyperParameterTuningJobName": "parent"}]
    warm = {"ParentHyperParameterTuningJobs": parents, "WarmStartType": "IdenticalDataAndAlgorithm"}
    done = run(client, made | {"WarmStartConfig": warm})
    run(client, request(aws, "orphan", strategy="Bayesian", trials=8, parallel=1, seed=3))
    assert values(client, "child")[:3] != values(client, "orphan")[:3]  # no random beginning
    least = min(j["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for j in (parent, done["BestTrainingJob"]))
    assert done["OverallBestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == least


def test_parents_must_exist_have_ended_and_be_alike(aws, client):
    run(client, request(aws, "alike", trials=1))
    client.create_hyper_parameter_tuning_job(**request(aws, "unended", static=FOREVER))

    def warm(*parents, kind="TransferLearning", **arguments):
        config = {
            "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": p} for p in parents],
            "WarmStartType": kind,
        }
        return request(aws, "warm", **arguments) | {"WarmStartConfig": config}

    assert "does not exist" in refusal(client, warm("nobody"))["Message"]
    assert "must have ended" in refusal(client, warm("unended", static=FOREVER))["Message"]
    assert "number of hyperparameters" in refusal(client, warm("alike", static={"more": "1"}))["Message"]
    assert "6 parent tuning jobs" in refusal(client, warm(*["alike"] * 6))["Message"]
    other = warm("alike", kind="IdenticalDataAndAlgorithm")
    other["TrainingJobDefinition"]["AlgorithmSpecification"]["TrainingImage"] = "another"
    assert "another training image" in refusal(client, other)["Message"]
    client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="unended")
    ended(client, "unended")


# ---- ends


def test_a_stopped_tuning_job_stops_its_training_jobs_and_starts_no_more(aws, client):
    client.create_hyper_parameter_tuning_job(**request(aws, "stopped", trials=9, parallel=2, static=FOREVER))
    eventually(lambda: len(rows(client, "stopped", StatusEquals="InProgress")) == 2)
    client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="stopped")
    done = ended(client, "stopped")
    assert done["HyperParameterTuningJobStatus"] == "Stopped"
    assert done["TrainingJobStatusCounters"]["Stopped"] == len(rows(client, "stopped")) == 2
    with pytest.raises(ClientError, match="is in status Stopped"):
        client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="stopped")


def test_failed_training_jobs_are_counted_and_the_search_goes_on(aws, client):
    ranges = {"CategoricalParameterRanges": [{"Name": "solver", "Values": ["fine", "broken", "silent"]}]}
    done = run(client, request(aws, "failures", strategy="Grid", ranges=ranges, trials=3))
    assert done["HyperParameterTuningJobStatus"] == "Completed"
    counters = done["TrainingJobStatusCounters"]
    assert (counters["Completed"], counters["NonRetryableError"], counters["RetryableError"]) == (2, 1, 0)
    assert done["ObjectiveStatusCounters"] == {"Succeeded": 1, "Pending": 0, "Failed": 2}
    reasons = {r["TunedHyperParameters"]["solver"]: r.get("FailureReason", "") for r in rows(client, "failures")}
    assert reasons == {"fine": "", "broken": "AlgorithmError: , exit code: 3", "silent": ""}


@pytest.mark.parametrize(
    ("solver", "reason"), [("broken", "All training jobs failed"), ("silent", "No objective metrics found")]
)
def test_a_tuning_job_without_a_single_result_fails(aws, client, solver, reason):
    done = run(client, request(aws, f"all-{solver}", static={"solver": solver}, trials=2))
    assert done["HyperParameterTuningJobStatus"] == "Failed"
    assert reason in done["FailureReason"]
    assert "BestTrainingJob" not in done


def test_a_training_job_without_capacity_is_counted_as_retryable(aws, client):
    aws.faults.capacity = 1.0
    done = run(client, request(aws, "no-capacity", trials=2))
    assert done["TrainingJobStatusCounters"]["RetryableError"] == 2


def test_a_lost_answer_starts_no_training_job_twice(aws, client):
    before = len(aws.jobs.started)
    aws.faults.lost_responses = 1
    run(client, request(aws, "lost", trials=3))
    assert len(rows(client, "lost")) == len(aws.jobs.started) - before == 3


def test_training_jobs_wait_for_instances_that_others_hold(aws, client):
    aws.jobs.quota = 2
    client.create_hyper_parameter_tuning_job(**request(aws, "first", trials=2, parallel=2, static={"sleep": "0.5"}))
    eventually(lambda: len(rows(client, "first")) == 2)
    done = run(client, request(aws, "second", trials=2, parallel=2))
    assert done["TrainingJobStatusCounters"]["Completed"] == 2
    assert ended(client, "first")["TrainingJobStatusCounters"]["Completed"] == 2


def test_a_closed_service_leaves_no_thread_behind(tmp_path):
    import threading

    script = tmp_path / "train.py"
    script.write_text(SCRIPT, "utf-8")
    with LocalSageMaker({"image": [sys.executable, str(script)]}, grace=0.5, faults=Faults()) as service:
        client_of().create_hyper_parameter_tuning_job(**request(service, "left", static=FOREVER))
        assert any(t.name == "tuning-left" for t in threading.enumerate())
    assert not any(t.name == "tuning-left" for t in threading.enumerate())


# ---- what is refused


def ranges_of(kind, *entries):
    return {"ranges": {f"{kind}ParameterRanges": list(entries)}}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "x" * 33}, "1 to 32"),
        ({"name": "under_score"}, "letters, digits and hyphens"),
        (ranges_of("Continuous", *({**X, "Name": f"x{i}"} for i in range(31))), "31 parameter ranges"),
        (ranges_of("Continuous"), "0 parameter ranges"),
        (ranges_of("Continuous", {**X, "MaxValue": "0"}), "MinValue of the parameter 'x' must be below"),
        (ranges_of("Continuous", {**X, "ScalingType": "Logarithmic"}), "needs values above 0"),
        (ranges_of("Continuous", {**X, "ScalingType": "ReverseLogarithmic"}), "needs values in [0, 1)"),
        (ranges_of("Categorical", {"Name": "x", "Values": [str(i) for i in range(31)]}), "31 values"),
        ({"static": {"x": "1"}}, "given twice"),
        ({"static": {f"s{i}": "1" for i in range(100)}}, "101 hyperparameters"),
        ({"strategy": "Grid"}, "categorical parameters only"),
        ({"strategy": "Hyperband", "TrainingJobEarlyStoppingType": "Auto"}, "must be Off"),
        (
            {"HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "rmse"}},
            "Provide a metric in the metric",
        ),
    ],
)
def test_what_the_service_refuses_is_refused_and_nothing_starts(aws, client, wrong, message):
    before = len(aws.jobs.started)
    error = refusal(client, request(aws, **({"name": "refused"} | wrong)))
    assert error["Code"] == "ValidationException"
    assert message in error["Message"]
    assert len(aws.jobs.started) == before


def test_a_name_is_used_once(aws, client):
    run(client, request(aws, "once", trials=1))
    assert refusal(client, request(aws, "once", trials=1))["Code"] == "ResourceInUse"


def test_more_parallel_jobs_than_the_quota_are_refused(aws, client):
    aws.jobs.quota = 3
    error = refusal(client, request(aws, "greedy", parallel=4))
    assert error["Code"] == "ResourceLimitExceeded"
    assert "is 3 Instances" in error["Message"]


@pytest.mark.parametrize("operation", ["describe", "stop"])
def test_a_tuning_job_that_is_not_there_is_not_found(client, operation):
    with pytest.raises(ClientError, match=r"ValidationException.*Requested resource not found\."):
        getattr(client, f"{operation}_hyper_parameter_tuning_job")(HyperParameterTuningJobName="nobody")


# ---- listings


def test_listings_come_in_pages(aws, client):
    run(client, request(aws, "pages", trials=7, parallel=4))
    pages = client.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
        HyperParameterTuningJobName="pages", PaginationConfig={"PageSize": 3}
    )
    sizes = [len(page["TrainingJobSummaries"]) for page in pages]
    assert sizes == [3, 3, 1]
    found = client.list_hyper_parameter_tuning_jobs(NameContains="pages")["HyperParameterTuningJobSummaries"]
    assert [job["HyperParameterTuningJobName"] for job in found] == ["pages"]
