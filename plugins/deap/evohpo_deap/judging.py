"""How individuals of any kind are made, kept inside their box, and judged by a study."""

from __future__ import annotations

import functools
import random
from typing import TYPE_CHECKING, Any

import numpy as np
from deap import base, tools  # type: ignore[import-untyped]

from evohpo.errors import UsageError
from evohpo.optimizers.adapting import check_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from evohpo.optimizers.protocol import Array, Problem

BOUNDS = {
    "mate": ("low", "up"),
    "mutate": ("low", "up"),
    "particle": ("pmin", "pmax"),
}  # where DEAP's tools have theirs
SLICING = (tools.cxOnePoint, tools.cxTwoPoint, tools.cxTwoPoints)


class Individual(list):  # type: ignore[type-arg]
    """An individual for toolboxes that register none, or none that can hold a fitness."""

    fitness: Any = None


class Judge:
    """Evaluates individuals of any kind in batches and gives them a fitness of the study's own.

    Args:
        evaluate: what the study gave.
        problem: the task.
        m: how many objectives individuals see; more than the study's single one for algorithms that are made for several.
        box: lowest and highest value of a gene, numbers or `(dim,)`.

    Attributes:
        fitness: the class of the fitness that individuals get, minimised.
    """

    def __init__(
        self,
        evaluate: Callable[[Any], Array],
        problem: Problem,
        m: int | None = None,
        box: tuple[Any, Any] = (0.0, 1.0),
    ) -> None:
        self._evaluate, self._problem, self._m = evaluate, problem, m or problem.n_objectives
        self._low, self._up = (np.broadcast_to(np.asarray(bound, float), problem.dim) for bound in box)
        # a class of its own: the creator's classes are shared by the whole process, and their weights are another task's
        self.fitness: Any = type("Fitness", (base.Fitness,), {"weights": (-1.0,) * self._m})

    def adopt(self, individuals: Iterable[Any]) -> list[Any]:
        """Return the individuals as a list, each with an empty fitness."""
        adopted = [i if hasattr(i, "fitness") else Individual(i) for i in individuals]
        for individual in adopted:
            individual.fitness = self.fitness()
        return adopted

    def make(self, toolbox: Any, n: int, name: str = "individual") -> list[Any]:
        """Return `n` new individuals as the toolbox makes them; lists of random genes where it makes none.

        Raises:
            UsageError: they have another number of genes than the space, or most of them are outside their box.
        """
        if hasattr(toolbox, name):
            made = [getattr(toolbox, name)() for _ in range(n)]
        elif hasattr(toolbox, "population"):
            made = toolbox.population(n=n)
        else:
            made = [self._random() for _ in range(n)]
        check_size("deap.Toolbox", len(made[0]), self._problem)
        genes = _matrix(made)
        if np.mean((genes < self._low) | (genes > self._up)) > 0.5:
            raise UsageError(
                f"deap.Toolbox makes genes from {genes.min():.4g} to {genes.max():.4g}: make them in [0, 1], or register "
                "mate or mutate with bounds, low= and up="
            )
        return self.adopt(made)

    def _random(self) -> Individual:
        if "bit" in self._problem.genes.kind:
            return Individual(random.randrange(2) for _ in range(self._problem.dim))  # noqa: S311 - DEAP's generator
        drawn = (random.random() for _ in range(self._problem.dim))  # noqa: S311
        return Individual(a + u * (b - a) for u, a, b in zip(drawn, self._low, self._up, strict=True))

    def values(self, individuals: Iterable[Any]) -> list[tuple[float, ...]]:
        """Return the fitness values of individuals, whose genes are put back into their box first."""
        judged = list(individuals)
        if not judged:
            return []
        genes = _matrix(judged)
        inside = np.clip(genes, self._low, self._up)
        for row, i in np.argwhere(inside != genes):
            _put(judged[row], int(i), inside[row, i])
        for individual in judged:
            if not isinstance(individual.fitness, self.fitness):
                individual.fitness = self.fitness()
        F = np.array(self._evaluate((inside - self._low) / (self._up - self._low)))
        return self._rows(F.reshape(len(judged), -1))

    def _rows(self, F: Array) -> list[tuple[float, ...]]:
        return [tuple(row) for row in np.tile(F, self._m // F.shape[1]).tolist()]  # one objective stands for several

    def judge(self, individuals: list[Any]) -> None:
        """Evaluate individuals and set their fitness."""
        for individual, values in zip(individuals, self.values(individuals), strict=True):
            individual.fitness.values = values

    def welcome(self, pop: list[Any]) -> None:
        """Put the best known points, with their fitness, in the place of at most half of the first population."""
        known = self._problem.known
        best = known.take(np.argsort(known.F.sum(1), kind="stable")[: len(pop) // 2])
        for individual, row, values in zip(
            pop, self._low + best.X * (self._up - self._low), self._rows(best.F), strict=False
        ):
            for i, gene in enumerate(row):
                _put(individual, i, gene)
            individual.fitness.values = values

    def prepare(self, toolbox: Any) -> None:
        """Let a toolbox evaluate with the study: whole batches through its `map`, single individuals too."""

        def evaluate(individual: Any) -> tuple[float, ...]:
            return self.values([individual])[0]

        def mapped(function: Any, *columns: Any) -> Any:
            return self.values(columns[0]) if function is toolbox.evaluate else map(function, *columns)

        toolbox.register("evaluate", evaluate)
        toolbox.register("map", mapped)


def box(toolbox: Any) -> tuple[Any, Any]:
    """Return the lowest and the highest value of a gene as the toolbox's operators have them, else 0 and 1."""
    for name, (low, up) in BOUNDS.items():
        given = getattr(getattr(toolbox, name, None), "keywords", {})
        if low in given and up in given:
            return given[low], given[up]
    return 0.0, 1.0


def apart(mate: Any) -> Any:
    """Return a crossover that is safe for numpy arrays.

    Slices of arrays are views, so DEAP's crossovers that swap slices would read what they have just overwritten, and leave
    one child the same as its parent.
    """
    if getattr(mate, "func", mate) not in SLICING:
        return mate

    @functools.wraps(mate)
    def mated(first: Any, second: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        first[:], second[:] = mate(list(first), list(second), *args, **kwargs)
        return first, second

    return mated


def _matrix(individuals: list[Any]) -> Array:
    return np.array([np.asarray(individual, float) for individual in individuals])


def _put(individual: Any, i: int, gene: float) -> None:
    """Set a gene in the type that it has, since typed arrays take no other."""
    kind = type(individual[i])
    individual[i] = kind(round(gene) if issubclass(kind, int | np.integer) else gene)
