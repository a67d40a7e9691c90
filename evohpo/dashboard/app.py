"""The web app: pages, and the JSON they ask for. Everything is GET, and everything is read."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from evohpo.analysis import report
from evohpo.analysis.report import pages
from evohpo.analysis.report.figures import plots_of
from evohpo.dashboard.guard import Guard
from evohpo.dashboard.views import TEMPLATES, View

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

HEAVY = (
    "pandas",
    "plotly.graph_objects",
    "scipy.stats",
    "sklearn.ensemble",
    "sklearn.gaussian_process",
)  # imported before
# there are threads: two that begin together on one that imports itself in circles see half of it
KEPT = {"Cache-Control": "private, max-age=3600"}


def create_app(
    stores: Iterable[str | Path], token: str | None = None, names: frozenset[str] = frozenset()
) -> Starlette:
    """Return the dashboard of some studies as an ASGI app.

    Args:
        stores: paths of studies; they need not exist yet.
        token: what a visitor has to bring; None for nothing.
        names: names besides "localhost" and addresses by which browsers may call this machine.
    """
    for library in HEAVY:
        import_module(library)
    views = [View(Path(store)) for store in stores]

    app = Starlette(
        routes=[
            Route("/", overview),
            Route("/study/{study:int}", study_page),
            Route("/study/{study:int}/trial/{trial:int}", trial_page),
            Route("/api/overview", overview_state),
            Route("/api/study/{study:int}", study_state),
            Route("/api/study/{study:int}/trial/{trial:int}", trial_state),
            Route("/api/study/{study:int}/part/{key}", study_part),
            Route("/api/study/{study:int}/plot/{key}", study_plot),
            Route("/static/plotly.min.js", plotly),
            Mount("/static/report", StaticFiles(directory=Path(report.__file__).parent / "static")),
            Mount("/static/dashboard", StaticFiles(directory=Path(__file__).parent / "static")),
        ],
        middleware=[Middleware(Guard, token=token, names=names)],
    )
    app.state.views = views
    return app


# ---- pages: plain functions, which run in threads, since reading a study takes its time


def overview(request: Request) -> Response:
    """Return the page of several studies; a single one has its own page."""
    views = request.app.state.views
    if len(views) == 1:
        return RedirectResponse("/study/0", 307)
    return _page("overview.html", stores=[str(view.live.path) for view in views])


def study_page(request: Request) -> Response:
    """Return the page of one study, which fills itself."""
    view = _view(request)
    view.live.refresh()
    with view.live.lock:
        study = view.live.study
        plots = [] if study is None else plots_of(study)
        return _page(
            "study.html", key=request.path_params["study"], store=str(view.live.path), several=_several(request),
            name=view.live.path.name if study is None else study.name,
            plots=[(plot, []) for plot in plots], waiting=study is None,
        )  # fmt: skip


def trial_page(request: Request) -> Response:
    """Return the page of one trial, which fills itself."""
    view = _view(request)
    view.live.refresh()
    study, number = view.live.study, request.path_params["trial"]
    name = view.live.path.name if study is None else study.name
    return _page("trial.html", key=request.path_params["study"], number=number, name=name)


# ---- what they ask for


def overview_state(request: Request) -> Response:
    """Return what changed of all studies; `since` holds their versions in order."""
    since = request.query_params.get("since", "").split(",")
    views = request.app.state.views
    since += [""] * (len(views) - len(since))
    return _json([view.card(version) for view, version in zip(views, since, strict=False)])


def study_state(request: Request) -> Response:
    """Return what changed of a study."""
    return _json(_view(request).state(request.query_params.get("since", "")))


def trial_state(request: Request) -> Response:
    """Return what changed of a trial."""
    return _found(_view(request).trial(request.path_params["trial"], request.query_params.get("since", "")))


def study_part(request: Request) -> Response:
    """Return a part of a study's page."""
    return _found(_view(request).part(request.path_params["key"], request.query_params.get("seen", "")))


def study_plot(request: Request) -> Response:
    """Return a plot of a study."""
    variant = request.query_params.get("variant", "0")
    if not variant.isdigit():
        raise HTTPException(404)
    seen = request.query_params.get("seen", "")
    return _found(_view(request).plot(request.path_params["key"], int(variant), seen))


def plotly(_: Request) -> Response:
    """Return plotly.js as it was installed."""
    return FileResponse(pages.plotly_path(), media_type="text/javascript", headers=KEPT)


def _page(template: str, **values: Any) -> Response:
    return HTMLResponse(pages.render(template, TEMPLATES, **values))


def _view(request: Request) -> View:
    views: list[View] = request.app.state.views
    number: int = request.path_params["study"]
    if number >= len(views):
        raise HTTPException(404, f"There is no study {number}.")
    return views[number]


def _several(request: Request) -> bool:
    return len(request.app.state.views) > 1


def _found(answer: dict[str, Any] | None) -> Response:
    if answer is None:
        raise HTTPException(404, "There is no such thing.")
    return _json(answer)


def _json(answer: Any) -> Response:
    return Response(pages.as_json(answer), media_type="application/json")  # unlike JSONResponse, whatever is in a name
