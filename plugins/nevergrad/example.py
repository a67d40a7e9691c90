"""Tune a mixed conditional space with an optimizer of nevergrad."""

import math

import nevergrad as ng

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
    """Stand in for a training."""
    loss = (math.log10(params["learning_rate"]) + 2) ** 2 + 0.2 * (params["layers"] - 3) ** 2
    return loss + (math.log2(params["units"]) - 6) ** 2 / 4 + abs(params.get("momentum", 0.5) - 0.9)


if __name__ == "__main__":
    optimizer = ng.optimizers.DifferentialEvolution(crossover="twopoints", popsize=20)
    study = eh.tune(train, space, minimize="loss", optimizer=optimizer, trials=200, seed=1, progress=False)
    print(study.best)
