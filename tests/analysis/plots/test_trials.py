"""Plots of the trials themselves show what the study has: no more, no less."""

from __future__ import annotations

import math

import numpy as np
import pytest

import evohpo as eh
from evohpo.analysis.plots import Plots
from evohpo.analysis.plots.hypervolume import grown
from evohpo.errors import UnknownName, UsageError
from evohpo.trials import pareto
from tests.analysis.plots.studies import HOSTILE, mixed, told, trace, two

# History


def test_history_shows_every_trial_at_its_number(mixed_study):
    points = trace(Plots(mixed_study).history(), "completed")
    assert list(points.x) == [t.number for t in mixed_study.trials]
    np.testing.assert_allclose(points.y, [t.metrics["loss"] for t in mixed_study.trials])


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
def test_the_line_of_history_is_the_best_feasible_so_far(goal):
    values = [3.0, 5.0, 1.0, 4.0, 9.0, 2.0]
    results = [{"loss": v, "size": s} for v, s in zip(values, [1, 1, 8, 1, 8, 1], strict=True)]
    study = told(results, **{goal: "loss", "constraints": ["size <= 5"]})
    line = trace(Plots(study).history(), "best so far")
    expected = {"minimize": ([0, 5, 5], [3.0, 2.0, 2.0]), "maximize": ([0, 1, 5], [3.0, 5.0, 5.0])}[goal]
    assert (list(line.x), list(line.y)) == expected
    assert line.line.shape == "hv"


def test_history_tells_failed_stopped_and_running_trials_apart(step_study):
    figure = Plots(step_study).history()
    for status, name in (("completed", "completed"), ("stopped", "stopped early"), ("failed", "failed")):
        points = trace(figure, name)
        assert list(points.x) == [t.number for t in step_study.trials if t.status == status]
        assert points.showlegend
    symbols = {trace(figure, name).marker.symbol for name in ("completed", "stopped early", "failed")}
    assert len(symbols) == 3


def test_trials_without_a_value_stand_below_all_others():
    study = told([{"loss": 2.0}, ValueError("no"), {"loss": 1.0}, None])
    figure = Plots(study).history()
    low, _ = figure.layout.yaxis.range
    assert low < trace(figure, "failed").y[0] < 1.0
    assert low < trace(figure, "running").y[0] < 1.0


def test_history_of_several_objectives_has_a_panel_each(three_study):
    figure = Plots(three_study).history()
    assert [figure.layout[f"yaxis{i}"].title.text for i in ("", 2, 3)] == ["a", "b", "c"]
    assert len([t for t in figure.data if t.showlegend and t.name == "completed"]) == 1
    only = Plots(three_study).history(metric="b")
    np.testing.assert_allclose(trace(only, "completed").y, [t.metrics["b"] for t in three_study.trials])


def test_far_out_values_do_not_hide_the_others():
    study = told([{"loss": float(i % 7)} for i in range(40)] + [{"loss": 1e30}])
    figure = Plots(study).history()
    assert figure.layout.yaxis.range[1] < 10
    assert "1 far-out value is out of view" in figure.layout.title.subtitle.text


def test_a_metric_over_orders_of_magnitude_has_a_log_axis():
    assert Plots(told([{"loss": 10.0 ** (-i % 5)} for i in range(30)])).history().layout.yaxis.type == "log"
    assert Plots(told([{"loss": 1.0 + i} for i in range(30)])).history().layout.yaxis.type == "linear"


# Generations


def test_generations_show_quantiles_best_and_mean_of_each(mixed_study):
    figure = Plots(mixed_study).generations()
    table = mixed_study.generations()
    groups = mixed_study.table().groupby("generation")["loss"]
    box = next(t for t in figure.data if t.type == "box")
    np.testing.assert_allclose(box.median, groups.median())
    np.testing.assert_allclose(box.q1, groups.quantile(0.25))
    np.testing.assert_allclose(trace(figure, "best").y, table["best"])
    np.testing.assert_allclose(trace(figure, "mean").y, table["mean"])
    np.testing.assert_allclose(trace(figure, "diversity").y, table["diversity"])


def test_very_many_generations_become_bands():
    study = mixed(n=160, population=4)
    figure = Plots(study).generations()
    assert not [t for t in figure.data if t.type == "box"]
    groups = study.table().groupby("generation")["loss"]
    np.testing.assert_allclose(trace(figure, "middle half").y, groups.quantile(0.75))


