"""Which parameters matter, as bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evohpo.analysis.plots import palette
from evohpo.analysis.plots.frame import figure, graph_objects, text

if TYPE_CHECKING:
    from evohpo.study.study import Study

BARS = 20
WORDS = {
    "ped-anova": "Share that each parameter has in getting into the best tenth (PED-ANOVA)",
    "permutation": "Share that each parameter has in the variation (permutation)",
}


def importance(study: Study, metric: str | None = None, method: str = "ped-anova") -> Any:
    """See `Plots.importance`."""
    from evohpo.analysis.importance import importance as importance_of

    frame = importance_of(study, metric, method)
    every = len(frame)
    facts, frame = frame.attrs, frame[:BARS][::-1]
    model = {"forest": "random forest"}.get(facts["model"], facts["model"])
    subtitle = f"{WORDS[method]}, as a {text(model)} sees it."
    if every > BARS:
        subtitle += f" Shown are the first {BARS} of {every} parameters."
    if not frame["importance"].any():
        subtitle += " Nothing can be told from chance yet."
    names, shares = [text(name, 32) for name in frame["parameter"]], frame["importance"].to_numpy(float)
    made = figure(f"Which parameters matter for {text(facts['metric'])}", subtitle, 70 + 30 * len(frame))
    made.add_trace(
        graph_objects().Bar(
            x=shares, y=list(range(len(frame))), orientation="h", marker={"color": palette.BLUE}, width=0.65,
            texttemplate="%{x:.1%}", textposition="outside", cliponaxis=False, customdata=names,
            hovertemplate="%{customdata}: %{x:.1%}<extra></extra>",
        )
    )  # fmt: skip
    made.update_xaxes(title={"text": "importance"}, tickformat=".0%", range=[0, max(1.15 * float(shares.max()), 0.05)])
    made.update_yaxes(
        tickvals=list(range(len(names))), ticktext=names, showgrid=False, ticks="", range=[-0.6, len(names) - 0.4]
    )
    return made
