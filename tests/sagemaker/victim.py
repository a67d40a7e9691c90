"""A driver that is killed: `victim.py KIND STORE` searches with training jobs, started by nobody but this process."""

from __future__ import annotations

import os
import sys

import evohpo as eh
from tests.sagemaker.conftest import LOSS, SPACE

ROLE, OUTPUT = "arn:aws:iam::123456789012:role/sagemaker-local", "s3://sagemaker-us-east-1-123456789012/output"


def search(kind: str, store: str | None) -> eh.Study:
    """`kind` is "generations" or "halving"."""
    halving = kind == "halving"
    request = {
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": "trainer", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": OUTPUT},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "HyperParameters": {"pause": "0.12", "steps": "9" if halving else "4", "mode": "raise"},
    }
    evaluator = eh.SageMaker(request, LOSS, steps=r"epoch=(\d+)" if halving else None)
    return eh.tune(
        None, SPACE, minimize="loss", evaluator=evaluator, optimizer="ga", population=5, generations=5, workers=5, seed=3,
        pruner=eh.SuccessiveHalving(5, 9) if halving else None, store=store, progress=False, name="victim",
    )  # fmt: skip


if __name__ == "__main__":
    assert os.environ["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    search(sys.argv[1], sys.argv[2])
