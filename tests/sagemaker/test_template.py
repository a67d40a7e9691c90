"""A plain CreateTrainingJob request becomes a template, from which every job is cloned."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evohpo.errors import IllegalValue, UsageError
from evohpo.sagemaker.template import template_of

pytest.importorskip("botocore", reason="the form of requests is checked with boto3")

REQUEST = {
    "TrainingJobName": "by-hand",
    "AlgorithmSpecification": {"TrainingImage": "my-image:1", "TrainingInputMode": "File"},
    "RoleArn": "arn:aws:iam::123456789012:role/training",
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
}
SCRIPT = {"sagemaker_program": "train.py", "sagemaker_submit_directory": "s3://bucket/source.tar.gz"}

names = st.text(min_size=1).filter(lambda name: not name.startswith("sagemaker_"))  # script mode's own
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


def request(**fields) -> dict:
    return copy.deepcopy(REQUEST) | fields


def static(values: dict) -> dict[str, str]:
    return template_of(request(HyperParameters=values)).request["HyperParameters"]


def cloned(params: dict, **fields) -> dict[str, str]:
    return template_of(request(**fields)).clone("one", params)["HyperParameters"]


def test_a_clone_is_the_request_with_a_name_and_hyperparameters():
    clone = template_of(REQUEST).clone("one", {"x": 0.5})
    assert clone == request(TrainingJobName="one", HyperParameters={"x": "0.5"})


def test_a_template_has_no_name():
    assert "TrainingJobName" not in template_of(REQUEST).request


def test_the_request_needs_no_name():
    unnamed = {field: value for field, value in REQUEST.items() if field != "TrainingJobName"}
    assert template_of(unnamed).clone("one", {})["TrainingJobName"] == "one"


def test_the_users_request_is_not_touched():
    given_, before = request(HyperParameters={"epochs": 5}), request(HyperParameters={"epochs": 5})
    template = template_of(given_, {"train": "s3://bucket/train"})
    template.clone("one", {"x": 1})["ResourceConfig"]["InstanceCount"] = 2
    assert given_ == before


def test_what_is_done_to_a_clone_does_not_reach_template_or_other_clones():
    template = template_of(request(HyperParameters={"epochs": 5}, Tags=[{"Key": "team", "Value": "vision"}]))
    clone, untouched = template.clone("one", {}), template.clone("one", {})
    clone["ResourceConfig"]["InstanceCount"] = 8
    clone["Tags"].append({"Key": "trial", "Value": "1"})
    clone["HyperParameters"]["epochs"] = "6"
    assert template.clone("one", {}) == untouched


def test_tags_experiment_and_environment_are_in_every_clone():
    fields = {
        "Tags": [{"Key": "team", "Value": "vision"}],
        "ExperimentConfig": {"ExperimentName": "digits"},
        "Environment": {"A": "b"},
    }
    clone = template_of(request(**fields)).clone("one", {})
    assert {field: clone[field] for field in fields} == fields


def test_jobs_do_not_share_their_checkpoints():
    template = template_of(request(CheckpointConfig={"S3Uri": "s3://bucket/checkpoints/", "LocalPath": "/opt/ml/c"}))
    uris = [template.clone(name, {})["CheckpointConfig"]["S3Uri"] for name in ("one", "two")]
    assert uris == ["s3://bucket/checkpoints/one", "s3://bucket/checkpoints/two"]


# ---- hyperparameters


def test_values_of_an_individual_win_over_static_ones():
    assert cloned({"epochs": 9}, HyperParameters={"epochs": "5", "seed": "1"}) == {"epochs": "9", "seed": "1"}


def test_values_of_one_individual_do_not_leak_into_the_next():
    template = template_of(request(HyperParameters={"seed": "1"}))
    template.clone("one", {"solver": "sgd", "momentum": 0.9})
    assert template.clone("two", {"solver": "adam"})["HyperParameters"] == {"seed": "1", "solver": "adam"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("adam", "adam"), ("1e3", "1e3"), ("", ""), (0.1 + 0.2, "0.30000000000000004"), (1e-05, "1e-05"), (3, "3"),
        (True, "true"), (False, "false"), (None, "null"), ([1, "a"], '[1, "a"]'), ({"a": 1.5}, '{"a": 1.5}'),
        (np.float64(0.1), "0.1"), (np.int64(7), "7"), (np.bool_(True), "true"), (np.str_("adam"), "adam"),
    ],
)  # fmt: skip
def test_an_image_reads_text_as_it_is_and_all_else_as_json(value, text):
    assert cloned({"x": value}) == {"x": text}
    assert static({"x": value}) == {"x": text}


@pytest.mark.parametrize(
    ("value", "text"),
    [("adam", '"adam"'), ("1e3", '"1e3"'), (0.1 + 0.2, "0.30000000000000004"), (3, "3"), (True, "true")],
)
def test_script_mode_reads_all_as_json(value, text):
    assert cloned({"x": value}, HyperParameters=SCRIPT)["x"] == text


def test_static_text_is_taken_as_it_is_also_in_script_mode():
    assert static(SCRIPT | {"solver": '"adam"', "epochs": 5}) == SCRIPT | {"solver": '"adam"', "epochs": "5"}


@given(st.dictionaries(names, scalars | st.lists(scalars, max_size=3), max_size=5))
def test_a_script_reads_exactly_what_was_proposed(params):
    texts = cloned(params, HyperParameters=SCRIPT)
    read = {name: json.loads(texts[name]) for name in params}
    assert repr(read) == repr(params)


@given(st.floats(allow_nan=False) | st.floats(width=32, allow_nan=False).map(np.float64))
def test_no_digit_of_a_float_is_lost(value):
    assert float(cloned({"x": value})["x"]) == value


@given(st.dictionaries(names, scalars, max_size=5))
def test_everything_the_service_gets_is_text(params):
    for name, text in cloned(params).items():
        assert type(name) is type(text) is str


@pytest.mark.parametrize("value", [object(), {1, 2}, 3j, np.array([1, 2])], ids=["object", "set", "complex", "array"])
def test_a_value_that_is_no_plain_data_is_refused_by_its_name(value):
    for attempt in (static, cloned):
        with pytest.raises(IllegalValue, match=r"solver = .*cannot be written as text") as caught:
            attempt({"solver": value})
        assert caught.value.name == "solver"


def test_script_mode_learns_the_name_of_its_own_job():
    template = template_of(request(HyperParameters=SCRIPT | {"sagemaker_job_name": '"by-hand"'}))
    assert template.clone("one", {})["HyperParameters"]["sagemaker_job_name"] == '"one"'


def test_a_request_without_hyperparameters_of_its_own_is_fine():
    assert cloned({"x": 1}, HyperParameters=None) == {"x": "1"}


# ---- data


def channels(inputs, **fields) -> dict[str, str]:
    config = template_of(request(**fields), inputs).request["InputDataConfig"]
    return {channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3Uri"] for channel in config}


def channel(name: str, uri: str) -> dict:
    return {"ChannelName": name, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}}


def test_inputs_are_locations_in_s3_by_channel():
    assert channels({"train": "s3://b/train", "test": "s3://b/test"}) == {
        "train": "s3://b/train",
        "test": "s3://b/test",
    }


def test_a_single_location_is_the_channel_training():
    assert channels("s3://b/data") == {"training": "s3://b/data"}


def test_inputs_join_the_channels_of_the_request_and_replace_those_of_the_same_name():
    own = [channel("train", "s3://b/old"), channel("test", "s3://b/test")]
    assert channels({"train": "s3://b/new"}, InputDataConfig=own) == {"train": "s3://b/new", "test": "s3://b/test"}


def test_without_inputs_the_channels_of_the_request_stay():
    own = [channel("train", "s3://b/train")]
    assert template_of(request(InputDataConfig=own)).request["InputDataConfig"] == own
    assert "InputDataConfig" not in template_of(REQUEST).request


@pytest.mark.parametrize("uri", ["/data", "https://b/train", "bucket/train", 7, None])
def test_what_is_no_location_in_s3_is_refused_by_its_channel(uri):
    with pytest.raises(IllegalValue, match=r"inputs\['train'\] = .*: must be an S3 URI"):
        template_of(REQUEST, {"train": uri})


def test_other_inputs_are_refused():
    with pytest.raises(UsageError, match="inputs of a list: with a request, give a dict of S3 URIs by channel"):
        template_of(REQUEST, ["s3://b/train"])


# ---- what is refused


def test_all_missing_fields_are_named_at_once():
    with pytest.raises(UsageError, match=r"lacks AlgorithmSpecification, .*RoleArn, StoppingCondition"):
        template_of({"ResourceConfig": REQUEST["ResourceConfig"]})


@pytest.mark.parametrize("field", [field for field in REQUEST if field != "TrainingJobName"])
def test_a_missing_field_is_named(field):
    with pytest.raises(UsageError, match=f"lacks {field};"):
        template_of({name: value for name, value in REQUEST.items() if name != field})


def test_an_algorithm_needs_an_image():
    with pytest.raises(UsageError, match=r"lacks AlgorithmSpecification\.TrainingImage;"):
        template_of(request(AlgorithmSpecification={"TrainingInputMode": "File"}))


def test_a_field_that_the_api_does_not_know_is_named():
    with pytest.raises(UsageError, match='Unknown parameter in input: "Hyperparameters"'):
        template_of(request(Hyperparameters={"epochs": "5"}))


def test_a_field_of_the_wrong_type_is_named():
    with pytest.raises(UsageError, match=r"Invalid type for parameter ResourceConfig\.InstanceCount, value: two"):
        template_of(request(ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": "two"}))


@pytest.mark.parametrize("source", [None, "s3://bucket/script.py", 7, object, [REQUEST]])
def test_anything_else_is_refused_and_told_what_is_accepted(source):
    with pytest.raises(UsageError, match=rf"of a {type(source).__name__}: give .*Estimator.*ModelTrainer.*dict"):
        template_of(source)
