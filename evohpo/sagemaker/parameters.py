"""The four kinds of hyperparameter, as the post on bringing your own algorithm to SageMaker writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.space import Space

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Hyperparameter:
    """What all kinds share."""

    def get_value(self, rng: np.random.Generator | None = None) -> Any:
        """Return a random legal value; of a static one, its value.

        Args:
            rng: where randomness comes from; None for a generator of its own that nothing repeats.
        """
        space = Space.from_sagemaker({"value": self})
        return space.sample(1, np.random.default_rng() if rng is None else rng)[0]["value"]


@dataclass(frozen=True)
class StaticParameter(_Hyperparameter):
    """A value that is handed to every job."""

    value: Any


@dataclass(frozen=True)
class ContinuousParameter(_Hyperparameter):
    """A number between two others, both included; `scaling_type` as in SageMaker's tuner."""

    min_value: float
    max_value: float
    scaling_type: str = "Auto"


@dataclass(frozen=True)
class IntegerParameter(_Hyperparameter):
    """A whole number between two others, both included; `scaling_type` as in SageMaker's tuner."""

    min_value: int
    max_value: int
    scaling_type: str = "Auto"


@dataclass(frozen=True)
class CategoricalParameter(_Hyperparameter):
    """One of several values."""

    values: Sequence[Any]
