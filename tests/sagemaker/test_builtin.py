"""The tuner that SageMaker has built in, read as a study; against a service on this machine that really runs the jobs."""

import os
import re
import signal
import subprocess
import sys
import tarfile
import textwrap
import time

import boto3
import pandas as pd
import pytest
from botocore.config import Config

import evohpo as eh
from evohpo.errors import EvohpoWarning, UsageError
from evohpo.sagemaker import builtin_search, tuning_trials
from evohpo.sagemaker.clients import client_of
from evohpo.sagemaker.local import LocalSageMaker

SCRIPT = """
import json, os, pathlib, sys, time
folder = pathlib.Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
given = json.loads((folder / "input/config/hyperparameters.json").read_text())
print(json.dumps(given), flush=True)
if given.get("solver") == "broken":
    sys.exit(3)
time.sleep(float(given.get("sleep_first", 0)))
if given.get("solver") != "silent":
    print("loss=2.5", flush=True)
    print(f"accuracy={1 - (float(given.get('x', 0.3)) - 0.3) ** 2}", flush=True)
time.sleep(float(given.get("sleep", 0)))
"""
ACCURACY = {"accuracy": r"accuracy=(\S+)"}
X = {"x": eh.Continuous(0.0, 1.0)}


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    script = tmp_path_factory.mktemp("image") / "train.py"
    script.write_text(SCRIPT, "utf-8")
    with LocalSageMaker({"image": [sys.executable, str(script)]}, grace=1.0) as service:
        yield service
        service.jobs.quota = None


@pytest.fixture
def job(aws):
    """The request that stands for an estimator."""
    return {
        "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
        "RoleArn": aws.role,
        "OutputDataConfig": {"S3OutputPath": f"s3://{aws.bucket}/output"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }


def search(job, space=X, **arguments):
    usual = {
        "metric": ACCURACY,
        "maximize": "accuracy",
        "trials": 4,
        "max_parallel_jobs": 2,
        "seed": 1,
        "progress": False,
    }
    return builtin_search(job, space, **(usual | arguments))


def described(trial):
    return client_of().describe_training_job(TrainingJobName=trial.job)


def tuning_job_of(study):
    return next(t.job for t in study.trials if t.job).rsplit("-", 2)[0]  # a later one may end before the first


def eventually(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


# ---- a tuning job as a study


def test_each_training_job_is_a_trial_in_order_of_creation(aws, job):
    study = search(job, trials=5)
    assert [t.job for t in study.trials] == aws.jobs.started[-5:]
    assert study.stopped == {"trials": 5}
    for trial in study.trials:
        assert trial.status == "completed"
        assert trial.params["x"] == pytest.approx(float(described(trial)["HyperParameters"]["x"]), abs=1e-12)
        assert trial.metrics["accuracy"] == pytest.approx(1 - (trial.params["x"] - 0.3) ** 2, rel=1e-6)
    service = client_of().describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=tuning_job_of(study))
    assert study.best.job == service["BestTrainingJob"]["TrainingJobName"]


@pytest.mark.parametrize("strategy", ["Bayesian", "Random", "Hyperband"])
def test_the_strategy_is_the_optimizer_of_the_table(aws, job, strategy):
    study = search(job, strategy=strategy)
    assert study.optimizer == f"builtin-{strategy.lower()}"
    config = client_of().describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=tuning_job_of(study))
    assert config["HyperParameterTuningJobConfig"]["Strategy"] == strategy
    assert len(study.trials) == 4


def test_grid_runs_every_combination_of_listed_values(aws, job):
    space = {"x": eh.Ordinal([0.1, 0.2, 0.3]), "solver": eh.Categorical(["adam", "sgd"])}
    study = search(job, space, strategy="Grid", trials=6)
    assert {(t.params["x"], t.params["solver"]) for t in study.trials} == {
        (x, solver) for x in (0.1, 0.2, 0.3) for solver in ("adam", "sgd")
    }
    assert study.best.params["x"] == 0.3


