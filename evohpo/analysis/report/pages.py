"""Templates, and the fragments of a page that the report and the dashboard share."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evohpo.errors import UsageError

if TYPE_CHECKING:
    from jinja2 import Environment

    from evohpo.study import Study
    from evohpo.trials import Trial

HERE = Path(__file__).parent
FRONT = 200  # members of a front shown in its table


@cache
def environment(*more: Path) -> Environment:
    """Return the report's templates, and those in further folders. What comes from a study is text there: it is escaped."""
    try:
        import jinja2
    except ImportError as error:
        raise UsageError("reports need jinja2: pip install 'evohpo[report]'") from error
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([HERE / "templates", *more]), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


def render(template: str, *folders: Path, **values: Any) -> str:
    """Return a template filled in, one of the report or of those in further `folders`."""
    text = environment(*folders).get_template(template).render(**values)
    return text.encode("utf-8", "replace").decode()  # half a surrogate pair in a name would stop the writing


def asset(name: str) -> str:
    """Return the text of a script or style sheet of the report."""
    return (HERE / "static" / name).read_text("utf-8")


def plotly_path() -> Path:
    """Return the file of plotly.js in the installed package.

    Raises:
        UsageError: plotly is not installed.
    """
    try:
        import plotly
    except ImportError as error:
        raise UsageError("plots need plotly: pip install 'evohpo[report]'") from error
    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def as_json(value: Any) -> str:
    """Return JSON in ASCII that may stand inside a script element: no text in it can end the element."""
    return inert(json.dumps(value, allow_nan=False, separators=(",", ":")))


def inert(text: str) -> str:
    r"""Return JSON text with everything escaped that HTML could take for its own.

    >>> inert('["</script>"]')
    '["\\u003c/script\\u003e"]'
    """
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


# ---- fragments


def head(study: Study) -> str:
    """Return how the study stands, as HTML."""
    from evohpo.analysis.report.headline import headline_of

    return render("head.html", head=headline_of(study))


def best(study: Study) -> str:
    """Return the best trial, or what there is to say of the front, as HTML."""
    from evohpo.analysis.report.headline import best_of

    several = len(study.goals.metrics) > 1
    front = len(study.front()) if several else 0
    return render("best.html", best=best_of(study), several=several, front=front, shown=FRONT)


def front(study: Study) -> list[Trial]:
    """Return the trials of a front that its table shows, ordered by the first objective; none where there is one objective."""
    return sorted(study.front(), key=lambda t: t.fitness or ())[:FRONT] if len(study.goals.metrics) > 1 else []


def learned(study: Study) -> str:
    """Return what was learned, as HTML."""
    from evohpo.analysis.report.learned import lessons_of

    return render("learned.html", lessons=lessons_of(study))


def trouble(study: Study) -> str:
    """Return what went wrong and what to do about it, as HTML."""
    from evohpo.analysis.health import diagnoses
    from evohpo.analysis.report.failures import failures_of

    return render("trouble.html", failures=failures_of(study.trials), diagnoses=diagnoses(study))
