"""Ask, report, tell: what workers are answered, and that saying a thing twice does it once."""

from __future__ import annotations

import threading
import time

import pytest

import evohpo as eh
from tests.service.conftest import make_study


def test_a_trial_is_asked_for_and_told(serve):
    service = serve()
    trial = service.take(worker="w")
    assert trial["number"] == 0
    assert set(trial["params"]) == {"x", "solver"}
    assert service.post("tell", lease=trial["lease"], metrics={"loss": 0.5}).json() == {
        "status": "completed",
        "error": "",
    }
    told = service.study.trials[0]
    assert (told.metrics, told.worker, str(told.status)) == ({"loss": 0.5}, "w", "completed")


def test_a_bare_number_is_the_single_objective(serve):
    service = serve()
    service.post("tell", lease=service.take()["lease"], metrics=0.25)
    assert service.study.trials[0].metrics == {"loss": 0.25}


def test_several_trials_are_asked_for_at_once(serve):
    assert len(serve().post("ask", n=5, wait=5).json()["trials"]) == 5
    limited = serve(workers=3)
    numbers = [t["number"] for n in (2, 5) for t in limited.post("ask", n=n, wait=5).json()["trials"]]
    assert numbers == [0, 1, 2]


def test_who_asks_when_nothing_is_ready_is_told_when_to_come_again(serve):
    service = serve(study=make_study(optimizer="ga", population=2))
    taken = [service.take() for _ in range(2)]
    answer = service.post("ask", wait=0.05).json()
    assert (answer["trials"], answer["done"]) == ([], False)
    assert answer["retry_after"] > 0
    for trial in taken:
        service.post("tell", lease=trial["lease"], metrics={"loss": 1.0})
    assert service.take()["number"] >= 2


def test_an_answer_does_not_wait_for_a_slow_optimizer(serve):
    answered = threading.Event()

    def slow(problem, rng):
        yield rng.random((1, problem.dim))
        answered.wait(20)
        yield rng.random((1, problem.dim))

    service = serve(study=make_study(optimizer=slow))
    told = {"lease": service.take()["lease"], "metrics": {"loss": 1.0}}
    assert service.http.post("tell", json=told, timeout=10).json()["status"] == "completed"
    answered.set()


def test_who_asks_when_the_study_is_over_is_told_so(serve):
    service = serve(trials=1, stop=None)
    trial = service.take(worker="one")
    service.post("tell", lease=trial["lease"], metrics={"loss": 1.0})
    answer = service.post("ask", worker="one").json()
    assert (answer["trials"], answer["done"], answer["reason"]) == ([], True, {"trials": 1})
    service.join()


def test_an_ask_that_is_sent_again_gets_the_same_trial(serve):
    service = serve()
    first, again = (service.post("ask", request="r1", wait=5).json() for _ in range(2))
    assert first == again
    assert len(first["trials"]) == 1
    assert service.take(request="r2")["number"] == 1


def test_a_tell_that_is_sent_again_changes_nothing(serve):
    service = serve()
    lease = service.take()["lease"]
    answers = [service.post("tell", lease=lease, metrics={"loss": loss}) for loss in (1.0, 2.0)]
    assert [a.status_code for a in answers] == [200, 200]
    assert service.study.trials[0].metrics == {"loss": 1.0}


def test_a_report_that_is_sent_again_changes_nothing(serve):
    service = serve()
    lease = service.take()["lease"]
    for step in (1, 1, 2, 1, 2):
        answer = service.post("report", lease=lease, step=step, metrics={"loss": float(step)})
        assert answer.json() == {"decision": "continue"}
    assert service.study.trials[0].reports == [(1, {"loss": 1.0}), (2, {"loss": 2.0})]


def test_the_last_report_is_the_result_where_none_is_told(serve):
    service = serve()
    lease = service.take()["lease"]
    service.post("report", lease=lease, step=1, metrics={"loss": 0.5})
    assert service.post("tell", lease=lease).json()["status"] == "completed"
    assert service.study.trials[0].metrics == {"loss": 0.5}


