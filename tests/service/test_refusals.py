"""Who may speak to the service, and what it answers to nonsense: always a problem in JSON, never a 500."""

from __future__ import annotations

import json
import socket

import httpx
import pytest

import evohpo as eh
from tests.service.conftest import make_study

TOKEN = "corr3ct"
DEEP = "[" * 100_000 + "]" * 100_000
NONSENSE = [
    b"", b"{", b"null", b"[]", b"3", b'"text"', b"\xff\xfe", b"\x00", DEEP.encode(), b'{"lease": 3}', b'{"leese": "x"}',
    b'{"lease": "x", "step": 1e400, "metrics": 1}', b'{"lease": "x", "step": NaN, "metrics": 1}', b'{"n": 0}', b'{"n": true}',
    b'{"lease": "x", "step": ' + b"9" * 5000 + b', "metrics": 1}', b'{"lease": "x", "step": -1, "metrics": 1}',
    b'{"lease": "x", "step": 1, "metrics": {"loss": ' + b"9" * 400 + b"}}", b'{"lease": "\\ud800"}', b'{"worker": "\\udfff"}',
    b'{"lease": "x", "step": 1, "metrics": {"\\ud800": 1}}', b'{"lease": "x", "step": 1, "metrics": {"loss": [1]}}',
    b'{"lease": "x", "step": 1, "metrics": true}', b'{"lease": "x", "seconds": -1}', b'{"lease": "x", "seconds": NaN}',
    b'{"wait": Infinity}', b'{"wait": 31}', b'{"n": 1e3, "wait": 0}',
]  # fmt: skip


def check_problem(answer, status):
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "detail"} <= set(problem)
    return problem


@pytest.fixture(scope="module")
def service():
    from tests.service.conftest import Service

    service = Service(make_study())
    yield service
    service.end()


@pytest.mark.parametrize("path", ["ask", "report", "tell", "heartbeat"])
@pytest.mark.parametrize("body", NONSENSE, ids=lambda body: repr(body[:40]))
def test_nonsense_is_refused(service, path, body):
    answer = service.http.post(path, content=body, headers={"content-type": "application/json"})
    if answer.status_code != 200:
        assert answer.status_code in (400, 409, 422)
        check_problem(answer, answer.status_code)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("report", {"lease": "x", "step": 0, "metrics": {}}, "step"),
        ("report", {"lease": "x", "step": "1", "metrics": {}}, "step"),
        ("report", {"step": 1, "metrics": {}}, "lease"),
        ("report", {"lease": "x", "step": 1, "metrics": {"loss": [1]}}, "metrics"),
        ("ask", {"n": -1}, "n"),
        ("ask", {"workr": "w"}, "workr"),
        ("ask", {"worker": "w" * 300}, "worker"),
    ],
)
def test_the_field_that_is_wrong_is_named(service, path, body, field):
    problem = check_problem(service.post(path, **body), 422)
    assert problem["errors"][0]["field"].startswith(field)


def test_telling_nothing_is_refused(service):
    lease = service.take()["lease"]
    assert check_problem(service.post("tell", lease=lease), 422)["errors"][0]["field"] == "metrics"
    assert service.post("tell", lease=lease, metrics=1.0).status_code == 200


def test_a_body_of_more_than_a_megabyte_is_refused(service):
    large = json.dumps({"lease": "x", "error": "e" * 1_000_000})
    pieces = (large[i : i + 9999].encode() for i in range(0, len(large), 9999))  # sent without saying how many
    for content in (large, pieces):
        check_problem(service.http.post("tell", content=content, headers={"content-type": "application/json"}), 413)


def test_addresses_and_methods_that_there_are_not_are_problems_too(service):
    check_problem(service.get("nothing"), 404)
    check_problem(service.get("ask"), 405)


def test_a_page_of_a_browser_cannot_speak_to_it(service):
    """Neither with a name that it made point here, nor with a form, which sends no JSON."""
    check_problem(service.http.post("ask", json={}, headers={"host": "evil.example"}), 421)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=json"):
        check_problem(service.http.post("ask", content="{}", headers={"content-type": kind}), 415)
    check_problem(service.http.post("ask", content="{}"), 415)
    assert service.http.post(
        "ask", content="{}", headers={"content-type": "Application/JSON; charset=utf-8"}
    ).is_success


@pytest.mark.parametrize("path", ["ask", "report", "study", "trials", "openapi.json", "nothing"])
def test_without_the_token_nobody_gets_in(serve, path):
    service = serve(token=TOKEN)
    for header, status in (("", 401), ("Basic x", 401), ("Bearer wrong", 403), ("Bearer \xff", 403)):
        answer = httpx.post(f"{service.url}api/v1/{path}", json={}, headers={"authorization": header.encode("latin-1")})
        check_problem(answer, status)
    assert service.get("study").status_code == 200


def test_a_token_is_made_where_others_can_reach_the_port(serve):
    service = serve(host="0.0.0.0")
    assert len(service.token) >= 20
    local = f"http://127.0.0.1:{service.http.base_url.port}/api/v1/study"
    assert httpx.get(local).status_code == 401
    assert httpx.get(local, headers={"authorization": f"Bearer {service.token}"}).status_code == 200


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"lease": 0}, "lease=0"),
        ({"lease": None}, "lease=None"),
        ({"workers": 0}, "workers=0"),
        ({"retries": -1}, "retries=-1"),
        ({"token": ""}, "token"),
        ({"token": "ü"}, "token"),
        ({"timeout": -1.0}, "timeout"),
        ({"port": 70_000}, "70000"),
        ({"host": "256.0.0.1."}, "256.0.0.1."),
    ],
)
def test_arguments_that_make_no_sense_are_named(arguments, said):
    with pytest.raises(eh.UsageError, match=said):
        eh.HTTP(**arguments)


def test_a_port_that_is_taken_is_said():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(eh.UsageError, match=f"port {port}"):
            eh.HTTP(port=port)