# Front


def test_the_front_is_coloured_by_trial_order(two_study):
    figure = Plots(two_study).front()
    assert figure.layout.coloraxis.colorbar.title.text == "trial"
    members = {t.number for t in two_study.front()}
    others, on = trace(figure, "trials"), trace(figure, "on the front")
    assert sorted([*others.marker.color, *on.marker.color]) == [t.number for t in two_study.trials]
    assert set(on.marker.color) == members
    for points in (others, on):
        at = {n: (x, y) for n, x, y in zip(points.marker.color, points.x, points.y, strict=True)}
        assert at == {n: tuple(two_study.trials[n].metrics[m] for m in ("gain", "price")) for n in at}


def test_the_staircase_goes_through_the_front_and_bounds_what_it_dominates(two_study):
    line = trace(Plots(two_study).front(), "front")
    front = sorted((t.metrics["gain"], t.metrics["price"]) for t in two_study.front())
    assert list(zip(line.x, line.y, strict=True)) == front
    assert line.line.shape == "vh"  # gain is maximized: a step first goes up in price, then right
    assert trace(Plots(two_study).front(x="price", y="gain"), "front").line.shape == "hv"


def test_infeasible_trials_are_hollow(two_study):
    others = trace(Plots(two_study).front(), "trials")
    hollow = {
        n for n, symbol in zip(others.marker.color, others.marker.symbol, strict=True) if symbol.endswith("-open")
    }
    assert hollow == {t.number for t in two_study.trials if t.violation > 0} != set()


def test_bounds_on_an_objective_are_dashed_lines(two_study):
    figure = Plots(two_study).front()
    lines = [(s.x0, s.x1, s.y0, s.y1) for s in figure.layout.shapes if s.line.dash == "dash"]
    assert (0.2, 0.2, 0, 1) in lines
    assert (0, 1, 0.8, 0.8) in lines
    labels = {a.text for a in figure.layout.annotations}
    assert labels == {"gain ≥ 0.2", "price ≤ 0.8"}


def test_a_bound_relative_to_the_baseline_is_drawn_where_it_is():
    study = two(constraints=["gain >= 0.5 * baseline"])
    (line,) = Plots(study).front().layout.shapes
    assert line.x0 == pytest.approx(0.5 * study.trials[0].metrics["gain"])


def test_three_objectives_are_shown_in_pairs(three_study):
    figure = Plots(three_study).front()
    assert len([t for t in figure.data if t.name == "on the front"]) == 3
    pair = Plots(three_study).front(x="c", y="a")
    assert (pair.layout.xaxis.title.text, pair.layout.yaxis.title.text) == ("c", "a")


def test_one_objective_has_no_front(mixed_study):
    with pytest.raises(UsageError, match="one objective"):
        Plots(mixed_study).front()


# Hypervolume


@pytest.mark.parametrize("make", [two, lambda: two(constraints=["gain >= 0.2"]), lambda: two(constraints=[])])
def test_hypervolume_is_that_of_the_front_up_to_each_trial(make):
    study = make()
    points = Plots(study).hypervolume().data[0]
    reference = np.array([-study.reference["gain"], study.reference["price"]])
    for number, volume in zip(points.x[::3], points.y[::3], strict=True):
        some = np.array([t.fitness for t in study.trials if t.feasible and t.number <= number])
        assert volume == pytest.approx(pareto.hypervolume(some, reference), rel=1e-6)
    assert points.y[-1] == pytest.approx(study.hypervolume(), rel=1e-6)


def test_hypervolume_of_three_objectives_ends_at_the_studys(three_study):
    figure = Plots(three_study).hypervolume()
    assert figure.data[0].y[-1] == pytest.approx(three_study.hypervolume(), rel=1e-6)
    assert (np.diff(figure.data[0].y) >= 0).all()
    for metric, value in three_study.reference.items():
        assert f"{metric}\u00a0=\u00a0{value:.4g}" in figure.layout.title.subtitle.text


# Slices and parallel coordinates


