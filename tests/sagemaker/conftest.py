"""A SageMaker on this machine, whose jobs run `trainer.py`."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

import pytest

import evohpo as eh
from evohpo.sagemaker.local import Faults, LocalSageMaker

HERE = Path(__file__).parent
LOSS = {"loss": r"loss=(\S+)"}
SPACE = eh.Space({"x": eh.Continuous(0, 1)})
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch):
    """Let nothing leave this machine. The SDKs hide errors of their own reports, so attempts count, too."""
    connect, resolve, attempts = socket.socket.connect, socket.getaddrinfo, []

    def check(host):
        name = host.decode() if isinstance(host, bytes) else host
        if name not in (*LOOPBACK, None):
            attempts.append(name)
            raise OSError(f"a test called {name}")

    def guarded_connect(self, address):
        check(address[0] if isinstance(address, tuple) else None)
        return connect(self, address)

    def guarded_resolve(host, *args, **kwargs):
        check(host)
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_resolve)
    yield
    assert attempts == []


@pytest.fixture(scope="module")
def service():
    with LocalSageMaker({"trainer": [sys.executable, "-S", str(HERE / "trainer.py")]}, grace=2.0) as aws:
        yield aws


@pytest.fixture
def aws(service):
    """The service without faults, and with what a test set undone."""
    yield service
    service.faults.__dict__.update({k: v for k, v in Faults().__dict__.items() if k != "_lock"})
    service.jobs.quota = None


def request_of(aws: LocalSageMaker, **static: Any) -> dict[str, Any]:
    """A CreateTrainingJob request, with some static hyperparameters."""
    return {
        "RoleArn": aws.role,
        "AlgorithmSpecification": {"TrainingImage": "trainer", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": f"s3://{aws.bucket}/output"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "HyperParameters": {name: str(value) for name, value in static.items()},
    }


def search(evaluator: Any, space: Any = SPACE, **arguments: Any) -> eh.Study:
    """A small study of the loss on an evaluator, four jobs at once."""
    usual: dict[str, Any] = {"minimize": "loss", "optimizer": "random", "trials": 4, "workers": 4, "seed": 1}
    return eh.tune(None, space, evaluator=evaluator, progress=False, **{**usual, **arguments})


def loss(params: dict) -> float:
    """What `trainer.py` comes to after its three steps."""
    return (params["x"] - 0.3) ** 2 + 1 / 3
