"""How live algorithms of pymoo, or their classes, become optimizers of evohpo.

pymoo evaluates a batch by calling its problem, so its algorithms are search functions here: any algorithm, whatever its
`ask` returns, runs as it does at home, on a problem whose evaluation goes out to the study.
"""

from __future__ import annotations

import copy
import difflib
import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
from pymoo.algorithms.base.genetic import GeneticAlgorithm  # type: ignore[import-untyped]
from pymoo.algorithms.moo.rvea import RVEA  # type: ignore[import-untyped]
from pymoo.algorithms.soo.nonconvex.direct import DIRECT  # type: ignore[import-untyped]
from pymoo.algorithms.soo.nonconvex.nelder import NelderAndMeadTermination  # type: ignore[import-untyped]
from pymoo.core.algorithm import Algorithm  # type: ignore[import-untyped]
from pymoo.core.mixed import MixedVariableGA  # type: ignore[import-untyped]
from pymoo.core.termination import NoTermination  # type: ignore[import-untyped]
from pymoo.operators.mutation.bitflip import BitflipMutation  # type: ignore[import-untyped]
from pymoo.operators.survival.rank_and_crowding import RankAndCrowding  # type: ignore[import-untyped]
from pymoo.termination.default import (  # type: ignore[import-untyped]
    DefaultMultiObjectiveTermination,
    DefaultSingleObjectiveTermination,
)
from pymoo.termination.max_gen import MaximumGenerationTermination  # type: ignore[import-untyped]
from pymoo.termination.robust import RobustTermination  # type: ignore[import-untyped]
from pymoo.util.reference_direction import default_ref_dirs  # type: ignore[import-untyped]

from evohpo.errors import UsageError
from evohpo.optimizers.adapting import seed_from
from evohpo.optimizers.protocol import Traits
from evohpo.optimizers.registry import Registered
from evohpo.space import Binary

from .tasks import seed_this_thread, task_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from evohpo.optimizers.protocol import Problem, Results

REFERENCE = "Blank, Deb (2020), pymoo: Multi-objective optimization in Python"
# terminations that classes bring along and users have not chosen: of populations, and of local searches that converge
ENDLESS = (DefaultSingleObjectiveTermination, DefaultMultiObjectiveTermination, NoTermination, type(None))
CONVERGED = (RobustTermination, NelderAndMeadTermination)
UNCONSTRAINED = ("MOEAD", "DNSGA2", "KGB")  # genetic algorithms that refuse a problem with constraints
GENERATIONS = 200  # of an algorithm that plans ahead, in a study without a budget


def _is_cmaes(kind: type) -> bool:
    """Return whether it is pymoo's CMA-ES, found by name: its module imports pycma."""
    return any(base.__module__ == "pymoo.algorithms.soo.nonconvex.cmaes" for base in kind.__mro__)


def adapt(obj: Any) -> Registered | None:
    """Return the search function that runs an algorithm of pymoo, or one of a class; None for what is neither.

    Example:
        >>> from pymoo.algorithms.moo.nsga2 import NSGA2
        >>> adapt(NSGA2(pop_size=20)).name
        'pymoo.NSGA2'
    """
    kind = obj if isinstance(obj, type) else type(obj)
    if not issubclass(kind, Algorithm):
        return None
    home = f"{kind.__module__}:{kind.__qualname__}"
    name = f"pymoo.{kind.__name__}" if kind.__module__.startswith("pymoo.") else home
    traits = Traits(
        objectives="multi" if _is_multi(obj, kind) else "single", constraints=_reads_constraints(kind),
        encoding=Binary() if _is_binary(obj, kind) else None, told="results", reference=REFERENCE,
    )  # fmt: skip
    return Registered(name, _of_class(name, kind) if obj is kind else _of_object(name, obj), traits, home)


def _of_class(name: str, kind: type) -> Callable[..., None]:
    def search(evaluate: Callable[[Any], Results], problem: Problem, rng: np.random.Generator, **options: Any) -> None:
        _check_options(name, kind, options)
        if _default(kind, "ref_dirs") in (None, inspect.Parameter.empty):
            options = {"ref_dirs": default_ref_dirs(max(2, problem.n_objectives))} | options
        _run(name, kind(**options), evaluate, problem, rng)

    return search


def _of_object(name: str, algorithm: Any) -> Callable[..., None]:
    def search(evaluate: Callable[[Any], Results], problem: Problem, rng: np.random.Generator) -> None:
        _run(name, algorithm, evaluate, problem, rng)

    return search


def _is_multi(obj: Any, kind: type) -> bool:
    ranked = isinstance(getattr(obj, "survival", None), RankAndCrowding)
    return ranked or any(base.__module__.startswith("pymoo.algorithms.moo.") for base in kind.__mro__)


def _reads_constraints(kind: type) -> bool:
    return issubclass(kind, GeneticAlgorithm) and not any(base.__name__ in UNCONSTRAINED for base in kind.__mro__)


