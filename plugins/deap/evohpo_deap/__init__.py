"""How live toolboxes and strategies of DEAP become optimizers of evohpo.

DEAP's algorithms call `toolbox.map(toolbox.evaluate, individuals)`, so they are search functions here, and all individuals
that need it are evaluated as one batch. Individuals stay what their toolbox makes them, lists or arrays, but get a fitness of
the study's own number of objectives, to be minimised. Genes are kept in [0, 1], or between the bounds of the operators.
"""

from __future__ import annotations

import copy
import functools
import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
from deap import algorithms, base, cma, tools  # type: ignore[import-untyped]

from evohpo.errors import UsageError
from evohpo.optimizers.adapting import check_size
from evohpo.optimizers.protocol import Traits
from evohpo.optimizers.registry import Registered
from evohpo.space import Binary

from .judging import Individual, Judge, apart, box

if TYPE_CHECKING:
    from collections.abc import Callable

    from evohpo.optimizers.protocol import Array, Problem

REFERENCE = "Fortin, De Rainville, Gardner, Parizeau, Gagne (2012), DEAP: Evolutionary algorithms made easy"
ENDLESS = 10**9  # generations: the study says when to end
POPULATION = 20
MULTI = (tools.selNSGA2, tools.selNSGA3, tools.selSPEA2, tools.selTournamentDCD)
ONE_PLUS_LAMBDA = (cma.StrategyOnePlusLambda, cma.StrategyActiveOnePlusLambda)
STRATEGIES = (cma.Strategy, *ONE_PLUS_LAMBDA, cma.StrategyMultiObjective)
# when a strategy has converged (Hansen 2016, The CMA evolution strategy: A tutorial, B.3)
SMALLEST = 1e-11  # standard deviation of a gene
LARGEST = 1e14  # condition of the covariance


def adapt(obj: Any) -> Registered | None:
    """Return the search function that a toolbox or a strategy of DEAP stands for; None for what is neither.

    Raises:
        UsageError: a toolbox without the operators that make an algorithm.

    Example:
        >>> adapt(cma.Strategy(centroid=[0.5] * 4, sigma=0.3)).name
        'deap.cma.Strategy'
    """
    kind = type(obj)
    home = f"{kind.__module__}:{kind.__qualname__}"
    if isinstance(obj, STRATEGIES):
        name = f"{kind.__module__}.{kind.__name__}" if kind.__module__ == "deap.cma" else home
        return Registered(name, _of_strategy(name, obj), _traits(isinstance(obj, cma.StrategyMultiObjective)), home)
    if not isinstance(obj, base.Toolbox):
        return None
    if hasattr(obj, "mate") and hasattr(obj, "mutate") and hasattr(obj, "select"):
        select = _function(obj.select)
        multi = select in MULTI or isinstance(select, tools.selNSGA3WithMemory)
        bits = _function(obj.mutate) is tools.mutFlipBit
        return Registered("deap.Toolbox", _of_operators(obj, multi), _traits(multi, bits), home)
    if hasattr(obj, "generate") and hasattr(obj, "update"):
        multi = isinstance(_strategy_of(obj), cma.StrategyMultiObjective)
        return Registered("deap.Toolbox", _of_generate(obj), _traits(multi), home)
    if hasattr(obj, "update"):
        return Registered("deap.Toolbox", _of_particles(obj), _traits(False), home)
    raise UsageError(
        "a toolbox of DEAP needs mate, mutate and select, or generate and update, or particle (or population) and update"
    )


def _traits(multi: bool, bits: bool = False) -> Traits:
    return Traits("multi" if multi else "single", encoding=Binary() if bits else None, reference=REFERENCE)


def _function(operator: Any) -> Any:
    """Return what was registered, without the arguments it was registered with."""
    return getattr(operator, "func", operator)


# ---- toolboxes with operators


def _of_operators(original: Any, multi: bool) -> Callable[..., None]:
    usual = algorithms.eaMuPlusLambda if multi else algorithms.eaSimple

    def search(
        evaluate: Callable[[Any], Array], problem: Problem, *, algorithm: Any = usual, population: int | None = None,
        cxpb: float = 0.6, mutpb: float = 0.3, mu: int | None = None, lambda_: int | None = None,
    ) -> None:  # fmt: skip
        toolbox = copy.copy(original)  # what cannot be copied deeply, such as one with a pool's map, is the user's own
        mu = mu or population or getattr(getattr(toolbox, "population", None), "keywords", {}).get("n", POPULATION)
        judge = Judge(evaluate, problem, _directions(toolbox, problem) if multi else None, box(toolbox))
        judge.prepare(toolbox)
        pop = judge.make(toolbox, mu)
        if isinstance(pop[0], np.ndarray):
            toolbox.mate = apart(toolbox.mate)
        judge.welcome(pop)
        offered = {
            "population": pop, "toolbox": toolbox, "cxpb": cxpb, "mutpb": mutpb, "mu": mu, "lambda_": lambda_ or mu,
            "ngen": ENDLESS, "verbose": False,
        }  # fmt: skip
        known = inspect.signature(algorithm).parameters
        algorithm(**{name: value for name, value in offered.items() if name in known})

    return search


