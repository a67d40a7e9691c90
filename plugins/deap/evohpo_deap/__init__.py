"""How live toolboxes and strategies of DEAP become optimizers of evohpo.

DEAP's algorithms call `toolbox.map(toolbox.evaluate, individuals)`, so they are search functions here, and all individuals
that need it are evaluated as one batch. Individuals stay what their toolbox makes them, lists or arrays, but get a fitness of
the study's own number of objectives, to be minimised. Genes are kept in [0, 1].
"""

from __future__ import annotations

import copy
import inspect
import random
from typing import TYPE_CHECKING, Any

import numpy as np
from deap import algorithms, base, cma, tools  # type: ignore[import-untyped]

from evohpo.errors import UsageError
from evohpo.optimizers.adapting import check_size
from evohpo.optimizers.protocol import Traits
from evohpo.optimizers.registry import Registered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from evohpo.optimizers.protocol import Array, Problem

REFERENCE = "Fortin, De Rainville, Gardner, Parizeau, Gagne (2012), DEAP: Evolutionary algorithms made easy"
ENDLESS = 10**9  # generations: the study says when to end
MULTI = (tools.selNSGA2, tools.selNSGA3, tools.selSPEA2, tools.selTournamentDCD)
STRATEGIES = (cma.Strategy, cma.StrategyOnePlusLambda, cma.StrategyMultiObjective)
SMALLEST, LARGEST = 1e-12, 1e14  # step size, and condition of a covariance, at which a strategy has converged


def adapt(obj: Any) -> Registered | None:
    """Return the search function that a toolbox or a strategy of DEAP stands for; None for what is neither.

    Example:
        >>> adapt(cma.Strategy(centroid=[0.5] * 4, sigma=0.3)).name
        'deap.cma.Strategy'
    """
    if isinstance(obj, STRATEGIES):
        kind = type(obj)
        traits = Traits("multi" if isinstance(obj, cma.StrategyMultiObjective) else "single", reference=REFERENCE)
        return Registered(f"deap.cma.{kind.__name__}", _of_strategy(obj), traits, f"deap:{kind.__qualname__}")
    if not isinstance(obj, base.Toolbox):
        return None
    if hasattr(obj, "mate") and hasattr(obj, "mutate") and hasattr(obj, "select"):
        select = getattr(obj.select, "func", obj.select)
        multi = select in MULTI or isinstance(select, tools.selNSGA3WithMemory)
        return Registered(
            "deap.Toolbox", _of_operators(obj, multi), Traits("multi" if multi else "single", reference=REFERENCE),
            "deap:base.Toolbox",
        )  # fmt: skip
    if not hasattr(obj, "update"):
        raise UsageError(
            "a toolbox of DEAP needs mate, mutate and select, or generate and update, or particle (or population) and update"
        )
    run = _of_generate(obj) if hasattr(obj, "generate") else _of_particles(obj)
    return Registered("deap.Toolbox", run, Traits(reference=REFERENCE), "deap:base.Toolbox")


# ---- what all share


class Individual(list):  # type: ignore[type-arg]
    """An individual for toolboxes that register none."""

    fitness: Any


