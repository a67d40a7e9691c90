"""What islands give: workers that do not wait for a generation's end, and what migration does for the search.

    .venv/bin/python scripts/bench_islands.py workers [SEEDS]     # wall time over perfect list scheduling, 8 workers
    .venv/bin/python scripts/bench_islands.py quality [SEEDS]     # islands of ga beside one ga of as many individuals

Durations are lognormal, mean 0.2 s and sigma 1, 200 trials; once on a virtual clock, once slept in threads.
"""

from __future__ import annotations

import heapq
import sys
import time
from functools import partial
from multiprocessing import Pool

import numpy as np

import evohpo as eh
from evohpo.evaluators.simulated import Simulated

SPACE = {f"x{i}": eh.Continuous(-5.12, 5.12) for i in range(8)}
OPTIMUM = np.array([0.31, -1.7, 2.2, -0.9, 3.1, -2.6, 1.4, 0.77])
WORKERS, TRIALS = 8, 200


def sphere(x):
    return float((x * x).sum())


def rastrigin(x):
    return float((x * x - 10 * np.cos(2 * np.pi * x) + 10).sum())


def deceptive(x):
    """Slopes towards the low end of every gene, and has a better optimum in its upper fifth."""
    u = (x + OPTIMUM + 5.12) / 10.24
    return float(np.where(u < 0.8, 0.2 + u, 5 * (1 - u)).sum())


def row(params):
    return np.array(list(params.values())) - OPTIMUM


class Slept:
    """A sphere that takes the durations of a list, on a virtual clock if it is asked to."""

    def __init__(self, durations):
        self.durations, self.left, self.simulated = durations, iter(durations), None

    def __call__(self, params, ctx):
        """Sleep and measure."""
        time.sleep(self.durations[ctx.number])
        return sphere(row(params))

    def simulate(self, workers):
        """Return workers that only advance a clock."""
        self.simulated = Simulated(lambda p: [(1, {"loss": sphere(row(p))}, next(self.left))], workers)
        return self.simulated


def ratio(optimizer, seed, real):
    """Return the wall time over that of perfect list scheduling of the same durations."""
    durations = np.random.default_rng(seed).lognormal(np.log(0.2) - 0.5, 1.0, TRIALS).tolist()
    free = [0.0] * WORKERS
    for seconds in durations:
        heapq.heapreplace(free, free[0] + seconds)
    objective, began = Slept(durations), time.perf_counter()
    eh.tune(
        objective, SPACE, minimize="loss", optimizer=optimizer, trials=TRIALS, workers=WORKERS, seed=seed,
        evaluator=eh.Threads() if real else None, progress=False,
    )  # fmt: skip
    return (time.perf_counter() - began if real else objective.simulated.elapsed) / max(free)


def workers(seeds):
    cases = {"ga": "ga", "ga-steady": "ga-steady"}
    cases |= {f"{n} islands of ga": eh.Islands("ga", n) for n in (2, 4, 6, 8)}
    cases |= {f"{n} islands of 20": eh.Islands(eh.use("ga", population=20), n) for n in (2, 4)}
    print(f"{'wall time / bound':18} {'virtual: median':>16} {'worst':>6} {'slept: worst of 3':>18}")
    for name, optimizer in cases.items():
        virtual = [ratio(optimizer, seed, False) for seed in range(seeds)]
        slept = max(ratio(optimizer, seed, True) for seed in range(3))
        print(f"{name:18} {np.median(virtual):16.3f} {max(virtual):6.3f} {slept:18.3f}", flush=True)


def best(optimizer, objective, trials, seed):
    study = eh.tune(
        lambda p: objective(row(p)),
        SPACE,
        minimize="loss",
        optimizer=optimizer,
        trials=trials,
        seed=seed,
        progress=False,
    )
    return study.best.fitness[0]


def quality(seeds):
    """Print medians, and the probability that a run is better than one of the single population."""
    with Pool() as pool:
        for population, trials in ((20, 1000), (80, 3000)):
            cases = {"one ga": eh.use("ga", population=population)}
            for every, topology in ((10**6, "ring"), (5, "ring"), (2, "ring"), (5, "complete"), (2, "complete")):
                name = "no migration" if every == 10**6 else f"{topology}, every {every}"
                cases[name] = eh.Islands(eh.use("ga", population=population // 4), 4, every, topology)
            for objective in (sphere, rastrigin, deceptive):
                print(f"{objective.__name__}, {population} individuals in all, {trials} trials")
                alone = None
                for name, optimizer in cases.items():
                    runs = np.array(pool.map(partial(best, optimizer, objective, trials), range(seeds)))
                    alone = runs if alone is None else alone
                    better = np.sign(alone[:, None] - runs).mean() / 2 + 0.5
                    print(f"  {name:20} median {np.median(runs):9.4g}   better than one ga: {better:.2f}", flush=True)


if __name__ == "__main__":
    {"workers": workers, "quality": quality}[sys.argv[1]](int(sys.argv[2]) if len(sys.argv) > 2 else 21)
