"""Errors as the problem details of RFC 9457, and JSON that every language reads."""

from __future__ import annotations

import json
import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from evohpo.errors import IllegalValue
from evohpo.service.leases import Closing, LeaseEnded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastapi import FastAPI
    from starlette.requests import Request

PROBLEM = "application/problem+json"
AGAIN = 1  # seconds after which it may be tried again
TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}  # as RFC 9110 has them, in every version of Python


def as_json(value: Any) -> str:
    r"""Return JSON in ASCII; NaN and infinity, which it does not have, are null.

    >>> as_json({"loss": float("nan"), "text": "ü"})
    '{"loss":null,"text":"\\u00fc"}'
    """
    return json.dumps(_finite(value), allow_nan=False, separators=(",", ":"))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def problem(
    status: int, detail: str, headers: Mapping[str, str] | None = None, errors: list[dict[str, str]] | None = None
) -> Response:
    """Return the answer that says what was wrong."""
    content: dict[str, Any] = {"type": "about:blank", "title": TITLES.get(status) or HTTPStatus(status).phrase}
    content |= {"status": status, "detail": detail} | ({"errors": errors} if errors else {})
    return Response(as_json(content), status, headers, PROBLEM)


def answer_errors(app: FastAPI) -> None:
    """Have all errors answered as problems."""
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException

    def fields(_: Request, error: Any) -> Response:
        errors = [{"field": _field(e["loc"]), "message": str(e["msg"])} for e in error.errors()]
        detail = "; ".join(f"{e['field']}: {e['message']}" for e in errors[:3])
        return problem(422, detail, errors=errors[:100])

    def illegal(_: Request, error: Any) -> Response:
        return problem(422, str(error), errors=[{"field": error.name, "message": error.reason}])

    def general(_: Request, error: Any) -> Response:
        return problem(error.status_code, str(error.detail), error.headers)

    answers: dict[Any, Callable[[Request, Any], Response]] = {
        RequestValidationError: fields,
        IllegalValue: illegal,
        HTTPException: general,
        LeaseEnded: lambda _, error: problem(409, str(error)),
        Closing: lambda _, error: problem(503, str(error), {"Retry-After": str(AGAIN)}),
    }
    for kind, answer in answers.items():
        app.add_exception_handler(kind, answer)


def _field(path: Any) -> str:
    """Return where in a request something is, e.g. "metrics.loss"."""
    return ".".join(str(part) for part in path if part != "body") or "body"