def test_values_come_back_as_the_space_has_them(aws, job):
    space = {
        "x": eh.Continuous(1e-6, 1.0, scale="log"),
        "dropout": eh.Continuous(0.0, 0.99, scale="reverse_log"),
        "layers": eh.Integer(1, 64, scale="log"),
        "batch_size": eh.Ordinal([32, 64, 128]),
        "shuffle": eh.Categorical([True, False, None]),
        "solver": eh.Categorical(["adam", "sgd"]),
        "epochs": 3,
        "sizes": eh.Static([8, 8]),
    }
    study = search(job, space, strategy="Random", trials=12, max_parallel_jobs=4)
    for trial in study.trials:
        assert study.space.validate(trial.params) == trial.params
        sent = described(trial)["HyperParameters"]
        assert (sent["epochs"], sent["sizes"]) == ("3", "[8, 8]")
        assert sent["shuffle"] == {True: "true", False: "false", None: "null"}[trial.params["shuffle"]]
        assert sent["layers"] == str(trial.params["layers"])
    kinds = {name: {type(t.params[name]) for t in study.trials} for name in space}
    assert kinds["x"] == kinds["dropout"] == {float}
    assert kinds["layers"] == kinds["batch_size"] == kinds["epochs"] == {int}
    assert {t.params["shuffle"] for t in study.trials} == {True, False, None}


def test_the_space_overrides_the_hyperparameters_of_the_estimator(aws, job):
    study = search({**job, "HyperParameters": {"x": "0.9", "epochs": "3"}}, {**X, "epochs": 5}, trials=2)
    for trial in study.trials:
        sent = described(trial)["HyperParameters"]
        assert (float(sent["x"]), sent["epochs"]) == (pytest.approx(trial.params["x"]), "5")


