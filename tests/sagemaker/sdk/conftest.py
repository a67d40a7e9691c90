"""SageMaker on this machine, and what its jobs saw and said."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

import evohpo as eh

CODE = Path(__file__).parent / "code"
SCRIPTS = Path(__file__).parents[3] / "notebooks/scripts"  # with the training script of notebook 06
REGEX = r"accuracy=(\S+)"

# four individuals: what looks like JSON, like a number or like a boolean, and a float whose last digit counts
INDIVIDUALS = [
    {"learning_rate": 0.1 + 0.2, "layers": 1, "solver": "sgd", "nesterov": True},
    {"learning_rate": 1e-05, "layers": 2, "solver": "adam", "nesterov": False},
    {"learning_rate": 1 / 3, "layers": 3, "solver": "1e3", "nesterov": True},
    {"learning_rate": 1e-300, "layers": 4, "solver": "adam", "nesterov": False},
]


@pytest.fixture
def aws():
    local = pytest.importorskip("evohpo.sagemaker.local")
    with local.LocalSageMaker() as service:
        yield service


@pytest.fixture
def s3(aws):
    import boto3

    client = boto3.client("s3")
    client.put_object(Bucket=aws.bucket, Key="data/rows.csv", Body=b"1\n2\n3\n")
    return client


@pytest.fixture
def uploads(s3, aws):
    """A function that returns the objects there are, by key, without those that jobs left."""

    def listed():
        contents = s3.list_objects_v2(Bucket=aws.bucket).get("Contents", ())
        keys = [item["Key"] for item in contents]
        return sorted(k for k in keys if not k.endswith("model.tar.gz") and not k.startswith("data/"))

    return listed


@pytest.fixture
def run(aws):
    """A function that runs the clones of a template through boto3 and returns, a job each, its description and what it saw."""
    import boto3

    sagemaker, logs = boto3.client("sagemaker"), boto3.client("logs")

    def saw(name):
        group = "/aws/sagemaker/TrainingJobs"
        stream = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"][0]
        events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)
        lines = [event["message"] for event in events["events"]]
        found = [line for line in lines if line.startswith("saw: ")]
        assert len(found) == 1, "\n".join(lines)
        return json.loads(found[0].removeprefix("saw: "))

    def jobs(template, individuals=INDIVIDUALS):
        names = [f"clone-{i}" for i in range(len(individuals))]
        for name, params in zip(names, individuals, strict=True):
            sagemaker.create_training_job(**template.clone(name, params))
        deadline = time.monotonic() + 120
        ended = []
        for name in names:
            while True:
                job = sagemaker.describe_training_job(TrainingJobName=name)
                if job["TrainingJobStatus"] not in ("InProgress", "Stopping"):
                    break
                assert time.monotonic() < deadline, f"{name} is still {job['SecondaryStatus']}"
                time.sleep(0.1)
            assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
            ended.append((job, saw(name)))
        return ended

    return jobs


@pytest.fixture
def generations(aws, tmp_path):
    """A function that searches in two generations of an estimator of the notebook's script, and checks what came of it."""
    import boto3

    rng = np.random.default_rng(0)
    y = np.arange(200) % 10
    X = rng.random((10, 64))[y] + 0.1 * rng.standard_normal((200, 64))  # ten classes, easily told apart
    np.savez(tmp_path / "digits.npz", X=X[:100], y=y[:100], X_valid=X[100:], y_valid=y[100:])
    boto3.client("s3").upload_file(str(tmp_path / "digits.npz"), aws.bucket, "digits/digits.npz")
    space = {
        "learning_rate": eh.Continuous(0.05, 0.2, scale="log"),
        "num_epoch": eh.Integer(5, 20),
        "batch_size": 20,
        "activation": eh.Categorical(["relu", "tanh", "sigmoid"]),
    }

    def searched(estimator, inputs):
        evaluator = eh.SageMaker(estimator, {"accuracy": r"Validation-accuracy=(\S+)"}, inputs=inputs)
        study = eh.tune(
            None, space, maximize="accuracy", evaluator=evaluator, optimizer="ga", generations=2, population=4, workers=2,
            seed=1, progress=False,
        )  # fmt: skip
        assert [str(t.status) for t in study.trials] == ["completed"] * 8, [t.error for t in study.trials]
        assert [t.job[-10:] for t in study.trials] == [f"-g00{g}-i00{i}" for g in range(2) for i in range(4)]
        assert study.best.metrics["accuracy"] > 0.9
        return study

    return searched