def test_a_pruner_stops_a_trial_and_says_it_again(serve):
    service = serve(study=make_study(pruner=eh.ASHA(max_steps=9)))
    decisions = []
    for loss in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0):
        lease = service.take()["lease"]
        decisions.append([service.post("report", lease=lease, step=1, metrics={"loss": loss}).json() for _ in range(2)])
    assert all(first == again for first, again in decisions)
    assert decisions[-1][0] == {"decision": "stop"}
    assert service.post("heartbeat", lease=lease).json() == {"decision": "stop"}
    assert service.post("tell", lease=lease, metrics=1.0).status_code == 409
    assert str(service.study.trials[5].status) == "stopped"


def test_an_error_that_is_told_is_the_trials(serve):
    service = serve()
    answer = service.post("tell", lease=service.take()["lease"], error="ValueError: no\ndata", traceback="line 1")
    assert answer.json() == {"status": "failed", "error": "ValueError: no data"}
    trial = service.study.trials[0]
    assert (trial.kind, trial.traceback) == ("raised", "line 1")


def test_a_result_without_the_objective_fails_the_trial_with_the_reason(serve):
    service = serve()
    answer = service.post("tell", lease=service.take()["lease"], metrics={"accuracy": 0.9}).json()
    assert answer["status"] == "failed"
    assert "accuracy" in answer["error"]


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_a_result_that_is_no_finite_number_fails_the_trial(serve, text):
    service = serve()
    body = f'{{"lease": "{service.take()["lease"]}", "metrics": {{"loss": {text}}}}}'
    answer = service.http.post("tell", content=body, headers={"content-type": "application/json"}).json()
    assert answer["status"] == "failed"
    assert "finite" in answer["error"]


def test_the_study_and_its_table_are_read_while_it_runs(serve):
    service = serve()
    for loss in (3.0, 1.0, 2.0):
        service.post("tell", lease=service.take()["lease"], metrics={"loss": loss, "extra": 7})
    state = service.get("study").json()
    assert state["goals"]["minimize"] == ["loss"]
    assert state["counts"]["completed"] == 3
    assert (state["best"]["number"], state["front"]) == (1, [1])
    assert set(state["space"]["parameters"]) == {"x", "solver"}
    page = service.get("trials", offset=1, limit=1).json()
    assert (page["total"] >= 3, [row["number"] for row in page["trials"]]) == (True, [1])
    assert page["trials"][0]["metrics"] == {"loss": 1.0, "extra": 7.0}


def test_a_metric_that_json_cannot_say_is_null_in_the_table(serve):
    service = serve()
    body = f'{{"lease": "{service.take()["lease"]}", "metrics": {{"loss": 1, "extra": NaN}}}}'
    service.http.post("tell", content=body, headers={"content-type": "application/json"})
    assert service.get("trials").json()["trials"][0]["metrics"] == {"loss": 1.0, "extra": None}


def test_a_slow_optimizer_does_not_hold_up_signs_of_life(serve):
    class Slow:
        def __init__(self, problem, rng):
            self.dim, self.rng = problem.dim, rng

        def ask(self, n):
            time.sleep(1)
            return self.rng.random((1, self.dim))

        def tell(self, results):
            pass

    service = serve(study=make_study(optimizer=Slow))
    lease = service.take()["lease"]
    began = time.monotonic()
    assert service.post("ask", wait=0).json()["trials"] == []  # now it thinks
    for _ in range(5):
        assert service.post("heartbeat", lease=lease).json() == {"decision": "continue"}
    assert time.monotonic() - began < 0.8


def test_workers_are_told_to_stop_when_the_studys_time_is_over(serve):
    service = serve(timeout=0.5, stop=None)
    remote = eh.connect(service.url)
    decisions = []
    for trial in remote:
        step = 0
        while trial.decision == "continue":
            step += 1
            decisions.append(remote.report(trial, step, {"loss": 1.0}))
            time.sleep(0.02)
    service.join()
    assert (decisions[-1], set(decisions[:-1])) == ("stop", {"continue"})
    assert remote.reason == {"timeout": 0.5}


def test_one_evaluator_serves_one_study():
    evaluator = eh.HTTP()
    evaluator.close()
    with pytest.raises(eh.UsageError, match="make another"):
        make_study().run(None, evaluator=evaluator, trials=1, progress=False)
