"""`evohpo dashboard`: serves until Ctrl-C, or says in one line why not."""

from __future__ import annotations

import re
import signal
import socket
import sys

import httpx
import pytest

import evohpo as eh


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "study.db"
    with eh.Study({"x": eh.Continuous(0, 1)}, minimize="loss", optimizer="random", seed=1, store=path) as study:
        for trial in study.ask(3):
            study.tell(trial, trial.params["x"])
    return path


@pytest.fixture
def served(in_process):
    """Start it and return its process and the address that it printed; it ends with Ctrl-C, in order."""
    running = []

    def served(*arguments):
        process = in_process("dashboard", *arguments)
        running.append(process)
        address = re.search(r"http://\S+", process.stdout.readline()).group()
        return process, address

    yield served
    for process in running:
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=30)
        assert (process.returncode, out) == (0, "")
        assert "Traceback" not in errors


def test_it_prints_an_address_that_answers(served, store):
    _, address = served(store)
    assert address.startswith("http://127.0.0.1:")
    assert "Trials" in httpx.get(address, follow_redirects=True).text
    assert len(httpx.get(f"{address}api/study/0").json()["rows"]) == 3


def test_a_store_may_be_made_later(served, store, tmp_path):
    process, address = served(tmp_path / "later.db", store)
    assert "there is no study there yet" in process.stderr.readline()
    store.rename(tmp_path / "later.db")
    assert len(httpx.get(f"{address}api/study/0").json()["rows"]) == 3


def test_a_token_is_asked_for(served, store):
    _, address = served(store, "--token", "s3cret")
    assert address.endswith("?token=s3cret")
    assert httpx.get(address.partition("?")[0]).status_code == 403
    assert httpx.get(address).status_code == 303


def test_a_port_that_is_taken_is_said_in_one_line(evohpo, store):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = evohpo("dashboard", store, "--port", port)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert f"port {port}" in result.stderr


def test_a_host_that_is_none_is_said_in_one_line(evohpo, store):
    result = evohpo("dashboard", store, "--host", "256.0.0.1.")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize("given", ["", " "])
def test_an_empty_token_is_refused(given, evohpo, store):
    assert "--token" in evohpo("dashboard", store, "--token", given).stderr


def test_without_a_store_it_says_what_is_missing(evohpo):
    assert "STORE" in evohpo("dashboard").stderr


@pytest.mark.parametrize("library", ["starlette", "uvicorn"])
def test_a_missing_library_names_the_extra(library, evohpo, store, monkeypatch):
    ours = ("evohpo.dashboard", "evohpo.listening")
    for name in [n for n in sys.modules if n.partition(".")[0] == library or n.startswith(ours)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    result = evohpo("dashboard", store)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "evohpo[dashboard]" in result.stderr
