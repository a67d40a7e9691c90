"""Running the web app on a port."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from evohpo.dashboard.app import create_app
from evohpo.listening import Server, is_loopback, own_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


class Dashboard:
    """A dashboard on a port of its own, until it is told to stop.

    Args:
        stores: paths of studies; they need not exist yet.
        host: where to listen.
        port: 0 takes any free one.
        token: what visitors have to bring. None makes one, unless only this machine can reach `host`.

    Attributes:
        url: the address to open, with the token.

    Raises:
        UsageError: the port cannot be listened on.
    """

    def __init__(
        self, stores: Iterable[str | Path], host: str = "127.0.0.1", port: int = 0, token: str | None = None
    ) -> None:
        if token is None and not is_loopback(host):
            token = secrets.token_urlsafe(16)
        self._server = Server(create_app(stores, token, own_names(host)), host, port, "the dashboard")
        self.url = self._server.url + (f"?token={token}" if token else "")

    def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Serve until `stop` or Ctrl-C; `started` is called when the port answers, for it already listens."""
        with suppress(KeyboardInterrupt):  # uvicorn ends in order, and then passes the signal on
            self._server.serve_until_stopped(started)

    def stop(self) -> None:
        """Let `run` return, from another thread."""
        self._server.should_exit = True
