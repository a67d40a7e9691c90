"""How a live `skopt.Optimizer`, its class, or a function such as `skopt.gp_minimize` becomes an optimizer of evohpo.

An optimizer is built anew at each start from the arguments that the user's was built from, with the study's seed, and told what
the user's was told. Points that are out while it is asked again are told to a copy of it with a lie, the best value so far,
as its own batches do. The functions evaluate one point at a time.
"""

from __future__ import annotations

import copy
import difflib
import functools
import inspect
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import skopt  # type: ignore[import-untyped]
from skopt.space import Categorical, Integer, Real  # type: ignore[import-untyped]

from evohpo.errors import UsageError
from evohpo.optimizers.adapting import Penalty, check_size, seed_from
from evohpo.optimizers.protocol import Population, Traits
from evohpo.optimizers.registry import Registered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evohpo.optimizers.protocol import Array, Problem, Results

REFERENCE = "Head et al., scikit-optimize; constant liar: Ginsbourger, Le Riche, Carraro (2010)"


FUNCTIONS = (skopt.gp_minimize, skopt.forest_minimize, skopt.gbrt_minimize, skopt.dummy_minimize)
OURS = ("func", "dimensions", "random_state", "x0", "y0")
TIMED = ("EIps", "PIps")
ENDLESS = 10**9  # calls: the study says when to end


def adapt(obj: Any) -> Registered | None:
    """Return the optimizer that a `skopt.Optimizer`, its class, or a function of skopt is; None for all else.

    Example:
        >>> adapt(skopt.Optimizer([(0.0, 1.0)] * 3, base_estimator="RF")).name
        'skopt.Optimizer'
    """
    function = obj.func if isinstance(obj, functools.partial) else obj
    if function in FUNCTIONS:
        return _minimizing(function, obj)
    kind = obj if isinstance(obj, type) else type(obj)
    if not issubclass(kind, skopt.Optimizer):
        return None
    name, home = f"skopt.{kind.__name__}", f"{kind.__module__}:{kind.__qualname__}"

    def start(problem: Problem, rng: np.random.Generator, **options: Any) -> Asking:
        if obj is kind:
            _check(name, kind, options)
            arguments = {"dimensions": _dimensions(problem)} | options
        else:
            if options:
                raise UsageError(f"optimizer {name!r} is a live object, it takes no options ({', '.join(options)})")
            check_size(name, len(obj.space.dimensions), problem)
            arguments = copy.deepcopy(obj.specs["args"])
        _refuse_timed(name, arguments)
        guest = kind(**arguments | {"random_state": seed_from(rng)})
        if obj is not kind and obj.Xi:
            guest.tell(obj.Xi, obj.yi)
        return Asking(guest, problem, rng)

    return Registered(name, start, Traits(constraints=True, reference=REFERENCE), home)


def _minimizing(function: Any, obj: Any) -> Registered:
    name = f"skopt.{function.__name__}"
    fixed: Mapping[str, Any] = {}
    if obj is not function:
        if obj.args:
            raise UsageError(f"{name}: give the partial its arguments by keyword; func and dimensions are the study's")
        fixed = obj.keywords

    def search(
        evaluate: Callable[[Any], Results], problem: Problem, rng: np.random.Generator, **options: Any
    ) -> None:  # fmt: skip
        given = {"n_calls": ENDLESS} | dict(fixed) | options
        _check(name, function, given)
        _refuse_timed(name, given)
        dimensions, penalty = _dimensions(problem), Penalty()

        def objective(x: Sequence[Any]) -> float:
            row = [_gene(dimension, value) for dimension, value in zip(dimensions, x, strict=True)]
            return float(penalty(evaluate(np.array([row])))[0, 0])

        function(objective, dimensions, random_state=seed_from(rng), **given)

    traits = Traits(constraints=True, told="results", reference=REFERENCE)
    return Registered(name, search, traits, f"{function.__module__}:{function.__qualname__}")


def _check(name: str, target: Any, given: Mapping[str, Any]) -> None:
    parameters = inspect.signature(target).parameters
    known = [p for p in parameters if p not in OURS]
    for option in given:
        if option in OURS:
            raise UsageError(
                f"optimizer {name!r}: {option!r} is set by the study; dimensions are made from the space, points known "
                "are told with study.attach"
            )
        if option not in known and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            near = difflib.get_close_matches(option, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(known)}"
            raise UsageError(f"optimizer {name!r} has no option {option!r}: {hint}")