def test_script_mode_gets_its_hyperparameters_as_json(aws, job, tmp_path):
    (tmp_path / "train.py").write_text("import sys; print(*sys.argv); print('accuracy=0.5')", "utf-8")
    with tarfile.open(tmp_path / "source.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "train.py", "train.py")
    client_of("s3").upload_file(str(tmp_path / "source.tar.gz"), aws.bucket, "source.tar.gz")
    source = f'"s3://{aws.bucket}/source.tar.gz"'
    static = {
        "sagemaker_program": '"train.py"',
        "sagemaker_submit_directory": source,
        "sagemaker_job_name": '"captured"',
    }
    space = {**X, "solver": eh.Categorical(["adam", "sgd"])}
    study = search({**job, "HyperParameters": static}, space, trials=2)
    for trial in study.trials:
        sent = described(trial)["HyperParameters"]
        assert (trial.status, sent["solver"]) == ("completed", f'"{trial.params["solver"]}"')
        assert sent["sagemaker_job_name"] == f'"{tuning_job_of(study)}"'
    assert tuning_trials(tuning_job_of(study))["solver"].tolist() == [t.params["solver"] for t in study.trials]


def test_single_precision_leaves_no_noise_in_metrics(aws, job):
    study = search(job, {"x": eh.Ordinal([0.3, 0.5])}, strategy="Grid", trials=2)
    assert sorted(t.metrics["accuracy"] for t in study.trials) == [0.96, 1.0]


def test_all_metrics_and_what_it_cost_are_in_the_table(aws, job):
    metrics = ACCURACY | {"loss": r"loss=(\S+)"}
    study = search(job, metric=metrics, prices={"ml.m5.large": 3600.0}, trials=2)
    for trial in study.trials:
        billed = described(trial)["BillableTimeInSeconds"]
        assert trial.metrics == {
            "accuracy": trial.metrics["accuracy"], "loss": 2.5, "billable_seconds": billed, "cost": pytest.approx(billed)
        }  # fmt: skip
        assert (trial.seconds, trial.worker) == (described(trial)["TrainingTimeInSeconds"], "ml.m5.large")
    assert {"loss", "cost", "billable_seconds", "job", "seconds"} <= set(study.table())


def test_metrics_that_the_estimator_defines_are_named_alone(aws, job):
    job["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "loss", "Regex": r"loss=(\S+)"}]
    assert search(job, metric="loss", maximize=None, minimize="loss", trials=1).best.metrics["loss"] == 2.5


def test_a_configuration_that_comes_again_is_measured_again(aws, job):
    study = search(job, {"x": eh.Ordinal([0.1, 0.3])}, strategy="Random", trials=5)
    assert len({t.params["x"] for t in study.trials}) <= 2
    assert all(t.seconds > 0 for t in study.trials)
    assert [t.job for t in study.trials] == aws.jobs.started[-5:]


def test_names_begin_as_wished_and_always_fit(aws, job):
    assert tuning_job_of(search(job, job_prefix="mine", trials=1)).startswith("mine-")
    long = tuning_job_of(search(job, name="a study_with, a long name; and then some", trials=1))
    assert (long[:25], len(long)) == ("a-study-with-a-long-name-", 31)


def test_early_stopping_is_left_to_the_service(aws, job):
    for early, kind in ((True, "Auto"), (False, "Off")):
        name = tuning_job_of(search(job, early_stopping=early, trials=1))
        config = client_of().describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        assert config["HyperParameterTuningJobConfig"]["TrainingJobEarlyStoppingType"] == kind


def test_callbacks_hear_of_every_trial_that_ended(aws, job):
    heard = []
    search(job, callbacks=[lambda study, trial: heard.append((trial.number, trial.status.value))])
    assert sorted(heard) == [(n, "completed") for n in range(4)]


def test_callbacks_that_want_to_hear_of_starts_and_of_the_end_too(aws, job):
    heard = []

    class Hears:
        def begin(self, study):
            heard.append("begin")

        def started(self, study, trial):
            heard.append(("started", trial.number))

        def ended(self, study, trial):
            assert ("started", trial.number) in heard
            heard.append(("ended", trial.number))

        def finish(self, study):
            heard.append("finish")

    search(job, callbacks=[Hears()])
    assert (heard[0], heard[-1]) == ("begin", "finish")
    assert sorted(heard[1:-1]) == [(event, n) for event in ("ended", "started") for n in range(4)]
    jobs = len(aws.jobs.started)
    with pytest.raises(UsageError, match="begin, started, reported"):
        search(job, callbacks=[object()])
    assert len(aws.jobs.started) == jobs


# ---- failures and ends


def test_failures_say_why_and_do_not_end_the_search(aws, job):
    space = {"solver": eh.Categorical(["fine", "broken", "silent"]), "x": eh.Ordinal([0.2, 0.3])}
    study = search(job, space, strategy="Grid", trials=6)
    by_solver = {t.params["solver"]: t for t in study.trials}
    assert by_solver["fine"].status == "completed"
    assert (by_solver["broken"].kind, by_solver["broken"].error) == ("raised", "AlgorithmError: , exit code: 3")
    assert by_solver["silent"].kind == "value"
    assert "printed nothing for metric 'accuracy'" in by_solver["silent"].error
    assert all(t.metrics["billable_seconds"] > 0 for t in study.trials)  # failures cost, too


def test_a_tuning_job_that_fails_is_warned_of_with_the_reason(aws, job):
    with pytest.warns(EvohpoWarning, match="All training jobs failed"):
        study = search(job, {**X, "solver": "broken"}, trials=2)
    assert [t.status for t in study.trials] == ["failed", "failed"]
    assert study.stopped["tuning job"].startswith("Failed")


def test_a_tuning_job_that_somebody_stops_keeps_what_it_measured(aws, job):
    def stop(study, trial):
        client_of().stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=tuning_job_of(study))

    space = {"x": eh.Ordinal([0.1, 0.3]), "sleep": eh.Ordinal([0, 600])}
    study = search(job, space, strategy="Grid", trials=4, max_parallel_jobs=2, callbacks=[_once(stop)])
    assert study.stopped == {"tuning job": "Stopped"}
    by_sleep = {t.params["sleep"]: t for t in study.trials[:2]}
    assert (by_sleep[0].status, by_sleep[600].status) == ("completed", "stopped")
    assert by_sleep[600].metrics["accuracy"] == 0.96


def test_a_training_job_stopped_before_it_printed_anything_has_failed(aws, job):
    study = search(job, {**X, "sleep_first": 600}, trials=2, timeout=1.5)
    assert study.stopped == {"timeout": 1.5}
    assert [(t.status, t.kind) for t in study.trials] == [("failed", "stopped")] * 2


def test_a_timeout_stops_the_tuning_job_for_good(aws, job):
    study = search(job, {**X, "sleep": 600}, trials=9, timeout=2.0)
    tuning = client_of().describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=tuning_job_of(study))
    assert tuning["HyperParameterTuningJobStatus"] == "Stopped"
    assert [t.status for t in study.trials] == ["stopped", "stopped"]


