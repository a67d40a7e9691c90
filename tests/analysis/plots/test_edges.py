"""Whatever a study is like, a plot is drawn or says in a sentence why there is none; its JSON is JSON, and not large."""

from __future__ import annotations

import json
import math

import pytest

import evohpo as eh
from evohpo.analysis.plots import Plots
from evohpo.errors import UsageError
from tests.analysis.plots import studies
from tests.analysis.plots.studies import HOSTILE, drawings, drawn, large, told

MEGABYTES = 3e6
MODELS = ("effect", "contour", "importance", "cross_validation", "interactions")
WIDE = eh.Space({f"x{i}": eh.Continuous(0.0, 1.0) for i in range(60)})
ODD = eh.Space(
    {
        "n" * 200: eh.Continuous(0.0, 1.0),
        HOSTILE: eh.Categorical(["<u>", None, True, 1, 1.0, "%{odd}", "a" * 300]),
        "tiny": eh.Continuous(1e-300, 1e300, scale="log"),
        "odds": eh.Continuous(1e-6, 1 - 1e-6, scale="logit"),
        "near_one": eh.Continuous(0.5, 0.9999, scale="reverse_log"),
        "many": eh.Categorical([f"choice {i}" for i in range(500)]),
        "big": eh.Integer(1, 10**12, scale="log"),
    }
)
LOSSES = [{"loss": (i % 5 - 1.7) ** 2} for i in range(12)]
KINDS = {
    "no trials": lambda: told([]),
    "one": lambda: told(LOSSES[:1]),
    "two": lambda: told(LOSSES[:2]),
    "all failed": lambda: told([ValueError("no")] * 7),
    "all running": lambda: told([None] * 7),
    "some of each": lambda: told([*LOSSES, ValueError("no"), None, None]),
    "all equal": lambda: told([{"loss": 1.0}] * 12),
    "huge": lambda: told([{"loss": v} for v in (1e308, -1e308, 1e-308, 0.0, 5.0, 7.0, 1e300, 3.0)]),
    "not numbers": lambda: told([{"loss": 1.0, "other": v} for v in (math.nan, math.inf, -math.inf, "text", 1.0, 2.0)]),
    "all infeasible": lambda: told(LOSSES, minimize="loss", constraints=["loss <= -1"]),
    "static alone": lambda: told(LOSSES[:8], eh.Space({"seed": 1, "name": "a"})),
    "one parameter": lambda: told(LOSSES, eh.Space({"x": eh.Integer(1, 3)})),
    "sixty parameters": lambda: told(LOSSES, WIDE),
    "odd parameters": lambda: told([{"m<u>%{odd}": v["loss"]} for v in LOSSES], ODD, minimize="m<u>%{odd}"),
    "two objectives, one trial": lambda: told([{"a": 1.0, "b": 2.0}], minimize=["a", "b"]),
    "two objectives, equal": lambda: told([{"a": 1.0, "b": 2.0}] * 8, maximize="a", minimize="b"),
    "two objectives, infeasible": lambda: told([{"a": 1.0, "b": 2.0}] * 4, minimize=["a", "b"], constraints=["a <= 0"]),
    "five objectives": lambda: told([{k: float((7 * ord(k) + 3 * i) % 11) for k in "abcde"} for i in range(9)],
                                    minimize=list("abcde")),
    "one step each": lambda: studies.stepwise(n=4),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_plot_is_drawn_or_gives_its_reason(kind):
    study = KINDS[kind]()
    figures, reasons = drawn(study)
    for name, figure in figures.items():
        text = figure.to_json()
        json.loads(text, parse_constant=lambda word, name=name: pytest.fail(f"{name}: {word} is no JSON"))
        assert figure.layout.title.text, name
    for name, reason in reasons.items():
        assert len(reason) > 10, name
        assert "\n" not in reason, name
    if any(t.fitness for t in study.trials):
        assert {"history", "generations"} <= set(figures)


def test_with_too_few_trials_models_say_how_many_it_takes():
    _, reasons = drawn(told(LOSSES[:2]))
    assert set(MODELS) <= set(reasons)
    for name in MODELS:
        assert "5" in reasons[name], name


def test_of_sixty_parameters_a_dozen_is_shown_and_it_says_so():
    study = told(LOSSES, WIDE)
    for name in ("slices", "parallel"):
        figure = getattr(Plots(study), name)()
        assert "12 of 60 parameters" in figure.layout.title.subtitle.text.replace("<br>", " "), name
    assert len(Plots(study).slices().data) == 12
    assert len(Plots(study).slices(parameters=["x3", "x59"]).data) == 2


def test_huge_values_keep_finite_axes():
    for figure in drawn(KINDS["huge"](), leave=MODELS)[0].values():
        for axis in figure.select_yaxes():
            assert axis.range is None or all(math.isfinite(float(end)) for end in axis.range)


@pytest.mark.slow
def test_ten_thousand_trials_stay_light_and_quick():
    import time

    for study in (large(steps=5), large(objectives=2, parameters=12), large(objectives=3, parameters=10)):
        for name, draw in drawings(study).items():
            if name in MODELS:
                continue
            began = time.perf_counter()
            try:
                figure = draw()
            except UsageError:
                continue
            assert len(figure.to_json()) < MEGABYTES, name
            assert time.perf_counter() - began < 10, name


@pytest.mark.slow
def test_models_of_ten_thousand_trials_stay_light():
    study = large(parameters=60)
    for name, draw in drawings(study).items():
        if name not in ("front", "hypervolume", "curves", "timeline", "lineage"):
            assert len(draw().to_json()) < MEGABYTES, name


def test_very_many_points_are_drawn_by_the_graphics_card_and_few_are_not():
    assert {t.type for t in Plots(large(2_000)).history().data if t.mode == "markers"} == {"scattergl"}
    assert {t.type for t in Plots(large(200)).history().data if t.mode == "markers"} == {"scatter"}
