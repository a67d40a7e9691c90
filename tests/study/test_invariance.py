"""Same seed, same study: whatever the number of workers and wherever they run."""

from __future__ import annotations

import random
import time

import pandas as pd
import pytest

import evohpo as eh
from tests.conftest import loss, make_mixed_space, untimed

STEADY = ["bo", "de-steady", "ga-steady", "grid", "islands", "random", "sobol", "tpe"]
GENERATIONAL = [
    info.name for info in eh.available_optimizers().values() if info.origin == "evohpo" and info.name not in STEADY
]


def jittery(params):
    """Takes a random time, so that trials end in another order each time."""
    time.sleep(random.SystemRandom().uniform(0, 0.004))
    if params["layers"] == 5:
        raise ValueError("five layers do not fit")
    return loss(params)


def search(optimizer, evaluator=None, workers=1, **budget):
    budget = budget or {"generations": 4, "population": 8}
    return eh.tune(
        jittery, make_mixed_space(), minimize="loss", optimizer=optimizer, evaluator=evaluator, workers=workers, seed=3,
        initial=[{"layers": 2, "units": 32}], progress=False, **budget,
    )  # fmt: skip


@pytest.mark.parametrize("optimizer", GENERATIONAL)
def test_threads_change_nothing_for_a_generational_optimizer(optimizer):
    expected = untimed(search(optimizer))
    for workers in (2, 8):
        pd.testing.assert_frame_equal(untimed(search(optimizer, eh.Threads(), workers)), expected)


@pytest.mark.parametrize(
    "optimizer", [pytest.param(n, marks=[] if n in ("ga", "pso") else pytest.mark.slow) for n in GENERATIONAL]
)
def test_processes_change_nothing_for_a_generational_optimizer(optimizer):
    expected = untimed(search(optimizer))
    for workers in (2, 8):
        pd.testing.assert_frame_equal(untimed(search(optimizer, eh.Processes(), workers)), expected)


@pytest.mark.parametrize("optimizer", [*STEADY, pytest.param("auto", marks=pytest.mark.slow)])
def test_lookahead_makes_a_steady_optimizer_independent_of_workers(optimizer):
    expected = untimed(search(optimizer, trials=40, lookahead=8))
    for workers in (2, 8):
        pd.testing.assert_frame_equal(
            untimed(search(optimizer, eh.Threads(), workers, trials=40, lookahead=8)), expected
        )


def test_a_naive_class_that_counts_a_generation_is_told_in_order():
    class Naive:
        def __init__(self, problem, rng):
            self.rng, self.dim, self.told, self.ready = rng, problem.dim, [], True

        def ask(self, n):
            if not self.ready:
                return []
            self.ready = False
            return self.rng.random((6, self.dim)) * (0.5 if self.told and self.told[-1] < 1 else 1.0)

        def tell(self, results):
            self.told += results.F[results.numbers >= 0, 0].tolist()
            self.ready = len(self.told) % 6 == 0

    expected = untimed(search(Naive, trials=30))
    for workers in (2, 8):
        pd.testing.assert_frame_equal(untimed(search(Naive, eh.Threads(), workers, trials=30)), expected)


def test_another_seed_gives_another_study(mixed_space):
    tables = [
        untimed(eh.tune(loss, mixed_space, minimize="loss", optimizer="ga", trials=10, seed=seed, progress=False))
        for seed in (1, 2)
    ]
    assert not tables[0].equals(tables[1])


def test_a_seed_that_was_not_given_is_drawn_and_brings_the_study_back(mixed_space):
    first = eh.tune(loss, mixed_space, minimize="loss", optimizer="ga", trials=10, progress=False)
    again = eh.tune(loss, mixed_space, minimize="loss", optimizer="ga", trials=10, seed=first.seed, progress=False)
    pd.testing.assert_frame_equal(untimed(first), untimed(again))
