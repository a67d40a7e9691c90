"""An optimizer as a function like `scipy.optimize.minimize`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import Bounds, OptimizeResult

from evohpo.errors import UsageError
from evohpo.export.inside import Inside
from evohpo.space import Continuous

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


def to_scipy(optimizer: Any, **options: Any) -> Callable[..., OptimizeResult]:
    """Return a function `minimize(fun, bounds, args=(), ...)` that searches with `optimizer`.

    Args:
        optimizer: whatever `optimizer=` accepts.
        **options: what it is started with.

    Returns:
        A function with the arguments

        - `fun`: called with a point `(n,)` and `args`; or, if `vectorized`, with points `(n, k)`, to return `(k,)`.
        - `bounds`: pairs `(low, high)`, or a `scipy.optimize.Bounds`.
        - `maxfev`: how many points are evaluated at most; 100 a variable by default.
        - `population`: points a generation.
        - `seed`: the search is a function of it.
        - `callback`: called after every point with the best result so far; a true answer ends the search.
        - `vectorized`: evaluate a whole generation in one call.

        and a `scipy.optimize.OptimizeResult` with `x`, `fun`, `nfev`, `nit` (generations), `success` and `message`.

    Example:
        >>> minimize = to_scipy("cmaes")
        >>> result = minimize(lambda x: ((x - 0.3) ** 2).sum(), [(-1, 1)] * 3, maxfev=300, seed=1)
        >>> result.nfev, bool(result.fun < 1e-3)
        (300, True)
    """

    def minimize(
        fun: Callable[..., Any], bounds: Bounds | Sequence[tuple[float, float]], args: tuple[Any, ...] = (), *,
        maxfev: int | None = None, population: int | None = None, seed: int | None = None,
        callback: Callable[[OptimizeResult], Any] | None = None, vectorized: bool = False,
    ) -> OptimizeResult:  # fmt: skip
        low, high = _bounds(bounds)
        space = {f"x{i}": Continuous(float(a), float(b)) for i, (a, b) in enumerate(zip(low, high, strict=True))}
        budget = maxfev if maxfev is not None else 100 * len(low)
        inside = Inside(optimizer, space, [False], population, budget, seed, options)
        study = inside.study
        result: Any = OptimizeResult(nfev=0, nit=0, x=None, fun=np.inf)  # type: ignore[call-arg]
        message = "the number of evaluations is used up"
        while result.nfev < budget:
            trials = study.ask(budget - result.nfev if vectorized else 1)
            if not trials:
                message = "the optimizer has nothing more to propose"
                break
            X = np.array([list(t.params.values()) for t in trials])
            values = np.asarray(fun(X.T, *args), float) if vectorized else np.array([float(fun(X[0], *args))])
            for trial, x, value in zip(trials, X, values.reshape(len(X)), strict=True):
                inside.tell(trial, [value])
                if value < result.fun or result.x is None:
                    result.x, result.fun = x, float(value)
            result.nfev += len(X)
            result.nit = trials[-1].generation + 1
            if callback is not None and callback(OptimizeResult(**result)):
                message = "the callback asked to end"
                break
        result.update(success=bool(np.isfinite(result.fun)), message=message)
        return result  # type: ignore[no-any-return]

    return minimize


def _bounds(bounds: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if isinstance(bounds, Bounds):
        low, high = np.broadcast_arrays(np.asarray(bounds.lb, float), np.asarray(bounds.ub, float))
    else:
        pairs = np.asarray(bounds, float)
        if pairs.ndim != 2 or pairs.shape[1] != 2:
            raise UsageError("bounds are pairs (low, high), one a variable")
        low, high = pairs.T
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise UsageError("bounds must be finite: an evolutionary search covers all that lies between them")
    return np.atleast_1d(low), np.atleast_1d(high)
