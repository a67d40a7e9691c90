"""How functions of `scipy.optimize`, handed over as they are, become optimizers of evohpo.

They call their objective, so they are search functions here. A function that ends before the study's budget is spent, because
it has converged, starts again with new draws, unless the user's own settings ended it.
"""

from __future__ import annotations

import functools
import inspect
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
FUNCTIONS = 20_000  # evaluations of direct, which reserves memory for all of them
ENDLESS = 10**9  # iterations: the study says when to end
REFERENCES = {
    "differential_evolution": "Storn, Price (1997), Differential evolution",
    "dual_annealing": "Xiang, Sun, Fan, Gong (1997), Generalized simulated annealing",
    "shgo": "Endres, Sandrock, Focke (2018), Simplicial homology global optimisation",
    "direct": "Jones, Perttunen, Stuckman (1993), DIRECT; Gablonsky, Kelley (2001), locally biased",
    "basinhopping": "Wales, Doye (1997), Basin-hopping",
    "minimize": "scipy.optimize.minimize from random starting points",
}


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
    runs = {"differential_evolution": _evolve, "shgo": _shgo, "minimize": _minimize, "basinhopping": _hop}
    run = functools.partial(runs.get(name, _call), function)

    def search(
        evaluate: Callable[[Any], Any], problem: Problem, rng: np.random.Generator, *, population: int | None = None,
        **options: Any,
    ) -> None:  # fmt: skip
        given = fixed | {option: value for option, value in options.items() if option in known or value is not None}
        if taken := [option for option in OURS if option in given]:
            raise UsageError(f"optimizer 'scipy.{name}': {taken[0]!r} is set by the study")
        for option in given:
            if option not in known:
                raise UsageError(f"optimizer 'scipy.{name}' has no option {option!r}: it has {', '.join(known)}")
        while run(evaluate, problem, rng, population, given):
            pass

    known = [p for p in inspect.signature(function).parameters if p not in OURS]
    own = [p for p in inspect.signature(search).parameters.values() if p.kind is not p.VAR_KEYWORD]
    shown = [inspect.Parameter(p, inspect.Parameter.KEYWORD_ONLY, default=None) for p in known]
    search.__signature__ = inspect.Signature([*own, *shown])  # type: ignore[attr-defined]
    return Registered(
        f"scipy.{name}", search, Traits(reference=REFERENCES[name]), f"{function.__module__}:{function.__qualname__}"
    )


# ---- one function after the other; each returns whether it is to be called again


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
) -> bool:  # fmt: skip
    usual: dict[str, Any] = {"polish": False, "maxiter": ENDLESS, "tol": 0.0, "atol": -1.0}
    if population is not None:
        rows = max(population, 5)  # fewer than five have no three others
        usual["init"] = qmc.LatinHypercube(problem.dim, rng=rng).random(rows)  # popsize is a multiple of the genes
    given = usual | dict(options)

    def batch(X: Array) -> Any:
        return evaluate(X.T) if X.ndim == 2 else evaluate(X)  # a polishing step comes alone

    function(batch, _box(problem), vectorized=True, updating="deferred", **_source(function, rng), **given)
    return not {"maxiter", "tol", "atol", "callback"} & set(options)


def _shgo(
    function: Any, evaluate: Callable[[Any], Any], problem: Problem, rng: np.random.Generator, population: int | None,  # noqa: ARG001
    options: Mapping[str, Any],
) -> bool:  # fmt: skip
    """Call it again with twice the samples each time, until its own settings, or the study, end it.

    It draws nothing, so that it comes to the same points again: they are evaluated once.
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

    n = population or 100
    while True:
        before = len(seen)
        given = {"n": n} | dict(options)
        function(lambda x: points(np.asarray(x, float)[None])[0], _box(problem), workers=mapped, **given)
        if {"n", "iters", "callback"} & set(options) or (len(seen) == before and n > 10**6):
            return False
        n *= 2


def _call(
    function: Any, evaluate: Callable[[Any], Any], problem: Problem, rng: np.random.Generator, population: int | None,  # noqa: ARG001
    options: Mapping[str, Any],
) -> bool:  # fmt: skip
    """Call `dual_annealing`, again and again, or `direct`, once: it draws nothing. Both evaluate one point at a time."""
    once = function.__name__ == "direct"
    usual = {"maxfun": FUNCTIONS, "maxiter": FUNCTIONS, "vol_tol": 0.0, "len_tol": 0.0} if once else {}
    function(_at(evaluate), _box(problem), **_source(function, rng), **usual | dict(options))
    return not once and not {"maxiter", "maxfun", "callback"} & set(options)


def _hop(
    function: Any, evaluate: Callable[[Any], Any], problem: Problem, rng: np.random.Generator, population: int | None,  # noqa: ARG001
    options: Mapping[str, Any],
) -> bool:  # fmt: skip
    given = {"x0": rng.random(problem.dim), "minimizer_kwargs": {"bounds": _box(problem)}} | dict(options)
    function(_at(evaluate), given.pop("x0"), **_source(function, rng), **given)
    return not {"niter", "niter_success", "callback"} & set(options)


def _minimize(
    function: Any, evaluate: Callable[[Any], Any], problem: Problem, rng: np.random.Generator, population: int | None,  # noqa: ARG001
    options: Mapping[str, Any],
) -> bool:  # fmt: skip
    given = {"x0": rng.random(problem.dim), "method": "Nelder-Mead"} | dict(options)
    function(_at(evaluate), given.pop("x0"), bounds=_box(problem), **given)
    return not {"x0", "callback"} & set(options)
