"""Trainers of the SageMaker SDK 3 become templates, and their clones really run. Run with `scripts/test-sdk 3`."""

from __future__ import annotations

import importlib.metadata
import sys

import pytest

try:
    if not importlib.metadata.version("sagemaker").startswith("3."):
        pytest.skip("another SageMaker SDK", allow_module_level=True)
except importlib.metadata.PackageNotFoundError:
    pytest.skip("no SageMaker SDK: scripts/test-sdk 3", allow_module_level=True)

import evohpo as eh
from evohpo.errors import IllegalValue, UsageError
from evohpo.sagemaker.local.container import can_mount
from evohpo.sagemaker.template import template_of
from tests.sagemaker.sdk.conftest import CODE, INDIVIDUALS, REGEX, SCRIPTS

# the SDK's driver, which starts the script, turns the text 1e3 into the number 1000.0 on its way; so do jobs of `train`
individuals = [individual for individual in INDIVIDUALS if individual["solver"] != "1e3"]
IMAGE = "my-image:1"
mounted = pytest.mark.skipif(not can_mount(), reason="the SDK's own start script needs a real /opt/ml")


@pytest.fixture
def make(aws):
    """Trainers that differ in little."""
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.shapes import MetricDefinition
    from sagemaker.core.training.configs import Compute
    from sagemaker.train import ModelTrainer

    def made(kind=ModelTrainer, **arguments):
        common = {
            "training_image": IMAGE, "role": aws.role, "sagemaker_session": Session(default_bucket=aws.bucket),
            "compute": Compute(instance_type="ml.m5.large", instance_count=1), "hyperparameters": {"epochs": 5},
            "base_job_name": "digits",
        }  # fmt: skip
        trainer = kind(**common | arguments)
        return trainer.with_metric_definitions([MetricDefinition(name="accuracy", regex=REGEX)])

    return made


@pytest.fixture
def trainer(make):
    return make(source_code=source_code())


def source_code(**arguments):
    from sagemaker.core.training.configs import SourceCode

    return SourceCode(**{"source_dir": str(CODE), "entry_script": "train.py"} | arguments)


@mounted
def test_clones_of_a_trainer_run_its_script_with_their_hyperparameters(trainer, run, aws, s3):
    template = template_of(trainer, {"training": f"s3://{aws.bucket}/data"})
    for (job, saw), individual in zip(run(template, individuals), individuals, strict=True):
        assert saw == {**individual, "epochs": 5, "rows": 3}
        assert [metric["MetricName"] for metric in job["FinalMetricDataList"]] == ["accuracy"]


@mounted
def test_the_script_is_uploaded_once(trainer, run, uploads):
    template = template_of(trainer)
    uploaded = uploads()
    assert sum(key.endswith("/train.py") for key in uploaded) == 1
    run(template, individuals)
    assert uploads() == uploaded


def test_the_script_of_one_template_does_not_replace_that_of_another_of_the_same_second(make, uploads, monkeypatch):
    """The SDK's names, and with them its folders, end with the second, and are cut at 63 characters."""
    named = "sagemaker.train.model_trainer._get_unique_name"
    monkeypatch.setattr(named, lambda base: f"{base}-20260101000000"[:63])
    for _ in range(2):
        template_of(make(source_code=source_code(), base_job_name="digits"))
    assert sum(key.endswith("/train.py") for key in uploads()) == 2


def test_no_job_is_created_for_a_template(trainer, aws):
    template_of(trainer)
    assert list(aws.jobs.started) == []


def test_hyperparameters_are_plain_text(make):
    clone = template_of(make()).clone("clone", INDIVIDUALS[0])
    expected = {
        "epochs": "5",
        "learning_rate": "0.30000000000000004",
        "layers": "1",
        "solver": "sgd",
        "nesterov": "true",
    }
    assert clone["HyperParameters"] == expected
    assert clone["AlgorithmSpecification"]["TrainingImage"] == IMAGE
    assert clone["TrainingJobName"] == "clone"


def test_a_trainer_without_hyperparameters_takes_those_of_the_individual(make):
    assert template_of(make(hyperparameters=None)).clone("one", {"x": 1})["HyperParameters"] == {"x": "1"}


