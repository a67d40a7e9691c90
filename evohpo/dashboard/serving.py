"""Running the web app on a port."""

from __future__ import annotations

import logging
import secrets
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import uvicorn

from evohpo.dashboard.app import create_app
from evohpo.dashboard.guard import is_address, is_loopback, own_names
from evohpo.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


class Server(uvicorn.Server):
    """A server that says nothing of the answers which its end breaks off."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End."""
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


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
        app = create_app(stores, token, own_names(host))
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            self._socket = socket.create_server((host, port), family=family)
        except OSError as error:
            raise UsageError(
                f"the dashboard cannot listen on {host}, port {port} ({error.strerror}); give another --port or --host"
            ) from error
        bound = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=1
        )
        self._server = Server(config)
        self.url = f"http://{_visible(host)}:{bound}/" + (f"?token={token}" if token else "")

    def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Serve until `stop` or Ctrl-C; `started` is called when the port answers, for it already listens."""
        started()
        with suppress(KeyboardInterrupt):  # uvicorn ends in order, and then passes the signal on
            self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Let `run` return, from another thread."""
        self._server.should_exit = True


def _visible(host: str) -> str:
    """Return what to write into an address for `host`; one that stands for all becomes this machine's name."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound
        return socket.gethostname()
    return f"[{host}]" if is_address(host) and ":" in host else host
