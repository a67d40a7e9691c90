"""Counting what a space holds: its grid, and how many configurations there are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from evohpo.space.scales import Array
    from evohpo.space.space import Space

LARGEST_GRID = 1_000_000  # points
LARGEST_COUNT = 100_000  # combinations of parents looked through


def grid(space: Space, resolution: int | Mapping[str, int]) -> list[dict[str, Any]]:
    """Return all distinct legal configurations of `resolution` levels a parameter; see `Space.grid`."""
    each = dict(resolution) if isinstance(resolution, Mapping) else dict.fromkeys(space.searched, resolution)
    for name, levels in each.items():
        if name not in space.searched:
            raise UnknownName("searched parameter", str(name), space.searched)
        if isinstance(levels, bool) or not isinstance(levels, int | np.integer) or levels < 1:
            raise UsageError(f"grid: the resolution of {name!r} must be a whole number above 0, not {levels!r}")
    U = _combinations(
        space, {n: space.parameters[n].levels(int(each.get(n, 10))) for n in space.searched}, LARGEST_GRID
    )
    if U is None:
        raise UsageError(
            f"a grid of more than {LARGEST_GRID:,} configurations is too large: take a smaller resolution than {resolution!r}"
        )
    return space.decode(U[space.satisfied(U).all(1)])


def size(space: Space) -> float:
    """Return how many configurations there are, without regard to constraints; see `Space.size`."""
    sizes: dict[str, float] = {n: space.parameters[n].size for n in space.searched}
    parents = {n for condition in space.conditions.values() for n in condition.names} & sizes.keys()
    everything = math.prod(sizes.values())
    if everything == math.inf or math.prod(sizes[n] for n in parents) > LARGEST_COUNT:
        return everything
    levels = {n: space.parameters[n].values_listed() if n in parents else None for n in space.searched}
    U = _combinations(space, levels, LARGEST_COUNT)
    if U is None:
        return everything
    _, active = space.columns(U)
    others = [n for n in sizes if n not in parents]
    there = np.array([active.get(n, np.ones(len(U), bool)) for n in others], bool).reshape(len(others), len(U)).T
    return sum(
        count * math.prod(sizes[n] for n, applies in zip(others, pattern, strict=True) if applies)
        for pattern, count in Counter(map(tuple, there.tolist())).items()
    )


def _combinations(space: Space, levels: Mapping[str, list[Any] | None], most: int) -> Array | None:
    """Return the genes of every combination of levels, one row each; None if there are more than `most`.

    Parameter by parameter, each row becomes one for each level, or stays one where the parameter does not apply: so only
    what is there is ever made. None as levels leaves a parameter out.
    """
    U = np.full((1, len(space.searched)), 0.5)
    for i, name in enumerate(space.searched):
        values = levels[name]
        if values is None:
            continue
        genes = np.array([space.parameters[name].gene(value) for value in values])
        applies = space.columns(U)[1][name] if name in space.conditions else np.ones(len(U), bool)
        copies = np.where(applies, len(genes), 1)
        total = int(copies.sum())
        if total > most:
            return None
        row = np.repeat(np.arange(len(U)), copies)
        place = np.arange(total) - np.repeat(np.cumsum(copies) - copies, copies)
        U = U[row]
        U[:, i] = np.where(applies[row], genes[place], 0.5)
    return U
