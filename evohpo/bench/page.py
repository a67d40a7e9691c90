"""A comparison as one HTML file that opens anywhere, without a network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evohpo.analysis.plots.frame import number
from evohpo.analysis.report import pages
from evohpo.analysis.report.figures import Drawn, Plot
from evohpo.analysis.report.writing import checked, put, script_hash
from evohpo.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from evohpo.bench.comparison import Comparison

HERE = Path(__file__).parent / "templates"
ALL = "all problems"
WORDS = {
    "regret_low": "from", "regret_high": "to", "low": "from", "high": "to", "cpu": "CPU s a proposal",
    "without": "runs without a result", "a_wins": "a ahead", "b_wins": "b ahead", "p_holm": "p corrected",
}  # fmt: skip
WHOLE = ("failed", "without", "a_wins", "b_wins", "ties")


@dataclass(frozen=True, slots=True)
class Table:
    """A table on the page: its title, headings with whether there are numbers below, and rows of text."""

    title: str
    headings: list[tuple[str, bool]]
    rows: list[list[str]]


def write_report(comparison: Comparison, path: str | Path) -> Path:
    """See `Comparison.write_report`."""
    path = checked(path)
    library = pages.plotly_path().read_text("utf-8")
    scripts = ["const evohpo = {};\n", pages.asset("plots.js"), (HERE / "page.js").read_text("utf-8")]
    text = pages.render(
        "comparison.html", HERE,
        title=_title(comparison), verdict=comparison.verdict().split("\n"), facts=_facts(comparison), tables=_tables(comparison),
        plots=[(plot, [_draw(comparison, plot, v) for v in plot.variants]) for plot in _plots(comparison)],
        inert=pages.inert, style=pages.asset("style.css"), scripts=scripts, library=library,
        hashes=[script_hash(script) for script in (*scripts, library)],
        written=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
    )  # fmt: skip
    return put(path, text)


def _title(comparison: Comparison) -> str:
    problems = comparison.problems
    where = problems[0].name if len(problems) == 1 else f"{len(problems)} problems"
    return f"{len(comparison.labels)} optimizers on {where}"


def _facts(comparison: Comparison) -> list[tuple[str, str]]:
    goals = dict.fromkeys(str(p.goals) for p in comparison.problems)
    facts = [("seeds", str(len(comparison.seeds))), ("trials a run", str(comparison.trials))]
    facts += [
        ("runs", str(len(comparison.runs))),
        ("goals", "; ".join(goals) if len(goals) < 4 else f"{len(goals)} kinds"),
    ]
    return facts


def _tables(comparison: Comparison) -> list[Table]:
    several = len(comparison.problems) > 1
    made = [_table("Optimizers, the best by mean rank first", comparison.table())]
    made.append(_table("Pairs", comparison.differences()))
    if several:
        made.append(_table("Mean ranks by problem", comparison.ranks()))
        made += [_table(p.name, comparison.table(p.name)) for p in comparison.problems]
    return made


def _table(title: str, frame: pd.DataFrame) -> Table:
    rows = [[_cell(name, value) for name, value in row.items()] for row in frame.to_dict("records")]
    names = [WORDS.get(str(name), str(name).replace("_", " ")) for name in frame.columns]
    return Table(title, list(zip(names, [kind.kind in "if" for kind in frame.dtypes], strict=True)), rows)


def _cell(name: Any, value: Any) -> str:
    if isinstance(value, str):
        return value or ("no difference" if name == "better" else "")
    return str(int(value)) if name in WHOLE else "" if value != value else number(float(value))


def _plots(comparison: Comparison) -> list[Plot]:
    names = tuple(p.name for p in comparison.problems)
    variants = (ALL, *names) if len(names) > 1 else ("",)
    return [
        Plot("curves", "Best so far", variants=variants),
        Plot("ranks", "Mean ranks"),
        Plot("finals", "What each run found", variants=variants),
    ]


def _draw(comparison: Comparison, plot: Plot, variant: str) -> Drawn:
    problem = None if variant in ("", ALL) else variant
    method = getattr(comparison.plot, plot.key)
    try:
        return Drawn((method() if plot.key == "ranks" else method(problem)).to_json())
    except UsageError as error:
        return Drawn("", f"{str(error)[:1].upper()}{str(error)[1:]}.")