def test_slices_show_each_parameter_against_the_metric(mixed_study):
    figure = Plots(mixed_study).slices()
    by = {t.name: t for t in figure.data}
    assert list(by) == list(mixed_study.space.searched)
    rates = by["learning_rate"]
    assert list(rates.x) == [t.params["learning_rate"] for t in mixed_study.trials]
    assert list(rates.y) == [t.metrics["loss"] for t in mixed_study.trials]
    assert list(rates.marker.color) == [t.number for t in mixed_study.trials]
    assert list(by["momentum"].marker.color) == [t.number for t in mixed_study.trials if "momentum" in t.params]
    solvers = np.round(np.array(by["solver"].x)).astype(int)
    assert [["sgd", "adam", "lbfgs"][i] for i in solvers] == [t.params["solver"] for t in mixed_study.trials]


def test_axes_are_log_where_the_parameter_is_and_categories_have_names(mixed_study):
    layout = Plots(mixed_study).slices(parameters=["learning_rate", "layers", "solver", "batch_size"]).layout
    assert [layout[f"xaxis{i}"].type for i in ("", 2)] == ["log", "linear"]
    assert layout.xaxis.tickformat == "~g"  # 0.001, not 1m
    assert list(layout.xaxis3.ticktext) == ["sgd", "adam", "lbfgs"]
    assert list(layout.xaxis4.ticktext) == ["32", "64", "128", "256"]


def test_values_of_different_types_are_different_categories():
    space = eh.Space({"c": eh.Categorical([1, "1", True, None])})
    study = eh.Study(space, minimize="loss", optimizer="random", seed=1)
    for value in space.parameters["c"].choices:
        study.attach({"c": value}, 1.0)
    x = np.array(Plots(study).slices().data[0].x)
    assert sorted(np.round(x).tolist()) == [0, 1, 2, 3]


def test_parallel_coordinates_hold_every_result(mixed_study):
    dimensions = {d.label: d for d in Plots(mixed_study).parallel().data[0].dimensions}
    assert list(dimensions) == [*mixed_study.space.searched, "loss"]
    rates = dimensions["learning_rate"]
    np.testing.assert_allclose(
        rates["values"], [math.log10(t.params["learning_rate"]) for t in mixed_study.trials], 1e-5
    )
    assert list(rates.ticktext) == ["0.0001", "0.001", "0.01", "0.1"]


def test_a_parameter_that_does_not_apply_has_a_place_of_its_own(mixed_study):
    momentum = next(d for d in Plots(mixed_study).parallel().data[0].dimensions if d.label == "momentum")
    place = momentum.tickvals[list(momentum.ticktext).index("–")]
    there = ["momentum" in t.params for t in mixed_study.trials]
    np.testing.assert_array_equal(np.array(momentum["values"]) > place + 1e-3, there)
    assert place == pytest.approx(momentum.range[0])


def test_lines_are_shaded_by_rank_the_better_the_darker(mixed_study):
    line = Plots(mixed_study).parallel().data[0].line
    y = np.array([t.metrics["loss"] for t in mixed_study.trials])
    assert line.color[y.argmin()] == min(line.color)
    assert [line.color[i] for i in np.argsort(y, kind="stable")] == sorted(line.color)
    assert line.colorscale[0][1] < line.colorscale[-1][1]  # as text: the smaller, the darker blue


# Curves


def test_curves_show_every_report_and_mark_stopped_ones(step_study):
    figure = Plots(step_study).curves()
    table = step_study.curves()
    seen = set()
    for name in ("completed", "stopped early", "failed"):
        for line in (t for t in figure.data if t.name == name and t.mode == "lines"):
            seen |= {(n, x, y) for n, x, y in zip(line.customdata, line.x, line.y, strict=True) if x is not None}
    best = trace(figure, f"best: trial {step_study.best.number}")
    seen |= {(step_study.best.number, x, y) for x, y in zip(best.x, best.y, strict=True)}
    assert seen == set(table[["number", "step", "loss"]].itertuples(index=False, name=None))
    ends = next(t for t in figure.data if t.name == "stopped early" and t.mode == "markers")
    assert [row[0] for row in ends.customdata] == [t.number for t in step_study.trials if t.status == "stopped"]
    assert ends.marker.symbol == "triangle-down"


def test_curves_of_an_objective_without_steps_say_so(mixed_study):
    with pytest.raises(UsageError, match="no trial has reported a step"):
        Plots(mixed_study).curves()


# Hover, names, errors


