"""Metrics as they are printed: pruners stop jobs, and promoted ones go on from their own checkpoints."""

from __future__ import annotations

import re

import boto3
import pytest

import evohpo as eh
from tests.sagemaker.conftest import LOSS, SPACE, loss, request_of, search

EPOCH = r"epoch=(\d+)"


def evaluator(aws, steps=EPOCH, **static):
    return eh.SageMaker(request_of(aws, **{"steps": 9, "pause": 0.05, **static}), LOSS, steps=steps)


@pytest.mark.parametrize("steps", [EPOCH, True])
def test_every_step_is_reported(aws, steps):
    study = search(evaluator(aws, steps), trials=2)
    curves = study.curves()
    for trial in study.trials:
        own = curves.query(f"number == {trial.number}")
        assert list(own.step) == list(range(1, 10))
        assert list(own.loss) == pytest.approx([loss(trial.params) - 1 / 3 + 1 / s for s in range(1, 10)])
        assert trial.metrics["loss"] == own.loss.iloc[-1]


def test_a_pruner_stops_jobs_and_saves_what_they_would_have_cost(aws):
    study = search(evaluator(aws, pause=0.3), pruner=eh.ASHA(max_steps=9), trials=9)
    stopped = [t for t in study.trials if str(t.status) == "stopped"]
    assert stopped
    client = boto3.client("sagemaker")
    for trial in stopped:
        assert client.describe_training_job(TrainingJobName=trial.job)["TrainingJobStatus"] == "Stopped"
        assert trial.metrics["billable_seconds"] > 0
        assert trial.steps in (1, 3)
    here = eh.tune(_curve, SPACE, minimize="loss", optimizer="random", trials=9, seed=1, progress=False)
    assert study.best.params == here.best.params


def test_promotion_goes_on_from_the_trial_s_own_checkpoints(aws):
    study = search(evaluator(aws, pause=0.3), pruner=eh.SuccessiveHalving(9, 9), trials=9)
    promoted = [t for t in study.trials if t.resumed]
    assert promoted
    client = boto3.client("sagemaker")
    for trial in promoted:
        assert trial.resumed == "checkpoint"
        assert [step for step, _ in trial.reports] == list(range(1, trial.steps + 1))
        jobs = [n for n in aws.jobs.started if n.startswith(re.sub(r"-s\d+.*", "", trial.job))]
        assert len(jobs) >= 2
        prefixes = {client.describe_training_job(TrainingJobName=n)["CheckpointConfig"]["S3Uri"] for n in jobs}
        assert len(prefixes) == 1


def test_a_script_that_keeps_no_checkpoints_is_run_again(aws):
    study = search(evaluator(aws, pause=0.2, mode="forgetful"), pruner=eh.SuccessiveHalving(9, 9), trials=9)
    promoted = [t for t in study.trials if t.resumed]
    assert {t.resumed for t in promoted} == {"re-run"}
    for trial in promoted:
        assert [step for step, _ in trial.reports] == list(range(1, trial.steps + 1))


def test_each_trial_has_a_folder_of_its_own(aws):
    study = search(evaluator(aws), trials=3)
    client = boto3.client("sagemaker")
    uris = [client.describe_training_job(TrainingJobName=t.job)["CheckpointConfig"]["S3Uri"] for t in study.trials]
    assert uris == [f"s3://{aws.bucket}/output/checkpoints/{t.job}" for t in study.trials]


def test_population_based_training_hands_checkpoints_on(aws):
    study = search(
        evaluator(aws, steps=EPOCH, pause=0.0),
        optimizer=eh.PBT(interval=3, max_steps=9),
        population=3,
        trials=9,
        workers=3,
    )
    heirs = [t for t in study.trials if t.heir >= 0]
    assert heirs
    for trial in heirs:
        assert trial.reports is not None
        assert trial.reports[0][0] == study.trials[trial.heir].steps + 1  # it went on where the other one was


def _curve(params):
    for step in range(1, 10):
        yield {"loss": loss(params) - 1 / 3 + 1 / step}
