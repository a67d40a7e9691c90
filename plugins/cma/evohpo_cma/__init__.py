"""How a `cma.CMAEvolutionStrategy`, its class, or the functions `cma.fmin2` and `cma.fmin` become optimizers of evohpo.

A strategy is built anew at each start from what the user's was built from, with the study's seed, without output, files
and clock. It works in its own coordinates; its box is mapped onto the unit cube.
"""

from __future__ import annotations

import copy
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cma  # type: ignore[import-untyped]
import numpy as np

from evohpo.errors import UnknownName, UsageError
from evohpo.optimizers.adapting import check_size, seed_from
from evohpo.optimizers.protocol import Traits
from evohpo.optimizers.registry import Registered

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from evohpo.optimizers.protocol import Array, Problem

REFERENCE = "Hansen, Akimoto, Baudis (2019), CMA-ES/pycma on Github; restarts: Auger, Hansen (2005), IPOP-CMA-ES"
SIGMA = 0.25  # first standard deviation as a share of a gene's range, what pycma's documentation recommends
ENDS = {"ftarget", "maxfevals", "callback"}  # what ends cma.fmin2 too; all else makes it start again
SILENT = {
    "verbose": -9, "verb_disp": 0, "verb_log": 0, "verb_plot": 0,
    "signals_filename": "",  # else options could change in the middle of a run by a file somewhere
    "timeout": np.inf,  # a clock: no run would repeat itself
}  # fmt: skip
OURS = {*SILENT, "seed", "bounds", "popsize_factor"}  # options of pycma that are not options here


@dataclass(frozen=True, slots=True)
class Box:
    """The box of a strategy's coordinates that the unit cube is mapped onto; `low` and `high` are `(n,)`.

    A strategy needs two variables: where there is but one gene, `n` is 2, and the second variable is a dummy.
    """

    low: Array
    high: Array

    def genes(self, X: Array) -> Array:
        """Return rows `(k, n)` of the box as rows of the unit cube."""
        inside: Array = np.clip((X - self.low) / (self.high - self.low), 0.0, 1.0)
        return inside

    def point(self, u: Array) -> Array:
        """Return a row of the unit cube as one of the box; a missing dummy gets the value of the gene."""
        return self.low + np.resize(u, len(self.low)) * (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Setup:
    """What a strategy is built from.

    Attributes:
        kind: its class.
        x0: where the first run starts, in its own coordinates; or a function that returns this, for every run.
        sigma0: its first step size.
        options: as pycma takes them.
        box: its coordinates.
    """

    kind: Any
    x0: Any
    sigma0: float
    options: Mapping[str, Any]
    box: Box

    def build(self, popsize: int | None, first: bool, rng: np.random.Generator) -> Any:
        """Return a new strategy; of the first run's population where `popsize` is None."""
        n = len(self.box.low)
        x0 = self.x0() if callable(self.x0) else self.x0
        if not first and not callable(self.x0):
            x0 = self.box.point(rng.random(n))
        # copied: options may be objects with a state, such as samplers
        options = copy.deepcopy(dict(self.options)) | SILENT | {"seed": seed_from(rng) + 1}  # 0 stands for the time
        if popsize is not None:
            options |= {"popsize": popsize, "popsize_factor": 1}
        return self.kind(np.resize(np.asarray(x0, float), n), self.sigma0, options)


def adapt(obj: Any) -> Registered | None:
    """Return the optimizer that a strategy of pycma, its class, or `cma.fmin2` or `cma.fmin` is; None for all else.

    Example:
        >>> adapt(cma.CMAEvolutionStrategy(5 * [0.5], 0.3, {"popsize": 12, "verbose": -9})).name
        'cma.CMAEvolutionStrategy'
    """
    if obj in (cma.fmin2, cma.fmin):
        return Registered(f"cma.{obj.__name__}", _minimizer(obj), Traits(reference=REFERENCE), _origin(obj))
    kind = obj if isinstance(obj, type) else type(obj)
    if not issubclass(kind, cma.CMAEvolutionStrategy):
        return None
    own = None if isinstance(obj, type) else obj
    name = f"cma.{kind.__name__}"
    notes = _notes(name, own) if own is not None else ()
    return Registered(name, _strategy(name, kind, own), Traits(reference=REFERENCE), _origin(kind), notes)


def _origin(obj: Any) -> str:
    return f"{obj.__module__}:{obj.__qualname__}"


def _notes(name: str, es: Any) -> tuple[str, ...]:
    notes = []
    if es.countiter:
        notes.append("it has iterations behind it, which are not used: it starts again from its x0 and sigma0")
    if np.isfinite(es.opts["timeout"]):
        notes.append("its timeout is not used, runs would not repeat themselves: give the study a timeout")
    if not (_coordinates_are_genes(es) or np.isfinite(_bounds(es)).all()):
        notes.append("it has no bounds, so that x0 - 2 sigma0 to x0 + 2 sigma0 becomes the range of a gene")
    return tuple(f"{name}: {note}" for note in notes)


# ---- strategies


def _strategy(name: str, kind: Any, own: Any) -> Callable[..., Any]:
    """Return the generator function that runs a strategy like `own`, or one of the class `kind` if that is None."""

    def run(
        problem: Problem,
        rng: np.random.Generator,
        *,
        population: int | None = None,
        x0: Any = None,
        sigma0: float | None = None,
        **options: Any,
    ) -> Generator[Array, Array, None]:
        if own is None:
            setup = _from_genes(kind, problem, x0, sigma0, options)
        else:
            check_size(name, own.N_pheno, problem)
            setup = _like(own, x0, sigma0, options)
        yield from _restarted(setup, problem, rng, options.get("popsize", population))

    options = [option for option in cma.CMAOptions() if option not in OURS]
    return _showing(run, options)


def _showing(function: Any, options: list[str]) -> Callable[..., Any]:
    """Let the signature name the options instead of `**options`, so that unknown ones are refused at once."""
    signature = inspect.signature(function)
    named = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    more = [inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=None) for option in options]
    function.__signature__ = signature.replace(parameters=named + more)
    return function  # type: ignore[no-any-return]


