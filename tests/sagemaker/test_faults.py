"""What goes wrong in the cloud, made to go wrong: each ends as documented, nothing hangs, nothing is lost."""

from __future__ import annotations

import threading
import time

import boto3
import pytest

import evohpo as eh
from tests.sagemaker.conftest import LOSS, loss, request_of, search


def most_at_once(aws, names) -> int:
    """How many of the jobs held an instance at the same time."""
    client = boto3.client("sagemaker")
    spans = [client.describe_training_job(TrainingJobName=n) for n in names]
    starts = [(s["CreationTime"], 1) for s in spans] + [(s["LastModifiedTime"], -1) for s in spans]
    running = most = 0
    for _, change in sorted(starts):
        running += change
        most = max(most, running)
    return most


def test_bursts_of_throttling_are_sat_out(aws):
    def burst() -> None:
        for _ in range(4):
            aws.faults.throttle = 3
            time.sleep(0.2)

    thread = threading.Thread(target=burst)
    thread.start()
    study = search(eh.SageMaker(request_of(aws), LOSS), trials=8)
    thread.join()
    assert {str(t.status) for t in study.trials} == {"completed"}
    assert [t.job for t in study.trials] == aws.jobs.started[-8:]  # in order, each once


def test_throttling_that_outlasts_the_retries_of_boto3_is_sat_out_too(aws, monkeypatch):
    monkeypatch.setattr("evohpo.sagemaker.clients.ATTEMPTS", 1)
    evaluator = eh.SageMaker(request_of(aws), LOSS)
    threading.Timer(0.3, setattr, (aws.faults, "throttle", 20)).start()
    study = search(evaluator, trials=8, workers=2)
    assert {str(t.status) for t in study.trials} == {"completed"}


def test_a_lost_answer_starts_no_job_twice(aws):
    aws.faults.lost_responses = 3
    study = search(eh.SageMaker(request_of(aws), LOSS), trials=6)
    assert {str(t.status) for t in study.trials} == {"completed"}
    assert aws.jobs.started[-6:] == [t.job for t in study.trials]


def test_a_quota_of_two_and_a_population_of_eight(aws):
    aws.jobs.quota = 2
    with pytest.warns(eh.EvohpoWarning, match=r"fewer jobs than 8 run at once, now 2: The account-level service limit"):
        study = search(
            eh.SageMaker(request_of(aws, pause=0.1), LOSS),
            optimizer="ga",
            trials=None,
            generations=2,
            population=8,
            workers=8,
        )
    assert {str(t.status) for t in study.trials} == {"completed"}
    assert len(study.trials) == 16
    assert most_at_once(aws, [t.job for t in study.trials]) == 2


def test_more_jobs_run_again_when_the_quota_grows(aws):
    aws.jobs.quota = 1

    def grant(study, trial):
        aws.jobs.quota = None  # the first has ended; the others were refused meanwhile

    with pytest.warns(eh.EvohpoWarning, match="fewer jobs than 4"):
        study = search(eh.SageMaker(request_of(aws, pause=0.2), LOSS), trials=20, optimizer="random", callbacks=[grant])
    assert most_at_once(aws, [t.job for t in study.trials[-8:]]) >= 3


def test_an_account_without_any_instance_of_the_kind_is_told_so_at_once(aws):
    aws.jobs.quota = {"ml.m5.large": 0}
    with pytest.raises(eh.UsageError, match=r"is 0 Instances, .* request an increase"):
        search(eh.SageMaker(request_of(aws), LOSS))


def test_jobs_without_an_instance_are_started_again_under_the_next_name(aws):
    aws.faults.capacity = 0.1
    study = search(eh.SageMaker(request_of(aws), LOSS), trials=40, workers=8)
    assert {str(t.status) for t in study.trials} == {"completed"}
    again = [t.job for t in study.trials if t.job.endswith("-r1")]
    assert again
    assert set(again) < set(aws.jobs.started)


def test_an_instance_that_never_comes_is_the_fault_of_nobody(aws):
    aws.faults.capacity = 1.0
    study = search(eh.SageMaker(request_of(aws), LOSS, retries=1), trials=2)
    for trial in study.trials:
        assert trial.kind == "lost"
        assert trial.error.startswith("CapacityError: Unable to provision")
        assert trial.error.endswith("(tried 2 times)")


def test_a_job_without_metric_says_what_was_looked_for(aws):
    study = search(eh.SageMaker(request_of(aws, mode="silent"), LOSS, patience=0.3), trials=1)
    trial = study.trials[0]
    assert trial.kind == "value"
    looked = r"its pattern 'loss=(\\S+)' matches none of 0 lines"
    assert trial.error == f"training job {trial.job} completed without metric 'loss': {looked}"


def test_late_logs_are_waited_for(aws):
    aws.faults.log_delay = 1.0
    study = search(eh.SageMaker(request_of(aws), LOSS, reduce="min"), trials=2)
    assert [t.metrics["loss"] for t in study.trials] == pytest.approx([loss(t.params) for t in study.trials])


