"""Optimizers with one fault each, and the check that names it."""

from __future__ import annotations

import itertools
import random
import threading
import time

import numpy as np

from evohpo.optimizers.protocol import Population


def de(problem, rng, population=12):
    X = rng.random((population, problem.dim))
    F = yield X
    while True:
        a, b, c = (X[rng.permutation(population)] for _ in range(3))
        children = np.where(rng.random(X.shape) < 0.9, np.clip(a + 0.6 * (b - c), 0, 1), X)
        G = yield children
        better = G < F
        X, F = np.where(better[:, None], children, X), np.where(better, G, F)


class AskTell:
    """What the broken objects below are made of: a sound (mu + lambda) strategy, generation by generation."""

    def __init__(self, problem, rng, population=10):
        self.dim, self.rng, self.n = problem.dim, rng, population
        self.X = self.F = None
        self.out, self.G = None, {}

    def propose(self):
        if self.X is None:
            return self.rng.random((self.n, self.dim))
        return np.clip(self.X + self.rng.normal(0, 0.1, self.X.shape), 0, 1)

    def ask(self, n):
        if self.out is not None:
            return np.empty((0, self.dim))
        self.out, self.G = self.propose(), {}
        return Population(self.out, keys=range(self.n))

    def tell(self, results):
        for i, key in enumerate(results.keys):
            if key is not None:
                self.G[key] = float(results.F[i, 0])
        if self.out is not None and len(self.G) == self.n:
            self.select(np.array([self.G[key] for key in range(self.n)]))
            self.out = None

    def select(self, G):
        X = self.out if self.X is None else np.concatenate([self.X, self.out])
        F = G if self.F is None else np.concatenate([self.F, G])
        best = np.argsort(F, kind="stable")[: self.n]
        self.X, self.F = X[best], F[best]


def leaves_the_cube(problem, rng):
    while True:
        yield rng.normal(0.5, 0.4, (8, problem.dim))


def drifts_out_of_bounds_late(problem, rng):
    for generation in itertools.count():
        yield rng.random((10, problem.dim)) * (1.0 if generation < 40 else 1.1)


def wrong_shape(problem, rng):
    while True:
        yield rng.random(problem.dim)


def needs_two_genes(problem, rng):
    assert problem.dim > 1, "needs two genes"
    yield from de(problem, rng)


def at_most_a_hundred_genes(problem, rng):
    assert problem.dim <= 100, "a table of 100 constants"
    yield from de(problem, rng)


def writes_into_what_it_is_told(problem, rng):
    while True:
        F = yield rng.random((8, problem.dim))
        F -= F.min()


def ignores_its_seed(problem, rng):
    yield from de(problem, np.random.default_rng(7))


class DrawsFromTheModuleRandom:
    def __init__(self, problem, rng):
        self.dim = problem.dim

    def ask(self, n):
        return np.array([[random.random() for _ in range(self.dim)] for _ in range(n)])

    def tell(self, results):
        pass


class DrawsFromGlobalNumpy(DrawsFromTheModuleRandom):
    def ask(self, n):
        return np.random.random((n, self.dim))  # noqa: NPY002 - the fault


def entropy(problem, rng):
    yield from de(problem, np.random.default_rng())


def cools_by_the_clock(problem, rng):
    began, X = time.time(), rng.random((8, problem.dim))
    while True:
        yield X
        X = np.clip(X + rng.normal(0, 0.2 if time.time() - began < 5 else 0.01, X.shape), 0, 1)


def in_the_order_of_a_set(problem, rng):
    names = {f"gene {i}" for i in range(9)}
    order = np.array([int(name[-1]) for name in names]) / 9
    X = rng.random((9, problem.dim))
    while True:
        yield np.clip(X * 0.5 + 0.5 * order[:, None], 0, 1)
        X = rng.random((9, problem.dim))


class SharesItsPopulation(AskTell):
    """Its population belongs to the class."""

    pool: list = []  # noqa: RUF012 - the fault

    def propose(self):
        if len(self.pool) > 20:
            del self.pool[:-20]
        X = super().propose()
        same = [x for x in self.pool if len(x) == self.dim]
        return np.clip(0.9 * X + 0.1 * same[0], 0, 1) if same else X

    def select(self, G):
        super().select(G)
        self.pool.append(self.X[0])


class MatchesByPosition(AskTell):
    """Off by one as soon as results come in another order: it does not look at the keys."""

    def __init__(self, problem, rng):
        super().__init__(problem, rng)
        self.count = 0

    def tell(self, results):
        for i, key in enumerate(results.keys):
            if key is not None:
                self.G[self.count % self.n] = float(results.F[i, 0])
                self.count += 1
        if self.out is not None and len(self.G) == self.n:
            self.select(np.array([self.G[k] for k in range(self.n)]))
            self.out = None


class OffByOne(AskTell):
    """Every result is credited to the neighbour."""

    def select(self, G):
        super().select(np.roll(G, 1))


class ForgetsWhatIsOut:
    """It proposes the same points until it is told."""

    def __init__(self, problem, rng):
        self.dim, self.rng = problem.dim, rng
        self.next = rng.random(problem.dim)

    def ask(self, n):
        return self.next[None]

    def tell(self, results):
        self.next = self.rng.random(self.dim)