def test_a_training_job_that_takes_too_long_is_a_timeout(aws, job):
    job["StoppingCondition"] = {"MaxRuntimeInSeconds": 1}
    space = {"x": 0.3, "sleep_first": eh.Ordinal([0, 600])}
    slow = max(search(job, space, strategy="Grid", trials=2).trials, key=lambda t: t.params["sleep_first"])
    assert (slow.status, slow.kind) == ("failed", "timeout")
    assert "took too long" in slow.error


def test_throttling_is_waited_out(aws, job):
    def throttle(study, trial):
        aws.faults.throttle = 6

    impatient = boto3.client("sagemaker", config=Config(retries={"total_max_attempts": 1}))
    assert len(search(job, client=impatient, callbacks=[_once(throttle)]).trials) == 4
    assert aws.faults.throttle == 0


class Client:
    """A client that passes everything on, for tests to change one thing."""

    def __init__(self):
        self.real = client_of()

    def __getattr__(self, name):
        return getattr(self.real, name)


def test_trials_keep_their_order_when_a_training_job_is_listed_late(aws, job):
    class Late(Client):
        seen = False

        def get_paginator(self, operation):
            return self

        def paginate(self, **arguments):
            for page in self.real.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
                **arguments
            ):
                jobs = page["TrainingJobSummaries"]
                hidden = not self.seen
                self.seen = self.seen or any("-003-" in j["TrainingJobName"] for j in jobs)
                yield {"TrainingJobSummaries": [j for j in jobs if not hidden or "-002-" not in j["TrainingJobName"]]}

    client = Late()
    study = search(job, {**X, "sleep": 0.5}, client=client)
    assert client.seen
    assert [t.job for t in study.trials] == aws.jobs.started[-4:]
    for trial in study.trials:
        assert trial.metrics["accuracy"] == pytest.approx(1 - (trial.params["x"] - 0.3) ** 2, rel=1e-6)


def test_a_lost_answer_starts_no_second_tuning_job(aws, job):
    class Lost(Client):
        def create_hyper_parameter_tuning_job(self, **request):
            self.real.create_hyper_parameter_tuning_job(**request)
            return self.real.create_hyper_parameter_tuning_job(**request)  # as boto3 repeats it

    before = len(aws.jobs.started)
    assert len(search(job, client=Lost()).trials) == len(aws.jobs.started) - before == 4


# ---- warm start, and other studies


def test_results_of_an_earlier_study_are_where_the_next_one_begins(aws, job):
    first = search(job, trials=8, strategy="Random")
    second = search(job, trials=2, warm_start=first)
    third = search(job, trials=2, warm_start=[tuning_job_of(first), tuning_job_of(second)])
    for study, parents in ((second, [first]), (third, [first, second])):
        config = client_of().describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=tuning_job_of(study))
        names = [p["HyperParameterTuningJobName"] for p in config["WarmStartConfig"]["ParentHyperParameterTuningJobs"]]
        assert names == [tuning_job_of(p) for p in parents]


def test_an_existing_tuning_job_is_the_beginning_of_a_study_of_ours(aws, job):
    space = {
        "x": eh.Continuous(0.0, 1.0),
        "layers": eh.Integer(1, 9),
        "shuffle": eh.Categorical([True, False]),
        "solver": eh.Categorical(["fine", "broken"]),
        "epochs": 3,
    }
    known = search(job, space, strategy="Random", trials=10, max_parallel_jobs=4)
    frame = tuning_trials(tuning_job_of(known))
    assert frame["job"].tolist() == [t.job for t in known.trials]
    assert frame["status"].tolist() == [t.status.value for t in known.trials]

    ga = eh.Study(space, maximize="accuracy", optimizer="ga", seed=1)
    ga.attach(frame.dropna(subset="accuracy"))
    measured = [t for t in known.trials if not t.failed]
    assert 0 < len(measured) < 10
    assert [t.params for t in ga.trials] == [t.params for t in measured]
    assert ga.best.metrics["accuracy"] == known.best.metrics["accuracy"]


def test_a_tuning_job_that_is_not_there_has_no_trials(aws):
    with pytest.raises(UsageError, match="Requested resource not found"):
        tuning_trials("nobody")


# ---- durability

