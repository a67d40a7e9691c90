"""A study for workers anywhere: ask, report and tell over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evohpo.lazy import exports

if TYPE_CHECKING:
    from evohpo.service.client import Remote, RemoteTrial, connect
    from evohpo.service.evaluator import HTTP
    from evohpo.service.serving import serve

__getattr__, __dir__ = exports(
    __name__,
    {"client": ("Remote", "RemoteTrial", "connect"), "evaluator": ("HTTP",), "serving": ("serve",)},
)

__all__ = ["HTTP", "Remote", "RemoteTrial", "connect", "serve"]
