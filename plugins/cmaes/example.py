"""Tune a space of mixed parameters with live optimizers of cmaes."""

import math

import cmaes
import numpy as np

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
    live = cmaes.CMA(mean=np.full(4, 0.5), sigma=0.25, bounds=np.tile([0.0, 1.0], (4, 1)))
    for optimizer in (live, cmaes.CMAwM, cmaes.CatCMAwM):
        study = eh.tune(train, space, minimize="loss", optimizer=optimizer, trials=200, seed=1, progress=False)
        print(study.optimizer, study.best.metrics, study.best.params)