class Judge:
    """Evaluates individuals of any kind in batches and gives them a fitness of the study's own.

    Args:
        evaluate: what the study gave.
        problem: the task.
        m: how many objectives individuals see; more than the study's single one for algorithms that are made for several.
    """

    def __init__(self, evaluate: Callable[[Any], Array], problem: Problem, m: int | None = None) -> None:
        self._evaluate, self._m = evaluate, m or problem.n_objectives
        self.fitness: Any = type("Fitness", (base.Fitness,), {"weights": (-1.0,) * self._m})

    def adopt(self, individuals: Iterable[Any]) -> list[Any]:
        """Return the individuals as a list, each with an empty fitness."""
        adopted = list(individuals)
        for individual in adopted:
            individual.fitness = self.fitness()
        return adopted

    def values(self, individuals: Iterable[Any]) -> list[tuple[float, ...]]:
        """Return the fitness values of individuals, whose genes are clipped first."""
        judged = list(individuals)
        if not judged:
            return []
        X = np.clip(np.array([np.asarray(individual, float) for individual in judged]), 0.0, 1.0)
        for individual, row in zip(judged, X.tolist(), strict=True):
            for i, gene in enumerate(row):
                individual[i] = gene
            if not isinstance(individual.fitness, self.fitness):
                individual.fitness = self.fitness()
        F = np.array(self._evaluate(X)).reshape(len(X), -1)
        return [tuple(row) for row in np.tile(F, self._m // F.shape[1]).tolist()]

    def judge(self, individuals: list[Any]) -> None:
        """Evaluate individuals and set their fitness."""
        for individual, values in zip(individuals, self.values(individuals), strict=True):
            individual.fitness.values = values

    def prepare(self, toolbox: Any) -> None:
        """Let a toolbox evaluate with the study: whole batches through its `map`, single individuals too."""

        def evaluate(individual: Any) -> tuple[float, ...]:
            return self.values([individual])[0]

        def mapped(function: Any, *columns: Any) -> Any:
            return self.values(columns[0]) if function is toolbox.evaluate else map(function, *columns)

        toolbox.register("evaluate", evaluate)
        toolbox.register("map", mapped)


def _individuals(toolbox: Any, n: int, problem: Problem, name: str = "individual") -> list[Any]:
    """Return `n` new individuals as the toolbox makes them; lists of random genes where it makes none."""
    if hasattr(toolbox, name):
        made = [getattr(toolbox, name)() for _ in range(n)]
    elif hasattr(toolbox, "population"):
        made = toolbox.population(n=n)
    else:
        made = [Individual(random.random() for _ in range(problem.dim)) for _ in range(n)]  # noqa: S311
    check_size("deap.Toolbox", len(made[0]), problem)
    return list(made)


# ---- toolboxes with operators


def _of_operators(toolbox: Any, multi: bool) -> Callable[..., None]:
    usual = algorithms.eaMuPlusLambda if multi else algorithms.eaSimple

    def search(
        evaluate: Callable[[Any], Array], problem: Problem, *, algorithm: Any = usual, population: int | None = None,
        cxpb: float = 0.6, mutpb: float = 0.3, mu: int | None = None, lambda_: int | None = None,
    ) -> None:  # fmt: skip
        mu = mu or population or 20
        judge = Judge(evaluate, problem, _directions(toolbox, problem) if multi else None)
        judge.prepare(toolbox)
        pop = judge.adopt(_individuals(toolbox, mu, problem))
        _welcome(pop, problem, judge)
        offered = {
            "population": pop, "toolbox": toolbox, "cxpb": cxpb, "mutpb": mutpb, "mu": mu, "lambda_": lambda_ or mu,
            "ngen": ENDLESS, "verbose": False,
        }  # fmt: skip
        known = inspect.signature(algorithm).parameters
        algorithm(**{name: value for name, value in offered.items() if name in known})

    return search


def _directions(toolbox: Any, problem: Problem) -> int:
    """Return how many objectives selection is made for: those of its reference points, else the study's."""
    select = toolbox.select
    points = getattr(select, "keywords", {}).get(
        "ref_points", getattr(getattr(select, "func", select), "ref_points", None)
    )
    m = problem.n_objectives
    if points is None or np.shape(points)[1] == m:
        return m
    if m == 1:
        return int(np.shape(points)[1])
    raise UsageError(
        f"deap.Toolbox: selection has reference points for {np.shape(points)[1]} objectives, and the study has {m}: "
        f"make them with uniform_reference_points({m}, ...)"
    )


def _welcome(pop: list[Any], problem: Problem, judge: Judge) -> None:
    """Put the best known points, with their fitness, in the place of at most half of the first population."""
    known = problem.known
    if not len(known):
        return
    best = np.argsort(known.F.sum(1), kind="stable")[: len(pop) // 2]
    for individual, row, values in zip(pop, known.X[best].tolist(), known.F[best], strict=False):
        for i, gene in enumerate(row):
            individual[i] = gene
        individual.fitness.values = tuple(np.tile(values, len(judge.fitness.weights) // len(values)).tolist())


# ---- particle swarms, as in DEAP's examples


def _of_particles(toolbox: Any) -> Callable[..., None]:
    def search(evaluate: Callable[[Any], Array], problem: Problem, *, population: int = 20) -> None:
        judge = Judge(evaluate, problem)
        particles = judge.adopt(_individuals(toolbox, population, problem, "particle"))
        best = None
        while True:
            judge.judge(particles)
            for particle in particles:
                if getattr(particle, "best", None) is None or particle.best.fitness < particle.fitness:
                    particle.best = _snapshot(particle)
                if best is None or best.fitness < particle.fitness:
                    best = _snapshot(particle)
            for particle in particles:
                toolbox.update(particle, best)

    return search


def _snapshot(particle: Any) -> Any:
    """Return a copy without its own memory, which would hold its memory, and so on."""
    memory, particle.best = getattr(particle, "best", None), None
    taken = copy.deepcopy(particle)
    particle.best = memory
    return taken


# ---- generate and update


def _of_generate(toolbox: Any) -> Callable[..., None]:
    def search(evaluate: Callable[[Any], Array], problem: Problem) -> None:
        judge = Judge(evaluate, problem)
        judge.prepare(toolbox)
        while True:
            pop = judge.adopt(toolbox.generate())
            check_size("deap.Toolbox", len(pop[0]), problem)
            judge.judge(pop)
            toolbox.update(pop)

    return search


def _of_strategy(original: Any) -> Callable[..., None]:
    def search(evaluate: Callable[[Any], Array], problem: Problem) -> None:
        check_size(f"deap.cma.{type(original).__name__}", int(original.dim), problem)
        several = isinstance(original, cma.StrategyMultiObjective)  # which cannot sort by a single objective
        judge = Judge(evaluate, problem, max(problem.n_objectives, 2) if several else None)
        while True:
            strategy = copy.deepcopy(original)
            parents = strategy.parents if hasattr(strategy, "parents") else [getattr(strategy, "parent", None)]
            if parents[0] is not None:
                judge.judge(judge.adopt(parents))
            while not _converged(strategy):
                pop = judge.adopt(strategy.generate(Individual))
                judge.judge(pop)
                strategy.update(pop)

    return search


def _converged(strategy: Any) -> bool:
    sigma, condition = getattr(strategy, "sigma", 1.0), getattr(strategy, "cond", 1.0)
    return bool(np.ndim(sigma) == 0 and (not sigma > SMALLEST or not condition < LARGEST))
