"""How a live `bayes_opt.BayesianOptimization`, or its class, becomes an optimizer of evohpo.

It suggests one point at a time and maximises. Points that are out while it is asked again are registered in a copy of it
with what its model expects there (kriging believer). Its generations 1.4 and 2 or newer differ in what `suggest` takes.
"""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any

import bayes_opt  # type: ignore[import-untyped]
import numpy as np

from evohpo.errors import UsageError
from evohpo.optimizers.adapting import Penalty, check_size, seed_from
from evohpo.optimizers.protocol import Population, Traits
from evohpo.optimizers.registry import Registered

if TYPE_CHECKING:
    from evohpo.optimizers.protocol import Array, Problem, Results

REFERENCE = "Nogueira (2014), Bayesian Optimization: open source constrained global optimization tool for Python"
LARGEST = 1e100  # its model squares targets


def adapt(obj: Any) -> Registered | None:
    """Return the optimizer that a `BayesianOptimization`, or its class, is; None for all else.

    Example:
        >>> adapt(bayes_opt.BayesianOptimization).name
        'bayes_opt.BayesianOptimization'
    """
    kind = obj if isinstance(obj, type) else type(obj)
    if not issubclass(kind, bayes_opt.BayesianOptimization):
        return None
    name, home = f"bayes_opt.{kind.__name__}", f"{kind.__module__}:{kind.__qualname__}"

    def start(
        problem: Problem, rng: np.random.Generator, init_points: int = 5, utility: Any = None, **options: Any
    ) -> Suggesting:
        if obj is kind:
            if taken := [option for option in ("f", "pbounds", "random_state") if option in options]:
                raise UsageError(f"optimizer {name!r}: {taken[0]!r} is set by the study")
            bounds = {f"x{i:04d}": (0.0, 1.0) for i in range(problem.dim)}
            guest = kind(f=None, pbounds=bounds, **({"verbose": 0} | options))
        else:
            if options:
                raise UsageError(f"optimizer {name!r} is a live object, it takes no options ({', '.join(options)})")
            check_size(name, len(obj.space.keys), problem)
            guest = obj
        return Suggesting(guest, problem, rng, init_points, utility)

    return Registered(name, start, Traits(constraints=True, reference=REFERENCE), home)


class Suggesting:
    """Asks for suggestions and registers results, in genes; see the module.

    Args:
        guest: a private object.
        problem: the task.
        rng: the source of all draws.
        init_points: how many points are drawn at random before the first suggestion, as its `maximize` does.
        utility: for generation 1.4, what `suggest` takes; an upper confidence bound by default.
    """

    def __init__(self, guest: Any, problem: Problem, rng: np.random.Generator, init_points: int, utility: Any) -> None:
        self._guest, self._rng, self._init_points = guest, rng, init_points
        self._arguments: tuple[Any, ...] = ()
        if hasattr(bayes_opt, "UtilityFunction"):  # 1.4
            self._arguments = (utility or bayes_opt.UtilityFunction(kind="ucb", kappa=2.576, xi=0.0),)
        elif utility is not None:
            raise UsageError("this version of bayesian-optimization has no utility: give acquisition_function")
        self._keys = list(guest.space.keys)
        self._names = _names(self._keys, problem)
        self._low, self._high = _box(guest, problem)
        guest.space._allow_duplicate_points = True  # discrete parameters repeat themselves
        self._reseed(guest)
        self._penalty = Penalty()
        self._out: dict[int, Array] = {}  # by serial number
        self._serial = 0

    def _reseed(self, guest: Any) -> None:
        state = np.random.RandomState(seed_from(self._rng))
        guest._random_state = guest._gp.random_state = guest.space.random_state = state

    def ask(self, n: int) -> Population:
        """Return `n` points."""
        first = self._serial
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on convergence of its model, on points it has seen before
            for _ in range(n):
                self._out[self._serial] = self._next()
                self._serial += 1
        keys = range(first, self._serial)
        return Population(np.array([self._out[key] for key in keys]), keys=keys)

    def _next(self) -> Array:
        if len(self._guest.space) + len(self._out) < self._init_points:
            return self._rng.random(len(self._low))
        guest = self._guest
        if self._out or not len(guest.space):
            guest = copy.deepcopy(guest)
            self._reseed(guest)
            believed = self._believed(guest)
            for row, target in zip(self._out.values(), believed, strict=True):
                guest.space.register(self._params(row), target)
        suggested = guest.suggest(*self._arguments)
        x = np.array([suggested[self._keys[i]] for i in np.argsort(self._names)], float)
        inside: Array = np.clip((x - self._low) / (self._high - self._low), 0.0, 1.0)
        return inside

    def _believed(self, guest: Any) -> list[float]:
        """Return what the model of `guest` expects at the points that are out."""
        if not len(guest.space):
            return [0.0] * len(self._out)
        guest._gp.fit(guest.space.params, guest.space.target)
        points = [guest.space.params_to_array(self._params(row)) for row in self._out.values()]
        expected: list[float] = guest._gp.predict(np.array(points)).tolist()
        return expected

    def tell(self, results: Results) -> None:
        """Register results; the model is fitted when it is next asked."""
        for key in results.keys:
            self._out.pop(key, None)
        F = np.clip(self._penalty(results)[:, 0], -LARGEST, LARGEST)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for row, fitness in zip(results.X, F.tolist(), strict=True):
                self._guest.space.register(self._params(row), -fitness)

    def _params(self, row: Array) -> dict[str, float]:
        x = self._low + row * (self._high - self._low)
        return {key: float(x[gene]) for key, gene in zip(self._keys, self._names, strict=True)}


def _names(keys: list[str], problem: Problem) -> list[int]:
    """Return the gene of each key: of the parameter with that name, or, where names differ, the one in that place."""
    genes = list(problem.genes.parameter)
    return [genes.index(key) for key in keys] if set(keys) == set(genes) else list(range(len(keys)))


def _box(guest: Any, problem: Problem) -> tuple[Array, Array]:
    """Return the bounds of each gene in the guest's own terms."""
    bounds = np.asarray(guest.space.bounds, float)
    if bounds.shape != (problem.dim, 2):
        raise UsageError(
            "bayes_opt: categorical bounds of its own are not understood: give every parameter (low, high)"
        )
    order = np.argsort(_names(list(guest.space.keys), problem))
    return bounds[order, 0], bounds[order, 1]
