"""Who may look: the Host header against DNS rebinding, a token where strangers could reach the port, and safe headers."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# some versions of plotly.js compile the code of large plots, which takes 'unsafe-eval'; no script but ours runs all the same
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
COOKIE = "evohpo-token"


class Guard:
    """Middleware in front of everything.

    Args:
        app: what is guarded.
        token: what a visitor has to bring once, as `?token=...`, later as a cookie; or each time as a bearer token. None lets
            everybody in who reaches the port.
        names: names of this machine that a browser may call it by, besides "localhost" and addresses.
    """

    def __init__(self, app: ASGIApp, token: str | None, names: frozenset[str]) -> None:
        self.app, self.token, self.names = app, token, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._refusal(scope)
        await (self.app if refusal is None else refusal)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_ours(host):
            return PlainTextResponse(
                "This name is not one of this machine's: open the address that the dashboard printed.", 421
            )
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("The dashboard only reads.", 405, {"Allow": "GET, HEAD"})
        if self.token is None:
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if given and self._fits(given):
            here = "/" + scope["path"].lstrip("/")  # "//host" would lead elsewhere
            welcome = RedirectResponse(here, 303)  # so that the token stays in no address bar and no history
            welcome.set_cookie(_cookie_name(host), given, httponly=True, samesite="strict")
            return welcome
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if (scheme.lower() == "bearer" and self._fits(bearer)) or self._fits(_cookie(headers.get("cookie", ""), host)):
            return None
        return PlainTextResponse("A token is needed: open the address that the dashboard printed.", 403)

    def _fits(self, given: str) -> bool:
        return self.token is not None and secrets.compare_digest(given.encode(), self.token.encode())

    def _is_ours(self, host: str) -> bool:
        """Whether a Host header names this machine.

        A page of an attacker whose name suddenly resolves to this machine still sends its own name. Addresses cannot be made
        to point elsewhere, so any will do. Ports are free: they change on the way through a tunnel.
        """
        name = _without_port(host).lower().rstrip(".")
        return name == "localhost" or name in self.names or is_address(name)


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
    """Return the names by which browsers may call a server that listens on `host`; on loopback "localhost" does."""
    if is_loopback(host):
        return frozenset()
    return frozenset(name.lower() for name in (host, socket.gethostname(), socket.getfqdn()) if name)


def _without_port(host: str) -> str:
    """Return the name or address of a Host header.

    >>> _without_port("[::1]:8000"), _without_port("127.0.0.1:8000"), _without_port("box")
    ('::1', '127.0.0.1', 'box')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _cookie_name(host: str) -> str:
    """Return the cookie's name: one a port, for browsers send a host's cookies to all its ports."""
    port = host.rpartition(":")[2]
    return f"{COOKIE}-{port}" if port.isdigit() else COOKIE


def _cookie(header: str, host: str) -> str:
    try:
        cookie = SimpleCookie(header).get(_cookie_name(host))
    except CookieError:
        return ""
    return cookie.value if cookie is not None else ""
