"""Comparing optimizers: the same problems, budgets and seeds for all, and what can honestly be said of the difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evohpo.lazy import exports

if TYPE_CHECKING:
    from evohpo.bench import meta, problems
    from evohpo.bench.comparing import compare
    from evohpo.bench.comparison import Comparison

__getattr__, __dir__ = exports(
    __name__, {"comparing": ("compare",), "comparison": ("Comparison",), "meta": [], "problems": []}
)

__all__ = ["Comparison", "compare", "meta", "problems"]
