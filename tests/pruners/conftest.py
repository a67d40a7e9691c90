"""Objectives that train in steps, with curves that are known."""

import pytest

import evohpo as eh

STEPS = 27


def curve(params, steps=STEPS):
    """Falls towards a level that the parameters decide; the order of trials never changes."""
    level = (params["x"] - 0.3) ** 2 + params["y"] ** 2
    for step in range(1, steps + 1):
        yield {"loss": level + 1.0 / step}


def two_curves(params):
    for metrics in curve(params):
        yield metrics | {"size": params["x"] + params["y"] + metrics["loss"] / 10}


@pytest.fixture
def space():
    return {"x": eh.Continuous(-1, 1), "y": eh.Continuous(-1, 1)}
