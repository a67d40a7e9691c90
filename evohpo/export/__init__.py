"""The other way round: our optimizers, and yours, as a sampler of Optuna, a searcher of Ray Tune, a function like `minimize`.

An exported optimizer proposes the very same points as at home: inside there is a study that asks and is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evohpo.lazy import exports

if TYPE_CHECKING:
    from evohpo.export.optuna import to_optuna
    from evohpo.export.ray import to_ray
    from evohpo.export.scipy import to_scipy

__all__ = ["to_optuna", "to_ray", "to_scipy"]

__getattr__, __dir__ = exports(__name__, {"optuna": ["to_optuna"], "ray": ["to_ray"], "scipy": ["to_scipy"]})
