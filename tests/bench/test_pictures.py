"""Figures and the report of a comparison."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import evohpo as eh
from evohpo.errors import UsageError
from tests.dashboard.browsing import chromium, watched_page


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


def lines(figure, name):
    return next(t for t in figure.data if t.name == name and t.mode == "lines")


def test_curves_are_the_means_over_seeds_within_their_band(one):
    figure = one.plot.curves()
    mean = one.curves().groupby(["optimizer", "trial"])["best"].mean()
    drawn = lines(figure, "de")
    np.testing.assert_allclose(drawn.y, mean.loc["de"])
    low, high = (t.y for t in figure.data if t.legendgroup == "de" and t.name is None)
    assert (low <= drawn.y + 1e-12).all()
    assert (drawn.y <= high + 1e-12).all()
    assert figure.layout.title.text == "Best loss so far on sphere/2"


def test_curves_over_problems_are_of_regret(many):
    figure = many.plot.curves()
    drawn = lines(figure, "random")
    np.testing.assert_allclose(drawn.y, many.regrets[:, 1].mean((0, 1)))
    assert many.plot.curves("zdt1").layout.title.text == "Best hypervolume so far on zdt1"


def test_names_are_text_in_figures(many):
    assert any(t.name == "&lt;b&gt;ga&lt;/b&gt;" for t in many.plot.curves().data)


def test_a_curve_begins_where_every_run_has_something_legal(many):
    values = many.values("constrained-sphere/2")[1]
    drawn = lines(many.plot.curves("constrained-sphere/2"), "random")
    np.testing.assert_array_equal(np.isnan(drawn.y), np.isinf(values).any(0))


def test_ranks_are_drawn_best_first_and_equals_are_joined(one):
    figure = one.plot.ranks()
    ranks = one.ranks()
    np.testing.assert_array_equal(figure.data[0].x, ranks["rank"])
    assert list(figure.layout.yaxis.ticktext) == ranks["optimizer"].tolist()
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]
    joined = [t.hovertemplate for t in figure.data[1:]]
    pairs = one.differences().query("better == ''")
    assert all(any(f"{a}" in j and f"{b}" in j for j in joined) for a, b in zip(pairs["a"], pairs["b"], strict=True))


def test_every_run_is_a_point_of_the_final_values(one):
    figure = one.plot.finals()
    points = [t for t in figure.data if t.mode == "markers"]
    assert sorted(np.concatenate([p.x for p in points])) == pytest.approx(sorted(one.values()[:, :, -1].ravel()))
    assert {text for p in points for text in p.text} == {f"sphere/2, seed {s}" for s in one.seeds}


def test_nothing_legal_is_said_instead_of_drawn():
    comparison = eh.compare(
        lambda p: {"loss": p["x"], "size": 1.0}, ["de", "random"], {"x": eh.Continuous(0, 1)}, minimize="loss",
        constraints=["size <= 0"], trials=9, seeds=2, progress=False,
    )  # fmt: skip
    with pytest.raises(UsageError, match="found anything that meets"):
        comparison.plot.finals()
    assert comparison.verdict().startswith("No difference")


def test_the_report_opens_without_a_network_and_draws_everything(one, many, browser, tmp_path):
    for name, comparison in (("one", one), ("many", many)):
        path = comparison.write_report(tmp_path / f"{name}.html")
        uri = path.as_uri()
        with watched_page(browser, uri, offline=True, viewport={"width": 1200, "height": 900}) as page:
            page.goto(uri)
            text = page.locator("body").inner_text()
            for line in comparison.verdict().splitlines():
                assert line in text
            for key in ("curves", "ranks", "finals"):
                page.locator(f'.plot[data-key="{key}"]').scroll_into_view_if_needed()
                page.wait_for_selector(f'.plot.drawn[data-key="{key}"]')
            rows = page.locator(".table").first.locator("tbody tr")
            assert rows.count() == len(comparison.labels)
            if name == "many":
                page.locator('.plot[data-key="curves"] select').select_option(label="zdt1")
                page.wait_for_function(
                    "document.querySelector('.plot[data-key=curves] .gtitle').textContent.includes('zdt1')"
                )


def test_a_report_needs_a_folder_that_is_there(one, tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        one.write_report(tmp_path / "nowhere" / "report.html")


def test_without_plotly_the_extra_is_named(one, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly", None)
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    for draw in (one.plot.curves, lambda: one.write_report(tmp_path / "report.html")):
        with pytest.raises(UsageError, match=r"evohpo\[report\]"):
            draw()
