"""Optimizers: the protocol, the registry, and the algorithms, each imported when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evohpo.lazy import exports

if TYPE_CHECKING:
    from evohpo.optimizers.listing import available_adapters, available_optimizers
    from evohpo.optimizers.protocol import Optimizer, Population, Problem, Results, Traits
    from evohpo.optimizers.registry import Registered, optimizer, resolve, use

__getattr__, __dir__ = exports(
    __name__,
    {
        "protocol": ("Optimizer", "Population", "Problem", "Results", "Traits"),
        "listing": ("available_adapters", "available_optimizers"),
        "registry": ("Registered", "optimizer", "resolve", "use"),
    },
)

__all__ = [
    "Optimizer", "Population", "Problem", "Registered", "Results", "Traits", "available_adapters", "available_optimizers",
    "optimizer", "resolve", "use",
]  # fmt: skip
