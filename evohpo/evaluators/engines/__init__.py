"""Evaluators on engines that exist: trials as tasks of a Dask cluster, or in actors of Ray."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evohpo.lazy import exports

if TYPE_CHECKING:
    from evohpo.evaluators.engines.dask import Dask
    from evohpo.evaluators.engines.ray import Ray

__getattr__, __dir__ = exports(__name__, {"dask": ("Dask",), "ray": ("Ray",)})

__all__ = ["Dask", "Ray"]
