"""A mixed conditional space, its objective, and the configurations that are proposed at home."""

from __future__ import annotations

import numpy as np

import evohpo as eh
from tests.conftest import loss, make_mixed_space

OPTIMIZERS = ["random", "de", "ga", "pso", "de-steady", "inspyred.pso", "users-own"]


@eh.optimizer("users-own-abroad")
def users_own(problem, rng, population=6, weight=0.8, crossover=0.9):
    X = rng.random((population, problem.dim))
    F = yield X
    while True:
        a, b, c = (X[rng.permutation(population)] for _ in range(3))
        children = np.where(rng.random(X.shape) < crossover, np.clip(a + weight * (b - c), 0, 1), X)
        G = yield children
        better = G < F
        X, F = np.where(better[:, None], children, X), np.where(better, G, F)


def target(name):
    return users_own if name == "users-own" else name


def at_home(name, trials=40, objective=loss, **more):
    """The configurations that a study of ours proposes one after the other."""
    usual = {"minimize": "loss", "population": 6, "seed": 5, "progress": False, "duplicates": "evaluate"}
    study = eh.tune(objective, make_mixed_space(), optimizer=target(name), trials=trials, **(usual | more))
    return [trial.params for trial in study.trials]
