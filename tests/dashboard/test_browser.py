"""The dashboard in a browser, while studies go on."""

from __future__ import annotations

import re

import pytest

import evohpo as eh
from tests.analysis.report import studies
from tests.dashboard.browsing import column, sort_by, watched_page
from tests.dashboard.conftest import go


@pytest.fixture
def opened(browser, serve, impatient):
    """Open the dashboard of some stores; all is checked when the test ends."""
    contexts = []

    def open_(*stores, path="", width=1280, **arguments):
        url = serve(*stores, **arguments).url
        context = watched_page(browser, url.partition("?")[0], viewport={"width": width, "height": 900})
        page = context.__enter__()
        contexts.append(context)
        page.goto(url + path)
        return page

    yield open_
    for context in contexts:
        context.__exit__(None, None, None)


def shows(page, text, selector="main"):
    """Wait until a text stands there."""
    page.wait_for_function("([s, t]) => document.querySelector(s)?.innerText.includes(t)", arg=[selector, text])


def test_a_running_study_fills_the_page_and_keeps_the_readers_order(store, make, opened):
    study = make()
    go(study, 3)
    page = opened(store)
    shows(page, "3 completed", "#head")
    sort_by(page, "loss")
    go(study, 4)
    shows(page, "7 completed", "#head")
    losses = sorted(t.metrics["loss"] for t in study.trials)
    assert [float(text) for text in column(page, "loss")] == pytest.approx(losses, rel=1e-6)
    (running,) = study.ask(1)
    shows(page, "1 running", "#head")
    study.tell(running, {"loss": -5.0, "late": 3.0})
    shows(page, "-5", "#best")
    assert column(page, "late")[0] == "3"
    by_loss = sorted(study.trials, key=lambda t: t.metrics["loss"])
    assert column(page, "solver") == [t.params["solver"] for t in by_loss]  # old rows have the new column too
    study.end({"trials": 8})
    shows(page, "The study ended (trials = 8)", "#head")


def test_the_filter_stays_while_the_study_goes_on(store, make, opened):
    study = make()
    go(study, 30)
    page = opened(store)
    shows(page, "30 completed", "#head")
    page.locator("#trials input").fill("adam")
    go(study, 10)
    shows(page, "40 completed", "#head")
    adam = [t for t in study.trials if t.params["solver"] == "adam"]
    shows(page, f"of {len(adam)} (of 40)", "#trials")
    assert set(column(page, "solver")) == {"adam"}


def test_plots_follow_and_hovering_shows_parameters(store, make, opened):
    study = make()
    go(study, 5)
    page = opened(store)
    plot = page.locator('.plot[data-key="history"]')
    plot.scroll_into_view_if_needed()
    page.wait_for_selector('.plot.drawn[data-key="history"]')
    points = ".scatterlayer .points path"
    assert plot.locator(points).count() >= 5
    go(study, 20)
    page.wait_for_function(
        "(s) => document.querySelectorAll(`.plot[data-key=history] ${s}`).length >= 25", arg=points, timeout=20_000
    )
    plot.locator(points).nth(20).hover(force=True)
    text = plot.locator(".hoverlayer .hovertext").first.text_content()
    assert "solver" in text


def test_every_plot_and_part_is_drawn_when_it_comes_into_view(tmp_path, opened):
    store = tmp_path / "study.db"
    studies.stepwise(store).close()
    page = opened(store)
    page.wait_for_selector("#trials tbody tr")
    for key in page.locator(".plot").evaluate_all("all => all.map(plot => plot.dataset.key)"):
        page.locator(f'.plot[data-key="{key}"]').scroll_into_view_if_needed()
        page.wait_for_selector(f'.plot:is(.drawn, .empty)[data-key="{key}"]')
        assert "could not be" not in page.locator(f'.plot[data-key="{key}"]').inner_text()
    page.locator("#trouble").scroll_into_view_if_needed()
    shows(page, "predicts trials that it has not seen", "#learned")
    shows(page, "of the trials failed", "#trouble")
    assert page.locator(".plot.drawn").count() >= 9


