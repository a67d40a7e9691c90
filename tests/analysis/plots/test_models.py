"""Plots of what a model says show the numbers of the analysis."""

from __future__ import annotations

import numpy as np
import pytest

import evohpo as eh
from evohpo.analysis import cross_validation, effect, importance, interactions, surface
from evohpo.analysis.plots import Plots
from evohpo.errors import UnknownName, UsageError
from tests.analysis.plots.studies import told


def test_importance_draws_the_shares_largest_on_top(mixed_study):
    bars = Plots(mixed_study).importance().data[0]
    table = importance(mixed_study)
    np.testing.assert_allclose(bars.x[::-1], table["importance"])
    assert list(bars.customdata)[::-1] == list(table["parameter"])
    other = Plots(mixed_study).importance(method="permutation")
    np.testing.assert_allclose(other.data[0].x[::-1], importance(mixed_study, method="permutation")["importance"])
    assert other.layout.title.subtitle.text != Plots(mixed_study).importance().layout.title.subtitle.text


def test_cross_validation_draws_observed_predicted_interval_and_says_how_good(mixed_study):
    figure = Plots(mixed_study).cross_validation()
    table = cross_validation(mixed_study)
    line, points = figure.data
    assert list(line.x) == list(line.y)
    np.testing.assert_allclose(points.x, table["observed"])
    np.testing.assert_allclose(points.y, table["predicted"])
    np.testing.assert_allclose(points.error_y.array, table["high"] - table["predicted"])
    subtitle = figure.layout.title.subtitle.text.replace("<br>", " ")
    assert f"R² = {table.attrs['r2']:.2f}" in subtitle
    assert f"{100 * table.attrs['coverage']:.0f} &#37;" in subtitle


def test_contour_draws_the_surface_on_the_parameters_scales_and_the_trials(mixed_study):
    figure = Plots(mixed_study).contour("learning_rate", "units")
    a, b, mean = surface(mixed_study, "learning_rate", "units")
    levels, points = figure.data
    assert (list(levels.x), list(levels.y)) == (a, b)
    np.testing.assert_allclose(levels.z, mean)
    assert (figure.layout.xaxis.type, figure.layout.yaxis.type) == ("log", "log")
    known = [t for t in mixed_study.trials if not t.job.startswith("reused")]
    assert list(points.x) == [t.params["learning_rate"] for t in known]


def test_contour_of_a_category_has_cells_with_its_names(mixed_study):
    figure = Plots(mixed_study).contour("solver", "layers")
    assert figure.data[0].type == "heatmap"
    assert list(figure.data[0].x) == [-0.5, 0.5, 1.5, 2.5]
    assert list(figure.layout.xaxis.ticktext) == ["sgd", "adam", "lbfgs"]


def test_the_better_is_the_darker():
    def study(**goal):
        made = eh.Study(
            {"x": eh.Continuous(0.0, 1.0), "y": eh.Continuous(0.0, 1.0)}, optimizer="random", seed=1, **goal
        )
        for trial in made.ask(12):
            made.tell(trial, {"loss": trial.params["x"]})
        return made

    def luminance(colour):
        return sum(int(colour[i : i + 2], 16) for i in (1, 3, 5))

    for goal, low_is_dark in (({"minimize": "loss"}, True), ({"maximize": "loss"}, False)):
        scale = Plots(study(**goal)).contour("x", "y").data[0].colorscale
        assert (luminance(scale[0][1]) < luminance(scale[-1][1])) == low_is_dark


def test_an_effect_is_drawn_with_its_band(mixed_study):
    figure = Plots(mixed_study).effect("learning_rate")
    table = effect(mixed_study, "learning_rate")
    low, high, mean = figure.data[:3]
    for line, column in ((low, "low"), (high, "high"), (mean, "mean")):
        np.testing.assert_allclose(line.x, table["value"])
        np.testing.assert_allclose(line.y, table[column])
    assert figure.layout.xaxis.type == "log"
    categories = Plots(mixed_study).effect("solver").data[0]
    np.testing.assert_allclose(categories.y, effect(mixed_study, "solver")["mean"])


def test_interactions_are_a_triangle_of_all_pairs(mixed_study):
    cells = Plots(mixed_study).interactions().data[0]
    table = interactions(mixed_study)
    known = {(row[0], row[1]) for line, values in zip(cells.customdata, cells.z, strict=True)
             for row, value in zip(line, values, strict=True) if not np.isnan(value)}  # fmt: skip
    assert {frozenset(pair) for pair in known} == {frozenset(pair) for pair in zip(table["a"], table["b"], strict=True)}
    assert len(known) == len(table)
    assert np.nanmax(cells.z) == pytest.approx(table["strength"].max())


def test_parameters_and_methods_that_do_not_exist_are_named(mixed_study):
    plot = Plots(mixed_study)
    for call in (
        lambda: plot.contour("learning_rat", "units"),
        lambda: plot.effect("learning_rat"),
        lambda: plot.slices(parameters=["learning_rat"]),
        lambda: plot.importance(method="anova"),
    ):
        with pytest.raises(UnknownName, match="did you mean"):
            call()


def test_one_parameter_interacts_with_nothing():
    study = told([{"loss": float(i)} for i in range(8)], eh.Space({"x": eh.Continuous(0.0, 1.0)}))
    with pytest.raises(UsageError, match="two"):
        Plots(study).interactions()
