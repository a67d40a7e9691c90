"""Writing the report: everything in one file that opens anywhere, without a network."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from evohpo.errors import UsageError

if TYPE_CHECKING:
    from evohpo.study import Study

SCRIPTS = ("table.js", "plots.js", "report.js")


def write_report(study: Study, path: str | Path) -> Path:
    """Write a report of a study, finished or running: one HTML file with everything in it.

    It starts with the best trial or the front, then the table, what was learned, what went wrong with advice, and the
    plots. It fetches nothing: plotly.js is inside (5 MB), and a content security policy forbids every request. Names,
    labels and error texts are shown as text, whatever they contain.

    Args:
        study: the study.
        path: where to write; an older report there is replaced.

    Returns:
        The path.

    Raises:
        UsageError: plotly or jinja2 is not installed, the folder does not exist, or the path is that of the store.
    """
    from evohpo.analysis.report import pages
    from evohpo.analysis.report.figures import draw, plots_of
    from evohpo.analysis.report.rows import columns_of, metric_names, rows_of

    path = checked(path)
    if study.store is not None and path.resolve() == study.store.resolve():
        raise UsageError(f"report {path}: that is the study's store, and would be overwritten; give another file")
    library = pages.plotly_path().read_text("utf-8")
    columns = columns_of(study, metric_names(study.trials))
    stepwise = any(trial.reports for trial in study.trials)
    plots = [plot for plot in plots_of(study) if stepwise or plot.key != "curves"]
    front = pages.front(study)
    scripts = [pages.asset(name) for name in SCRIPTS]
    text = pages.render(
        "report.html",
        name=study.name,
        head=pages.head(study),
        best=pages.best(study),
        learned=pages.learned(study),
        trouble=pages.trouble(study),
        table=pages.as_json({"columns": columns, "rows": rows_of(study, study.trials, columns)}),
        front=pages.as_json({"columns": columns, "rows": rows_of(study, front, columns)}) if front else "",
        plots=[(plot, [draw(study, plot, i) for i in range(len(plot.variants))]) for plot in plots],
        inert=pages.inert,
        style=pages.asset("style.css"),
        scripts=scripts,
        library=library,
        hashes=[script_hash(script) for script in (*scripts, library)],
        written=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
    )
    return put(path, text)


def checked(path: str | Path) -> Path:
    """Return where a report may be written.

    Raises:
        UsageError: the folder does not exist, or the path is that of a folder.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise UsageError(f"report {path}: the folder {path.parent} does not exist; make it first")
    if path.is_dir():
        raise UsageError(f"report {path}: is a folder; give the path of a file, such as {path / 'report.html'}")
    return path


def put(path: Path, text: str) -> Path:
    """Write a page; whoever looks at an older one there meanwhile sees a whole one."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, "utf-8", newline="")
    part.replace(path)
    return path


def script_hash(script: str) -> str:
    """Return the name by which a content security policy allows one script and no other."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
