"""Spaces from the ranges of SageMaker's tuner and back: objects of its SDKs by their looks, and the API's dict."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

import evohpo as eh


@dataclass
class ContinuousParameter:  # what the ranges of both SDKs have
    min_value: float
    max_value: float
    scaling_type: str = "Auto"
    __name__ = "Continuous"


class IntegerParameter(ContinuousParameter):
    __name__ = "Integer"


class CategoricalParameter:
    __name__ = "Categorical"

    def __init__(self, values):
        self.values = [str(v) for v in values]  # as the SDKs do


KINDS = SimpleNamespace(
    ContinuousParameter=ContinuousParameter,
    IntegerParameter=IntegerParameter,
    CategoricalParameter=CategoricalParameter,
)
SPACE = eh.Space(
    {
        "seed": 100,
        "learning_rate": eh.Continuous(1e-4, 1e-1, scale="log"),
        "momentum": eh.Continuous(0.0, 0.99, scale="reverse_log"),
        "dropout": eh.Continuous(0.0, 0.5),
        "layers": eh.Integer(1, 6),
        "units": eh.Integer(16, 1024, scale="log"),
        "batch_size": eh.Categorical([32, 64, 128]),
        "solver": eh.Categorical(["sgd", "adam"]),
    }
)


@pytest.mark.parametrize("kinds", [None, KINDS], ids=["API", "objects"])
def test_there_and_back(kinds):
    ranges, static = SPACE.to_sagemaker(kinds)
    assert static == {"seed": 100}
    back = eh.Space.from_sagemaker(ranges, static)
    assert {name: back.parameters[name] for name in back} == SPACE.parameters


def test_the_api_s_form_is_text():
    ranges, _ = SPACE.to_sagemaker()
    assert ranges["ContinuousParameterRanges"][0] == {
        "Name": "learning_rate", "MinValue": "0.0001", "MaxValue": "0.1", "ScalingType": "Logarithmic",
    }  # fmt: skip
    assert ranges["CategoricalParameterRanges"] == [
        {"Name": "batch_size", "Values": ["32", "64", "128"]}, {"Name": "solver", "Values": ["sgd", "adam"]},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "scaling", "scale"),
    [
        (1e-4, 1e-1, "Auto", "log"), (0.1, 0.5, "Auto", "linear"), (0.0, 1000.0, "Auto", "linear"),
        (1e-4, 1e-1, "Linear", "linear"), (0.1, 0.5, "Logarithmic", "log"),
    ],
)  # fmt: skip
def test_scaling_types(low, high, scaling, scale):
    space = eh.Space.from_sagemaker({"a": ContinuousParameter(low, high, scaling)})
    assert space.parameters["a"].scale == scale


def test_what_is_no_range_is_named():
    with pytest.raises(eh.IllegalDefinition, match=r"parameter 'a': 3 is no range"):
        eh.Space.from_sagemaker({"a": 3})
    with pytest.raises(eh.IllegalDefinition, match=r"parameter 'a': scaling type 'Cubic'"):
        eh.Space.from_sagemaker({"a": ContinuousParameter(0, 1, "Cubic")})


@pytest.mark.parametrize(
    ("parameters", "constraints", "complaint"),
    [
        ({"a": eh.Integer(1, 3), "b": eh.Integer(1, 3, when="a > 1")}, [], "'b': .* no conditional parameters"),
        ({"a": eh.Integer(1, 3), "b": eh.Integer(1, 3)}, ["a <= b"], "knows no constraint such as 'a <= b'"),
        ({"a": eh.Integer(1, 9, step=2)}, [], "'a': .* knows no steps"),
        ({"a": eh.Continuous(0.1, 0.9, scale="logit")}, [], "'a': .* no logit scale"),
    ],
)
def test_what_that_tuner_cannot_search_is_said(parameters, constraints, complaint):
    with pytest.raises(eh.IllegalDefinition, match=complaint):
        eh.Space(parameters, constraints).to_sagemaker()
