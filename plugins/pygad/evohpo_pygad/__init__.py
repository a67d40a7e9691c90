"""How a live `pygad.GA`, or its class, becomes an optimizer of evohpo.

pygad calls its fitness function, so it is a search function here; a generation goes out as one batch. It maximises, so it
sees the negative fitness.
"""

from __future__ import annotations

import inspect
import logging
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pygad  # type: ignore[import-untyped]

from evohpo.errors import UsageError
from evohpo.optimizers.adapting import check_size, seed_from
from evohpo.optimizers.protocol import Traits
from evohpo.optimizers.registry import Registered

if TYPE_CHECKING:
    from collections.abc import Callable

    from evohpo.optimizers.protocol import Array, Problem

REFERENCE = "Gad (2023), PyGAD: an intuitive genetic algorithm Python library"
OURS = ("num_generations", "fitness_func", "fitness_batch_size", "num_genes", "gene_space", "random_seed", "logger")
ENDLESS = 10**9  # generations: the study says when to end

quiet = logging.getLogger("evohpo_pygad")  # pygad prints every exception, also the one that closes it
quiet.addHandler(logging.NullHandler())
quiet.propagate = False


def adapt(obj: Any) -> Registered | None:
    """Return the search function that runs a `pygad.GA`, or one of its class; None for what is neither.

    Example:
        >>> ga = pygad.GA(50, 2, lambda ga, x, i: 0.0, sol_per_pop=4, num_genes=3, parent_selection_type="nsga2")
        >>> adapted = adapt(ga)
        >>> adapted.name, adapted.traits.objectives
        ('pygad.GA', 'multi')
    """
    kind = obj if isinstance(obj, type) else type(obj)
    if not issubclass(kind, pygad.GA):
        return None
    name, home = f"pygad.{kind.__name__}", f"{kind.__module__}:{kind.__qualname__}"
    multi = "nsga" in str(getattr(obj, "parent_selection_type", ""))
    traits = Traits(objectives="multi" if multi else "single", reference=REFERENCE)
    return Registered(name, _of_class(name, kind) if obj is kind else _of_object(name, obj), traits, home)


def _of_object(name: str, ga: Any) -> Callable[..., None]:
    def search(evaluate: Callable[[Any], Array], problem: Problem, rng: np.random.Generator) -> None:
        check_size(name, ga.num_genes, problem)
        _run(ga, evaluate, problem, rng)

    return search


def _of_class(name: str, kind: Any) -> Callable[..., None]:
    def search(
        evaluate: Callable[[Any], Array], problem: Problem, rng: np.random.Generator, *, population: int = 20,
        **options: Any,
    ) -> None:  # fmt: skip
        if taken := [option for option in OURS if option in options]:
            raise UsageError(f"optimizer {name!r}: {taken[0]!r} is set by the study")
        if "nsga" in str(options.get("parent_selection_type")):
            raise UsageError(
                f"optimizer {name!r}: only of an object is it known that it has several objectives, make one"
            )
        usual = {"sol_per_pop": population, "num_parents_mating": max(2, population // 2), "suppress_warnings": True}
        ga = kind(
            num_generations=1, fitness_func=lambda ga, solution, index: 0.0, num_genes=problem.dim,  # noqa: ARG005
            gene_space={"low": 0.0, "high": 1.0}, **(usual | options),
        )  # fmt: skip
        _run(ga, evaluate, problem, rng)

    # The signature names the options instead of `**options`, so that unknown ones are refused with the nearest name.
    signature = inspect.signature(search)
    named = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    more = [
        inspect.Parameter(p, inspect.Parameter.KEYWORD_ONLY, default=None) for p in inspect.signature(kind).parameters
    ]
    search.__signature__ = signature.replace(parameters=named + more)  # type: ignore[attr-defined]
    return search


def _run(ga: Any, evaluate: Callable[[Any], Array], problem: Problem, rng: np.random.Generator) -> None:
    """Run `ga`, a private copy, until one of its own stop criteria ends it."""
    axes = [_Axis(ga, i) for i in range(problem.dim)]

    def fitness(ga: Any, solutions: Any, indices: Any) -> list[Any]:  # noqa: ARG001
        X = np.array([axis(column) for axis, column in zip(axes, np.array(solutions, float).T, strict=True)]).T
        F = -np.array(evaluate(X))
        return F.tolist()  # type: ignore[no-any-return]  # of several objectives a list a row

    ga.fitness_func, ga.fitness_batch_size, ga.parallel_processing = fitness, ga.sol_per_pop, None
    ga.num_generations, ga.logger = ENDLESS, quiet
    ga.random_seed = seed_from(rng)
    ga.numpy_random_generator = np.random.RandomState(ga.random_seed)
    ga.python_random_generator = random.Random(ga.random_seed)  # noqa: S311
    ga.initialize_population(ga.allow_duplicate_genes, ga.gene_type, ga.gene_constraint)
    ga.run()


class _Axis:
    """The way from pygad's values of one gene to [0, 1]: a box is mapped linearly, a list of values has equal bins.

    A gene without a space ranges over where pygad draws the initial population.
    """

    def __init__(self, ga: Any, index: int) -> None:
        space = ga.gene_space[index] if getattr(ga, "gene_space_nested", False) else ga.gene_space
        self.values = None
        if isinstance(space, Mapping) and "step" in space:
            self.values = np.arange(
                space["low"], space["high"], space["step"], dtype=float
            )  # to pygad too, without high
        elif isinstance(space, Mapping):
            self.low, self.high = float(space["low"]), float(space["high"])
        elif space is None or (np.ndim(space) == 1 and any(value is None for value in space)):
            low, high = ga.init_range_low, ga.init_range_high
            self.low, self.high = (float(np.ravel(side)[index % np.size(side)]) for side in (low, high))
        else:
            self.values = np.unique(np.ravel(np.asarray(space, float)))

    def __call__(self, column: Array) -> Array:
        if self.values is not None:
            bins: Array = (np.abs(column[:, None] - self.values).argmin(1) + 0.5) / len(self.values)
            return bins
        return np.clip((column - self.low) / ((self.high - self.low) or 1.0), 0.0, 1.0)
