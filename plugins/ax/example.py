"""Tune a mixed conditional space with a client of Ax."""

import math

from ax import Client

import evohpo as eh

space = eh.Space(
    {
        "learning_rate": eh.Continuous(1e-4, 1e-1, scale="log"),
        "layers": eh.Integer(1, 6),
        "units": eh.Integer(4, 256, scale="log"),
        "solver": eh.Categorical(["sgd", "adam"]),
        "momentum": eh.Continuous(0.0, 0.99, when={"solver": "sgd"}),
    },
    constraints=["layers * units <= 600"],
)


def train(params):
    """Return a loss that is least at a learning rate of 0.01, 3 layers of 64 units, and sgd with momentum 0.9."""
    loss = (math.log10(params["learning_rate"]) + 2) ** 2 + 0.2 * (params["layers"] - 3) ** 2
    loss += (math.log2(params["units"]) - 6) ** 2 / 4
    return loss + (abs(params["momentum"] - 0.9) if params["solver"] == "sgd" else 0.3)


if __name__ == "__main__":
    study = eh.tune(train, space, minimize="loss", optimizer=Client(), trials=16, seed=1, progress=False)
    print(study.best.metrics, study.best.params)
