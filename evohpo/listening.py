"""What every server of ours needs: a port, names that are this machine's, and an end without a word."""

from __future__ import annotations

import ipaddress
import logging
import socket
from typing import TYPE_CHECKING, Any

import uvicorn

from evohpo.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable


class Server(uvicorn.Server):
    """A server of `app` on a port of its own, that says nothing of the answers which its end breaks off.

    Args:
        app: an ASGI app.
        host: where to listen.
        port: 0 takes any free one.
        what: what it is called in messages.

    Attributes:
        url: its address, with a slash at the end.

    Raises:
        UsageError: the port cannot be listened on.
    """

    def __init__(self, app: Any, host: str, port: int, what: str) -> None:
        super().__init__(
            uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=1)
        )
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            self._socket = socket.create_server((host, port), family=family, backlog=1024)
            # asyncio forgets it for such sockets, and each answer would wait 40 ms for an acknowledgement
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or error
            raise UsageError(
                f"{what} cannot listen on {host}, port {port} ({why}); give another --port or --host"
            ) from error
        self.url = f"http://{_visible(host)}:{self._socket.getsockname()[1]}/"

    def serve_until_stopped(self, started: Callable[[], None] = lambda: None) -> None:
        """Serve; `started` is called when the port answers, for it already listens."""
        started()
        self.run(sockets=[self._socket])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End."""
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)

    def close(self) -> None:
        """Let go of the port of a server that was never started, or has ended."""
        self._socket.close()


def is_address(host: str) -> bool:
    """Return whether `host` is an IP address.

    >>> is_address("127.0.0.1"), is_address("::1"), is_address("example.org")
    (True, True, False)
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach `host`."""
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)


def own_names(host: str) -> frozenset[str]:
    """Return the names by which others may call a server that listens on `host`; on loopback "localhost" does."""
    if is_loopback(host):
        return frozenset()
    return frozenset(name.lower() for name in (host, socket.gethostname(), socket.getfqdn()) if name)


def is_ours(host: str, names: frozenset[str]) -> bool:
    """Return whether a Host header names this machine.

    A page of an attacker whose name suddenly resolves to this machine still sends its own name. Addresses cannot be made
    to point elsewhere, so any will do. Ports are free: they change on the way through a tunnel.

    >>> is_ours("[::1]:8000", frozenset()), is_ours("box:80", frozenset({"box"})), is_ours("evil.example", frozenset())
    (True, True, False)
    """
    name = _without_port(host).lower().rstrip(".")
    return name == "localhost" or name in names or is_address(name)


def _without_port(host: str) -> str:
    """Return the name or address of a Host header.

    >>> _without_port("[::1]:8000"), _without_port("127.0.0.1:8000"), _without_port("box")
    ('::1', '127.0.0.1', 'box')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _visible(host: str) -> str:
    """Return what to write into an address for `host`; one that stands for all becomes this machine's name."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound
        return socket.gethostname()
    return f"[{host}]" if is_address(host) and ":" in host else host