def _is_binary(obj: Any, kind: type) -> bool:
    own = _default(kind, "mutation") if obj is kind else getattr(getattr(obj, "mating", None), "mutation", None)
    return isinstance(own, BitflipMutation)


# ---- arguments of classes


def _default(kind: type, name: str) -> Any:
    """Return the default of an argument of a class: `Parameter.empty` if it must be given, "" if there is no such one."""
    parameter = inspect.signature(kind).parameters.get(name)
    return "" if parameter is None else parameter.default


def _check_options(name: str, kind: type, options: dict[str, Any]) -> None:
    """Check arguments for slips, which pymoo's classes swallow: they hand what they do not know to their bases.

    Raises:
        UsageError: one that is no argument of the class or its bases, but nearly.
    """
    if _is_cmaes(kind):  # it takes all options of pycma
        return
    known = {p for base in kind.__mro__ if "__init__" in vars(base) for p in inspect.signature(base).parameters}
    for option in options:
        if option not in known and (near := difflib.get_close_matches(option, known, n=1, cutoff=0.75)):
            raise UsageError(f"optimizer {name!r} has no option {option!r}: did you mean {near[0]!r}?")


# ---- running


def _run(
    name: str, original: Any, evaluate: Callable[[Any], Results], problem: Problem, rng: np.random.Generator
) -> None:
    """Run copies of an algorithm one after the other, until one ends by the user's own termination."""
    if original.problem is not None:
        raise UsageError(
            f"{name} was set up for a problem of its own already: hand it over as it was made, without setup"
        )
    seed_this_thread(rng)
    task = task_for(
        evaluate, problem, _directions(name, original, problem),
        constrained=problem.n_constraints > 0 and _reads_constraints(type(original)),
        typed=isinstance(original, MixedVariableGA) or type(original).__name__ == "Optuna",
    )  # fmt: skip
    first = True
    while True:
        algorithm = copy.deepcopy(original)
        _populate(algorithm, problem.population)
        ends_itself = not isinstance(algorithm.termination, (*ENDLESS, *CONVERGED))
        if isinstance(algorithm, RVEA) and not ends_itself:  # its angles narrow as the last generation comes near
            generations = problem.budget // algorithm.pop_size if problem.budget else GENERATIONS
            algorithm.termination = MaximumGenerationTermination(max(2, generations))
        elif isinstance(algorithm.termination, ENDLESS) or isinstance(algorithm, DIRECT):  # which would repeat itself
            algorithm.termination = NoTermination()
        algorithm.save_history = False  # a copy of everything a generation
        if first:
            _welcome(algorithm, problem, task)
        before = task.batches
        algorithm.setup(task, seed=seed_from(rng), verbose=False)
        algorithm.run()  # comes back when it has converged, or found no new offspring
        if ends_itself or task.batches == before:
            return
        first = False


def _populate(algorithm: Any, population: int | None) -> None:
    """Give an algorithm the study's population, unless it was made with one of its own."""
    if population is None:
        return
    if _is_cmaes(type(algorithm)):
        algorithm.options.setdefault("popsize", population)
        return
    usual = next((d for base in type(algorithm).__mro__ if (d := _default(base, "pop_size")) != ""), None)
    if isinstance(usual, int) and algorithm.pop_size == usual:  # where it is not a number, other settings decide it
        if getattr(algorithm, "n_offsprings", None) == usual:
            algorithm.n_offsprings = population
        algorithm.pop_size = population


def _directions(name: str, algorithm: Any, problem: Problem) -> int:
    """Return how many objectives the algorithm is to see.

    They are those of the study. A single one stands for each of several in algorithms that cannot do with one: as many
    as they have directions or points for, else two.

    Raises:
        UsageError: directions or points for another number than the study's.
    """
    m = problem.n_objectives
    holders = [algorithm, getattr(algorithm, "survival", None)]
    given: list[Any] = [getattr(holder, name_, None) for holder in holders for name_ in ("ref_dirs", "ref_points")]
    wanted = [np.shape(points) for points in given]
    own = next(
        (shape[1] for shape in wanted if len(shape) == 2), max(2, m) if _is_multi(algorithm, type(algorithm)) else m
    )
    if own != m and m > 1:
        raise UsageError(
            f"{name} has reference directions for {own} objectives, and the study has {m}: "
            f"make it with get_reference_directions(..., {m}, ...)"
        )
    return int(own)


def _welcome(algorithm: Any, problem: Problem, task: Any) -> None:
    """Let the best known points, already evaluated, take the place of at most half of the first population."""
    known, sample = problem.known, algorithm._initialize_infill
    if not len(known):
        return

    def sample_and_welcome() -> Any:
        pop = sample()
        best = known.take(np.lexsort((known.F.sum(1), known.violation))[: len(pop) // 2])
        F, G = task.judged(best)
        for i, point in enumerate(task.points(np.array(best.X))):
            pop[i].X, pop[i].F, pop[i].G = point, F[i], np.empty(0) if G is None else G[i]
            pop[i].evaluated.update(("F", "G", "H"))
        return pop

    algorithm._initialize_infill = sample_and_welcome