def test_what_the_trainer_says_of_the_job_is_in_every_clone(make):
    from sagemaker.core.shapes import CheckpointConfig, OutputDataConfig, StoppingCondition, Tag
    from sagemaker.core.training.configs import Compute, Networking

    trainer = make(
        compute=Compute(
            instance_type="ml.p3.2xlarge", instance_count=2, volume_size_in_gb=50, enable_managed_spot_training=True
        ),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=600, max_wait_time_in_seconds=900),
        environment={"A": "b"}, tags=[Tag(key="team", value="vision")],
        networking=Networking(subnets=["subnet-1"], security_group_ids=["sg-1"]),
        output_data_config=OutputDataConfig(s3_output_path="s3://bucket/models"),
        checkpoint_config=CheckpointConfig(s3_uri="s3://bucket/checkpoints", local_path="/opt/ml/checkpoints"),
    )  # fmt: skip
    clone = template_of(trainer).clone("one", {})
    assert clone["EnableManagedSpotTraining"] is True
    assert clone["StoppingCondition"] == {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 900}
    assert clone["ResourceConfig"] == {"InstanceType": "ml.p3.2xlarge", "InstanceCount": 2, "VolumeSizeInGB": 50}
    assert clone["Environment"] == {"A": "b"}
    assert clone["Tags"] == [{"Key": "team", "Value": "vision"}]
    assert clone["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert clone["OutputDataConfig"]["S3OutputPath"] == "s3://bucket/models"
    assert clone["CheckpointConfig"] == {"S3Uri": "s3://bucket/checkpoints/one", "LocalPath": "/opt/ml/checkpoints"}


def test_channels_may_be_objects_of_the_sdk_and_the_trainers_own_ones_stay(make):
    from sagemaker.core.training.configs import InputData

    train, test = (InputData(channel_name=name, data_source=f"s3://bucket/{name}") for name in ("train", "test"))
    request = template_of(make(input_data_config=[train]), [test]).request
    assert [channel["ChannelName"] for channel in request["InputDataConfig"]] == ["train", "test"]


def test_channels_may_be_locations_in_s3_by_name(make):
    from sagemaker.core.training.configs import InputData

    own = InputData(channel_name="train", data_source="s3://bucket/train")
    request = template_of(
        make(input_data_config=[own]), {"test": "s3://bucket/test", "train": "s3://bucket/new"}
    ).request
    uris = {c["ChannelName"]: c["DataSource"]["S3DataSource"]["S3Uri"] for c in request["InputDataConfig"]}
    assert uris == {"train": "s3://bucket/new", "test": "s3://bucket/test"}


def test_a_channel_by_name_must_be_in_s3(make):
    with pytest.raises(IllegalValue, match=r"inputs\['train'\] = '/data': must be an S3 URI"):
        template_of(make(), {"train": "/data"})


def test_the_trainer_is_left_as_it_was(make):
    from sagemaker.core.training.configs import CheckpointConfig

    trainer = make(source_code=source_code(), checkpoint_config=CheckpointConfig())
    before = repr(trainer), repr(trainer.__pydantic_private__)
    first, second = (template_of(trainer).request["CheckpointConfig"]["S3Uri"] for _ in range(2))
    assert (repr(trainer), repr(trainer.__pydantic_private__)) == before
    assert first != second


def test_a_trainer_of_an_older_sdk_is_asked_by_its_train(make, aws, uploads):
    """Early versions cannot return their request; it is caught on its way out."""
    from sagemaker.train import ModelTrainer

    class Older(ModelTrainer):
        def _create_training_job_args(self, input_data_config=None):
            return super()._create_training_job_args(input_data_config=input_data_config)

    old, new = (template_of(make(kind, source_code=source_code())).request for kind in (Older, ModelTrainer))
    assert list(aws.jobs.started) == []
    assert set(old) == set(new)
    for field in set(new) - {"InputDataConfig"}:  # the folders of the uploads differ
        assert old[field] == new[field]


def test_a_trainer_on_this_machine_is_refused(make):
    from sagemaker.train.model_trainer import Mode

    trainer = make()
    trainer.training_mode = Mode.LOCAL_CONTAINER
    with pytest.raises(UsageError, match="trains on this machine"):
        template_of(trainer)


def test_errors_of_the_sdk_come_out_as_they_are(make):
    from sagemaker.core.training.configs import InputData

    with pytest.raises(ValueError, match="Not a valid S3 URI or local file path: /no/such/folder"):
        template_of(make(), [InputData(channel_name="train", data_source="/no/such/folder")])


@mounted
def test_a_whole_study_of_a_trainer(trainer):
    space = {
        "learning_rate": eh.Continuous(1e-4, 1e-1, scale="log"),
        "layers": eh.Integer(1, 6),
        "solver": eh.Categorical(["sgd", "adam"]),
        "nesterov": eh.Categorical([True, False]),
    }
    study = eh.tune(
        None, space, maximize="accuracy", evaluator=eh.SageMaker(trainer, {"accuracy": REGEX}),
        optimizer="ga", generations=2, population=4, seed=1,
    )  # fmt: skip
    table = study.table()
    assert len(table) == 8
    expected = 1 / (1 + (table["learning_rate"] - 0.01) ** 2) - abs(table["layers"] - 3) / 10
    assert table["accuracy"].tolist() == pytest.approx(expected.tolist(), rel=1e-6)


def test_a_study_of_an_image_of_ones_own(make, tmp_path):
    from evohpo.sagemaker.local import LocalSageMaker

    script = tmp_path / "image.py"
    script.write_text(
        "import json, os, pathlib\n"
        "base = pathlib.Path(os.environ.get('SAGEMAKER_BASE_DIR', '/opt/ml'))\n"
        "print('accuracy=' + json.loads((base / 'input/config/hyperparameters.json').read_text())['x'])\n"
    )
    with LocalSageMaker({IMAGE: [sys.executable, str(script)]}) as aws:
        from sagemaker.core.helper.session_helper import Session

        trainer = make(sagemaker_session=Session(default_bucket=aws.bucket), role=aws.role)
        study = eh.tune(
            None, {"x": eh.Continuous(0, 1)}, maximize="accuracy", evaluator=eh.SageMaker(trainer, {"accuracy": REGEX}),
            optimizer="random", trials=3, seed=1,
        )  # fmt: skip
    table = study.table()
    assert table["accuracy"].tolist() == pytest.approx(table["x"].tolist())


@mounted
def test_the_notebooks_script_runs_in_generations_of_a_trainer(make, generations, aws):
    script = source_code(source_dir=str(SCRIPTS), entry_script="digits_mlp.py")
    generations(make(source_code=script, hyperparameters={"hidden": 32}), {"training": f"s3://{aws.bucket}/digits"})
