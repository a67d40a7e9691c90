"""The evaluator whose workers come over HTTP keeps the promises that all evaluators make."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

import evohpo as eh
from evohpo.testing.evaluators import CHECKS, Target
from evohpo.testing.outcome import run_check


class Served(eh.HTTP):
    """One that starts its own two workers, and others where they die."""

    def __init__(self):
        super().__init__(workers=2, lease=1.0)
        self._over = threading.Event()
        self._workers = [self._worker(), self._worker()]
        self._nurse = threading.Thread(target=self._revive)
        self._nurse.start()

    def _worker(self):
        return subprocess.Popen([sys.executable, "-m", "tests.service.worker", self.url])

    def _revive(self):
        while not self._over.wait(0.05):
            self._workers = [w if w.poll() is None else self._worker() for w in self._workers]

    def close(self):
        self._over.set()
        self._nurse.join()
        super().close()
        for worker in self._workers:
            worker.kill()
            worker.wait()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_an_evaluator_over_http_keeps_its_promises(check):
    outcome = run_check(check, Target(Served, functions=False))
    if outcome.status == "skipped":
        pytest.skip(outcome.reason)
    assert outcome.status == "ok", f"{outcome.claim} But: {outcome.reason}"
