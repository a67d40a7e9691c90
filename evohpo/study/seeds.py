"""One tree of seeds a study: a stream a component, nothing global, no clock."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 1024  # trial seeds are drawn in blocks: a SeedSequence costs far more than a number

OPTIMIZER, TRIALS, WEIGHTS = range(3)


class Seeds:
    """The streams of one study, each a function of the study's seed alone."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._blocks: dict[int, NDArray[np.unsignedinteger]] = {}  # 4 bytes a trial

    def sequence(self, *key: int) -> np.random.SeedSequence:
        """Return the stream with this key."""
        return np.random.SeedSequence(self.seed, spawn_key=key)

    def optimizer(self, restarts: int) -> np.random.Generator:
        """Return the optimizer's generator; another one each time the optimizer had to be started afresh."""
        return np.random.default_rng(self.sequence(OPTIMIZER, restarts))

    def trial(self, number: int) -> int:
        """Return the seed of trial `number`, in [0, 2**32)."""
        block, index = divmod(number, BLOCK)
        if block not in self._blocks:
            self._blocks[block] = self.sequence(TRIALS, block).generate_state(BLOCK)
        return int(self._blocks[block][index])

    @property
    def weights(self) -> np.random.SeedSequence:
        """The stream of scalarisation weights."""
        return self.sequence(WEIGHTS)


def draw() -> int:
    """Return a seed for a study whose user gave none; short enough to type again."""
    return secrets.randbelow(2**31)
