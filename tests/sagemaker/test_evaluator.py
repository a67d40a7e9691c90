"""Trials as training jobs: names, hyperparameters, metrics, money, and what stands in the table."""

from __future__ import annotations

import boto3
import pytest

import evohpo as eh
from evohpo.sagemaker import NUMBER
from tests.sagemaker.conftest import LOSS, SPACE, loss, request_of, search


def test_a_generation_is_a_set_of_training_jobs(aws):
    study = search(
        eh.SageMaker(request_of(aws), LOSS), optimizer="ga", trials=None, generations=2, population=4, name="Ünï 1"
    )
    table = study.table()
    head = f"evohpo-n-1-{study.settings.id}"
    assert list(table.job) == [f"{head}-g{g:03d}-i{i:03d}" for g in range(2) for i in range(4)]
    assert set(table.status) == {"completed"}
    assert set(table.worker) == {"ml.m5.large"}
    assert [n for n in aws.jobs.started if n.startswith(head)] == list(table.job)


@pytest.mark.parametrize("optimizer", ["ga", "pso", "paes", "de-steady"])
def test_the_table_is_the_one_of_an_objective_here(aws, optimizer):
    how = {"optimizer": optimizer, "trials": 8, "lookahead": 4 if optimizer == "de-steady" else None}
    there = search(eh.SageMaker(request_of(aws), LOSS), **how)
    here = eh.tune(lambda p: {"loss": loss(p)}, SPACE, minimize="loss", seed=1, workers=1, progress=False, **how)
    assert [t.params for t in there.trials] == [t.params for t in here.trials]
    assert list(there.table().loss) == pytest.approx(
        list(here.table().loss), rel=1e-6
    )  # the service keeps single precision


def test_hyperparameters_arrive_as_text_and_conditional_ones_only_where_they_apply(aws):
    space = {
        "x": eh.Continuous(0, 1), "layers": eh.Integer(1, 3), "solver": eh.Categorical(["sgd", "adam"]),
        "momentum": eh.Continuous(0, 1, when={"solver": "sgd"}), "nesterov": eh.Categorical([True, False]), "seed": 100,
    }  # fmt: skip
    study = search(eh.SageMaker(request_of(aws, steps=2), LOSS), space, trials=6)
    client = boto3.client("sagemaker")
    for trial in study.trials:
        sent = client.describe_training_job(TrainingJobName=trial.job)["HyperParameters"]
        assert sent.pop("steps") == "2"
        assert set(sent) == set(trial.params)
        assert float(sent["x"]) == trial.params["x"]
        assert sent["solver"] == trial.params["solver"]
        assert sent["nesterov"] == ("true" if trial.params["nesterov"] else "false")
    assert {"momentum" in t.params for t in study.trials} == {True, False}


@pytest.mark.parametrize(
    ("reduce", "expected"),
    [("last", 1 / 3), ("first", 1.0), ("max", 1.0), ("min", 1 / 3), ("mean", (1 + 1 / 2 + 1 / 3) / 3)],
)
def test_one_value_of_many_counts(aws, reduce, expected):
    study = search(eh.SageMaker(request_of(aws), LOSS, reduce=reduce), trials=1)
    trial = study.trials[0]
    assert trial.metrics["loss"] == pytest.approx((trial.params["x"] - 0.3) ** 2 + expected, rel=1e-6)


def test_small_and_negative_numbers_are_read_as_they_are(aws):
    study = search(eh.SageMaker(request_of(aws, mode="tiny"), {"loss": rf"loss={NUMBER}"}), trials=2)
    assert [t.metrics["loss"] for t in study.trials] == pytest.approx(
        [-9.5e-05 * t.params["x"] for t in study.trials], rel=1e-6
    )


def test_a_pattern_that_misreads_numbers_is_named(aws):
    with pytest.warns(
        eh.EvohpoWarning, match=r"metric 'loss': .* cannot read 9.5e-05, -1.5, nan; evohpo.evaluators.NUMBER"
    ):
        eh.SageMaker(request_of(aws), {"loss": r"loss=([0-9\.]+)"})


