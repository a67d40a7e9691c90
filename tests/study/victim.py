"""A script that is killed: `victim.py OPTIMIZER[+hyperband] STORE` tunes a small problem with two worker processes."""

from __future__ import annotations

import sys
import time

import numpy as np

import evohpo as eh
from tests.conftest import loss, make_mixed_space


@eh.optimizer("users-own")
def users_own(problem, rng, population=6, weight=0.8, crossover=0.9):
    X = rng.random((population, problem.dim))
    F = yield X
    while True:
        a, b, c = (X[rng.permutation(population)] for _ in range(3))
        children = np.where(rng.random(X.shape) < crossover, np.clip(a + weight * (b - c), 0, 1), X)
        G = yield children
        better = G < F
        X, F = np.where(better[:, None], children, X), np.where(better, G, F)


def slow_loss(params):
    time.sleep(0.01)
    if params["layers"] == 6:
        raise ValueError("six layers do not fit")
    return loss(params)


def stepwise(params, ctx):
    """Train in steps, with a checkpoint."""
    checkpoint = ctx.directory / "step"
    for step in range(ctx.step, 9):
        assert step == 0 or checkpoint.read_text() in (str(step), str(step + 1))  # killed between writing and reporting
        time.sleep(0.004)
        (ctx.directory / "new").write_text(str(step + 1))
        (ctx.directory / "new").replace(checkpoint)  # whole or not at all
        yield {"loss": loss(params) + 1 / (step + 1)}


def search(optimizer: str, store: str | None, workers: int = 2) -> eh.Study:
    """`optimizer` is a name, or "name+pruner" for an objective that trains in steps."""
    optimizer, _, pruner = optimizer.partition("+")
    return eh.tune(
        stepwise if pruner else slow_loss, make_mixed_space(), minimize="loss", optimizer=optimizer, generations=5,
        pruner=eh.Hyperband(9) if pruner else None, population=6, workers=workers, seed=7, store=store, progress=False,
        lookahead=4 if optimizer == "islands" else None,  # it never waits
    )  # fmt: skip


if __name__ == "__main__":
    search(sys.argv[1], sys.argv[2])
