"""How functions of `scipy.optimize`, handed over as they are, become optimizers of evohpo.

They call their objective, so they are search functions here. A function that has converged before the study's budget is
spent starts again with new draws; one that a limit or a callback of the user's ended does not.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.optimize
from scipy.stats import qmc

from evohpo.errors import UsageError
from evohpo.optimizers.adapting import seed_from
from evohpo.optimizers.protocol import Traits
from evohpo.optimizers.registry import Registered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evohpo.optimizers.protocol import Array, Problem

OURS = ("func", "fun", "bounds", "ranges", "workers", "vectorized", "updating", "seed", "rng", "args")
MOST = 8  # genes of shgo
POINTS = 10**6  # of brute
FUNCTIONS = 20_000  # evaluations of direct, which reserves memory for all of them
EQUAL = 1e-14  # relative spread of fitness below which all are equal but for rounding
ENDLESS = 10**9  # iterations: the study says when to end
REFERENCES = {
    "differential_evolution": "Storn, Price (1997), Differential evolution",
    "dual_annealing": "Xiang, Sun, Fan, Gong (1997), Generalized simulated annealing",
    "shgo": "Endres, Sandrock, Focke (2018), Simplicial homology global optimisation",
    "direct": "Jones, Perttunen, Stuckman (1993), DIRECT; Gablonsky, Kelley (2001), locally biased",
    "basinhopping": "Wales, Doye (1997), Basin-hopping",
    "minimize": "scipy.optimize.minimize from random starting points",
    "brute": "a full grid",
}
ONCE = ("direct", "shgo", "brute")  # they draw nothing, so that a second call would repeat the first
LIMITS = {
    "differential_evolution": {"maxiter"},
    "dual_annealing": {"maxiter", "maxfun"},
    "basinhopping": {"niter"},
    "minimize": {"x0"},
}  # options that end a study if the user gives them
LIMITS_OF_SHGO = {"maxfev", "maxev", "maxiter", "maxtime", "f_min", "minhgrd"}  # in its `options`


def adapt(obj: Any) -> Registered | None:
    """Return the search function that calls a function of `scipy.optimize`, or a partial of one; None for all else.

    Example:
        >>> adapt(scipy.optimize.dual_annealing).name
        'scipy.dual_annealing'
    """
    function = obj.func if isinstance(obj, functools.partial) else obj
    name = getattr(function, "__name__", "")
    if name not in REFERENCES or function is not getattr(scipy.optimize, name):
        return None
    fixed: dict[str, Any] = {}
    if isinstance(obj, functools.partial):
        if obj.args:
            raise UsageError(
                f"scipy.{name}: give the partial its arguments by keyword; func and bounds are the study's"
            )
        fixed = dict(obj.keywords)
    run = functools.partial(RUNS[name], function)

    def search(
        evaluate: Callable[[Any], Any], problem: Problem, rng: np.random.Generator, *, population: int | None = None,
        **options: Any,
    ) -> None:  # fmt: skip
        given = fixed | options
        if taken := [option for option in OURS if option in given]:
            raise UsageError(f"optimizer 'scipy.{name}': {taken[0]!r} is set by the study")
        for option in given:
            if option not in known:
                near = difflib.get_close_matches(option, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(known)}"
                raise UsageError(f"optimizer 'scipy.{name}' has no option {option!r}: {hint}")
        given, stopped = _watched(given)
        run(evaluate, problem, rng, population, given)
        while not (name in ONCE or LIMITS[name] & set(given) or stopped):
            run(evaluate, problem, rng, population, given)

    known = [p for p in inspect.signature(function).parameters if p not in OURS]
    return Registered(
        f"scipy.{name}", search, Traits(reference=REFERENCES[name], finite=name == "brute"),
        f"{function.__module__}:{function.__qualname__}",
    )  # fmt: skip


def _watched(options: dict[str, Any]) -> tuple[dict[str, Any], list[bool]]:
    """Return the options with a callback that is watched, and a list that is no longer empty once it has said stop."""
    own, stopped = options.get("callback"), list[bool]()
    if own is None:
        return options, stopped

    @functools.wraps(own)  # scipy looks at its signature
    def callback(*args: Any, **named: Any) -> Any:
        try:
            answer = own(*args, **named)
        except StopIteration:
            stopped.append(True)
            raise
        if answer:
            stopped.append(True)
        return answer

    return options | {"callback": callback}, stopped


# ---- one function after the other


def _box(problem: Problem) -> list[tuple[float, float]]:
    return [(0.0, 1.0)] * problem.dim


def _source(function: Callable[..., Any], rng: np.random.Generator) -> dict[str, Any]:
    """Return a source of draws under the name that this version has for it; nothing for a function that draws nothing."""
    names = inspect.signature(function).parameters
    name = "rng" if "rng" in names else "seed" if "seed" in names else ""
    return {name: np.random.default_rng(seed_from(rng))} if name else {}


def _at(evaluate: Callable[[Any], Any]) -> Callable[[Array], float]:
    """Return the objective of a single point, which may lie outside by a rounding error or, of a local search, a step."""

    def objective(x: Array) -> float:
        return float(evaluate(np.clip(np.asarray(x, float), 0.0, 1.0)))

    return objective


def _evolve(
    function: Any, evaluate: Callable[[Any], Any], problem: Problem, rng: np.random.Generator, population: int | None,
    options: Mapping[str, Any],
) -> None:  # fmt: skip
    usual: dict[str, Any] = {"polish": False, "maxiter": ENDLESS, "tol": EQUAL}
    if population is not None:
        rows = max(population, 5)  # fewer than five have no three others
        usual["init"] = qmc.LatinHypercube(problem.dim, rng=rng).random(rows)  # popsize is a multiple of the genes
    given = usual | dict(options)

    def batch(X: Array) -> Any:
        return evaluate(X.T) if X.ndim == 2 else evaluate(X)  # a polishing step comes alone

    function(batch, _box(problem), vectorized=True, updating="deferred", **_source(function, rng), **given)


def _shgo(
    function: Any, evaluate: Callable[[Any], Any], problem: Problem, rng: np.random.Generator, population: int | None,  # noqa: ARG001
    options: Mapping[str, Any],
) -> None:  # fmt: skip
    """Call it with twice the samples each time, until its own limits, or the study, end it.

    It comes to the same points again: they are evaluated once.
    """
    if problem.dim > MOST:
        raise UsageError(
            f"optimizer 'scipy.shgo' triangulates the cube, which has 2^{problem.dim} corners: at most {MOST} genes"
        )
    seen: dict[bytes, float] = {}

    def points(X: Array) -> list[float]:
        X = np.clip(X, 0.0, 1.0)
        new = {x.tobytes(): x for x in X if x.tobytes() not in seen}
        if new:
            seen.update(zip(new, evaluate(np.array(list(new.values()))).tolist(), strict=True))
        return [seen[x.tobytes()] for x in X]

    def mapped(objective: Any, X: Any) -> list[float]:  # noqa: ARG001
        return points(np.array([np.asarray(x, float) for x in X]).reshape(-1, problem.dim))

    n = options.get("n") or population or 100
    while True:
        before = len(seen)
        function(
            lambda x: points(np.asarray(x, float)[None])[0], _box(problem), workers=mapped, **dict(options) | {"n": n}
        )
        if LIMITS_OF_SHGO & set(options.get("options") or {}) or (len(seen) == before and n > 10**6):
            return
        n *= 2


def _call(
    function: Any, evaluate: Callable[[Any], Any], problem: Problem, rng: np.random.Generator, population: int | None,  # noqa: ARG001
    options: Mapping[str, Any],
) -> None:  # fmt: skip
    """Call `dual_annealing` or `direct`; both evaluate one point at a time."""
    direct = function.__name__ == "direct"
    usual = {"maxfun": FUNCTIONS, "maxiter": FUNCTIONS, "vol_tol": 0.0, "len_tol": 0.0} if direct else {}
    function(_at(evaluate), _box(problem), **_source(function, rng), **usual | dict(options))


def _hop(
    function: Any, evaluate: Callable[[Any], Any], problem: Problem, rng: np.random.Generator, population: int | None,  # noqa: ARG001
    options: Mapping[str, Any],
) -> None:  # fmt: skip
    given = {"x0": rng.random(problem.dim), "minimizer_kwargs": {"bounds": _box(problem)}} | dict(options)
    function(_at(evaluate), given.pop("x0"), **_source(function, rng), **given)


def _minimize(
    function: Any, evaluate: Callable[[Any], Any], problem: Problem, rng: np.random.Generator, population: int | None,  # noqa: ARG001
    options: Mapping[str, Any],
) -> None:  # fmt: skip
    given = {"x0": rng.random(problem.dim), "method": "Nelder-Mead"} | dict(options)
    function(_at(evaluate), given.pop("x0"), bounds=_box(problem), **given)


def _brute(
    function: Any, evaluate: Callable[[Any], Any], problem: Problem, rng: np.random.Generator, population: int | None,  # noqa: ARG001
    options: Mapping[str, Any],
) -> None:  # fmt: skip
    """Evaluate the whole grid in one batch: `Ns` points of a continuous gene, every level of any other."""
    given = {"Ns": 20, "finish": None} | dict(options)
    k = problem.genes.cardinality
    counts = np.where(k > 0, k, given["Ns"]).tolist()
    if math.prod(counts) > POINTS:
        raise UsageError(
            f"optimizer 'scipy.brute' would make a grid of {' * '.join(map(str, counts[:8]))}{' ...' * (len(k) > 8)} "
            f"points, and the most is {POINTS}: give a smaller Ns"
        )
    edges = np.where(k > 0, 0.5 / np.maximum(k, 1), 0.0).tolist()
    ranges = tuple(slice(edge, 1.0 - edge, complex(0, n)) for edge, n in zip(edges, counts, strict=True))

    def mapped(objective: Any, X: Any) -> Any:  # noqa: ARG001
        return evaluate(np.clip(np.asarray(X, float).reshape(-1, problem.dim), 0.0, 1.0))

    function(_at(evaluate), ranges, workers=mapped, **given)


RUNS = {
    "differential_evolution": _evolve, "shgo": _shgo, "minimize": _minimize, "basinhopping": _hop, "brute": _brute,
    "dual_annealing": _call, "direct": _call,
}  # fmt: skip