@pytest.mark.parametrize("name", ["history", "front", "slices", "lineage"])
def test_the_pointer_on_a_trial_shows_number_status_metrics_and_parameters(two_study, name):
    for points in getattr(Plots(two_study), name)().data:
        if points.customdata is None or points.mode == "lines":
            continue
        for word in ("gain", "price", "x = ", "y = ", "Trial"):
            assert word in points.hovertemplate
        for row in points.customdata:
            trial = two_study.trials[int(row[0])]
            assert str(row[1]).startswith(str(trial.status))
            shown = [trial.metrics["gain"], trial.metrics["price"], trial.params["x"], trial.params["y"]]
            np.testing.assert_allclose([float(v) for v in row[2:]], shown, rtol=1e-4)


def test_the_pointer_shows_labels_errors_and_what_does_not_apply(mixed_study):
    study = eh.Study(mixed_study.space, minimize="loss", optimizer="random", seed=1)
    config = {name: value for name, value in study.space.default().items() if name != "momentum"}
    study.attach({**config, "solver": "adam"}, 1.0, label="<my> baseline")
    (trial,) = study.ask(1)
    study.tell(trial, error=ValueError("loss <b>exploded</b>"))
    known, failed = trace(Plots(study).history(), "completed"), trace(Plots(study).history(), "failed")
    assert known.customdata[0][1] == "completed (&lt;my&gt; baseline)"
    assert "–" in known.customdata[0]  # momentum
    assert failed.customdata[0][1] == "failed: ValueError: loss &lt;b&gt;exploded&lt;/b&gt;"


def test_names_are_shown_as_they_are_whatever_they_contain():
    space = eh.Space({HOSTILE: eh.Categorical(["<u>", "%{odd}"]), "x": eh.Continuous(0, 1)})
    metric = "m<u>%{odd}"
    study = told([{metric: float(i)} for i in range(8)], space, minimize=metric)
    for name in ("history", "slices", "parallel", "importance", "cross_validation", "generations", "interactions"):
        figure = getattr(Plots(study), name)()
        if name == "parallel":  # labels on its axes are plain text
            figure.data[0].dimensions[0].update(ticktext=[])
        text = figure.to_json()
        for raw in ("<u>", "</u>", "%{odd}", "$y$"):
            assert raw not in text.replace("\\u003c", "<").replace("\\u003e", ">"), (name, raw)
        assert "&lt;u&gt;" in text.replace("\\u0026", "&"), name


@pytest.mark.parametrize("name", ["history", "generations", "parallel", "slices", "importance", "cross_validation"])
def test_a_metric_that_no_trial_has_is_named(mixed_study, name):
    with pytest.raises(UnknownName, match="los"):
        getattr(Plots(mixed_study), name)(metric="los")


def test_figures_are_functions_of_the_study_alone(two_study):
    assert Plots(two_study).front().to_json() == Plots(two_study).front().to_json()
    assert Plots(two()).slices().to_json() == Plots(two_study).slices().to_json()


def test_without_plotly_it_says_what_to_install(mixed_study, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    with pytest.raises(UsageError, match=r"evohpo\[report\]"):
        Plots(mixed_study).history()


def test_static_parameters_alone_leave_nothing_to_slice():
    study = told([{"loss": 1.0}], eh.Space({"seed": 3}))
    with pytest.raises(UsageError, match="static"):
        Plots(study).slices()
    assert trace(Plots(study).history(), "completed").y[0] == 1.0


@pytest.mark.parametrize("m", [2, 3, 4])
def test_a_growing_volume_is_that_of_all_points_so_far(m):
    rng = np.random.default_rng(m)
    F = np.round(rng.random((60, m)), 1)  # ties, duplicates, points on the bounds
    reference = np.full(m, 0.9)
    rows, volumes = grown(F, reference)
    for i in range(60):
        known = volumes[np.searchsorted(rows, i, side="right") - 1]
        assert known == pytest.approx(pareto.hypervolume(F[: i + 1], reference), abs=1e-9)


def test_a_front_of_ten_thousand_members_is_measured_in_time():
    angle = np.random.default_rng(1).random(10_000) * np.pi / 2
    F = np.column_stack([np.cos(angle), np.sin(angle)])
    rows, volumes = grown(F, np.array([1.0, 1.0]))
    assert len(rows) == 10_000
    assert volumes[-1] == pytest.approx(1 - np.pi / 4, abs=1e-3)
