"""What a proposal of `bo` costs in CPU time, by the number of results it has learned: 8 parameters of all kinds.

Whatever else the machine does counts little, since it is CPU time and one thread; a learning of the models' parameters is
shared by the proposals that come before the next one, so that the mean of a full period is shown.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python scripts/bench_bo.py --results 50 100 200 500 1000 --batch 1
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import evohpo as eh
from evohpo.optimizers.protocol import Problem, Results
from evohpo.optimizers.registry import resolve

SPACE = eh.Space(
    {
        "rate": eh.Continuous(1e-5, 1e-1, scale="log"),
        "decay": eh.Continuous(1e-6, 1e-2, scale="log"),
        "dropout": eh.Continuous(0.0, 0.8),
        "layers": eh.Integer(1, 8),
        "units": eh.Integer(8, 1024, scale="log"),
        "batch": eh.Ordinal([16, 32, 64, 128, 256]),
        "solver": eh.Categorical(["sgd", "adam", "rmsprop"]),
        "momentum": eh.Continuous(0.0, 0.99, when={"solver": "sgd"}),
    }
)


def loss(X: np.ndarray) -> np.ndarray:
    """Return a smooth loss with a few interactions and a choice that matters."""
    return ((X - 0.4) ** 2).sum(1) + X[:, 0] * X[:, 4] + 0.3 * (X[:, 6] > 0.66)


def told(X: np.ndarray, first: int, keys: list[int | None]) -> Results:
    """Return what became of rows X."""
    zero = np.zeros(len(X))
    numbers = np.arange(first, first + len(X))
    return Results(X, loss(X)[:, None], zero, zero.astype(int), zero > 0, numbers, keys)


def cost(n: int, proposals: int, batch: int) -> float:
    """Return CPU seconds a proposal with `n` results, a quarter of them proposed around the best."""
    codec = eh.Real().bind(SPACE)
    problem = Problem(codec.dim, codec.genes, space=SPACE, encoding=codec, budget=10 * n)
    bo = resolve("bo").start(problem, np.random.default_rng(1))
    rng = np.random.default_rng(0)
    X = rng.random((n, codec.dim))
    X[: n // 4] = np.clip(X[loss(X).argmin()] + 0.1 * rng.standard_normal((n // 4, codec.dim)), 0, 1)
    bo.tell(told(X, 0, [None] * n))
    bo.ask(1)  # what is learned only once
    began, done = time.process_time(), 0
    while done < proposals:
        asked = bo.ask(batch)
        bo.tell(told(asked.X, n + done, list(asked.keys)))
        done += len(asked.X)
    return (time.process_time() - began) / done


def main() -> None:
    """Print a line for every number of results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=int, nargs="+", default=[50, 100, 200, 500, 1000])
    parser.add_argument("--proposals", type=int, default=16)
    parser.add_argument("--batch", type=int, default=1)
    given = parser.parse_args()
    print("results  CPU seconds a proposal")
    for n in given.results:
        print(f"{n:7d}  {cost(n, given.proposals, given.batch):.3f}", flush=True)


if __name__ == "__main__":
    main()
