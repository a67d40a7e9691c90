"""Studies that are followed as fast as the test asks, an app without a port, and a browser."""

from __future__ import annotations

import threading

import pytest
from starlette.testclient import TestClient

import evohpo as eh
from evohpo.dashboard import Dashboard, create_app, following
from tests.dashboard.browsing import chromium

SPACE = {"x": eh.Continuous(0, 1), "solver": eh.Categorical(["sgd", "adam"]), "seed": 7}


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def impatient(monkeypatch):
    """Every look is taken, however soon after the last."""
    monkeypatch.setattr(following, "OFTEN", 0)


@pytest.fixture
def store(tmp_path):
    return tmp_path / "study.db"


@pytest.fixture
def make(store):
    """Make, or go on with, a study at `store`; closed at the end."""
    opened = []

    def make(path=store, **arguments):
        arguments = {"minimize": "loss", "optimizer": "random", "seed": 1} | arguments
        opened.append(eh.Study(SPACE, store=path, **arguments))
        return opened[-1]

    yield make
    for study in opened:
        study.close()


@pytest.fixture
def visit(impatient):
    """Return a client of the dashboard of some stores."""
    clients = []

    def visit(*stores, host="127.0.0.1", **arguments):
        clients.append(TestClient(create_app(stores, **arguments), base_url=f"http://{host}", follow_redirects=False))
        return clients[-1].__enter__()

    yield visit
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def serve():
    """Return the running dashboard of some stores, on a port of its own."""
    running = []

    def serve(*stores, **arguments):
        dashboard = Dashboard(stores, **arguments)
        thread = threading.Thread(target=dashboard.run)
        thread.start()
        running.append((dashboard, thread))
        return dashboard

    yield serve
    for dashboard, thread in running:
        dashboard.stop()
        thread.join(20)
        assert not thread.is_alive()


def go(study, n, loss=None):
    """Run `n` trials: the loss is x."""
    for trial in study.ask(n):
        study.tell(trial, {"loss": trial.params["x"] if loss is None else loss})