def _directions(toolbox: Any, problem: Problem) -> int:
    """Return how many objectives selection is made for.

    They are those of the study. A single one stands for each of several where there must be more: as many as there are
    reference points for, else two.

    Raises:
        UsageError: reference points for another number than the study's.
    """
    select = toolbox.select
    points = getattr(select, "keywords", {}).get("ref_points", getattr(_function(select), "ref_points", None))
    m = problem.n_objectives
    own = max(2, m) if points is None else int(np.shape(points)[1])
    if own != m and m > 1:
        raise UsageError(
            f"deap.Toolbox: selection has reference points for {own} objectives, and the study has {m}: "
            f"make them with uniform_reference_points({m}, ...)"
        )
    return own


# ---- particle swarms, as in DEAP's examples


def _of_particles(toolbox: Any) -> Callable[..., None]:
    def search(evaluate: Callable[[Any], Array], problem: Problem, *, population: int | None = None) -> None:
        n = population or getattr(getattr(toolbox, "population", None), "keywords", {}).get("n", POPULATION)
        judge = Judge(evaluate, problem, box=box(toolbox))
        particles = judge.make(toolbox, n, "particle")
        judge.welcome(particles)
        best = None
        while True:
            judge.judge([particle for particle in particles if not particle.fitness.valid])
            for particle in particles:
                if getattr(particle, "best", None) is None or particle.best.fitness < particle.fitness:
                    particle.best = _snapshot(particle)
                if best is None or best.fitness < particle.fitness:
                    best = _snapshot(particle)
            for particle in particles:
                toolbox.update(particle, best)
                del particle.fitness.values

    return search


def _snapshot(particle: Any) -> Any:
    """Return a copy without its own memory, which would hold its memory, and so on."""
    memory, particle.best = getattr(particle, "best", None), None
    taken = copy.deepcopy(particle)
    particle.best = memory
    return taken


# ---- generate and update


def _of_generate(original: Any) -> Callable[..., None]:
    def search(evaluate: Callable[[Any], Array], problem: Problem) -> None:
        toolbox, strategy = copy.copy(original), _strategy_of(original)
        judge = _judge(evaluate, problem, strategy)
        judge.prepare(toolbox)
        _sample("deap.Toolbox", problem, judge, toolbox.generate, toolbox.update, strategy)

    return search


def _of_strategy(name: str, original: Any) -> Callable[..., None]:
    def search(evaluate: Callable[[Any], Array], problem: Problem, *, population: int | None = None) -> None:
        check_size(name, int(original.dim), problem)
        strategy = copy.deepcopy(original)
        if population is not None and isinstance(strategy, cma.Strategy) and "lambda_" not in strategy.params:
            _enlarge(strategy, max(2, population))
        generate = functools.partial(strategy.generate, Individual)
        _sample(name, problem, _judge(evaluate, problem, strategy), generate, strategy.update, strategy)

    return search


def _strategy_of(toolbox: Any) -> Any:
    """Return the strategy that the toolbox generates by, None if it is none of DEAP's."""
    owner = getattr(_function(toolbox.generate), "__self__", None)
    return owner if isinstance(owner, STRATEGIES) else None


def _judge(evaluate: Callable[[Any], Array], problem: Problem, strategy: Any) -> Judge:
    several = isinstance(strategy, cma.StrategyMultiObjective)  # which cannot sort by a single objective
    return Judge(evaluate, problem, max(problem.n_objectives, 2) if several else None)


def _sample(name: str, problem: Problem, judge: Judge, generate: Any, update: Any, strategy: Any) -> None:
    """Generate and update for ever; a strategy that has converged goes back to its start, a `cma.Strategy` doubled."""
    start = copy.deepcopy(vars(strategy)) if strategy is not None else {}
    _judge_parents(judge, strategy)
    flat, last = 0, None  # for how many generations all were as good as the last one before
    while True:
        pop = judge.adopt(generate())
        check_size(name, len(pop[0]), problem)
        judge.judge(pop)
        values = {individual.fitness.values for individual in pop}
        flat, last = flat + 1 if values == {last} else 0, pop[-1].fitness.values
        update(pop)
        if _converged(strategy, flat):
            size, flat = strategy.lambda_, 0
            vars(strategy).update(copy.deepcopy(start))
            if isinstance(strategy, cma.Strategy):
                _enlarge(strategy, 2 * size)
            _judge_parents(judge, strategy)


def _judge_parents(judge: Judge, strategy: Any) -> None:
    """Judge the parents a strategy starts from; their fitness, if any, is of another objective."""
    if isinstance(strategy, cma.StrategyMultiObjective):
        strategy.parents = judge.adopt(strategy.parents)
        judge.judge(strategy.parents)
    elif isinstance(strategy, ONE_PLUS_LAMBDA):
        [strategy.parent] = judge.adopt([strategy.parent])
        judge.judge([strategy.parent])


def _enlarge(strategy: Any, size: int) -> None:
    strategy.lambda_ = size
    strategy.computeParams(strategy.params)


def _converged(strategy: Any, flat: int) -> bool:
    if not isinstance(strategy, (cma.Strategy, *ONE_PLUS_LAMBDA)):
        return False
    C = strategy.C if hasattr(strategy, "C") else strategy.A @ strategy.A.T
    spread = strategy.sigma * np.sqrt(np.diag(C).max())
    condition = getattr(strategy, "cond", getattr(strategy, "condition_number", 1.0))
    return bool(not spread > SMALLEST or not condition < LARGEST or flat > 10 + 30 * strategy.dim / strategy.lambda_)
