"""A host for optimizers that is no study: asks until nothing comes, evaluates, tells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evohpo.optimizers import Population, Problem, Results, resolve


@dataclass
class FewGenes:
    cardinality: np.ndarray
    ordered: np.ndarray


def problem(dim=3, **kwargs):
    return Problem(dim, FewGenes(np.zeros(dim, int), np.zeros(dim, bool)), **kwargs)


def sphere(X):
    return ((X - 0.3) ** 2).sum(1)


def two_spheres(X):
    return np.stack([((X - 0.2) ** 2).sum(1), ((X - 0.7) ** 2).sum(1)], axis=1)


def results(X, F, keys=(), numbers=None):
    k = len(X)
    F = np.asarray(F, float).reshape(k, -1)
    zero = np.zeros(k)
    numbers = np.arange(k) if numbers is None else np.asarray(numbers)
    return Results(np.asarray(X, float), F, zero, zero.astype(int), zero > 0, numbers, keys)


class Host:
    """Talks to one optimizer; `X` and `F` collect all generations, `sizes` how many rows each ask gave."""

    def __init__(self, spec, objective=sphere, dim=3, seed=1, **kwargs):
        self.resolved = resolve(spec)
        self.problem = problem(dim, **kwargs)
        self.optimizer = self.resolved.start(self.problem, np.random.default_rng(seed))
        self.objective, self.shuffle = objective, None
        self.X, self.F, self.sizes, self.done = [], [], [], False

    def ask(self, n=8):
        answer = self.optimizer.ask(n)
        if answer is None:
            self.done = True
            return None
        return answer if isinstance(answer, Population) else Population(answer)

    def step(self, n=8):
        """Ask, evaluate and tell once; False if there was nothing to evaluate."""
        population = self.ask(n)
        if population is None or not len(population.X):
            return False
        F = self.objective(population.X)
        first = sum(self.sizes)
        self.X.append(population.X)
        self.F.append(F)
        self.sizes.append(len(F))
        numbers = np.arange(first, first + len(F))
        keys = [None] * len(F) if population.keys is None else list(population.keys)
        told = results(population.X, F, keys, numbers)
        for part in self._parts(len(F)):
            self.optimizer.tell(told.take(part))
        return True

    def _parts(self, k):
        if self.shuffle is None:
            return [np.arange(k)]
        return np.array_split(self.shuffle.permutation(k), min(3, k))

    def run(self, steps=10, n=8):
        for _ in range(steps):
            if not self.step(n):
                break
        return np.concatenate(self.X) if self.X else np.empty((0, self.problem.dim))
