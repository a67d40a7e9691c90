"""How live objects of the library cmaes, or their classes, become optimizers of evohpo.

Every start builds an optimizer anew: one like the user's, or one of the class for the genes of the problem. It works in
its own coordinates, and `evohpo_cmaes.setup` knows which of them is which gene.
"""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any

import cmaes  # type: ignore[import-untyped]
import numpy as np

from evohpo.errors import UsageError
from evohpo.optimizers.adapting import Penalty
from evohpo.optimizers.protocol import Traits
from evohpo.optimizers.registry import Registered

from .setup import Setup, for_genes, has_range, like

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from evohpo.optimizers.protocol import Array, Problem, Results

KNOWN = (
    cmaes.CMA, cmaes.SepCMA, cmaes.CMAwM, cmaes.CatCMA, cmaes.CatCMAwM, cmaes.XNES, cmaes.DXNESIC, cmaes.MAPCMA,
)  # fmt: skip
OURS = {"seed", "bounds", "steps", "cat_num", "x_space", "z_space", "c_space"}  # arguments that are no options
LEAST = 2  # individuals a population: it learns from the better half
REFERENCE = "Nomura, Shibata (2024), cmaes: A simple yet practical Python library for CMA-ES"


def adapt(obj: Any) -> Registered | None:
    """Return the optimizer that a live object of cmaes, or its class, is; None for what is neither.

    Raises:
        UsageError: another optimizer of cmaes, or a DXNESIC where numpy does not go with it.

    Example:
        >>> adapt(cmaes.CMA(mean=np.full(4, 0.5), sigma=0.3)).name
        'cmaes.CMA'
    """
    kind = obj if isinstance(obj, type) else type(obj)
    name = f"cmaes.{kind.__name__}"
    if not issubclass(kind, KNOWN):
        if hasattr(kind, "ask"):
            raise UsageError(f"{name} is not accepted, only {', '.join(k.__name__ for k in KNOWN)} of cmaes are")
        return None
    if issubclass(kind, cmaes.DXNESIC) and not _is_number(np.ones((1, 1))):
        raise UsageError(
            f"{name} fails with numpy {np.__version__}, it takes a 1 x 1 matrix for a number: use cmaes.XNES"
        )
    own = None if isinstance(obj, type) else obj
    notes = []
    if own is not None and own.generation:
        notes.append(
            "it has generations behind it: it starts from its mean and sigma, and from a covariance if its class takes one"
        )
    if own is not None and not has_range(own):
        notes.append("it has no bounds, so that mean - 2 sigma to mean + 2 sigma becomes the range of a gene")
    # the penalty for leaving the box is measured in fitness, which must not be beyond 1e30 where infeasible
    traits = Traits(constraints=True, told="results", reference=REFERENCE)
    return Registered(
        name, _search(name, kind, own), traits, f"{kind.__module__}:{kind.__qualname__}",
        tuple(f"{name}: {note}" for note in notes),
    )  # fmt: skip


def _is_number(x: Any) -> bool:
    try:
        math.sqrt(x)
    except (TypeError, DeprecationWarning):
        return False
    return True


def _search(name: str, kind: Any, own: Any) -> Callable[..., Any]:
    """Return the generator function that runs an optimizer like `own`, or one of the class `kind` if that is None."""

    def run(
        problem: Problem,
        rng: np.random.Generator,
        *,
        population: int | None = None,
        population_size: int | None = None,
        **options: Any,
    ) -> Generator[Array, Results, None]:
        setup = for_genes(kind, problem, options) if own is None else like(name, own, problem, options)
        size = population if population_size is None else population_size
        if size is None and own is not None:
            size = own.population_size
        if size is not None and size < LEAST:
            raise UsageError(f"population = {size}: optimizer {name!r} needs {LEAST} at least")
        yield from _restarted(setup, rng, size)

    # The signature names the options instead of `**options`, so that unknown ones are refused at once.
    signature = inspect.signature(run)
    named = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    more = [p for p in inspect.signature(kind).parameters if p not in {*OURS, *signature.parameters}]
    options = [inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=None) for option in more]
    run.__signature__ = signature.replace(parameters=named + options)  # type: ignore[attr-defined]
    return run


def _restarted(setup: Setup, rng: np.random.Generator, size: int | None) -> Generator[Array, Results, None]:
    """Run optimizers one after the other, each with twice the population of the last, from a random mean."""
    penalised, mean = Penalty(), setup.mean
    while True:
        with np.errstate(all="ignore"):  # where two or three make a population, a learning rate is 0
            optimizer = setup.build(mean, size, rng)
        solutions = _sample(optimizer)
        while np.isfinite(X := setup.genes(solutions)).all():  # else it has diverged
            results = yield X
            told = [setup.told(solution) for solution in solutions]
            if _learn(optimizer, list(zip(told, penalised(results)[:, 0].tolist(), strict=True))):
                break
            solutions = _sample(optimizer)
        size, mean = 2 * optimizer.population_size, setup.low + rng.random(len(setup.low)) * (setup.high - setup.low)


def _sample(optimizer: Any) -> list[Any]:
    with np.errstate(all="ignore"):
        return [optimizer.ask() for _ in range(optimizer.population_size)]


def _learn(optimizer: Any, solutions: list[Any]) -> bool:
    """Tell it a generation, and return whether it has converged or diverged; one of categories alone never does."""
    with np.errstate(all="ignore"):
        try:
            optimizer.tell(solutions)
            return bool(getattr(optimizer, "_use_gaussian", True) and optimizer.should_stop())
        except np.linalg.LinAlgError:  # XNES overflows before it notices that it diverges
            return True
