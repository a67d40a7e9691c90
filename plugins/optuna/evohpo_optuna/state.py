"""A private copy of a sampler made ready for a study: seeded by it, free of what it knew of others, in the space's terms."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import FloatDistribution
from optuna.samplers import (
    BaseSampler,
    BruteForceSampler,
    CmaEsSampler,
    GridSampler,
    PartialFixedSampler,
    QMCSampler,
)
from optuna.search_space import IntersectionSearchSpace

from evohpo.errors import UnknownName, UsageError
from evohpo.optimizers.adapting import seed_from

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .axes import Axes


def parts(root: Any) -> Iterator[Any]:
    """Yield a sampler or pruner and every object of Optuna's within it, nested samplers included, each once, in a fixed order."""
    waiting, seen = [root], set()
    while waiting:
        part: Any = waiting.pop(0)
        if isinstance(part, list | tuple):
            waiting += part
        elif isinstance(part, dict):
            waiting += part.values()
        elif id(part) not in seen and (part is root or isinstance(part, BaseSampler) or _is_optunas(part)):
            seen.add(id(part))
            yield part
            waiting += vars(part).values()


def _is_optunas(part: Any) -> bool:
    return type(part).__module__.partition(".")[0] == "optuna" and hasattr(part, "__dict__")


def reseed(sampler: BaseSampler, rng: np.random.Generator) -> None:
    """Give every generator in a sampler a seed of its own from `rng`, whatever the sampler was made with.

    What counts as one: attributes of a sampler or of a part of Optuna's that are a `LazyRandomState`, or a generator of
    numpy or of the standard library; and the seed of a quasi-random sequence, which is drawn when it is made.
    """
    for part in parts(sampler):
        if isinstance(part, QMCSampler):
            part._seed = seed_from(rng)
        if type(part).__name__ == "LazyRandomState":  # not the generator within: it is made when it is first used
            part.rng.seed(seed_from(rng))
            continue
        for name, value in list(vars(part).items()):
            if isinstance(value, np.random.Generator):
                setattr(part, name, np.random.default_rng(seed_from(rng)))
            elif isinstance(value, np.random.RandomState | random.Random):
                value.seed(seed_from(rng))


def forget(sampler: BaseSampler) -> None:
    """Let a sampler that has been used in a study of Optuna infer the search space anew.

    In-memory studies have the same id, so that it would silently go on with the parameters of another study.
    """
    for part in parts(sampler):
        if isinstance(part, IntersectionSearchSpace) or type(part).__name__ == "_GroupDecomposedSearchSpace":
            part.__init__(part._include_pruned)


def translate(sampler: BaseSampler, axes: Axes, rng: np.random.Generator) -> None:
    """Put the values that a sampler was made with into the terms in which Optuna sees the space.

    A grid is made anew, in an order that `rng` decides.

    Raises:
        IllegalValue: a value that is not in the space.
        UnknownName: a parameter that is not in the space.
        UsageError: a grid without one of the space's parameters; an exhaustive search where there are infinitely many.
    """
    for part in parts(sampler):
        if isinstance(part, PartialFixedSampler):
            part._fixed_params = _encoded(part._fixed_params, axes)
        elif isinstance(part, CmaEsSampler) and part._x0 is not None:
            part._x0 = _encoded(part._x0, axes)
        elif isinstance(part, BruteForceSampler):
            if endless := [name for name, axis in axes.items() if isinstance(axis.distribution, FloatDistribution)]:
                raise UsageError(
                    f"the BruteForceSampler cannot go through all values of {', '.join(endless)}: give it a step, on a "
                    "linear scale, or take another sampler"
                )
        elif isinstance(part, GridSampler):
            if missing := [name for name in axes if name not in part._search_space]:
                raise UsageError(
                    f"the GridSampler has no values for {', '.join(missing)}: give it some, or make them static in the space"
                )
            levels = {
                name: [_encoded({name: value}, axes)[name] for value in values]
                for name, values in part._search_space.items()
            }
            part.__init__(levels, seed_from(rng))  # type: ignore[misc]


def _encoded(values: Mapping[str, Any], axes: Axes) -> dict[str, Any]:
    for name in values:
        if name not in axes:
            raise UnknownName("searched parameter", name, axes)
    return axes.encode(values)