def _from_genes(kind: Any, problem: Problem, x0: Any, sigma0: float | None, options: Mapping[str, Any]) -> Setup:
    """Return the setup of a strategy made for the problem: a gene with k bins is an integer from 0 to k - 1."""
    k = np.resize(problem.genes.cardinality, max(problem.dim, 2))
    k[problem.dim :] = 0  # the dummy
    box = Box(np.where(k > 0, -0.5, 0.0), np.where(k > 0, k - 0.5, 1.0))

    def point() -> Array:
        return box.point(_one_each(x0() if callable(x0) else 0.5 if x0 is None else x0, problem.dim))

    own = {
        "bounds": [box.low, box.high],
        "CMA_stds": box.high - box.low,
        "integer_variables": np.flatnonzero(k).tolist(),
    }
    return Setup(kind, point if callable(x0) else point(), SIGMA if sigma0 is None else sigma0, {**own, **options}, box)


def _like(es: Any, x0: Any, sigma0: float | None, options: Mapping[str, Any]) -> Setup:
    """Return the setup of `es`; where it has no bounds, those of the box it gets."""
    given = {key: value for key, value in cma.CMAOptions(dict(es.inopts)).items() if not key.startswith("_")}
    low, high = _box(es)
    if not np.isfinite(_bounds(es)).all():
        given["bounds"] = [low, high]
    if x0 is None:
        x0 = es.inputargs["x0"]
    elif not callable(x0):
        x0 = _one_each(x0, es.N_pheno)
    sigma0 = es.sigma0 if sigma0 is None else sigma0
    box = Box(*(np.resize(side, max(es.N_pheno, 2)) for side in (low, high)))
    return Setup(type(es), x0, sigma0, {**given, **options}, box)


def _bounds(es: Any) -> Array:
    """Return its own bounds `(2, n)`, infinite where it has none."""
    return np.array([es.boundary_handler.get_bounds(side, es.N_pheno) for side in ("lower", "upper")], float)


def _coordinates_are_genes(es: Any) -> bool:
    return bool(np.isinf(_bounds(es)).all() and es.x0.min() > 0 and es.x0.max() < 1)


