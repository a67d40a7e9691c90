"""Tune a mixed conditional space with a sampler and a pruner of Optuna."""

import math

import optuna

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
    """Stand in for a training that takes nine epochs."""
    best = (math.log10(params["learning_rate"]) + 2) ** 2 + 0.2 * (params["layers"] - 3) ** 2
    best += (math.log2(params["units"]) - 6) ** 2 / 4 + abs(params.get("momentum", 0.5) - 0.9)
    for epoch in range(1, 10):
        yield {"loss": best + 1 / epoch}


if __name__ == "__main__":
    study = eh.tune(
        train, space, minimize="loss", trials=80, seed=1, progress=False,
        optimizer=optuna.samplers.TPESampler(n_startup_trials=20),
        pruner=optuna.pruners.MedianPruner(n_warmup_steps=3),
    )  # fmt: skip
    print(study.best)
    print(
        sum(trial.status == "stopped" for trial in study.trials), "of", len(study.trials), "trials were stopped early"
    )
