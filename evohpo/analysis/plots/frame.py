"""The frame of every plot: template, title, legend, and names as the text that they are."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.analysis.plots import palette
from evohpo.analysis.report.rows import shortened
from evohpo.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST = 40  # characters of a name on an axis
LETTERS = 78  # of a line below the title: as many as fit a figure 640 pixels wide
FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
SPECIAL = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "%": "&#37;", "$": "&#36;", "{": "&#123;", "}": "&#125;"}
GL = 1500  # points from which on they are drawn by the graphics card; a page can hold few such plots


def graph_objects() -> Any:
    """Return `plotly.graph_objects`.

    Raises:
        UsageError: plotly is not installed.
    """
    try:
        import plotly.graph_objects as go
    except ImportError as error:
        raise UsageError("plots need plotly: pip install 'evohpo[report]'") from error
    return go


def text(name: Any, longest: int = LONGEST) -> str:
    """Return a name as plotly shows it unchanged: without the HTML, templates and formulas that it would read in it.

    >>> text("<b>%{x}"), text("learning_rate")
    ('&lt;b&gt;&#37;&#123;x&#125;', 'learning_rate')
    """
    plain = " ".join(str(name).split()) or "(no name)"
    return re.sub(r"[&<>%${}]", lambda found: SPECIAL[found[0]], shortened(plain, longest))


def number(value: float, digits: int = 4) -> str:
    """Return a number with few digits, below a million without an exponent.

    >>> number(0.123456), number(2000000.0), number(80000.0), number(12.0), number(0.00001)
    ('0.1235', '2e6', '80000', '12', '1e-5')
    """
    if 10**digits <= abs(value) < 1e6:
        return f"{value:.0f}"
    digits_of, *exponent = f"{value:.{digits}g}".split("e")
    return f"{digits_of}e{int(exponent[0])}" if exponent else digits_of


def wrapped(sentences: str, letters: int = LETTERS) -> list[str]:
    """Return escaped text as lines that fit a narrow figure; an entity counts as the one letter it shows."""
    entities = re.findall(r"&[#\w]+;", sentences)
    lines = textwrap.wrap(re.sub(r"&[#\w]+;", "\0", sentences), letters, break_on_hyphens=False)
    rest = iter(entities)
    return [re.sub("\0", lambda _: next(rest), line) for line in lines]


def figure(title: str, subtitle: str = "", height: int = 420, legend: int = 0, panels: Any = None) -> Any:
    """Return an empty figure, as wide as its page.

    Args:
        title: escaped text in sentence case.
        subtitle: escaped text: what is worth knowing beside the points.
        height: of the drawing without the title, in pixels.
        legend: number of entries in it; 0 for none.
        panels: a figure of `panels(...)` to be framed, instead of one with a single panel.
    """
    go = graph_objects()
    lines, below = wrapped(title, 54), wrapped(subtitle)
    name = {"text": "<br>".join(lines), "x": 0, "xref": "container", "y": 1, "yanchor": "top", "yref": "container"}
    name["pad"] = {"t": 12 * len(lines), "l": 14}
    if below:  # plotly sets a line alone lower than two: an empty second one keeps it near its title
        name["subtitle"] = {"text": "<br>".join(below if len(below) > 1 else [*below, " "])}
    top = 38 + 22 * (len(lines) - 1) + 16 * len(below) + 10 * bool(below) + 22 * -(-legend // 5)
    framed = go.Figure() if panels is None else panels
    framed.update_layout(
        template=_template(), title=name, height=height + top, showlegend=legend > 0,
        margin={"t": top, "l": 64, "r": 24, "b": 52},
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom"},
    )  # fmt: skip
    return framed


def panels(rows: int, columns: int, **arguments: Any) -> Any:
    """Return an empty figure of panels, for `figure(panels=...)`; the arguments are those of `make_subplots`."""
    graph_objects()
    from plotly.subplots import make_subplots

    return make_subplots(rows, columns, **arguments)


def points(n: int) -> Any:
    """Return the kind of trace that shows `n` points smoothly."""
    go = graph_objects()
    return go.Scattergl if n > GL else go.Scatter


def order_bar(last: int, title: str = "trial") -> dict[str, Any]:
    """Return the axis of the colours that tell the order of trials, with its bar."""
    bar = {"title": {"text": title, "side": "top"}, "thickness": 12, "outlinewidth": 0, "tickformat": "~g"}
    bar |= {"lenmode": "pixels", "len": 260, "y": 1, "yanchor": "top"}
    if last < 5:
        bar |= {"tickvals": list(range(last + 1))}
    return {"colorscale": palette.ORDER, "cmin": 0, "cmax": max(last, 1), "colorbar": bar}


def even(values: NDArray[Any], most: int) -> NDArray[Any]:
    """Return at most so many of the values, evenly chosen, the first and the last among them.

    >>> import numpy as np
    >>> even(np.arange(100), 4).tolist()
    [0, 33, 66, 99]
    """
    n = len(values)
    return values if n <= most else values[np.linspace(0, n - 1, most).round().astype(int)]


def _template() -> dict[str, Any]:
    axis = {
        "gridcolor": palette.LINE, "linecolor": palette.GREY, "zeroline": False, "automargin": True, "ticks": "outside",
        "tickcolor": palette.GREY, "ticklen": 4, "title": {"standoff": 8}, "exponentformat": "e", "showline": True,
    }  # fmt: skip
    layout = {
        "font": {"family": FONT, "size": 12.5, "color": palette.INK},
        "title": {"font": {"size": 17}, "subtitle": {"font": {"size": 12.5, "color": palette.SOFT}}},
        "paper_bgcolor": palette.PAPER, "plot_bgcolor": palette.PAPER, "colorway": list(palette.SERIES),
        "hovermode": "closest", "xaxis": axis, "yaxis": axis,
        "hoverlabel": {"bgcolor": palette.PAPER, "bordercolor": palette.GREY, "align": "left",
                       "font": {"family": FONT, "color": palette.INK, "size": 12}, "namelength": -1},
        "legend": {"bgcolor": "rgba(255,255,255,0)", "itemsizing": "constant"},
    }  # fmt: skip
    return {"layout": layout}
