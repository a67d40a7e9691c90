"""The other way round: our optimizers, and yours, as a sampler of Optuna, a searcher of Ray Tune, a function like `minimize`.

An exported optimizer proposes the very same points as at home: inside there is a study that asks and is told.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evohpo.export.optuna import to_optuna
    from evohpo.export.ray import to_ray
    from evohpo.export.scipy import to_scipy

__all__ = ["to_optuna", "to_ray", "to_scipy"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{name.removeprefix('to_')}"), name)


def __dir__() -> list[str]:
    return __all__
