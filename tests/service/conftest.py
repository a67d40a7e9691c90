"""Studies that are served on a thread of the test, and workers that speak plain HTTP."""

from __future__ import annotations

import contextlib
import threading

import httpx
import pytest

import evohpo as eh


class Enough(Exception):
    pass


class Service:
    """A study that is served; `post` and `get` speak to it."""

    def __init__(self, study, **arguments):
        self.study, self.enough, ready = study, threading.Event(), threading.Event()

        def started(evaluator):
            self.url, self.token = evaluator.url, evaluator.token
            ready.set()

        def rule(study):
            if self.enough.is_set():
                raise Enough
            return False

        def serve():
            with contextlib.suppress(Enough):
                eh.serve(study, started=started, progress=False, **({"stop": rule} | arguments))

        self.thread = threading.Thread(target=serve)
        self.thread.start()
        assert ready.wait(20)
        headers = {} if self.token is None else {"authorization": f"Bearer {self.token}"}
        limits = httpx.Limits(keepalive_expiry=1)  # before the server closes what idles, also where much else runs
        self.http = httpx.Client(base_url=f"{self.url}api/v1/", timeout=30, headers=headers, limits=limits)

    def post(self, path, **body):
        return self.http.post(path, json=body)

    def get(self, path, **query):
        return self.http.get(path, params=query)

    def take(self, **body):
        """Ask for one trial and return it."""
        answer = self.post("ask", wait=10, **body).json()
        return answer["trials"][0]

    def join(self):
        self.thread.join(30)
        assert not self.thread.is_alive()

    def end(self):
        self.enough.set()
        if self.thread.is_alive():
            with contextlib.suppress(httpx.HTTPError):
                self.post("ask", wait=0)  # wakes the loop
        self.http.close()
        self.join()


@pytest.fixture
def serve():
    """Serve a study until the test ends; `serve(**arguments)` gives those of `eh.serve` and, with `study=`, the study."""
    running = []

    def serve(study=None, **arguments):
        running.append(Service(make_study() if study is None else study, **arguments))
        return running[-1]

    yield serve
    for service in running:
        service.end()


def make_study(**arguments):
    arguments = {"minimize": "loss", "optimizer": "random", "seed": 1} | arguments
    return eh.Study({"x": eh.Continuous(-1, 1), "solver": eh.Categorical(["sgd", "adam"])}, **arguments)


def square(params):
    return {"loss": params["x"] ** 2}
