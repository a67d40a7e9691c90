"""The local service, spoken to with unmodified boto3: the contract of a container, the states of a job, the API's refusals."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time

import boto3
import pytest
from botocore.exceptions import ClientError

from evohpo.sagemaker.local import LocalSageMaker
from tests.sagemaker.conftest import request_of

SEEN = """
import json, os, pathlib, sys
base = pathlib.Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
seen = {name: value for name, value in os.environ.items() if name.startswith("SM_")}
seen |= {"argv": sys.argv[1:], "job": os.environ["TRAINING_JOB_NAME"], "own": os.environ["OWN"]}
seen["files"] = sorted(str(p.relative_to(base)) for p in base.rglob("*") if p.is_file())
seen["data"] = (base / "input/data/training/part.csv").read_text()
(pathlib.Path(os.environ["SM_MODEL_DIR"]) / "seen.json").write_text(json.dumps(seen))
"""


@pytest.fixture
def client(aws):
    return boto3.client("sagemaker")


def start(client, aws, name, **changes):
    request = {**request_of(aws, x=0.5), "TrainingJobName": name, **changes}
    client.create_training_job(**request)
    return name


def wait(client, name, *until):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        job = client.describe_training_job(TrainingJobName=name)
        if job["TrainingJobStatus"] in (until or ("Completed", "Failed", "Stopped")):
            return job
        time.sleep(0.05)
    raise AssertionError(f"{name} is still {job['TrainingJobStatus']}")


def model(name, aws):
    body = boto3.client("s3").get_object(Bucket=aws.bucket, Key=f"output/{name}/output/model.tar.gz")["Body"].read()
    return tarfile.open(fileobj=io.BytesIO(body))


def test_a_script_finds_what_it_would_find_in_a_container(aws, client):
    boto3.client("s3").put_object(Bucket=aws.bucket, Key="train/part.csv", Body=b"1,2")
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{aws.bucket}/train"}
    name = start(
        client, aws, "contract", Environment={"OWN": "yes"},
        AlgorithmSpecification={
            "TrainingImage": "any", "TrainingInputMode": "File", "ContainerEntrypoint": [sys.executable, "-c", SEEN],
            "ContainerArguments": ["--fast"],
        },
        InputDataConfig=[{"ChannelName": "training", "DataSource": {"S3DataSource": source}}],
    )  # fmt: skip
    job = wait(client, name)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    seen = json.loads(model(name, aws).extractfile("./seen.json").read())
    assert seen["data"] == "1,2"
    assert seen["argv"] == ["--fast"]
    assert (seen["job"], seen["own"]) == ("contract", "yes")
    assert json.loads(seen["SM_CHANNELS"]) == ["training"]
    assert json.loads(seen["SM_HPS"]) == {"x": 0.5}
    assert seen["SM_HP_X"] == "0.5"
    assert seen["SM_CHANNEL_TRAINING"].endswith("/input/data/training")
    for file in ("hyperparameters", "inputdataconfig", "resourceconfig"):
        assert f"input/config/{file}.json" in seen["files"]
    states = [s["Status"] for s in job["SecondaryStatusTransitions"]]
    assert states == ["Starting", "Pending", "Downloading", "Training", "Uploading", "Completed"]


def test_script_mode_unpacks_the_code_and_gives_arguments(aws, client):
    code = io.BytesIO()
    with tarfile.open(fileobj=code, mode="w:gz") as tar:
        script = b"import sys, os; open(os.environ['SM_MODEL_DIR'] + '/argv', 'w').write(repr(sys.argv[1:]))"
        entry = tarfile.TarInfo("train.py")
        entry.size = len(script)
        tar.addfile(entry, io.BytesIO(script))
    boto3.client("s3").put_object(Bucket=aws.bucket, Key="code/source.tar.gz", Body=code.getvalue())
    own = {"sagemaker_program": "train.py", "sagemaker_submit_directory": f"s3://{aws.bucket}/code/source.tar.gz"}
    values = {"rate": 0.1, "solver": "adam", "nesterov": True}
    name = start(client, aws, "script-mode", HyperParameters={k: json.dumps(v) for k, v in {**own, **values}.items()})
    assert wait(client, name)["TrainingJobStatus"] == "Completed"
    argv = model(name, aws).extractfile("./argv").read().decode()
    assert argv == repr(["--nesterov", "True", "--rate", "0.1", "--solver", "adam"])


def test_a_stopped_job_goes_through_stopping(aws, client):
    name = start(client, aws, "to-be-stopped", HyperParameters={"x": "0.5", "mode": "hang"})
    wait(client, name, "InProgress")
    client.stop_training_job(TrainingJobName=name)
    job = wait(client, name)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    with pytest.raises(ClientError, match="the training job is in status Stopped"):
        client.stop_training_job(TrainingJobName=name)


def test_a_job_beyond_its_time_is_ended(aws, client):
    limits = {"MaxRuntimeInSeconds": 1}
    name = start(client, aws, "endless", HyperParameters={"x": "0.5", "mode": "hang"}, StoppingCondition=limits)
    job = wait(client, name)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert 1 <= job["BillableTimeInSeconds"] <= 5


def test_listings_have_pages(aws, client):
    names = [start(client, aws, f"page-{i:02d}") for i in range(25)]
    first = client.list_training_jobs(NameContains="page-")
    assert len(first["TrainingJobSummaries"]) == 10
    pages = client.get_paginator("list_training_jobs").paginate(NameContains="page-", PaginationConfig={"PageSize": 7})
    assert [job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"]] == names
    for name in names:
        wait(client, name)
    done = client.list_training_jobs(
        NameContains="page-", StatusEquals="Completed", MaxResults=100, SortOrder="Descending"
    )
    assert [job["TrainingJobName"] for job in done["TrainingJobSummaries"]] == names[::-1]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"TrainingJobName": "under_score"}, "the job name 'under_score'"),
        ({"TrainingJobName": "n" * 64}, r"\(64 characters\)"),
        ({"HyperParameters": {f"h{i}": "1" for i in range(101)}}, "101 hyperparameters"),
        ({"HyperParameters": {"x": "1" * 2501}}, "at most 2500"),
        ({"EnableManagedSpotTraining": True}, "needs MaxWaitTimeInSeconds"),
        ({"Tags": [{"Key": f"k{i}", "Value": "v"} for i in range(51)]}, "51 tags"),
    ],
)
def test_what_the_service_refuses(aws, client, changes, complaint):
    with pytest.raises(ClientError, match=complaint) as refused:
        start(client, aws, "refused", **changes)
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_a_name_is_taken_once(aws, client):
    start(client, aws, "taken")
    with pytest.raises(client.exceptions.ResourceInUse, match="already exists"):
        start(client, aws, "taken")


def test_a_second_service_in_the_same_process_takes_nothing_from_the_first(aws):
    storage = boto3.client("s3", endpoint_url=aws.url)
    storage.put_object(Bucket=aws.bucket, Key="kept", Body=b"kept")
    with LocalSageMaker() as second:
        assert (second.bucket, second.role) == (aws.bucket, aws.role)
    assert storage.get_object(Bucket=aws.bucket, Key="kept")["Body"].read() == b"kept"


def test_nothing_stays_when_it_is_closed():
    before = dict(os.environ)
    with LocalSageMaker({"trainer": [sys.executable, "-c", "import time; time.sleep(600)"]}, grace=0.5) as aws:
        client = boto3.client("sagemaker")
        start(client, aws, "left")
        wait(client, "left", "InProgress")
        folder = aws._folder
    assert dict(os.environ) == before
    assert not folder.exists()
    assert "time.sleep(600)" not in subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout


def test_the_command_line_starts_one_for_others():
    command = [
        sys.executable,
        "-m",
        "evohpo",
        "sagemaker-local",
        "--quota",
        "1",
        "--image",
        f"true={sys.executable} -c pass",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    exported = {}
    for line in process.stdout:
        if line.startswith("#"):
            break
        name, _, value = line.removeprefix("export ").strip().partition("=")
        exported[name] = value
    session = boto3.Session("local", "local", region_name=exported["AWS_DEFAULT_REGION"])
    client = session.client("sagemaker", endpoint_url=exported["AWS_ENDPOINT_URL"])
    assert client.list_training_jobs()["TrainingJobSummaries"] == []
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    assert said.strip() == "Stopped after 0 training jobs."
    assert process.returncode == 0
