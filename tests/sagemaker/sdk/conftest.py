"""SageMaker on this machine, and what its jobs saw and said."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

CODE = Path(__file__).parent / "code"
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
