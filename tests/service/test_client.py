"""The Python worker: a loop of trials, objectives as for `tune`, and what it does when something is wrong."""

from __future__ import annotations

import ast
import contextlib
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import evohpo as eh
from evohpo.service import client
from evohpo.service.client import Refused, ServiceGone
from tests.conftest import untimed
from tests.service.conftest import make_study, square

BUDGET = {"trials": 12, "stop": None}


def test_trials_are_taken_in_a_loop_and_told(serve):
    service = serve(**BUDGET)
    remote = eh.connect(service.url, worker="me")
    for trial in remote:
        assert remote.tell(trial, square(trial.params)) == "completed"
    service.join()
    assert remote.done
    assert remote.reason == {"trials": 12}
    assert [t.metrics for t in service.study.trials] == [square(t.params) for t in service.study.trials]
    assert {t.worker for t in service.study.trials} == {"me"}


@pytest.mark.parametrize("workers", [1, 4])
def test_remote_workers_make_the_table_that_tune_makes(serve, workers):
    arguments = {"minimize": "loss", "optimizer": "ga", "population": 6, "seed": 5}
    service = serve(study=make_study(**arguments), generations=3, stop=None)
    eh.connect(service.url).run(square, workers=workers)
    service.join()
    here = make_study(**arguments).run(square, generations=3, progress=False)
    assert untimed(service.study).equals(untimed(here))


def test_a_generator_streams_its_steps_and_is_closed_when_stopped(serve):
    service = serve(study=make_study(pruner=eh.ASHA(max_steps=9, min_steps=1)), trials=9, stop=None)
    closed = []

    def steps(params):
        try:
            for step in range(1, 10):
                yield {"loss": params["x"] ** 2 + np.float32(1) / step}
        finally:
            closed.append(step)

    eh.connect(service.url).run(steps)
    service.join()
    statuses = {str(t.status) for t in service.study.trials}
    assert statuses == {"completed", "stopped"}
    assert sorted(closed) == sorted(t.steps for t in service.study.trials)


def test_an_objective_that_cannot_yield_reports_through_its_trial(serve):
    service = serve(study=make_study(pruner=eh.ASHA(max_steps=9)), trials=9, stop=None)

    def reporting(params, ctx):
        assert (ctx.directory / "x").parent.is_dir()
        for step in range(1, 10):
            with contextlib.suppress(Exception):  # as training loops do
                ctx.report(step, loss=params["x"] ** 2 + 1 / step)

    eh.connect(service.url).run(reporting)
    service.join()
    assert {str(t.status) for t in service.study.trials} == {"completed", "stopped"}


@pytest.mark.parametrize(
    "result", ["text", [1], {"loss": "text"}, {"loss": object()}, None, {"loss": float("nan")}, 10**400]
)
def test_a_result_that_is_none_fails_its_trial_and_the_worker_goes_on(serve, result):
    service = serve(trials=2, stop=None)
    eh.connect(service.url).run(lambda params: result if params == service.study.trials[0].params else 1.0)
    service.join()
    first, second = service.study.trials
    assert (first.failed, second.failed) == (True, False)
    assert first.error


def test_what_an_objective_raises_is_told_with_its_traceback(serve):
    service = serve(trials=2, stop=None)

    def raising(params):
        raise ValueError("half of \ud800 a character " + "x" * 100_000)

    eh.connect(service.url).run(raising)
    service.join()
    for trial in service.study.trials:
        assert trial.error.startswith("ValueError: half of ? a character")
        assert "in raising" in trial.traceback


def test_a_worker_that_takes_longer_than_its_lease_keeps_it(serve):
    service = serve(trials=1, stop=None, lease=0.5)

    def slow(params):
        time.sleep(1.5)
        return square(params)

    eh.connect(service.url).run(slow)
    service.join()
    assert not service.study.trials[0].failed


def test_a_trial_that_was_given_to_another_is_said_to_be_lost(serve):
    service = serve(lease=0.3, workers=1)
    remote = eh.connect(service.url)
    (trial,) = remote.ask()
    remote._forget(trial)  # no sign of life any more
    other = service.take()
    assert other["number"] == trial.number
    assert remote.report(trial, 1, {"loss": 1.0}) == "lost"
    assert remote.tell(trial, {"loss": 1.0}) == "lost"


def test_a_worker_waits_for_a_service_that_is_not_there_yet_and_gives_up_in_the_end(serve):
    with pytest.raises(ServiceGone, match=r"0\.3 s"):
        eh.connect("http://127.0.0.1:9", patience=0.3).ask()


@pytest.mark.parametrize("token", [None, "wrong"])
def test_a_wrong_token_is_said_at_once(serve, token):
    with pytest.raises(Refused, match="token"):
        eh.connect(serve(token="right").url, token).ask()


def test_the_token_is_taken_from_the_environment(serve, monkeypatch):
    monkeypatch.setenv("EVOHPO_TOKEN", "right")
    assert len(eh.connect(serve(token="right").url).ask()) == 1


def test_a_worker_reads_where_the_study_stands(serve):
    service = serve()
    remote = eh.connect(service.url)
    (trial,) = remote.ask()
    remote.tell(trial, 1.0)
    assert remote.study()["best"]["number"] == 0
    assert remote.trials()[0]["metrics"] == {"loss": 1.0}


def test_many_workers_get_each_trial_once(serve):
    service = serve(study=make_study(duplicates="evaluate"), trials=300, stop=None)
    seen, lock = [], threading.Lock()

    def noting(params, trial):
        with lock:
            seen.append(trial.number)
        return square(params)

    eh.connect(service.url).run(noting, workers=30)
    service.join()
    assert sorted(seen) == list(range(300))
    assert all(not t.failed for t in service.study.trials)


def test_the_client_needs_nothing_but_its_own_file(serve, tmp_path):
    (tmp_path / "worker.py").write_bytes(Path(client.__file__).read_bytes())
    service = serve(**BUDGET)
    code = "import worker, sys; worker.connect(sys.argv[1]).run(lambda p: p['x'] ** 2)"
    subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, '.'); {code}", service.url],
        cwd=tmp_path,
        check=True,
    )
    service.join()
    modules = {
        n.name
        for node in ast.walk(ast.parse(Path(client.__file__).read_text()))
        if isinstance(node, ast.Import)
        for n in node.names
    }
    assert {m.partition(".")[0] for m in modules} <= sys.stdlib_module_names


@pytest.mark.parametrize("url", ["", "ftp://box", "http://"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ValueError, match="http://HOST:PORT"):
        eh.connect(url)
