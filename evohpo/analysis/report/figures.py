"""Which plots a report and a dashboard show, and how each is drawn, or its reason told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from evohpo.analysis.report.learned import top_parameters
from evohpo.errors import UsageError

if TYPE_CHECKING:
    from evohpo.study import Study

PAIRS = {"1st and 2nd": (0, 1), "1st and 3rd": (0, 2), "2nd and 3rd": (1, 2)}  # most important parameters

Source = Literal["trials", "results", "model"]


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot on a page.

    Attributes:
        key: the method of `study.plot` that draws it.
        title: what stands in its place until it is drawn.
        source: what it is drawn from: trials change at any time, results when one ends; a model of them takes seconds.
        variants: what can be chosen, such as the metric; one "" where nothing can.
    """

    key: str
    title: str
    source: Source = "results"
    variants: tuple[str, ...] = ("",)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure as plotly's JSON, or the reason why there is none."""

    json: str
    reason: str = ""


def plots_of(study: Study) -> list[Plot]:
    """Return the plots that suit a study, in the order in which they are shown."""
    metrics = study.goals.metrics
    plots = [
        Plot("history", "Progress"),
        Plot("generations", "Generations"),
        Plot("importance", "Which parameters matter", "model", metrics),
        Plot("slices", "One parameter at a time", "model", metrics),
        Plot("contour", "Two parameters that matter together", "model", tuple(PAIRS)),
        Plot("parallel", "All parameters together", "model"),
        Plot("cross_validation", "How far to trust the model", "model", metrics),
        Plot("curves", "Learning curves", "trials", metrics),
        Plot("lineage", "Family of the best"),
        Plot("timeline", "Who worked when", "trials"),
    ]
    if len(metrics) > 1:
        plots[:1] = [Plot("front", "Front"), plots[0], Plot("hypervolume", "Hypervolume")]
    return plots


def draw(study: Study, plot: Plot, variant: int = 0) -> Drawn:
    """Draw a plot; one that cannot be made gives its reason instead, so that the others still show."""
    choice = plot.variants[variant]
    try:
        return Drawn(_figure(study, plot.key, choice).to_json())
    except UsageError as error:
        text = str(error)
        return Drawn("", f"{text[:1].upper()}{text[1:]}.")
    except Exception as error:  # noqa: BLE001 - one plot must not cost the whole page
        return Drawn("", f"This plot could not be drawn ({type(error).__name__}: {error}). Please report it.")


def _figure(study: Study, key: str, choice: str) -> Any:
    from evohpo.analysis.plots import Plots

    plots: Any = Plots(study)
    if key == "contour":
        i, j = PAIRS[choice]
        top = top_parameters(study, 3)
        if len(top) <= j:
            raise UsageError(f"there are only {len(top)} parameters")
        return plots.contour(top[i], top[j])
    method = getattr(plots, key)
    return method(metric=choice) if choice else method()
