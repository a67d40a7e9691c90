"""What several test folders share: a mixed space, an objective on it, and tables without the columns that time decides."""

from __future__ import annotations

import math
import signal

import pandas as pd
import pytest

import evohpo as eh

TIMED = ["seconds", "worker", "resumed"]
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts tests in the background has it ignored


@pytest.fixture
def mixed_space() -> eh.Space:
    return make_mixed_space()


def make_mixed_space() -> eh.Space:
    """All five kinds of parameter, a condition, and an input constraint."""
    return eh.Space(
        {
            "learning_rate": eh.Continuous(1e-4, 1e-1, scale="log"),
            "layers": eh.Integer(1, 6),
            "units": eh.Integer(4, 256, scale="log"),
            "batch_size": eh.Ordinal([32, 64, 128, 256]),
            "solver": eh.Categorical(["sgd", "adam", "lbfgs"]),
            "momentum": eh.Continuous(0.0, 0.99, when={"solver": "sgd"}),
            "seed": 100,
        },
        constraints=["layers * units <= 600"],
    )


def loss(params: dict) -> float:
    """A smooth valley with its best at learning_rate 1e-2, 3 layers, 64 units, batch 64, sgd with momentum 0.9."""
    value = (math.log10(params["learning_rate"]) + 2) ** 2 + 0.2 * (params["layers"] - 3) ** 2
    value += (math.log2(params["units"]) - 6) ** 2 / 4 + 0.3 * abs(math.log2(params["batch_size"]) - 6)
    return value + {"sgd": 0.0, "adam": 0.3, "lbfgs": 0.6}[params["solver"]] + abs(params.get("momentum", 0.9) - 0.9)


def untimed(study: eh.Study) -> pd.DataFrame:
    """The table without the columns that depend on the machine."""
    return study.table().drop(columns=TIMED, errors="ignore")
