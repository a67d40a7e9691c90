"""Workers and servers are killed at any moment: every trial ends once, and the study comes to its end."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import time

import pytest

import evohpo as eh
from tests.conftest import untimed
from tests.service import victim

DEADLINE = 120.0


@pytest.fixture
def start():
    processes = []

    def start(*arguments):
        command = [sys.executable, "-m", "tests.service.victim", *map(str, arguments)]
        processes.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def check_whole(store):
    """Every trial has ended once, with the result that its configuration has, and reported each step once."""
    study = eh.load(store)
    assert study.stopped == {"generations": 4}
    assert len(study.trials) == 32
    for trial in study.trials:
        assert str(trial.status) in ("completed", "stopped"), trial
        expected = list(enumerate(victim.curve(trial.params), 1))
        if not trial.job:
            assert trial.reports == expected[: trial.steps]
            assert trial.metrics == expected[trial.steps - 1][1]
    ends = [r.number for r in study._chronicle.journal.events() if r.kind == "end"]
    assert sorted(ends) == list(range(32))
    return study


def kill_until_done(start, store, port, dice, pruner="none", servers=0, workers=0):
    """Kill so many servers and workers, in turn; then wait for the end."""
    url = f"http://127.0.0.1:{port}"
    server = start("serve", pruner, store, port)
    running = [start("work", url) for _ in range(3)]
    until = time.monotonic() + DEADLINE
    while server.poll() is None:
        assert time.monotonic() < until, "no end"
        time.sleep(dice.uniform(0.3, 0.9))
        if workers:
            at = dice.randrange(len(running))
            running[at].kill()
            running[at] = start("work", url)
            workers -= 1
        if servers and server.poll() is None:
            server.kill()
            server.wait()
            server = start("serve", pruner, store, port)
            servers -= 1
    assert (server.returncode, servers, workers) == (0, 0, 0)


@pytest.mark.parametrize("killed", ["servers", "workers"])
def test_however_many_are_killed_the_table_is_that_of_a_calm_run(start, port, tmp_path, killed):
    store = tmp_path / "study.db"
    kill_until_done(start, store, port, random.Random(killed), **{killed: 3})
    calm = victim.make_study("none").run(victim.curve, generations=4, progress=False)
    assert untimed(check_whole(store)).equals(untimed(calm))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_servers_and_workers_killed_at_random_lose_no_trial(start, port, tmp_path, seed):
    store = tmp_path / "study.db"
    kill_until_done(start, store, port, random.Random(seed), "asha", servers=4, workers=6)
    check_whole(store)