def test_metrics_that_the_estimator_defines_need_only_their_names(aws):
    request = request_of(aws)
    request["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "loss", "Regex": r"loss=(\S+)"}]
    study = search(eh.SageMaker(request, "loss"), trials=2)
    assert [t.metrics["loss"] for t in study.trials] == pytest.approx([loss(t.params) for t in study.trials])


def test_money_is_in_the_table_and_ends_the_study(aws):
    evaluator = eh.SageMaker(request_of(aws), LOSS, prices={"ml.m5.large": 36.0}, instance_count=2)
    study = search(evaluator, trials=None, stop=eh.Stop(cost=0.1), workers=2)
    table = study.table()
    assert (table.cost == table.billable_seconds * 36 / 3600).all()
    assert (table.billable_seconds >= 2).all()  # a second at least, twice
    assert 0.1 <= table.cost.sum() < 0.1 + 2 * table.cost.max()
    assert study.stopped["cost"] == pytest.approx(study.ledger.cost)


def test_failed_jobs_cost_too(aws):
    study = search(eh.SageMaker(request_of(aws, mode="raise"), LOSS, prices={"ml.m5.large": 36.0}), trials=6)
    failed = study.table().query("status == 'failed'")
    assert len(failed)
    assert (failed.cost > 0).all()
    assert study.ledger.cost == pytest.approx(study.table().cost.sum())


def test_a_script_that_raises_fails_its_trial_alone_with_its_log(aws):
    study = search(eh.SageMaker(request_of(aws, mode="raise"), LOSS), trials=8)
    for trial in study.trials:
        assert trial.failed == (trial.params["x"] > 0.5)
        if trial.failed:
            assert trial.error == "AlgorithmError: , exit code: 1"
            assert "is too large" in trial.traceback
    assert {t.failed for t in study.trials} == {True, False}


def test_what_a_script_writes_of_its_failure_is_the_reason(aws):
    study = search(eh.SageMaker(request_of(aws, mode="failure file"), LOSS), trials=1)
    assert study.trials[0].error == f"the data of x = {study.trials[0].params['x']} cannot be read"


def test_instances_limits_tags_and_variables_are_those_asked_for(aws):
    evaluator = eh.SageMaker(
        request_of(aws), LOSS, instance_type="ml.c5.xlarge", volume_gb=7, max_runtime=60, spot=True, max_wait=90,
        tags={"team": "vision"}, environment={"TOKENIZERS": "1"}, job_prefix="digits",
    )  # fmt: skip
    trial = search(evaluator, trials=1).trials[0]
    job = boto3.client("sagemaker").describe_training_job(TrainingJobName=trial.job)
    assert job["ResourceConfig"] == {"InstanceType": "ml.c5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 7}
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 90}
    assert job["EnableManagedSpotTraining"]
    assert job["Environment"]["TOKENIZERS"] == "1"
    assert job["Environment"]["EVOHPO_TRIAL"] == "0"
    assert trial.job.startswith("digits-study-")
    tags = boto3.client("sagemaker").list_tags(ResourceArn=job["TrainingJobArn"])["Tags"]
    assert {t["Key"] for t in tags} == {"team", "evohpo:study", "evohpo:trial"}


def test_warm_instances_are_given_back_at_the_end(aws):
    study = search(eh.SageMaker(request_of(aws), LOSS, keep_alive=300), trials=2)
    client = boto3.client("sagemaker")
    kept = [client.describe_training_job(TrainingJobName=t.job)["ResourceConfig"] for t in study.trials]
    assert [k["KeepAlivePeriodInSeconds"] for k in kept] == [0, 0]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"on_exit": "perhaps"}, 'must be "ask", "stop" or "leave"'),
        ({"metric": {}}, "metric= is empty"),
        ({"metric": {"loss": "loss="}}, "has no group"),
        ({"metric": {"loss": "loss=("}}, "is no regular expression"),
        ({"reduce": "median"}, "must be one of last, first, max, min, mean"),
        ({"reduce": {"accuracy": "max"}}, "names 'accuracy', which is no metric"),
        ({"keep_alive": 60, "spot": True}, "warm pools do not go with managed spot"),
        ({"max_wait": 60}, "give spot=True"),
        ({"max_parallel_jobs": 0}, "must be at least 1"),
        ({"steps": "epoch"}, "has no group"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(aws, arguments, complaint):
    with pytest.raises(eh.UsageError, match=complaint):
        eh.SageMaker(request_of(aws), **{"metric": LOSS, **arguments})


def test_an_objective_that_no_metric_measures_is_refused_before_anything_is_started(aws):
    before = len(aws.jobs.started)
    with pytest.raises(eh.UsageError, match="does not say how to find 'accuracy'; it knows loss"):
        search(eh.SageMaker(request_of(aws), LOSS), minimize="accuracy")
    with pytest.raises(eh.UsageError, match="the pruner would see no steps"):
        search(eh.SageMaker(request_of(aws), LOSS), pruner=eh.ASHA(max_steps=3))
    with pytest.raises(
        eh.UsageError, match=r"102 hyperparameters, static ones included, are more than 100\. Nothing was started"
    ):
        search(eh.SageMaker(request_of(aws, **{f"h{i}": i for i in range(101)}), LOSS))
    assert len(aws.jobs.started) == before


def test_a_function_that_starts_jobs_is_enough(aws):
    client, names = boto3.client("sagemaker"), []

    def train_fn(job_name, hyperparameters):
        names.append(job_name)
        request = request_of(aws, **hyperparameters)
        own = f"mine-{job_name}"
        client.create_training_job(**request, TrainingJobName=own)
        return own  # the name that was really given

    study = search(eh.SageMaker(train_fn, LOSS), trials=3)
    assert [t.metrics["loss"] for t in study.trials] == pytest.approx([loss(t.params) for t in study.trials])
    assert [t.job for t in study.trials] == [f"mine-{n}" for n in names]


def test_a_function_may_also_return_the_metrics_or_raise(aws):
    def train_fn(job_name, hyperparameters):
        if hyperparameters["x"] > 0.5:
            raise ValueError("too large")
        return {"loss": loss(hyperparameters)}

    study = search(eh.SageMaker(train_fn, LOSS), trials=6)
    for trial in study.trials:
        assert trial.error == ("ValueError: too large" if trial.params["x"] > 0.5 else "")


def test_without_region_or_credentials_there_is_one_clear_line(aws, monkeypatch, tmp_path):
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(eh.UsageError, match=r"^no AWS credentials: .* AWS_ACCESS_KEY_ID"):
        eh.SageMaker(request_of(aws), LOSS)
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(eh.UsageError, match=r"^no AWS region: set AWS_DEFAULT_REGION"):
        eh.SageMaker(request_of(aws), LOSS)


def test_an_endpoint_that_nobody_answers_at_is_named(aws, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("evohpo.sagemaker.clients.ATTEMPTS", 1)
    evaluator = eh.SageMaker(request_of(aws), LOSS)
    with pytest.raises(eh.UsageError, match=r"Could not connect to the endpoint URL.*is the region right"):
        search(evaluator)


def test_refused_access_is_told_as_the_service_tells_it(aws):
    request = request_of(aws)
    request["AlgorithmSpecification"]["TrainingImage"] = "unknown:latest"
    study = search(eh.SageMaker(request, LOSS), trials=1)
    assert "image unknown:latest has no command here" in study.trials[0].error
