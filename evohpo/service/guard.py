"""In front of every request: whose name was called, who asks, and how much they send."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from evohpo.listening import is_ours
from evohpo.service.problems import problem

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

JSON = "application/json"
LARGEST = 1_000_000  # bytes of a body


class Guard:
    """Middleware in front of everything.

    Args:
        app: what is guarded.
        token: what workers have to show as a bearer token; None lets everybody in who reaches the port.
        names: names of this machine that it may be called by, besides "localhost" and addresses.
    """

    def __init__(self, app: ASGIApp, token: str | None, names: frozenset[str]) -> None:
        self.app, self.token, self.names = app, token, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope["method"], Headers(scope=scope))
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        messages = await _whole(receive)
        if messages is None:
            await problem(413, f"A request has at most {LARGEST:,} bytes.")(scope, receive, send)
            return

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self.app(scope, replay, send)

    def _refusal(self, method: str, headers: Headers) -> Response | None:
        if not is_ours(headers.get("host", ""), self.names):
            return problem(421, "This name is not one of this machine's: use the address that the service printed.")
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length[:20]) > LARGEST:
            return problem(413, f"A request has at most {LARGEST:,} bytes.")
        if self.token is not None and (stranger := self._stranger(headers, self.token)) is not None:
            return stranger
        if method == "POST" and headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
            return problem(
                415, f"Send JSON, with the header Content-Type: {JSON}."
            )  # pages elsewhere may send all else
        return None

    def _stranger(self, headers: Headers, token: str) -> Response | None:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return problem(
                401, "A token is needed: send the header Authorization: Bearer TOKEN.", {"WWW-Authenticate": "Bearer"}
            )
        if not secrets.compare_digest(given.encode(), token.encode()):
            return problem(403, "This is not the token of this service.")
        return None


async def _whole(receive: Receive) -> list[Message] | None:
    """Return the messages of a body, None if it is too large."""
    messages, size = [], 0
    while True:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        if size > LARGEST:
            return None
        if message["type"] != "http.request" or not message.get("more_body", False):
            return messages
