"""How live algorithms of pymoo, or their classes, become optimizers of evohpo.

pymoo evaluates a batch by calling its problem, so its algorithms are search functions here: any algorithm, whatever its
`ask` returns, runs as it does at home, on a problem whose evaluation goes out to the study.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from pymoo.algorithms.base.genetic import GeneticAlgorithm  # type: ignore[import-untyped]
from pymoo.core.algorithm import Algorithm  # type: ignore[import-untyped]
from pymoo.core.mixed import MixedVariableGA  # type: ignore[import-untyped]
from pymoo.core.problem import Problem as Task  # type: ignore[import-untyped]
from pymoo.core.termination import NoTermination  # type: ignore[import-untyped]
from pymoo.core.variable import Choice, Integer, Real  # type: ignore[import-untyped]
from pymoo.operators.survival.rank_and_crowding import RankAndCrowding  # type: ignore[import-untyped]
from pymoo.termination.default import (  # type: ignore[import-untyped]
    DefaultMultiObjectiveTermination,
    DefaultSingleObjectiveTermination,
)

from evohpo.errors import UsageError
from evohpo.optimizers.adapting import genes_of, seed_from
from evohpo.optimizers.protocol import Traits
from evohpo.optimizers.registry import Registered

if TYPE_CHECKING:
    from collections.abc import Callable

    from evohpo.optimizers.protocol import Array, Problem, Results

DEFAULTS = (DefaultSingleObjectiveTermination, DefaultMultiObjectiveTermination, NoTermination, type(None))
REFERENCE = "Blank, Deb (2020), pymoo: Multi-objective optimization in Python"


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
        objectives="multi" if _is_multi(obj, kind) else "single", constraints=_reads_constraints(kind), told="results",
        reference=REFERENCE,
    )  # fmt: skip
    return Registered(name, _of_class(name, kind) if obj is kind else _of_object(name, obj), traits, home)


def _of_class(name: str, kind: type) -> Callable[..., None]:
    def search(
        evaluate: Callable[[Any], Results], problem: Problem, rng: np.random.Generator, *, population: int | None = None,
        **options: Any,
    ) -> None:  # fmt: skip
        _run(name, kind(**options), evaluate, problem, rng, population)

    return search


def _of_object(name: str, algorithm: Any) -> Callable[..., None]:
    def search(
        evaluate: Callable[[Any], Results], problem: Problem, rng: np.random.Generator, *, population: int | None = None
    ) -> None:
        _run(name, algorithm, evaluate, problem, rng, population)

    return search


def _is_multi(obj: Any, kind: type) -> bool:
    ranked = isinstance(getattr(obj, "survival", None), RankAndCrowding)
    return ranked or any(base.__module__.startswith("pymoo.algorithms.moo.") for base in kind.__mro__)


def _reads_constraints(kind: type) -> bool:
    return issubclass(kind, GeneticAlgorithm) and not any(base.__name__ == "MOEAD" for base in kind.__mro__)


# ---- running


def _run(
    name: str, original: Any, evaluate: Callable[[Any], Results], problem: Problem, rng: np.random.Generator,
    population: int | None,
) -> None:  # fmt: skip
    """Run copies of an algorithm one after the other, until one ends by the user's own termination."""
    if original.problem is not None:
        raise UsageError(
            f"{name} was set up for a problem of its own already: hand it over as it was made, without setup"
        )
    task = _task(original, evaluate, problem, _directions(name, original, problem))
    while True:
        algorithm = copy.deepcopy(original)
        if population is not None and getattr(algorithm, "pop_size", None) is not None:
            if getattr(algorithm, "n_offsprings", None) == algorithm.pop_size:
                algorithm.n_offsprings = population
            algorithm.pop_size = population
        ends_itself = not isinstance(algorithm.termination, DEFAULTS)  # these are set by classes, not by users
        algorithm.save_history = False  # a copy of everything a generation
        algorithm.setup(
            task, seed=seed_from(rng), verbose=False, **({} if ends_itself else {"termination": NoTermination()})
        )
        algorithm.run()  # comes back when it has converged, or found no new offspring
        if ends_itself:
            return


def _directions(name: str, algorithm: Any, problem: Problem) -> int:
    """Return how many objectives the algorithm is to see: the study's, or as many as it has directions for a single one."""
    directions: Any = getattr(algorithm, "ref_dirs", None)
    m = problem.n_objectives
    if np.ndim(directions) != 2 or np.shape(directions)[1] == m:
        return m
    if m == 1:
        return int(np.shape(directions)[1])
    raise UsageError(
        f"{name} has reference directions for {np.shape(directions)[1]} objectives, and the study has {m}: "
        f"make it with get_reference_directions(..., {m}, ...)"
    )


def _task(algorithm: Any, evaluate: Callable[[Any], Results], problem: Problem, m: int) -> Task:
    """Return a problem of pymoo with `m` objectives, on the genes themselves, or typed for mixed variables."""
    typed = isinstance(algorithm, MixedVariableGA)
    k = problem.genes.cardinality

    class Outside(Task):  # type: ignore[misc]
        def _evaluate(self, X: Any, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
            told = evaluate(genes_of(_matrix(X, problem.dim), k) if typed else np.clip(X, 0.0, 1.0))
            out["F"] = np.tile(told.F, m // told.F.shape[1])  # a single objective stands for each of several
            if self.n_ieq_constr:
                out["G"] = np.array(told.violation)[:, None]

    constraints = int(problem.n_constraints > 0 and _reads_constraints(type(algorithm)))
    shape = {"vars": _variables(problem)} if typed else {"n_var": problem.dim, "xl": 0.0, "xu": 1.0}
    return Outside(n_obj=m, n_ieq_constr=constraints, **shape)


def _variables(problem: Problem) -> dict[str, Any]:
    """Return a typed variable a gene: a level of an ordered one is an integer, of an unordered one a choice."""
    variables: dict[str, Any] = {}
    for i, (k, ordered) in enumerate(zip(problem.genes.cardinality.tolist(), problem.genes.ordered, strict=True)):
        if k == 0:
            variables[f"x{i}"] = Real(bounds=(0.0, 1.0))
        else:
            variables[f"x{i}"] = Integer(bounds=(0, k - 1)) if ordered else Choice(options=list(range(k)))
    return variables


def _matrix(X: Any, dim: int) -> Array:
    return np.array([[x[f"x{i}"] for i in range(dim)] for x in X], float).reshape(len(X), dim)