def test_a_trials_page_follows_its_curve_and_error(store, make, opened):
    study = make()
    go(study, 1)
    (trial,) = study.ask(1)
    study.report(trial, 1, {"loss": 3.0})
    page = opened(store)
    page.locator('#trials tr[data-trial="1"] a').click()
    shows(page, "running", "#trial")
    page.wait_for_selector("#curves .scatterlayer")
    study.report(trial, 2, {"loss": 2.0})
    page.wait_for_function("document.querySelectorAll('#curves .points path').length === 2")
    study.tell(trial, error="no data", traceback="line 7")
    shows(page, "no data", "#error")
    page.get_by_text("‹ Trial 0").click()
    shows(page, "completed", "#trial")


def test_the_page_of_a_study_to_come_fills_by_itself_and_survives_its_replacement(store, make, opened):
    page = opened(store)
    shows(page, "no such file yet")
    study = make()
    go(study, 2)
    shows(page, "2 completed", "#head")
    study.close()
    store.unlink()
    shows(page, "the file is gone")
    go(make(seed=2, name="another"), 3)
    shows(page, "another", "h1")
    shows(page, "3 completed", "#head")
    assert not page.locator(".problem-line").is_visible()


def test_several_studies_stand_side_by_side(store, make, opened, tmp_path):
    study, other = make(), make(tmp_path / "other.db", seed=2)
    go(study, 3)
    go(other, 4)
    page = opened(store, tmp_path / "other.db", tmp_path / "later.db")
    shows(page, "4 completed")
    shows(page, "no such file yet")
    page.wait_for_selector("#comparison .scatterlayer .trace:nth-child(2)")
    go(other, 2)
    shows(page, "6 completed")
    page.get_by_text("Open this study").nth(1).click()
    shows(page, "6 completed", "#head")
    page.get_by_text("All studies").click()
    shows(page, "3 studies", "h1")


def test_a_dashboard_that_has_ended_is_said(browser, serve, store, make):
    go(make(), 2)
    dashboard = serve(store)
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(dashboard.url)
        shows(page, "2 completed", "#head")
        dashboard.stop()
        shows(page, "does not answer", "#news")


def test_with_a_token_the_page_works_and_its_address_does_not_tell_it(store, make, opened):
    go(make(), 2)
    page = opened(store, token="s3cret")
    shows(page, "2 completed", "#head")
    assert "s3cret" not in page.url


def test_hostile_texts_stay_texts(tmp_path, opened):
    store = tmp_path / "hostile.db"
    studies.hostile(store).close()
    page = opened(store, store)
    shows(page, studies.SCRIPT)
    page.wait_for_selector("#comparison .scatterlayer")
    page.get_by_text("Open this study").first.click()
    shows(page, studies.IMAGE, "#trials")
    for key in page.locator(".plot").evaluate_all("all => all.map(plot => plot.dataset.key)"):
        page.locator(f'.plot[data-key="{key}"]').scroll_into_view_if_needed()
        page.wait_for_selector(f'.plot:is(.drawn, .empty)[data-key="{key}"]')
    page.locator("#trouble").scroll_into_view_if_needed()
    shows(page, "Failures by reason", "#trouble")
    assert page.locator("img").count() == 0
    page.locator('#trials tr[data-trial="6"] a').click()
    shows(page, studies.IMAGE, "#trial")


@pytest.mark.parametrize("path", ["", "study/0", "study/0/trial/3"])
def test_on_a_narrow_screen_no_page_scrolls_sideways(path, tmp_path, opened):
    store = tmp_path / "front.db"
    studies.with_front(store, n=30).close()
    page = opened(store, store, path=path, width=480)
    page.wait_for_selector("dl.params, tbody tr, .scatterlayer")
    assert page.evaluate("document.documentElement.scrollWidth") <= 480


def test_what_the_server_is_asked_stays_small(store, make, opened):
    """A quiet study is asked about and not sent again."""
    study = make()
    go(study, 50)
    page = opened(store)
    shows(page, "50 completed", "#head")
    with page.expect_response(re.compile(r"/api/study/0\?since=[0-9a-f]+\.\d+$")) as quiet:
        pass
    assert set(quiet.value.json()) == {"version", "problem", "age"}
    assert isinstance(eh.load(store).best.number, int)
