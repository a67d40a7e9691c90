"""How live searchers of Ray Tune, or their classes, become optimizers of evohpo; nothing of Ray is started.

The space is translated into Tune's domains, and what a searcher suggests in them back into configurations.
"""

from __future__ import annotations

import logging
import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.errors import UsageError
from evohpo.optimizers.adapting import seed_from
from evohpo.optimizers.protocol import Traits
from evohpo.optimizers.registry import Registered
from evohpo.optimizers.searchers import METRIC, REFERENCE, Searching
from evohpo.space import Categorical, Configs, Continuous, Integer, Ordinal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evohpo.optimizers.protocol import Problem
    from evohpo.space import Space

SEEDS = (
    "_seed",
    "seed",
    "random_state",
    "_random_state",
    "random_seed",
    "_random_seed",
)  # numbers, as searchers name them


def adapt(obj: Any) -> Registered | None:
    """Return the optimizer that a `ray.tune.search.Searcher`, or a class of them, is; None for all else.

    Example:
        >>> from ray.tune.search import ConcurrencyLimiter
        >>> from ray.tune.search.optuna import OptunaSearch
        >>> adapt(ConcurrencyLimiter(OptunaSearch(), max_concurrent=4)).name
        'ray.ConcurrencyLimiter'
    """
    from ray.tune.search import Searcher

    kind = obj if isinstance(obj, type) else type(obj)
    if not issubclass(kind, Searcher):
        return None
    home = f"{kind.__module__}:{kind.__qualname__}"
    name = f"ray.{kind.__name__}" if kind.__module__.startswith("ray.") else home

    def start(problem: Problem, rng: np.random.Generator, **options: Any) -> Searching:
        if obj is not kind and options:
            raise UsageError(f"optimizer {name!r} is a live object, it takes no options ({', '.join(options)})")
        searcher = obj(**options) if obj is kind else obj
        assert problem.space is not None
        terms = Terms(problem.space)
        reseed(searcher, rng)
        with _quiet("optuna"):
            return Searching(searcher, terms.domains, terms.read, terms.write)

    return Registered(name, start, Traits(encoding=Configs(), reference=REFERENCE), home)


class Terms:
    """A space in Tune's terms: a domain a searched parameter, all of them flat.

    A parameter on a scale that Tune has not (logit, reverse log) is searched as its gene in [0, 1].

    Attributes:
        domains: by parameter, its domain.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self.domains = {name: _domain(space.parameters[name]) for name in space.searched}
        self._genes = {name for name in space.searched if _is_gene(space.parameters[name])}

    def read(self, suggested: Mapping[str, Any]) -> dict[str, Any]:
        """Return the configuration that a suggestion stands for; what does not apply is still in it."""
        own = {name: value for name, value in suggested.items() if name not in self._genes}
        genes = {n: self._space.parameters[n].read(np.array([suggested[n]])).tolist()[0] for n in self._genes}
        return own | genes

    def write(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return a configuration as a searcher would have suggested it; what does not apply gets its usual value."""
        full = {n: config[n] if n in config else self._space.parameters[n].middle() for n in self.domains}
        return {n: self._space.parameters[n].gene(v) if n in self._genes else v for n, v in full.items()}


def _is_gene(parameter: Any) -> bool:
    return isinstance(parameter, Continuous | Integer) and parameter.scale not in ("linear", "log")


def _domain(parameter: Any) -> Any:
    from ray import tune

    if _is_gene(parameter):
        return tune.uniform(0.0, 1.0)
    if isinstance(parameter, Categorical | Ordinal):
        return tune.choice(list(parameter.options))
    low, high, log = parameter.low, parameter.high, parameter.scale == "log"
    if isinstance(parameter, Integer):
        if parameter.step != 1:
            return tune.choice(parameter.values_listed())
        return tune.lograndint(low, high + 1) if log else tune.randint(low, high + 1)
    if parameter.step is not None:
        return tune.choice(parameter.values_listed())
    return tune.loguniform(low, high) if log else tune.uniform(low, high)


# ---- seeds


def reseed(searcher: Any, rng: np.random.Generator) -> None:
    """Give every generator within a searcher, and every number that is a seed, a new one from `rng`, in a fixed order."""
    waiting, seen = [searcher], set()
    while waiting:
        part = waiting.pop(0)
        if id(part) in seen or not hasattr(part, "__dict__") or isinstance(part, type):
            continue
        seen.add(id(part))
        lazy = getattr(part, "rng", None) if type(part).__name__ == "LazyRandomState" else None
        if lazy is not None:  # Optuna's, which makes its generator when it is first used
            lazy.seed(seed_from(rng))
            continue
        for name, value in list(vars(part).items()):
            if isinstance(value, np.random.Generator):
                setattr(part, name, np.random.default_rng(seed_from(rng)))
            elif isinstance(value, np.random.RandomState | random.Random):
                value.seed(seed_from(rng))
            elif name in SEEDS and (value is None or isinstance(value, int)):
                setattr(part, name, seed_from(rng))
            elif type(value).__module__ != "builtins":
                waiting.append(value)


@contextmanager
def _quiet(logger: str) -> Iterator[None]:
    """Keep a library from saying that it has begun."""
    its = logging.getLogger(logger)
    before = its.level
    its.setLevel(logging.WARNING)
    try:
        yield
    finally:
        its.setLevel(before)


__all__ = ["METRIC", "Terms", "adapt", "reseed"]
