"""Estimators of the SageMaker SDK 2 become templates, and their clones really run. Run with `scripts/test-sdk 2`."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import textwrap

import pytest

try:
    if not importlib.metadata.version("sagemaker").startswith("2."):
        pytest.skip("another SageMaker SDK", allow_module_level=True)
except importlib.metadata.PackageNotFoundError:
    pytest.skip("no SageMaker SDK: scripts/test-sdk 2", allow_module_level=True)

import evohpo as eh
from evohpo.errors import UsageError
from evohpo.sagemaker.template import template_of
from tests.sagemaker.sdk.conftest import CODE, INDIVIDUALS, REGEX, SCRIPTS

IMAGE = "my-image:1"


@pytest.fixture
def session(aws):
    import sagemaker

    return sagemaker.Session(default_bucket=aws.bucket)


@pytest.fixture
def make(aws, session):
    """Estimators that differ in little: a class, and arguments of its own."""

    def made(kind, **arguments):
        common = {"role": aws.role, "instance_count": 1, "instance_type": "ml.m5.large", "sagemaker_session": session}
        definitions = [{"Name": "accuracy", "Regex": REGEX}]
        return kind(**common | {"metric_definitions": definitions, "hyperparameters": {"epochs": 5}} | arguments)

    return made


@pytest.fixture
def sklearn(make):
    from sagemaker.sklearn import SKLearn

    return make(SKLearn, entry_point="train.py", source_dir=str(CODE), framework_version="1.2-1", py_version="py3")


def pytorch(make, **arguments):
    from sagemaker.pytorch import PyTorch

    arguments = {"entry_point": str(CODE / "train.py"), "framework_version": "2.1", "py_version": "py310"} | arguments
    return make(PyTorch, **arguments)


def generic(make, **arguments):
    from sagemaker.estimator import Estimator

    return make(Estimator, image_uri=IMAGE, **arguments)


def test_clones_of_a_framework_estimator_run_its_script_with_their_hyperparameters(sklearn, run, aws, s3):
    template = template_of(sklearn, f"s3://{aws.bucket}/data")
    for (job, saw), individual in zip(run(template), INDIVIDUALS, strict=True):
        assert saw == {**individual, "epochs": 5, "rows": 3}
        assert [metric["MetricName"] for metric in job["FinalMetricDataList"]] == ["accuracy"]


def test_the_script_is_uploaded_once(sklearn, run, uploads):
    template = template_of(sklearn)
    assert len(uploads()) == 1
    run(template)
    assert len(uploads()) == 1
    assert uploads()[0].endswith("sourcedir.tar.gz")


def test_the_script_of_one_template_does_not_replace_that_of_another(make, uploads):
    template_of(pytorch(make, base_job_name="same"))
    template_of(pytorch(make, base_job_name="same"))
    assert len(uploads()) == 2


def test_no_job_is_created_for_a_template(sklearn, aws):
    template_of(sklearn)
    assert list(aws.jobs.started) == []


def test_clones_of_an_entry_point_without_a_folder_run_it(make, run):
    assert [saw["solver"] for _, saw in run(template_of(pytorch(make)))] == ["sgd", "adam", "1e3", "adam"]


def test_a_generic_estimator_with_a_script_is_script_mode_too(make, run):
    estimator = generic(make, entry_point="train.py", source_dir=str(CODE))
    saw = [saw for _, saw in run(template_of(estimator))]
    assert saw == [{**individual, "epochs": 5, "rows": 0} for individual in INDIVIDUALS]


def test_an_image_of_ones_own_gets_plain_text(make):
    clone = template_of(generic(make)).clone("clone", INDIVIDUALS[0])
    expected = {
        "epochs": "5",
        "learning_rate": "0.30000000000000004",
        "layers": "1",
        "solver": "sgd",
        "nesterov": "true",
    }
    assert clone["HyperParameters"] == expected
    assert clone["AlgorithmSpecification"]["TrainingImage"] == IMAGE


def test_an_image_of_ones_own_runs(make, tmp_path):
    from evohpo.sagemaker.local import LocalSageMaker

    script = tmp_path / "image.py"
    script.write_text(
        "import json, os, pathlib\n"
        "base = pathlib.Path(os.environ.get('SAGEMAKER_BASE_DIR', '/opt/ml'))\n"
        "print('accuracy=' + json.loads((base / 'input/config/hyperparameters.json').read_text())['x'])\n"
    )
    with LocalSageMaker({IMAGE: [sys.executable, str(script)]}) as aws:
        import sagemaker

        session = sagemaker.Session(default_bucket=aws.bucket)
        estimator = generic(make, sagemaker_session=session)
        study = eh.tune(
            None, {"x": eh.Continuous(0, 1)}, maximize="accuracy", evaluator=eh.SageMaker(estimator, {"accuracy": REGEX}),
            optimizer="random", trials=3, seed=1,
        )  # fmt: skip
    table = study.table()
    assert table["accuracy"].tolist() == pytest.approx(table["x"].tolist())


def test_the_script_learns_the_name_of_its_own_job(sklearn):
    template = template_of(sklearn)
    one, two = (template.clone(name, {})["HyperParameters"] for name in ("one", "two"))
    assert (one["sagemaker_job_name"], two["sagemaker_job_name"]) == ('"one"', '"two"')
    assert one["sagemaker_submit_directory"] == two["sagemaker_submit_directory"]


def test_jobs_do_not_share_their_checkpoints(make):
    template = template_of(generic(make, checkpoint_s3_uri="s3://bucket/checkpoints/"))
    clone = template.clone("one", {})
    assert clone["CheckpointConfig"]["S3Uri"] == "s3://bucket/checkpoints/one"


def test_what_the_estimator_says_of_the_job_is_in_every_clone(make):
    estimator = generic(
        make, use_spot_instances=True, max_run=600, max_wait=900, volume_size=50, environment={"A": "b"},
        tags=[{"Key": "team", "Value": "vision"}], subnets=["subnet-1"], security_group_ids=["sg-1"],
        keep_alive_period_in_seconds=None, max_retry_attempts=2, output_path="s3://bucket/models",
    )  # fmt: skip
    clone = template_of(estimator, {"train": "s3://bucket/train", "test": "s3://bucket/test"}).clone("one", {})
    assert clone["EnableManagedSpotTraining"] is True
    assert clone["StoppingCondition"] == {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 900}
    assert clone["ResourceConfig"]["VolumeSizeInGB"] == 50
    assert clone["Environment"] == {"A": "b"}
    assert {"Key": "team", "Value": "vision"} in clone["Tags"]
    assert clone["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert clone["RetryStrategy"] == {"MaximumRetryAttempts": 2}
    assert clone["OutputDataConfig"]["S3OutputPath"] == "s3://bucket/models"
    assert [channel["ChannelName"] for channel in clone["InputDataConfig"]] == ["train", "test"]


def test_channels_may_be_objects_of_the_sdk(make):
    from sagemaker.inputs import TrainingInput

    data = TrainingInput("s3://bucket/train", content_type="text/csv", distribution="ShardedByS3Key")
    channel = template_of(generic(make), {"train": data}).request["InputDataConfig"][0]
    assert channel["ContentType"] == "text/csv"
    assert channel["DataSource"]["S3DataSource"]["S3DataDistributionType"] == "ShardedByS3Key"


@pytest.mark.parametrize("kind", ["sklearn", "generic"])
def test_the_estimator_is_left_as_it_was(kind, sklearn, make, session):
    estimator = sklearn if kind == "sklearn" else generic(make)
    before = {name: repr(value) for name, value in vars(estimator).items()}
    template_of(estimator)
    assert {name: repr(value) for name, value in vars(estimator).items()} == before
    assert estimator.hyperparameters() in ({"epochs": 5}, {"epochs": "5"})
    assert estimator.jobs == []


def test_the_model_trainer_that_came_with_the_sdk_2_is_understood_too(aws):
    from sagemaker.modules import Session
    from sagemaker.modules.configs import Compute, StoppingCondition
    from sagemaker.modules.train import ModelTrainer

    trainer = ModelTrainer(
        training_image=IMAGE, role=aws.role, sagemaker_session=Session(default_bucket=aws.bucket), hyperparameters={"epochs": 5},
        compute=Compute(instance_type="ml.m5.large", instance_count=1, enable_managed_spot_training=True),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=600, max_wait_time_in_seconds=900),
    )  # fmt: skip
    clone = template_of(trainer).clone("one", {"x": 0.5})
    assert clone["EnableManagedSpotTraining"] is True
    assert clone["HyperParameters"] == {"epochs": "5", "x": "0.5"}


@pytest.fixture
def unreported(monkeypatch):
    """A `fit` that is not cut short reports to AWS, as it always does; that must not leave this machine."""
    monkeypatch.setattr("sagemaker.telemetry.telemetry_logging._send_telemetry_request", lambda *args: None)


def test_the_estimator_can_still_be_fitted_by_hand(sklearn, aws, unreported):
    template_of(sklearn)
    sklearn.fit(wait=False, job_name="by-hand")
    assert list(aws.jobs.started) == ["by-hand"]


def test_errors_of_the_sdk_come_out_as_they_are(make, unreported):
    with pytest.raises(ValueError, match=r"No file named .*missing\.py"):
        template_of(pytorch(make, entry_point="missing.py", source_dir=str(CODE)))


def test_an_estimator_of_a_pipeline_is_refused(aws, make, unreported):
    from sagemaker.workflow.pipeline_context import PipelineSession

    with pytest.raises(UsageError, match="not one for pipelines"):
        template_of(generic(make, sagemaker_session=PipelineSession(default_bucket=aws.bucket)))


def test_an_estimator_that_trains_on_this_machine_is_refused(make):
    estimator = generic(make)
    estimator.sagemaker_session.local_mode = True
    with pytest.raises(UsageError, match="trains on this machine"):
        template_of(estimator)


def test_a_class_or_a_tuner_is_no_estimator(make):
    from sagemaker.estimator import Estimator
    from sagemaker.tuner import ContinuousParameter, HyperparameterTuner

    tuner = HyperparameterTuner(
        generic(make), "accuracy", {"x": ContinuousParameter(0, 1)}, [{"Name": "accuracy", "Regex": REGEX}]
    )
    for source in (Estimator, tuner):
        with pytest.raises(UsageError, match="give an estimator of the SageMaker SDK 2"):
            template_of(source)


def test_the_sdk_is_not_imported_for_a_request():
    program = """
        import sys
        from evohpo.sagemaker.template import template_of
        template_of({
            "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"}, "RoleArn": "arn:aws:iam::1:role/r",
            "OutputDataConfig": {"S3OutputPath": "s3://bucket"}, "ResourceConfig": {"InstanceType": "ml.m5.large"},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        }).clone("one", {})
        print("sagemaker" in sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


def test_a_whole_study_of_an_estimator(sklearn, uploads, aws):
    space = {
        "learning_rate": eh.Continuous(1e-4, 1e-1, scale="log"),
        "layers": eh.Integer(1, 6),
        "solver": eh.Categorical(["sgd", "adam", "1e3"]),
        "nesterov": eh.Categorical([True, False]),
    }
    study = eh.tune(
        None, space, maximize="accuracy", evaluator=eh.SageMaker(sklearn, {"accuracy": REGEX}),
        optimizer="ga", generations=2, population=4, seed=1,
    )  # fmt: skip
    table = study.table()
    assert len(table) == 8
    expected = 1 / (1 + (table["learning_rate"] - 0.01) ** 2) - abs(table["layers"] - 3) / 10
    assert table["accuracy"].tolist() == pytest.approx(expected.tolist(), rel=1e-6)
    assert len(uploads()) == 1


def test_the_notebooks_script_runs_in_generations_of_each_kind_of_estimator_and_of_a_request(make, generations, aws):
    from sagemaker.sklearn import SKLearn

    script = {"entry_point": "digits_mlp.py", "source_dir": str(SCRIPTS), "hyperparameters": {"hidden": 32}}
    framework = make(SKLearn, framework_version="1.2-1", py_version="py3", **script)
    where = {"training": f"s3://{aws.bucket}/digits"}
    request = template_of(generic(make, **script), where).request
    tables = [
        generations(estimator, inputs).table()[["number", "learning_rate", "num_epoch", "activation", "accuracy"]]
        for estimator, inputs in ((framework, where), (generic(make, **script), where), (request, None))
    ]
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])