class OnePointForEver:
    def __init__(self, problem, rng):
        self.x = rng.random((1, problem.dim))

    def ask(self, n):
        return self.x

    def tell(self, results):
        pass


class CountsFailuresAsMissing(AskTell):
    """It waits for a result of every individual, and takes a failed one for none: after it nothing comes."""

    def tell(self, results):
        super().tell(results.take(~results.failed))


def gives_up_on_equal_fitness(problem, rng):
    while True:
        F = yield rng.random((8, problem.dim))
        if len(np.unique(F)) < 2:
            raise ZeroDivisionError("no spread")


class OneBaselineTooMany(AskTell):
    """It takes every result for one of its own."""

    def tell(self, results):
        for i, key in enumerate(results.keys):
            self.G[int(key)] = float(results.F[i, 0])
        super().tell(results)


class WrongSign(AskTell):
    def select(self, G):
        super().select(-G)


class Quadratic:
    """Every proposal is compared with all others there ever were, in a loop."""

    def __init__(self, problem, rng):
        self.dim, self.rng, self.seen = problem.dim, rng, []

    def ask(self, n):
        x = self.rng.random(self.dim)
        x[0] = sum(abs(a - b) for old in self.seen for a, b in zip(x, old, strict=True)) % 1.0
        self.seen.append(x)
        return x[None]

    def tell(self, results):
        pass


class Hoards:
    """It keeps a picture of every trial."""

    def __init__(self, problem, rng):
        self.dim, self.rng, self.album = problem.dim, rng, []

    def ask(self, n):
        return self.rng.random((n, self.dim))

    def tell(self, results):
        self.album += [np.ones(10_000) for _ in range(len(results))]


class KeepsAThread:
    def __init__(self, problem, rng):
        self.dim, self.rng = problem.dim, rng
        self.stop = threading.Event()
        threading.Thread(target=self.stop.wait, args=(30,), daemon=True, name="a watcher").start()

    def ask(self, n):
        return self.rng.random((n, self.dim))

    def tell(self, results):
        pass


def prints(problem, rng):
    for population in _of(de(problem, rng)):
        print("a new generation")
        yield population


def _of(generator):
    population = next(generator)
    yield population
    rng = np.random.default_rng(0)
    while True:
        yield rng.random(population.shape)


class RemembersElsewhere:
    """A part of its state is kept where a fresh one finds it."""

    calls = 0

    def __init__(self, problem, rng):
        self.dim = problem.dim

    def ask(self, n):
        RemembersElsewhere.calls += 1
        return np.full((1, self.dim), (RemembersElsewhere.calls * 0.618) % 1)

    def tell(self, results):
        pass


def uses_the_workers(problem, rng):
    rng.random(problem.workers)
    yield from de(problem, rng)


class AsManyAsAsked:
    """A generation is as large as the first request, so that the number of workers decides."""

    def __init__(self, problem, rng):
        self.dim, self.rng, self.out = problem.dim, rng, 0

    def ask(self, n):
        if self.out:
            return np.empty((0, self.dim))
        self.out = min(n, 10)
        scale = self.rng.random()
        return scale * self.rng.random((self.out, self.dim))

    def tell(self, results):
        self.out -= sum(number >= 0 for number in results.numbers)


def only_random(problem, rng):
    while True:
        yield rng.random((8, problem.dim))


BROKEN = [
    (leaves_the_cube, "legal_proposals", "gene"),
    (wrong_shape, "legal_proposals", "x[None]"),
    (drifts_out_of_bounds_late, "in_bounds_for_long", "gene"),
    (needs_two_genes, "one_gene", "needs two genes"),
    (at_most_a_hundred_genes, "two_hundred_genes", "a table of 100"),
    (writes_into_what_it_is_told, "told_arrays", "read-only"),
    (ignores_its_seed, "another_seed", "seeds 1 and 2"),
    (DrawsFromTheModuleRandom, "global_generators", "random"),
    (DrawsFromGlobalNumpy, "global_generators", "numpy.random"),
    (entropy, "same_seed", "trial 0 differs"),
    (cools_by_the_clock, "clock", "fast clocks"),
    (in_the_order_of_a_set, "hash_order", "hash seeds"),
    (SharesItsPopulation, "independent_instances", "another study"),
    (MatchesByPosition, "identity", "out of order"),
    (OffByOne, "better_than_nothing", "random search"),
    (ForgetsWhatIsOut, "pending_points", "that are out"),
    (OnePointForEver, "variety", "1 different point"),
    (CountsFailuresAsMissing, "failure_at_the_end", "nothing more"),
    (gives_up_on_equal_fitness, "constant_fitness", "no spread"),
    (OneBaselineTooMany, "baseline", "NoneType"),
    (WrongSign, "right_way", "minimised"),
    (Quadratic, "cost_of_asking", "ms early"),
    (Hoards, "memory", "kB more"),
    (KeepsAThread, "threads", "a watcher"),
    (prints, "quiet", "a new generation"),
    (RemembersElsewhere, "resume", "differs"),
    (RemembersElsewhere, "resume_at_every_event", "differs"),
    (uses_the_workers, "same_for_any_workers", "1 and 3 workers"),
    (AsManyAsAsked, "any_request_size", "one by one"),
    (only_random, "better_than_nothing", "random search"),
]
