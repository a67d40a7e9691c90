"""The report in a browser, from a file, without a network."""

from __future__ import annotations

import pytest

from tests.analysis.report.studies import BRACES, IMAGE, SCRIPT
from tests.dashboard.browsing import column, sort_by, watched_page


@pytest.fixture
def opened(browser, written):
    """Open a report by its name; all is checked when the test ends."""
    contexts = []

    def open_(name, width=1280):
        uri = written[name].as_uri()
        context = watched_page(browser, uri, offline=True, viewport={"width": width, "height": 900})
        page = context.__enter__()
        contexts.append(context)
        page.goto(uri)
        return page

    yield open_
    for context in contexts:
        context.__exit__(None, None, None)


def show(page, key):
    """Bring a plot into view and wait for it."""
    plot = page.locator(f'.plot[data-key="{key}"]')
    plot.scroll_into_view_if_needed()
    page.wait_for_selector(f'.plot.drawn[data-key="{key}"]')
    return plot


def test_a_click_sorts_numbers_as_numbers(opened, stepwise):
    page = opened("stepwise")
    units = sorted(t.params["units"] for t in stepwise.trials)
    assert units[:15] != sorted(units, key=str)[:15]
    sort_by(page, "units")
    assert [int(text) for text in column(page, "units")] == units[:15]
    sort_by(page, "units")
    assert [int(text) for text in column(page, "units")] == units[::-1][:15]
    assert page.locator('th[aria-sort="descending"]').inner_text().startswith("units")
    sort_by(page, "units")
    assert column(page, "trial") == [str(n) for n in range(15)]


def test_trials_without_a_value_come_last_whichever_way(opened, stepwise):
    page = opened("stepwise")
    page.locator("#trials input").fill("lbfgs")
    failed = sum(t.failed and t.params["solver"] == "lbfgs" for t in stepwise.trials)
    for _ in range(2):
        sort_by(page, "loss")
        page.get_by_text("Next ›").click()
        losses = column(page, "loss")
        assert losses.count("") == failed
        assert losses[len(losses) - failed :] == [""] * failed


def test_the_filter_keeps_rows_that_have_the_text(opened, stepwise):
    page = opened("stepwise")
    page.locator("#trials input").fill("Six Layers")
    failed = [str(t.number) for t in stepwise.trials if "six layers" in t.error]
    assert column(page, "trial") == failed
    assert page.locator("#trials .shown").inner_text() == f"1–3 of 3 (of {len(stepwise.trials)})"


def test_pages_turn(opened, stepwise):
    page = opened("stepwise")
    page.get_by_text("Next ›").click()
    assert column(page, "trial")[0] == "15"


def test_a_click_on_a_row_shows_all_of_its_trial(opened, stepwise):
    page = opened("stepwise")
    number = next(t.number for t in stepwise.trials if t.failed)
    page.locator(f'#trials tr[data-trial="{number}"]').click()
    box = page.locator("#detail")
    assert f"Trial {number}" in box.inner_text()
    assert "six layers do not fit" in box.inner_text()
    box.get_by_text("Close").click()
    assert not box.is_visible()


def test_hovering_over_a_point_shows_its_parameters(opened):
    page = opened("stepwise")
    plot = show(page, "history")
    point = plot.locator(".scatterlayer .points path").nth(3)
    point.hover(force=True)
    text = plot.locator(".hoverlayer .hovertext").first.text_content()
    assert "learning_rate" in text
    assert "solver" in text


def test_every_plot_is_drawn_when_it_comes_into_view(opened):
    for name in ("stepwise", "with_front"):
        page = opened(name)
        for key in page.locator(".plot").evaluate_all("all => all.map(plot => plot.dataset.key)"):
            page.locator(f'.plot[data-key="{key}"]').scroll_into_view_if_needed()
            page.wait_for_selector(f'.plot:is(.drawn, .empty)[data-key="{key}"]')
            assert "could not be" not in page.locator(f'.plot[data-key="{key}"]').inner_text()


def test_another_metric_can_be_chosen_for_a_plot(opened):
    page = opened("with_front")
    plot = show(page, "importance")
    assert "loss" in plot.locator(".gtitle").text_content()
    plot.locator("select").select_option(label="size")
    page.wait_for_function("document.querySelector('.plot[data-key=importance] .gtitle').textContent.includes('size')")


def test_on_a_narrow_screen_the_page_does_not_scroll_sideways(opened):
    page = opened("with_front", width=480)
    show(page, "history")
    assert page.evaluate("document.documentElement.scrollWidth") <= 480


def test_hostile_texts_stay_texts(opened):
    page = opened("hostile")
    assert page.locator("h1").inner_text() == SCRIPT + IMAGE + BRACES
    assert {SCRIPT, IMAGE, BRACES} <= set(page.locator("#trials th").all_inner_texts())
    page.locator('#trials tr[data-trial="0"]').click()
    assert SCRIPT in page.locator("#detail").inner_text()
    page.locator("#detail").get_by_text("Close").click()
    for key in page.locator(".plot").evaluate_all("all => all.map(plot => plot.dataset.key)"):
        page.locator(f'.plot[data-key="{key}"]').scroll_into_view_if_needed()
        page.wait_for_selector(f'.plot:is(.drawn, .empty)[data-key="{key}"]')
    assert page.locator("img").count() == 0
