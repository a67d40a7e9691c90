"""A worker that vanishes gives its trial back, and what it says later is refused."""

from __future__ import annotations

import time

import evohpo as eh
from tests.service.conftest import make_study

SHORT = 0.4  # seconds of a lease


def test_a_silent_workers_trial_goes_to_the_next_who_asks(serve):
    service = serve(lease=SHORT, workers=1)
    lost = service.take(worker="first")
    taken = service.take(worker="second")
    assert (taken["number"], taken["params"]) == (lost["number"], lost["params"])
    assert taken["lease"] != lost["lease"]
    for path, more in (("heartbeat", {}), ("report", {"step": 1, "metrics": 1.0}), ("tell", {"metrics": 1.0})):
        refused = service.post(path, lease=lost["lease"], **more)
        assert refused.status_code == 409
        assert f"nothing was heard for {SHORT:g} s" in refused.json()["detail"]
    service.post("tell", lease=taken["lease"], metrics={"loss": 2.0})
    trial = service.study.trials[0]
    assert (trial.metrics, trial.worker) == ({"loss": 2.0}, "second")


def test_the_next_worker_goes_on_after_the_last_report(serve):
    service = serve(lease=SHORT, workers=1)
    lost = service.take()["lease"]
    for step in (1, 2):
        service.post("report", lease=lost, step=step, metrics=float(step))
    trial = service.take()
    assert trial["step"] == 2
    for step in (1, 2, 3):
        service.post("report", lease=trial["lease"], step=step, metrics=10.0 * step)
    service.post("tell", lease=trial["lease"])
    ended = service.study.trials[0]
    assert ended.reports == [(1, {"loss": 1.0}), (2, {"loss": 2.0}), (3, {"loss": 30.0})]
    assert ended.resumed == "re-run"


def test_a_heartbeat_keeps_a_lease(serve):
    service = serve(lease=SHORT, workers=1)
    lease = service.take()["lease"]
    until = time.monotonic() + 3 * SHORT
    while time.monotonic() < until:
        assert service.post("heartbeat", lease=lease).json() == {"decision": "continue"}
        time.sleep(SHORT / 10)
    assert service.post("tell", lease=lease, metrics=1.0).json()["status"] == "completed"


def test_a_trial_that_loses_every_worker_fails(serve):
    service = serve(lease=0.1, workers=1, retries=1)
    numbers = [service.take(worker=f"w{i}")["number"] for i in range(3)]
    assert numbers == [0, 0, 1]
    trial = service.study.trials[0]
    assert (str(trial.status), trial.kind) == ("failed", "lost")
    assert "2 workers" in trial.error
    assert "w1" in trial.error


def test_a_trial_that_takes_longer_than_its_timeout_fails(serve):
    service = serve(trial_timeout=0.3, workers=1)
    lease = service.take()["lease"]
    assert service.take()["number"] == 1
    assert service.study.trials[0].kind == "timeout"
    assert service.post("heartbeat", lease=lease).json() == {"decision": "stop"}


def test_a_lease_of_another_server_is_refused_with_a_sentence(serve):
    answer = serve().post("tell", lease="of another", metrics=1.0)
    assert answer.status_code == 409
    assert "ask for another trial" in answer.json()["detail"]


def test_a_study_goes_on_at_another_server_where_the_first_one_ended(serve, tmp_path):
    store = tmp_path / "study.db"
    first = serve(study=make_study(store=store))
    done, open_ = first.take(), first.take()
    first.post("report", lease=open_["lease"], step=1, metrics=1.0)
    first.post("tell", lease=done["lease"], metrics=0.5)
    first.end()
    second = serve(study=eh.load(store))
    again = second.take()
    assert (again["number"], again["params"], again["step"]) == (open_["number"], open_["params"], 1)
    assert second.post("tell", lease=open_["lease"], metrics=1.0).status_code == 409
    assert second.study.trials[done["number"]].metrics == {"loss": 0.5}