def _refuse_timed(name: str, given: Mapping[str, Any]) -> None:
    if given.get("acq_func") in TIMED:
        raise UsageError(
            f"optimizer {name!r}: acq_func={given['acq_func']!r} wants the seconds of every trial, which would make the "
            "study depend on the clock; take 'EI' or 'PI'"
        )


def _dimensions(problem: Problem) -> list[Any]:
    """Return a typed dimension a gene: a level of an ordered one is an integer, of an unordered one a category."""
    dimensions: list[Any] = []
    for k, ordered in zip(problem.genes.cardinality.tolist(), problem.genes.ordered, strict=True):
        if k < 2:
            dimensions.append(Real(0.0, 1.0))
        else:
            dimensions.append(Integer(0, k - 1) if ordered else Categorical(list(range(k))))
    return dimensions


class Asking:
    """Asks for points and tells results, in genes; see the module."""

    def __init__(self, optimizer: Any, problem: Problem, rng: np.random.Generator) -> None:
        self._optimizer, self._rng = optimizer, rng
        self._dimensions = optimizer.space.dimensions
        self._penalty = Penalty()
        self._out: dict[int, tuple[list[Any], Array]] = {}  # by serial number, the point and the row made of it
        self._serial, self._dim = 0, problem.dim

    def ask(self, n: int) -> Population:
        """Return `n` points."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a point it has seen before, which happens in discrete spaces
            points = self._points(n)
        rows = np.array([self._row(x) for x in points]).reshape(n, self._dim)
        keys = range(self._serial, self._serial + n)
        self._out |= {key: (x, row) for key, x, row in zip(keys, points, rows, strict=True)}
        self._serial += n
        return Population(rows, keys=keys)

    def _points(self, n: int) -> list[list[Any]]:
        optimizer = self._optimizer
        if self._out:
            optimizer = optimizer.copy(random_state=seed_from(self._rng))
            lie = min(optimizer.yi, default=0.0)
            optimizer.tell([x for x, _ in self._out.values()], [lie] * len(self._out))
        points: list[list[Any]] = optimizer.ask(n_points=n, strategy="cl_min") if n > 1 else [optimizer.ask()]
        return points

    def tell(self, results: Results) -> None:
        """Tell all results at once, so that the model is fitted once."""
        if not len(results):
            return
        points = []
        for key, row in zip(results.keys, results.X, strict=True):
            x, proposed = self._out.pop(key, (None, None)) if key is not None else (None, None)
            kept = x is not None and proposed is not None and np.array_equal(row, proposed)
            points.append(x if kept else self._point(row))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._optimizer.tell(points, self._penalty(results)[:, 0].tolist())

    def _row(self, x: Sequence[Any]) -> list[float]:
        return [_gene(dimension, value) for dimension, value in zip(self._dimensions, x, strict=True)]

    def _point(self, row: Array) -> list[Any]:
        return [_value(dimension, gene) for dimension, gene in zip(self._dimensions, row.tolist(), strict=True)]


def _gene(dimension: Any, value: Any) -> float:
    """Return a value of a dimension as a gene: on its prior's scale from 0 to 1, or the middle of its bin."""
    if isinstance(dimension, Categorical):
        return (list(dimension.categories).index(value) + 0.5) / len(dimension.categories)
    if isinstance(dimension, Integer):
        return float((value - dimension.low + 0.5) / (dimension.high - dimension.low + 1))
    low, high, x = (
        np.log(v) if dimension.prior == "log-uniform" else v for v in (dimension.low, dimension.high, value)
    )
    return float(np.clip((x - low) / (high - low), 0.0, 1.0))


def _value(dimension: Any, gene: float) -> Any:
    """Return the value of a dimension that a gene stands for."""
    if isinstance(dimension, Categorical):
        k = len(dimension.categories)
        return dimension.categories[min(int(gene * k), k - 1)]
    if isinstance(dimension, Integer):
        k = dimension.high - dimension.low + 1
        return int(dimension.low + min(int(gene * k), k - 1))
    if dimension.prior == "log-uniform":
        value = np.exp(np.log(dimension.low) + gene * (np.log(dimension.high) - np.log(dimension.low)))
    else:
        value = dimension.low + gene * (dimension.high - dimension.low)
    return float(np.clip(value, dimension.low, dimension.high))
