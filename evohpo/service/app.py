"""The web app: seven addresses, over the desk."""

# no `from __future__ import annotations`: the types are read when the program runs

import asyncio
from concurrent.futures import Future
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from starlette.middleware import Middleware
from starlette.responses import Response

import evohpo
from evohpo.service.bodies import (
    AskBody,
    Decided,
    Given,
    LeaseBody,
    Problem,
    ReportBody,
    Rows,
    StudyState,
    TellBody,
    Told,
)
from evohpo.service.desk import Desk
from evohpo.service.guard import Guard
from evohpo.service.leases import Ask, Closing, Lease
from evohpo.service.problems import AGAIN, PROBLEM, answer_errors, as_json
from evohpo.service.reading import page, state

API = "/api/v1"
READING = 10.0  # seconds for the study's thread to read something, which an optimizer may keep busy
REFUSALS = {
    400: "no UTF-8", 401: "no token", 403: "not the token", 409: "the lease has ended", 413: "too large",
    415: "no JSON", 421: "not this machine's name", 422: "a field is wrong", 503: "the study is busy, or the server closes",
}  # fmt: skip


def create_app(desk: Desk, token: str | None = None, names: frozenset[str] = frozenset()) -> FastAPI:
    """Return the service as an ASGI app.

    Args:
        desk: where jobs come from.
        token: what workers have to show; None for nothing.
        names: names besides "localhost" and addresses by which others may call this machine.
    """
    app = FastAPI(
        title="evohpo", version=evohpo.__version__, summary="Trials for workers in any language.",
        openapi_url=f"{API}/openapi.json", docs_url=None, redoc_url=None,  # those pages load scripts from elsewhere
        middleware=[Middleware(Guard, token=token, names=names)],
        responses={
            code: {"model": Problem, "description": text, "content": {PROBLEM: {}}} for code, text in REFUSALS.items()
        },
    )  # fmt: skip
    answer_errors(app)

    @app.post(f"{API}/ask", response_model=Given)
    async def ask(body: AskBody, request: Request) -> Response:
        """Get trials to evaluate."""
        worker = body.worker or (request.client.host if request.client is not None else "")
        asked = desk.ask(body.n, worker, body.request)
        if not await _within(body.wait, asked.answered):
            desk.withdraw(asked)
        answer = _json(_given(desk, asked))
        if not asked.leases and desk.over is not None:
            desk.farewell(worker)
        return answer

    @app.post(f"{API}/report", response_model=Decided)
    async def report(body: ReportBody) -> Response:
        """Report a step, and hear whether the trial goes on. Sent again, it changes nothing."""
        decision = await asyncio.wrap_future(desk.report(body.lease, body.step, body.metrics))
        return _json({"decision": decision})

    @app.post(f"{API}/tell", response_model=Told)
    async def tell(body: TellBody) -> Response:
        """Tell how a trial ended. Sent again, it changes nothing."""
        told = desk.tell(body.lease, body.metrics, body.error, body.traceback, body.seconds)
        became = await asyncio.wrap_future(told)
        return _json({"status": became.status, "error": became.error})

    @app.post(f"{API}/heartbeat", response_model=Decided)
    async def heartbeat(body: LeaseBody) -> Response:
        """Keep a lease, and hear whether the trial goes on."""
        return _json({"decision": desk.extend(body.lease)})

    @app.get(f"{API}/study", response_model=StudyState)
    async def study() -> Response:
        """See where the study stands."""
        return _json(await _read(desk, state))

    @app.get(f"{API}/trials", response_model=Rows)
    async def trials(
        offset: Annotated[int, Query(ge=0, le=2**53)] = 0, limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> Response:
        """Read the table of trials, page by page."""
        return _json(await _read(desk, lambda study: page(study, offset, limit)))

    return app


async def _within(seconds: float, future: Future[None]) -> bool:
    """Wait for a future, which is left as it is when the time is over."""
    if not future.done() and seconds:
        await asyncio.wait({asyncio.wrap_future(future)}, timeout=seconds)
    return future.done()


async def _read(desk: Desk, read: Any) -> Any:
    try:
        return await asyncio.wait_for(asyncio.wrap_future(desk.questions.ask(read)), READING)
    except TimeoutError:
        raise Closing("the study is busy: its optimizer is thinking") from None


def _given(desk: Desk, ask: Ask) -> dict[str, Any]:
    done = not ask.leases and desk.over is not None
    return {
        "trials": [_trial(desk, lease) for lease in ask.leases],
        "done": done,
        "retry_after": None if ask.leases or done else AGAIN,
        "reason": desk.over if done else None,
    }


def _trial(desk: Desk, lease: Lease) -> dict[str, Any]:
    job = lease.task.job
    return {
        "lease": lease.id,
        "number": job.number,
        "params": dict(job.params),
        "step": lease.first,
        "seed": job.seed,
        "directory": None if job.directory is None else str(job.directory.absolute()),
        "resources": dict(job.resources),
        "seconds": desk.lease,
    }


def _json(value: Any) -> Response:
    return Response(as_json(value), media_type="application/json")  # unlike the framework's, whatever is in a text
