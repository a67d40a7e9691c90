"""Who may look, and what a browser is told."""

from __future__ import annotations

import re

import httpx
import pytest

import evohpo as eh
from tests.dashboard.conftest import go

TOKEN = "corr3ct"


@pytest.fixture
def guarded(store, make, visit):
    go(make(), 2)
    return visit(store, token=TOKEN)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:81", "127.0.0.1:9", "[::1]:9", "192.168.0.7", "localhost."])
def test_names_and_addresses_of_this_machine_are_answered(host, store, visit):
    assert visit(store).get("/study/0", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "", "a:b:c"]
)
def test_a_foreign_name_for_this_machine_is_refused(host, store, visit):
    """A page that makes its own name point here, to read what it may not."""
    client = visit(store)
    for path in ("/", "/study/0", "/api/study/0", "/static/plotly.min.js"):
        assert client.get(path, headers={"host": host}).status_code == 421


def test_a_name_that_the_server_was_started_with_is_answered(store, visit):
    assert visit(store, names=frozenset({"box"})).get("/study/0", headers={"host": "Box:8000"}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_but_reading_is_allowed(method, guarded):
    answer = guarded.request(method, "/api/study/0", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 405


@pytest.mark.parametrize(
    "path", ["/", "/study/0", "/api/study/0", "/api/overview", "/static/plotly.min.js", "/nothing"]
)
def test_without_the_token_nobody_gets_in(path, guarded):
    for given in (
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Basic {TOKEN}"},
        {"cookie": "evohpo-token=x"},
    ):
        answer = guarded.get(path, headers=given)
        assert answer.status_code == 403
        assert "loss" not in answer.text
    assert guarded.get(f"{path}?token=corr3ct%00").status_code == 403
    assert guarded.get(f"{path}?token=").status_code == 403


def test_the_token_in_the_address_becomes_a_cookie_and_leaves_the_address(guarded):
    answer = guarded.get(f"/study/0?token={TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/study/0")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert guarded.get("/api/study/0").status_code == 200


def test_the_way_on_stays_on_this_machine(guarded):
    answer = guarded.get(f"http://127.0.0.1//evil.example?token={TOKEN}")
    assert answer.headers["location"] == "/evil.example"


def test_each_port_has_a_cookie_of_its_own(store, visit):
    one, other = (visit(store, token=f"{TOKEN}{port}", host=f"127.0.0.1:{port}") for port in (1, 2))
    one.get(f"/?token={TOKEN}1")
    other.get(f"/?token={TOKEN}2")
    one.cookies.update(other.cookies)  # browsers send a host's cookies to all its ports
    other.cookies.update(one.cookies)
    assert one.get("/api/study/0").status_code == other.get("/api/study/0").status_code == 200


def test_a_bearer_token_opens_each_time(guarded):
    assert guarded.get("/api/study/0", headers={"authorization": f"bearer {TOKEN}"}).status_code == 200
    assert guarded.get("/api/study/0").status_code == 403


@pytest.mark.parametrize("path", ["/study/0", "/api/study/0", "/static/report/table.js", "/nothing", "/study/9"])
def test_every_answer_tells_the_browser_what_not_to_do(path, store, visit):
    headers = visit(store).get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe-inline" not in re.search("script-src[^;]*", headers["content-security-policy"]).group()
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers


def test_on_loopback_no_token_is_made_and_elsewhere_one_is(store, serve):
    assert "token" not in serve(store).url
    assert "token" not in serve(store, host="localhost").url
    dashboard = serve(store, host="0.0.0.0")
    port, token = re.search(r":(\d+)/\?token=(.+)", dashboard.url).groups()
    assert len(token) >= 20
    address = f"http://127.0.0.1:{port}/api/study/0"
    assert httpx.get(address).status_code == 403
    assert httpx.get(address, headers={"authorization": f"Bearer {token}"}).status_code == 200


def test_a_port_that_is_taken_is_said(store, serve):
    port = int(re.search(r":(\d+)/", serve(store).url).group(1))
    with pytest.raises(eh.UsageError, match=f"port {port}"):
        serve(store, port=port)
