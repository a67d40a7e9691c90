"""Tune a space of mixed parameters with a live CMA-ES of pycma."""

import math

import cma

import evohpo as eh

space = eh.Space(
    {
        "learning_rate": eh.Continuous(1e-4, 1e-1, scale="log"),
        "layers": eh.Integer(1, 6),
        "solver": eh.Categorical(["sgd", "adam"]),
        "momentum": eh.Continuous(0.0, 0.99, when={"solver": "sgd"}),
    }
)


def train(params):
    """Return a loss that is least at a learning rate of 0.01, 3 layers, and sgd with momentum 0.9."""
    loss = (math.log10(params["learning_rate"]) + 2) ** 2 + 0.2 * (params["layers"] - 3) ** 2
    return loss + (abs(params["momentum"] - 0.9) if params["solver"] == "sgd" else 0.3)


if __name__ == "__main__":
    strategy = cma.CMAEvolutionStrategy(4 * [0.5], 0.3, {"bounds": [0, 1], "popsize": 10, "verbose": -9})
    for optimizer in (strategy, eh.use(cma.CMAEvolutionStrategy, popsize=10), cma.fmin2):
        study = eh.tune(train, space, minimize="loss", optimizer=optimizer, trials=200, seed=1, progress=False)
        print(study.best.metrics, study.best.params)