def _box(es: Any) -> tuple[Array, Array]:
    """Return the lower and upper corner of what its coordinates range over: its bounds, the genes' own, or x0's surroundings.

    pycma's documentation wants sigma0 to be a quarter of the width of the region searched.
    """
    if _coordinates_are_genes(es):
        return np.zeros(es.N_pheno), np.ones(es.N_pheno)
    lower, upper = _bounds(es)
    reach = 2 * es.sigma0 * es.sigma_vec0
    return np.where(np.isfinite(lower), lower, es.x0 - reach), np.where(np.isfinite(upper), upper, es.x0 + reach)


def _restarted(
    setup: Setup, problem: Problem, rng: np.random.Generator, popsize: int | None
) -> Generator[Array, Array, None]:
    """Run strategies one after the other, each with twice the population of the last, until one ends by `ENDS`."""
    limit = setup.options.get("maxiter")
    ends = ENDS if limit in (None, cma.CMAOptions.defaults()["maxiter"]) else {*ENDS, "maxiter"}
    known, es = 0, setup.build(popsize, True, rng)
    while True:
        stopped: Mapping[str, Any] = {}
        while not stopped:
            _inject(es, setup.box, problem, known)
            known = len(problem.known)
            X = es.ask()
            F = yield setup.box.genes(np.array(X))[:, : problem.dim]
            es.tell(X, F.tolist())
            stopped = es.stop()
        if ends & set(stopped):
            return
        evaluations, popsize = es.countevals, 2 * es.popsize
        es = setup.build(popsize, False, rng)
        es.countevals = evaluations  # maxfevals counts all runs


def _inject(es: Any, box: Box, problem: Problem, known: int) -> None:
    """Let the strategy look into the direction of the best points that came to be known since there were `known`."""
    new = problem.known.take(slice(known, None))
    good = new.take(~new.failed)
    best = np.argsort(good.F[:, 0], kind="stable")[: es.popsize // 2]
    into = es.boundary_handler.inverse
    es.inject([es.gp.geno(box.point(u), from_bounds=into) for u in good.X[best]])


# ---- the functions


def _minimizer(minimize: Callable[..., Any]) -> Callable[..., Any]:
    """Return the search function that calls `cma.fmin2` or `cma.fmin` on the unit cube."""

    def search(
        evaluate: Callable[[Any], Array],
        problem: Problem,
        rng: np.random.Generator,
        *,
        population: int | None = None,
        x0: Any = None,
        sigma0: float = SIGMA,
        options: Mapping[str, Any] | None = None,
        restarts: Any = 10**6,  # until the study ends
        incpopsize: int = 2,
        bipop: Any = False,
        restart_from_best: bool = False,
        callback: Any = None,
    ) -> None:
        n = max(problem.dim, 2)
        box = Box(np.zeros(n), np.ones(n))
        starts = _starts(0.5 if x0 is None else x0, problem.dim, n, rng)
        size = {} if population is None else {"popsize": population}
        own = SILENT | {"bounds": [0, 1], "seed": seed_from(rng) + 1}
        minimize(
            None, lambda: next(starts), sigma0, size | _checked(options or {}) | own,
            parallel_objective=lambda X: evaluate(box.genes(np.array(X))[:, : problem.dim]).tolist(), restarts=restarts,
            incpopsize=incpopsize, bipop=bipop, restart_from_best=restart_from_best, callback=callback,
        )  # fmt: skip

    return search


def _checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options under pycma's names for them, of which unambiguous beginnings do."""
    known = cma.CMAOptions()
    for option in options:
        if known.corrected_key(option) is None:
            raise UnknownName("option of pycma", option, known)
    named = {known.corrected_key(option): value for option, value in options.items()}
    if "bounds" in named:
        raise UsageError("bounds are set by the study: the variables of cma.fmin2 are genes in [0, 1]")
    return named


def _starts(first: Any, dim: int, n: int, rng: np.random.Generator) -> Iterator[Array]:
    """Yield where each run starts: at the point given and then at random ones, or wherever a function says."""
    yield np.resize(_one_each(first() if callable(first) else first, dim), n)
    while True:
        yield np.resize(_one_each(first(), dim), n) if callable(first) else rng.random(n)


def _one_each(x0: Any, n: int) -> Array:
    point = np.asarray(x0, float)
    if point.shape not in ((), (n,)):
        raise UsageError(f"x0: give a number, or {n} of them, not an array of shape {point.shape}")
    return np.broadcast_to(point, n)
