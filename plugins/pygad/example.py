"""Tune a space of mixed parameters with a live pygad.GA and its class."""

import math

import pygad

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
    live = pygad.GA(
        num_generations=20, num_parents_mating=4, fitness_func=lambda ga, x, i: 0.0, sol_per_pop=12, num_genes=4,
        gene_space={"low": 0.0, "high": 1.0},
    )  # fmt: skip
    for optimizer in (live, eh.use(pygad.GA, sol_per_pop=12, keep_elitism=2)):
        study = eh.tune(train, space, minimize="loss", optimizer=optimizer, trials=240, seed=1, progress=False)
        print(study.optimizer, study.best.metrics, study.best.params)
