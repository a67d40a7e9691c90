"""Who may look: the Host header against DNS rebinding, a token where strangers could reach the port, and safe headers."""

from __future__ import annotations

import secrets
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from evohpo.listening import is_ours

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
        if not is_ours(host, self.names):
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