DRIVER = """
    import sys, evohpo as eh
    from evohpo.sagemaker import builtin_search
    job, store = eval(sys.argv[1]), sys.argv[2]
    study = builtin_search(
        job, {"x": eh.Continuous(0.0, 1.0), "sleep": 0.5}, metric={"accuracy": r"accuracy=(\\S+)"}, maximize="accuracy",
        trials=6, max_parallel_jobs=2, strategy="Random", seed=1, store=store, callbacks=[lambda *_: print("ended", flush=True)],
    )
    print(study.stopped, flush=True)
"""


def drive(aws, job, store):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(DRIVER), repr(job), str(store)],
        env={**os.environ, **aws.environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def comparable(study):
    return study.table().drop(columns=["seconds", "billable_seconds", "job"])


def test_a_killed_driver_finds_its_tuning_job_again_and_starts_nothing_twice(aws, job, tmp_path):
    before = len(aws.jobs.started)
    driver = drive(aws, job, tmp_path / "study.db")
    assert driver.stdout.readline() == "ended\n"
    driver.kill()
    driver.wait()
    killed = eh.load(tmp_path / "study.db")
    assert 1 <= killed.ledger.ended < 6

    space = {**X, "sleep": 0.5}
    study = search(job, space, trials=6, strategy="Random", store=tmp_path / "study.db")
    assert len(aws.jobs.started) - before == 6
    assert [t.job for t in study.trials] == aws.jobs.started[before:]
    pd.testing.assert_frame_equal(comparable(study), comparable(search(job, space, trials=6, strategy="Random")))


def test_a_driver_killed_between_two_writes_loses_and_repeats_nothing(aws, job, tmp_path, monkeypatch):
    ask, calls = eh.Study.ask, []

    def dies(study, n=1):
        calls.append(n)
        if len(calls) == 3:
            raise SystemExit("killed after a configuration was written and before its trial was")
        return ask(study, n)

    monkeypatch.setattr(eh.Study, "ask", dies)
    with pytest.raises(SystemExit):
        search(job, store=tmp_path / "study.db")
    monkeypatch.undo()
    assert len(eh.load(tmp_path / "study.db").trials) == 1
    study = search(job, store=tmp_path / "study.db")
    assert [t.job for t in study.trials] == aws.jobs.started[-4:]
    for trial in study.trials:
        assert trial.params["x"] == pytest.approx(float(described(trial)["HyperParameters"]["x"]), abs=1e-12)


def test_trials_that_ended_while_nobody_followed_are_told_later(aws, job, tmp_path):
    driver = drive(aws, job, tmp_path / "study.db")
    assert driver.stdout.readline() == "ended\n"
    driver.kill()
    driver.wait()
    name = tuning_job_of(eh.load(tmp_path / "study.db"))
    status = "HyperParameterTuningJobStatus"
    describe = client_of().describe_hyper_parameter_tuning_job
    eventually(lambda: describe(HyperParameterTuningJobName=name)[status] == "Completed")
    study = search(job, {**X, "sleep": 0.5}, trials=6, strategy="Random", store=tmp_path / "study.db")
    assert [t.status for t in study.trials] == ["completed"] * 6


def test_ctrl_c_ends_the_following_and_not_the_tuning_job(aws, job, tmp_path):
    driver = drive(aws, job, tmp_path / "study.db")
    assert driver.stdout.readline() == "ended\n"
    driver.send_signal(signal.SIGINT)
    said, message = driver.communicate(timeout=60)
    assert "{'interrupted': True}" in said
    name = re.search(r"--hyper-parameter-tuning-job-name (\S+)", message)[1]
    status = client_of().describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    assert status["HyperParameterTuningJobStatus"] == "InProgress"
    client_of().stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)


def test_a_finished_study_is_read_without_the_service(aws, job, tmp_path):
    first = search(job, trials=2, store=tmp_path / "study.db")
    before = len(aws.jobs.started)
    again = search(job, trials=2, store=tmp_path / "study.db", client=object())
    pd.testing.assert_frame_equal(first.table(), again.table())
    assert len(aws.jobs.started) == before


def test_a_finished_tuning_job_cannot_be_made_longer(aws, job, tmp_path):
    search(job, trials=2, store=tmp_path / "study.db")
    with pytest.raises(UsageError, match=r"cannot be changed.*warm_start="):
        search(job, trials=3, store=tmp_path / "study.db")


