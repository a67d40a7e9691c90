"""Studies whose truth is known: a space, a function of it, and random configurations measured by that function."""

from __future__ import annotations

import numpy as np

import evohpo as eh

SQUARE = eh.Space({name: eh.Continuous(0.0, 1.0) for name in ("a", "b", "c", "idle")})
CONDITIONAL = eh.Space(
    {
        "rate": eh.Continuous(1e-4, 1e-1, scale="log"),
        "solver": eh.Categorical(["sgd", "adam"]),
        "momentum": eh.Continuous(0.0, 1.0, when={"solver": "sgd"}),
    }
)


def planted(objective, space=SQUARE, n=80, seed=1, optimizer="random", **arguments):
    """Run a study of `n` trials."""
    goal = {} if {"minimize", "maximize"} & set(arguments) else {"minimize": "loss"}
    return eh.tune(objective, space, optimizer=optimizer, trials=n, seed=seed, progress=False, **goal, **arguments)


def replanted(study, values):
    """Return a study with the same configurations and other values of the objective."""
    copy = eh.Study(study.space, minimize="loss", optimizer="random", seed=study.seed)
    for trial, value in zip(study.trials, values, strict=True):
        copy.attach(trial.params, float(value))
    return copy


def additive(params):
    """Variances 16 : 4 : 1 : 0."""
    return 4 * params["a"] + 2 * params["b"] + params["c"]


def stepped(params):
    """What a forest does better than a gaussian process: a board of many small, unrelated squares."""
    return float(np.random.default_rng([int(5 * params["a"]), int(5 * params["b"])]).normal())
