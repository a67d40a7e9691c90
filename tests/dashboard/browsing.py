"""A headless Chromium, and what a page must never do: complain, or fetch from elsewhere."""

from __future__ import annotations

import shutil
from contextlib import contextmanager

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def chromium():
    """Launch it; skip the test where there is none. Module by module: playwright's event loop must not outlive its tests."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no browser on the PATH ({', '.join(NAMES)}): pages cannot be looked at")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def watched_page(browser, origin, **context):
    """Open a page; at the end it must have had no error and no request that does not begin with `origin`."""
    faults = []
    with browser.new_context(**context) as opened:
        page = opened.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: message.type == "error" and faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda r: r.url.startswith((origin, "data:", "blob:")) or faults.append(f"asked {r.url}"))
        yield page
        assert faults == []
        assert page.evaluate("window.hacked") is None


def column(page, title, table="#trials"):
    """Return the texts of one column of a table as it is shown."""
    titles = page.locator(f"{table} th").all_inner_texts()
    index = [text.split(" ")[0] for text in titles].index(title) + 1
    return page.locator(f"{table} tbody td:nth-child({index})").all_inner_texts()


def sort_by(page, title, table="#trials"):
    page.locator(f"{table} th button", has_text=title).first.click()
