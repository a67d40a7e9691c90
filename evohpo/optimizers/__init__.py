"""Optimizers: the protocol, the registry, and the algorithms, each imported when it is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evohpo.optimizers.listing import available_adapters, available_optimizers
    from evohpo.optimizers.protocol import Optimizer, Population, Problem, Results, Traits
    from evohpo.optimizers.registry import Registered, optimizer, resolve, use

_HOMES = {
    "protocol": ("Optimizer", "Population", "Problem", "Results", "Traits"),
    "listing": ("available_adapters", "available_optimizers"),
    "registry": ("Registered", "optimizer", "resolve", "use"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Optimizer", "Population", "Problem", "Registered", "Results", "Traits", "available_adapters", "available_optimizers",
    "optimizer", "resolve", "use",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
