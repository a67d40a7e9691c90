"""Tune a space of mixed parameters with a live toolbox and a strategy of DEAP."""

import math

from deap import base, cma, tools

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
    toolbox = base.Toolbox()
    toolbox.register("mate", tools.cxSimulatedBinaryBounded, eta=15, low=0.0, up=1.0)
    toolbox.register("mutate", tools.mutPolynomialBounded, eta=15, low=0.0, up=1.0, indpb=0.3)
    toolbox.register("select", tools.selTournament, tournsize=3)
    for optimizer in (toolbox, cma.Strategy(centroid=[0.5] * 4, sigma=0.3)):
        study = eh.tune(train, space, minimize="loss", optimizer=optimizer, trials=240, seed=1, progress=False)
        print(study.optimizer, study.best.metrics, study.best.params)