# ---- what is refused, before anything is started


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (
            {**X, "solver": eh.Categorical(["a", "b"]), "m": eh.Integer(1, 9, when={"solver": "a"})},
            "conditional parameters .m.",
        ),
        (eh.Space({**X, "y": eh.Continuous(0, 1)}, constraints=["x <= y"]), "knows no constraints .x <= y."),
        ({"x": eh.Continuous(0.0, 1.0, step=0.1)}, "'x' has step=0.1"),
        ({"x": eh.Integer(0, 10, step=2)}, "'x' has step=2"),
        ({"x": eh.Continuous(0.1, 0.9, scale="logit")}, "no logit scale, which parameter 'x' has"),
        ({"x": eh.Integer(1, 9, scale="reverse_log")}, "'x' is an Integer"),
        ({f"x{i}": eh.Continuous(0, 1) for i in range(31)}, "1 to 30 parameters, not 31"),
        ({"x": 1}, "1 to 30 parameters, not 0"),
        ({"x": eh.Categorical(list(range(31)))}, "'x' has 31"),
        ({"x": eh.Categorical(["only"])}, "give 'x' the plain value"),
        ({"x": eh.Categorical([1, "1"])}, "two values of parameter 'x' as the same text"),
        ({"x": eh.Categorical(["a", "b" * 257])}, "'x' has a longer one"),
    ],
)
def test_spaces_that_the_built_in_tuner_cannot_search_are_refused(aws, job, tmp_path, space, message):
    before = len(aws.jobs.started)
    with pytest.raises(UsageError, match=f"{message}.*Nothing was started"):
        search(job, space, store=tmp_path / "study.db")
    assert len(aws.jobs.started) == before
    assert not (tmp_path / "study.db").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"maximize": None}, "one objective"),
        ({"minimize": "accuracy"}, "one objective"),
        ({"maximize": ["accuracy", "loss"]}, "one objective"),
        ({"maximize": "f1"}, "needs the metric 'f1', and metric= has accuracy"),
        ({"trials": 0}, "trials=0"),
        ({"max_parallel_jobs": 0}, "max_parallel_jobs=0"),
        ({"strategy": "Evolution"}, "one of Bayesian, Random, Hyperband, Grid"),
        ({"strategy": "Hyperband", "early_stopping": True}, "stops training jobs by itself"),
        ({"strategy": "Grid"}, "listed values only, and parameter 'x' is a range"),
        ({"space": {"x": eh.Ordinal([1, 2])}, "strategy": "Grid", "trials": 3}, "trials must be 2, not 3"),
        ({"job_prefix": "x" * 26}, "up to 25 letters"),
        ({"job_prefix": "under_score"}, "letters, digits and hyphens"),
        ({"warm_start": [f"t{i}" for i in range(6)]}, "up to 5 tuning jobs"),
        ({"prices": {"ml.c5.xlarge": 1.0}}, "no price for ml.m5.large"),
        ({"timeout": 0}, "timeout=0"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(aws, job, arguments, message):
    with pytest.raises(UsageError, match=message):
        search(job, **arguments)


def test_a_script_that_needs_an_entry_point_is_refused(aws, job):
    job["AlgorithmSpecification"]["ContainerEntrypoint"] = ["python", "train.py"]
    with pytest.raises(UsageError, match=r"ContainerEntrypoint.*evohpo\.SageMaker can"):
        search(job)


def test_what_the_service_refuses_says_so(aws, job):
    aws.jobs.quota = 1
    try:
        with pytest.raises(UsageError, match=r"is 1 Instances.*ResourceLimitExceeded"):
            search(job, max_parallel_jobs=2)
    finally:
        aws.jobs.quota = None
    with pytest.raises(UsageError, match="does not exist"):
        search(job, warm_start="nobody")


def test_a_warm_start_from_a_study_of_another_kind_is_refused(aws, job):
    other = eh.tune(lambda p: p["x"], X, minimize="loss", trials=2, optimizer="random", progress=False)
    with pytest.raises(UsageError, match="no training job of a tuning job"):
        search(job, warm_start=other)


def _once(function):
    """Return a callback that does something the first time only."""
    done = []

    def call(*arguments):
        if not done:
            done.append(True)
            function(*arguments)

    return call