def test_nan_is_a_failure_with_its_reason(aws):
    study = search(eh.SageMaker(request_of(aws, mode="nan"), LOSS, patience=2.0), trials=1)
    assert (study.trials[0].kind, study.trials[0].error) == (
        "value",
        f"training job {study.trials[0].job}: loss is nan",
    )


def test_a_name_of_80_characters_is_cut_where_it_does_no_harm(aws):
    study = search(eh.SageMaker(request_of(aws), LOSS, job_prefix="p" * 80), trials=2, name="n" * 80)
    assert all(len(t.job) <= 63 for t in study.trials)
    assert [t.job[-16:] for t in study.trials] == [f"{study.settings.id}-g000-i000", f"{study.settings.id}-g000-i001"]


def test_a_hanging_job_ends_at_its_limit(aws):
    study = search(eh.SageMaker(request_of(aws, mode="hang"), LOSS, max_runtime=1), trials=2)
    for trial in study.trials:
        assert (trial.kind, str(trial.status)) == ("timeout", "failed")
        assert trial.error.endswith("took longer than its MaxRuntimeInSeconds")


def test_a_job_that_somebody_stopped_is_no_result(aws):
    evaluator = eh.SageMaker(request_of(aws, mode="hang"), LOSS)

    def stop_it() -> None:
        client = boto3.client("sagemaker")
        while not (jobs := client.list_training_jobs(StatusEquals="InProgress")["TrainingJobSummaries"]):
            time.sleep(0.05)
        client.stop_training_job(TrainingJobName=jobs[0]["TrainingJobName"])

    thread = threading.Thread(target=stop_it)
    thread.start()
    study = search(evaluator, trials=1)
    thread.join()
    assert study.trials[0].error.endswith("was stopped by somebody else")


def test_a_spot_interruption_is_the_service_s_business(aws):
    aws.faults.interruptions = 1.0
    study = search(eh.SageMaker(request_of(aws, pause=0.3), LOSS, spot=True), trials=2)
    assert [t.metrics["loss"] for t in study.trials] == pytest.approx([loss(t.params) for t in study.trials])
    job = boto3.client("sagemaker").describe_training_job(TrainingJobName=study.trials[0].job)
    assert "Interrupted" in [s["Status"] for s in job["SecondaryStatusTransitions"]]
    assert job["BillableTimeInSeconds"] <= job["TrainingTimeInSeconds"]


def test_jobs_that_are_slow_to_be_listed_are_not_given_up(aws):
    aws.faults.list_delay = 2.0
    study = search(eh.SageMaker(request_of(aws), LOSS), trials=4)
    assert {str(t.status) for t in study.trials} == {"completed"}


def test_a_refused_request_fails_the_first_job_loudly_and_later_ones_alone(aws):
    with pytest.raises(eh.UsageError, match=r"hyperparameter 'x' is 3000 characters of text.*Nothing was started"):
        search(eh.SageMaker(request_of(aws), LOSS), {"x": eh.Categorical(["1" * 3000])})
    study = search(
        eh.SageMaker(request_of(aws), LOSS),
        {"x": eh.Ordinal(["0.1", "0.2", "0." + "3" * 3000])},
        optimizer="grid",
        trials=3,
    )
    assert [t.failed for t in study.trials] == [False, False, True]
    assert "at most 2500" in study.trials[2].error


@pytest.mark.parametrize(("on_exit", "status"), [("stop", "Stopped"), ("ask", "Stopped"), ("leave", "InProgress")])
def test_a_run_broken_off_stops_its_jobs_or_leaves_them(aws, on_exit, status, tmp_path, capfd):
    evaluator = eh.SageMaker(request_of(aws, mode="hang"), LOSS, on_exit=on_exit)
    study = search(evaluator, trials=2, timeout=1.0, store=tmp_path / "s.db")
    client, deadline = boto3.client("sagemaker"), time.monotonic() + 5
    names = [n for n in aws.jobs.started if study.settings.id in n]
    assert len(names) == 2
    while time.monotonic() < deadline:
        said = {client.describe_training_job(TrainingJobName=n)["TrainingJobStatus"] for n in names}
        if said == {status} != {"InProgress"}:
            break
        time.sleep(0.1)
    assert said == {status}
    assert ("2 training jobs go on" in capfd.readouterr().err) == (on_exit == "leave")
    for name in names if on_exit == "leave" else ():
        client.stop_training_job(TrainingJobName=name)


def test_a_run_that_was_stopped_starts_its_trials_again_under_new_names(aws, tmp_path):
    how = {"store": tmp_path / "s.db", "trials": 3}
    search(eh.SageMaker(request_of(aws, pause=0.5), LOSS), timeout=0.6, **how)
    study = search(eh.SageMaker(request_of(aws, pause=0.0), LOSS), **how)
    assert [str(t.status) for t in study.trials] == ["completed"] * 3
    assert all(t.job.endswith("-r1") for t in study.trials)
