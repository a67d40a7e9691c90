"""Steady-state DE and GA: one child at a time, so that no worker ever waits for a generation to end.

Both always have a proposal, whatever is outstanding. Each proposal takes the same draws whether it is asked for alone
or with others, so the stream depends only on what was told in between.

Reference: Whitley, Kauth (1988), GENITOR: a different genetic algorithm; for asynchronous DE: Zhabitskaya, Zhabitsky
(2013), Asynchronous differential evolution with restart.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evohpo.optimizers import operators
from evohpo.optimizers.protocol import Array, Population, Problem, Results
from evohpo.optimizers.registry import optimizer
from evohpo.optimizers.start import latin_hypercube

FEW = 4  # results below which there is nothing to recombine: target, base and two to subtract


@optimizer("ga-steady", constraints=True, told="results", reference="Whitley, Kauth (1988), GENITOR")
class SteadyGA:
    """A child of two tournament winners; the best of all told so far are the population.

    Args:
        problem: the task.
        rng: the source of all draws.
        population: individuals that can be parents, 1 or more.
        tournament: contestants for each parenthood.
        eta_crossover: distribution index of sbx, smaller reaches farther.
        eta_mutation: distribution index of the polynomial mutation, smaller reaches farther.
    """

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        *,
        population: int = 20,
        tournament: int = 2,
        eta_crossover: float = 5.0,
        eta_mutation: float = 20.0,
    ) -> None:
        self.problem, self.rng, self.population, self.tournament = problem, rng, population, tournament
        self.eta_crossover, self.eta_mutation = eta_crossover, eta_mutation
        self.mixing = operators.unordered(problem.genes)
        self.fresh = list(latin_hypercube(population, problem.dim, rng))[::-1]
        self.members = Results.none(problem.dim, 1)
        if problem.inherited is not None:
            self.fresh = []
            self.tell(problem.inherited)

    def ask(self, n: int) -> Population:
        """Return `n` children; the first `population` rows are a Latin hypercube."""
        X, parents, operator = zip(*(self._propose() for _ in range(n)), strict=True)
        return Population(np.array(X).reshape(n, -1), parents=np.array(parents), operator=operator)

    def _propose(self) -> tuple[Array, tuple[int, int], str]:
        if self.fresh:
            return self.fresh.pop(), (-1, -1), "latin hypercube"
        if len(self.members) < min(FEW, self.population):
            return self.rng.random(self.problem.dim), (-1, -1), "random"
        a, b = operators.tournament(len(self.members), 2, self.tournament, self.rng)
        X = self.members.X
        child, _ = operators.sbx(X[[a]], X[[b]], self.eta_crossover, self.mixing, self.rng)
        rate = 1.0 / max(self.problem.dim, 1)
        operators.mutate(child, self.problem.genes, rate, self.eta_mutation, self.rng, cut=True)
        return child[0], (int(self.members.trials[a]), int(self.members.trials[b])), "sbx+polynomial"

    def tell(self, results: Results) -> None:
        """Let the told compete with the population; the worst fall out, the older of equals stay."""
        both = Results.concatenate([self.members, results])
        self.members = both.take(operators.order(both)[: self.population])


@optimizer(
    "de-steady", constraints=True, told="results", reference="Storn, Price (1997); Zhabitskaya, Zhabitsky (2013)"
)
class SteadyDE:
    """A mutant on the way to one of the best takes its parent's slot as soon as it is told to be no worse.

    Args:
        problem: the task.
        rng: the source of all draws.
        population: slots, 1 or more.
        weight: least F, the factor on differences; each child draws its own between this and 1.
        crossover: CR, the probability of a gene to come from the mutant.
        best: the share of the population that the child's lead is drawn from.
    """

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        *,
        population: int = 20,
        weight: float = 0.4,
        crossover: float = 0.9,
        best: float = 0.2,
    ) -> None:
        self.problem, self.rng, self.population = problem, rng, population
        self.weight, self.crossover, self.best = weight, crossover, best
        self.whole = operators.unordered(problem.genes)
        self.fresh = list(latin_hypercube(population, problem.dim, rng))[::-1]
        self.members: dict[int, Results] = {}  # one row a slot, slots in the order they were settled
        self.asked = 0
        if problem.inherited is not None:
            self.fresh = []
            self.tell(problem.inherited)

    def ask(self, n: int) -> Population:
        """Return `n` rows, each with the slot it competes for as its key."""
        slots = [(self.asked + i) % self.population for i in range(n)]
        X, parents, operator = zip(*(self._propose(slot) for slot in slots), strict=True)
        self.asked += n
        return Population(np.array(X).reshape(n, -1), parents=np.array(parents), operator=operator, keys=slots)

    def _propose(self, slot: int) -> tuple[Array, tuple[int, ...], str]:
        rng, dim = self.rng, self.problem.dim
        if self.fresh:
            return self.fresh.pop(), (-1, -1, -1, -1), "latin hypercube"
        if slot not in self.members or len(self.members) < min(FEW, self.population):
            return rng.random(dim), (-1, -1, -1, -1), "random"
        everyone = Results.concatenate(list(self.members.values()))
        X, n = everyone.X, len(everyone)
        target = self.members[slot].X[0]
        elite = operators.order(everyone)[: max(1, round(self.best * n))]
        lead = int(elite[rng.integers(len(elite))])
        shuffled = rng.permutation(n)
        a, b = int(shuffled[0]), int(shuffled[-1])  # the same one, if there is only one
        F = rng.uniform(self.weight, 1.0)
        mutant = operators.bounded(target + F * (X[lead] - target) + F * (X[a] - X[b]))
        u, anew = rng.random(dim), rng.random(dim)
        mutant = np.where(self.whole, np.where(u < 0.1, anew, np.where(u < 0.4, X[a], X[lead])), mutant)
        child = np.where(operators.at_least_one(rng.random((1, dim)), self.crossover, rng)[0], mutant, target)
        family = (int(self.members[slot].trials[0]), *(int(everyone.trials[i]) for i in (lead, a, b)))
        return child, family, "current-to-pbest/1"

    def tell(self, results: Results) -> None:
        """Settle each row in its slot if that is empty or holds nothing better; strangers compete with the worst."""
        for i in range(len(results)):
            row = results.take([i])
            slot = self._slot(row.keys[0] if len(row.keys) else None)
            if slot not in self.members or operators.no_worse(row, self.members[slot])[0]:
                self.members[slot] = row

    def _slot(self, key: Any) -> int:
        if key is not None:
            return int(key)
        empty = [slot for slot in range(self.population) if slot not in self.members]
        if empty:
            return empty[0]
        slots = list(self.members)
        return slots[int(operators.order(Results.concatenate(list(self.members.values())))[-1])]
