"""MOEA/D: one scalar subproblem a direction, each solved with the help of its neighbours.

References: Zhang, Li (2007), MOEA/D: a multiobjective evolutionary algorithm based on decomposition; Li, Zhang (2009),
Multiobjective optimization problems with complicated Pareto sets, MOEA/D and NSGA-II (differential evolution, limited
replacement); Wang, Zhang, Zhou, Gong, Jiao (2016), Adaptive replacement strategies for MOEA/D (global replacement).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from evohpo.errors import UsageError
from evohpo.optimizers import operators
from evohpo.optimizers.de import mix
from evohpo.optimizers.directions import subproblems
from evohpo.optimizers.protocol import Array, Population, Problem, Results
from evohpo.optimizers.registry import optimizer
from evohpo.optimizers.start import Newcomers, start
from evohpo.trials.pareto import front

if TYPE_CHECKING:
    from collections.abc import Generator

    from evohpo.optimizers.operators import Integers

DECOMPOSITIONS = ("tchebycheff", "pbi")


@optimizer(
    "moead", objectives="multi", constraints=True, told="results", reference="Zhang, Li (2007); Li, Zhang (2009)"
)
def moead(
    problem: Problem,
    rng: np.random.Generator,
    *,
    population: int = 40,
    decomposition: Literal["tchebycheff", "pbi"] = "tchebycheff",
    neighbors: int = 15,
    locality: float = 0.5,
    replaced: int = 8,
    differences: float = 0.1,
    weight: float = 0.5,
    mutation_rate: float | None = None,
    eta_crossover: float = 10.0,
    eta_mutation: float = 20.0,
    theta: float = 5.0,
) -> Generator[Population, Results, None]:
    """Every subproblem gets one child a generation; a child replaces individuals whose subproblems it solves better.

    The children of a generation are made before any is judged, so that they can be evaluated at once. Objectives are
    scaled by what the first front spans, so their units do not matter. Less violation comes before all else.

    The defaults are those that found most within 10,000 evaluations (`scripts/bench_fronts.py`). The paper of 2009 has
    `differences=1, neighbors=20, locality=0.9, replaced=2`, for fronts that need some hundred thousand.

    Args:
        problem: the task.
        rng: the source of all draws.
        population: subproblems, and individuals a generation, 1 or more.
        decomposition: how objectives become one: "tchebycheff", the greatest share of a direction, or "pbi", the way
            along the direction and `theta` times the distance from it.
        neighbors: T, how many nearest subproblems are a neighbourhood, 1 or more.
        locality: delta, the probability that mates come from the neighbourhood and not from everywhere.
        replaced: n_r, how many individuals a child may replace, 1 or more.
        differences: probability of a child to be made by adding the difference of two mates, instead of crossing one in.
        weight: F, the factor on differences, in (0, 2].
        mutation_rate: probability of a gene to mutate; one gene a chromosome on average (1/dim) if None.
        eta_crossover: distribution index of sbx, smaller reaches farther.
        eta_mutation: distribution index of the polynomial mutation; half of the children take a quarter of it.
        theta: weight of the distance from the direction in "pbi".

    Raises:
        UsageError: an unknown decomposition, or no neighbour.
    """
    if decomposition not in DECOMPOSITIONS:
        raise UsageError(f"decomposition = {decomposition!r}: choose one of {', '.join(map(repr, DECOMPOSITIONS))}")
    if neighbors < 1 or replaced < 1:
        raise UsageError(f"neighbors = {neighbors}, replaced = {replaced}: give 1 or more of each")
    whole, m = operators.unordered(problem.genes), problem.n_objectives

    parents = yield from start(problem, rng, population)
    n, newcomers = len(parents), Newcomers(problem)
    task = _Subproblems(subproblems(n, m), decomposition, theta)
    near = task.neighborhoods(min(neighbors, n) if m > 1 else n)
    task.learn(parents)
    while True:
        local = rng.random(n) < locality
        mates = near[np.arange(n), rng.integers(0, near.shape[1], (2, n))]
        a, b = np.where(local, mates, rng.integers(0, n, (2, n)))
        X, numbers = parents.X, parents.trials
        crossed = operators.sbx(X, X[a], eta_crossover, whole, rng)[0]
        moved = mix(operators.reflect(X + weight * (X[a] - X[b])), X, X[a], whole, rng)
        by_difference = rng.random(n) < differences
        children = operators.vary(
            np.where(by_difference[:, None], moved, crossed), X, problem.genes, mutation_rate, eta_mutation, rng
        )
        family = numbers[np.column_stack([np.arange(n), a, np.where(by_difference, b, a)])]
        how = np.where(by_difference, "de+polynomial", "sbx+polynomial").tolist()
        told = newcomers.join((yield Population(children, parents=family, operator=how)))
        task.learn(Results.concatenate([parents, told]))
        parents = task.replace(parents, told, near, replaced, rng)


class _Subproblems:
    """The directions, and what is known of the span of the front."""

    def __init__(self, W: Array, how: str, theta: float) -> None:
        self.W, self.how, self.theta = W, how, theta
        self.floor = np.maximum(W, 1e-6)
        self.unit = W / np.linalg.norm(W, axis=1, keepdims=True)
        self.ideal = np.full(W.shape[1], np.inf)
        self.span = np.ones(W.shape[1])
        self.feasible = False

    def neighborhoods(self, T: int) -> Integers:
        """Return `(n, T)`: for each subproblem those of the nearest directions, itself first."""
        rows = [np.argsort(np.round(((self.W - w) ** 2).sum(1), 12), kind="stable")[:T] for w in self.W]
        return np.array(rows)

    def learn(self, results: Results) -> None:
        """Take the ideal point, and the span of the first front, from the feasible rows; from all while there is none."""
        feasible = results.violation <= 0
        if feasible.any() and not self.feasible:
            self.feasible, self.ideal = True, np.full_like(self.ideal, np.inf)
        F = results.F[feasible] if self.feasible else results.F
        self.ideal = np.minimum(self.ideal, F.min(0))
        span = F[front(F)].max(0) - self.ideal
        span = np.where(span > 0, span, F.max(0) - self.ideal)
        self.span = np.where(span > 0, span, 1.0)

    def value(self, F: Array, rows: Integers) -> Array:
        """Return how badly fitness `F` `(k, m)`, or one row for all, solves each of `k` subproblems."""
        if F.shape[-1] == 1:
            return np.array(np.broadcast_to(F[:, 0], rows.shape))
        scaled = (F - self.ideal) / self.span
        if self.how == "tchebycheff":
            return np.asarray((scaled / self.floor[rows]).max(1))
        unit = self.unit[rows]
        along = (scaled * unit).sum(1)
        return np.asarray(along + self.theta * np.sqrt(((scaled - along[:, None] * unit) ** 2).sum(1)))

    def replace(self, parents: Results, told: Results, near: Integers, limit: int, rng: np.random.Generator) -> Results:
        """Return the individuals of the subproblems after all children, one after the other, were judged.

        A child looks for the subproblem that suits it best, and for places in the neighbourhood of that.
        """
        n = len(parents)
        everyone = np.arange(n)
        member, violation, value = everyone.copy(), parents.violation.copy(), self.value(parents.F, everyone)
        for child in rng.permutation(len(told)):
            f, v = told.F[[child]], told.violation[child]
            g = self.value(f, everyone)
            places = rng.permutation(near[g.argmin()])
            better = (v < violation[places]) | ((v == violation[places]) & (g[places] < value[places]))
            taken = places[better][:limit]
            member[taken], violation[taken], value[taken] = n + child, v, g[taken]
        return Results.concatenate([parents, told]).take(member)
