"""The plots of a study, drawn with plotly: `study.plot`."""

from evohpo.analysis.plots.plots import Plots

__all__ = ["Plots"]
