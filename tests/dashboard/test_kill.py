"""A dashboard beside a study that is killed and goes on, and writers that never notice it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time

import httpx
import pandas as pd
import pytest

import evohpo as eh
from evohpo.dashboard.following import Followed
from tests.conftest import untimed
from tests.study import victim
from tests.study.test_kill import ROOT, ended, start


@pytest.fixture
def polled(serve, impatient):
    """Return a function that serves a store and asks for everything as fast as it can; then the answers' codes."""
    running = []

    def poll(store):
        address = serve(store).url + "api/study/0"
        done, codes = threading.Event(), set()

        def ask():
            with httpx.Client(timeout=30) as client:
                while not done.is_set():
                    for path in ("", "?since=x", "/trial/0", "/plot/history", "/plot/timeline"):
                        codes.add((path.partition("?")[0], client.get(address + path).status_code))

        thread = threading.Thread(target=ask)
        thread.start()
        running.append((done, thread))
        return codes

    yield poll
    for done, thread in running:
        done.set()
        thread.join(60)
        assert not thread.is_alive()


def kill_while_followed(store, optimizer, kills, seed):
    """Kill the study at random moments, following it all the time; then let it finish, and compare."""
    dice, followed = random.Random(seed), Followed(store)
    for _ in range(kills):
        process, before = start(optimizer, store), ended(store)
        while process.poll() is None and ended(store) <= before:
            followed.refresh()
        until = time.monotonic() + dice.uniform(0, 0.2)
        while time.monotonic() < until:
            followed.refresh()
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        followed.refresh()
        assert followed.problem == ""
    process = start(optimizer, store)
    while process.poll() is None:
        followed.refresh()
    assert process.returncode == 0, process.stderr.read().decode()
    process.stderr.close()
    followed.refresh()
    assert followed.problem == ""
    with eh.load(store) as study:
        pd.testing.assert_frame_equal(untimed(followed.study), untimed(study))
    pd.testing.assert_frame_equal(untimed(followed.study), untimed(victim.search(optimizer, None, workers=1)))


@pytest.mark.parametrize("optimizer", ["de", "ga+hyperband"])
def test_a_study_is_followed_through_a_kill_and_a_resume(optimizer, tmp_path, impatient):
    kill_while_followed(tmp_path / "study.db", optimizer, 1, optimizer)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["de", "ga+hyperband", "users-own"])
def test_a_study_is_followed_through_ten_kills(optimizer, tmp_path, impatient):
    kill_while_followed(tmp_path / "study.db", optimizer, 10, f"{optimizer}10")


def test_no_writer_is_told_that_the_store_is_locked(polled, tmp_path):
    """Stores are made, written, closed and gone on with while pages ask without a pause."""
    store = tmp_path / "study.db"
    codes = polled(store)
    script = (
        "import sys, evohpo as eh\n"
        "for total in (100, 200, 300):\n"
        "    eh.tune(lambda p: p['x'], {'x': eh.Continuous(0, 1)}, minimize='loss', optimizer='de', seed=1,\n"
        "            trials=total, store=sys.argv[1], progress=False).close()\n"
    )
    done = subprocess.run([sys.executable, "-c", script, store], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    with eh.load(store) as study:
        assert len(study.trials) == 300
    deadline = time.monotonic() + 20
    while ("/plot/history", 200) not in codes and time.monotonic() < deadline:
        time.sleep(0.05)
    assert {code for path, code in codes if not path} == {200}
    assert {code for _, code in codes} <= {200, 404}  # 404: no such study, trial or plot yet
    assert ("/plot/history", 200) in codes
