"""Several algorithms under one roof: their individuals as one population, and whose results are whose."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.optimizers.protocol import Population, Results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evohpo.optimizers.island import Island, Row


class Post:
    """Hands results to the islands that they belong to.

    Args:
        islands: who gets results; it may grow.
        levelled: an algorithm among them wants to know of every rung.
    """

    def __init__(self, islands: list[Island], *, levelled: bool) -> None:
        self.islands, self.levelled = islands, levelled
        self._home: dict[int, Island] = {}  # by trial number

    def deliver(self, results: Results) -> dict[int, list[int]]:
        """Tell each island of its own individuals, and all of what nobody proposed; return the rows by island."""
        if not self.levelled:  # a trial that pauses counts as it stands; should it go on, its result comes once more
            results = replace(results, final=np.ones(len(results), bool))
        serials: dict[int, list[int]] = {}
        rows: dict[int, list[int]] = {}
        unasked: dict[Island | None, list[int]] = {}  # by the island that they are later results of
        for i, trial in enumerate(results.trials.tolist()):
            key = results.keys[i] if len(results.keys) else None
            if key is not None:
                number, serial = key
                serials.setdefault(number, []).append(serial)
                rows.setdefault(number, []).append(i)
                self._home[trial] = self.islands[number]
            elif results.final[i]:
                unasked.setdefault(self._home.get(trial), []).append(i)
        for home, index in unasked.items():
            for island in self.islands if home is None else [home]:
                island.receive(results.take(index), own=home is not None)
        for number in sorted(rows):
            self.islands[number].tell(serials[number], results.take(rows[number]))
        return rows


def population(rows: Sequence[tuple[int, str, Row]]) -> Population:
    """Return individuals as one population: each with the number of its island, the island's name, and itself."""
    parents = np.full((len(rows), max((len(row.parents) for _, _, row in rows), default=0)), -1)
    for i, (_, _, row) in enumerate(rows):
        parents[i, : len(row.parents)] = row.parents
    steps, heirs = np.array([row.steps for _, _, row in rows]), np.array([row.heir for _, _, row in rows])
    X: Any = [row.config for _, _, row in rows]
    return Population(
        X, parents,
        [f"{name}: {row.operator}" if row.operator not in ("", name) else name for _, name, row in rows],
        [(number, row.serial) for number, _, row in rows],
        steps if steps.any() else None, heirs if (heirs >= 0).any() else None,
    )  # fmt: skip
