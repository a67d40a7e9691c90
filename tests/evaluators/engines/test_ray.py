"""Trials on Ray: what is lost starts again, what grows is used, what was open stays open."""

import os
import signal
import sys
import threading
from random import Random

import psutil
import pytest

import evohpo as eh
from evohpo.evaluators import Failed, Finished, Job
from tests.evaluators.engines import objectives as o
from tests.evaluators.running import end_of, eventually, run

pytestmark = pytest.mark.slow


def actors():
    """Return the processes of actors that run."""
    return [p for p in psutil.process_iter(["cmdline"]) if (p.info["cmdline"] or [""])[0].startswith("ray::_Actor")]


def test_a_pruned_study_has_the_same_table_as_in_this_process(ray):
    there = o.ga(o.steps, eh.Ray(), pruner=eh.Hyperband(3))
    assert o.table(there) == o.table(o.ga(o.steps, eh.Inline(), pruner=eh.Hyperband(3)))
    assert len({trial.worker for trial in there.trials}) > 1


def test_a_connection_that_was_there_stays_open_and_keeps_nothing(ray):
    o.ga(o.steps, eh.Ray(), generations=1)
    assert ray.is_initialized()
    eventually(lambda: not actors(), "actors stay")
    eventually(lambda: ray.available_resources().get("CPU") == 4, "cores are not given back")


def test_trials_of_a_killed_actor_start_again_and_report_no_step_twice(ray, tmp_path):
    there = o.ga(o.killing_a_worker_once, eh.Ray(), store=tmp_path / "study.jsonl")
    assert list(tmp_path.rglob("killed")), "no actor was killed"
    assert o.table(there) == o.table(o.ga(o.steps, eh.Inline()))


def test_actors_killed_at_random_cost_no_trial(ray, tmp_path):
    random, over = Random(7), threading.Event()

    def kill():
        while not over.wait(random.uniform(0.5, 1.5)):
            if running := actors():
                os.kill(random.choice(running).pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        there = o.ga(o.steps, eh.Ray(retries=50), generations=40, store=tmp_path / "study.jsonl")
    finally:
        over.set()
        killer.join()
    assert o.table(there) == o.table(o.ga(o.steps, eh.Inline(), generations=40))


@pytest.mark.parametrize("retries", [0, 2])
def test_a_trial_that_kills_its_actor_each_time_ends_as_lost(ray, tmp_path, retries):
    with eh.Ray(workers=1, retries=retries) as evaluator:
        end = end_of(evaluator, o.killing_every_worker, {"folder": str(tmp_path)})
        assert isinstance(end, Failed)
        assert end.kind == "lost"
        assert retries + 1 <= len(list(tmp_path.iterdir())) <= retries + max(1, retries) + 1
        assert isinstance(end_of(evaluator, o.when, {"x": 1.0}, number=1), Finished)


def test_capacity_is_what_the_resources_allow(ray):
    needs = [{}, {"num_cpus": 2}, {"num_cpus": 1, "num_gpus": 1}, {"num_cpus": 0, "resources": {"slot": 1}}]
    capacities = []
    for resources in needs:
        with eh.Ray(resources=resources) as evaluator:
            capacities.append(evaluator.capacity)
    assert capacities == [4, 2, 2, 1]


def test_each_trial_has_devices_of_its_own(ray):
    study = o.ga(o.devices, eh.Ray(resources={"num_gpus": 1}), population=8, generations=1)
    seen = {(trial.worker, trial.metrics["device"]) for trial in study.trials}
    assert {device for _, device in seen} == {0, 1}
    assert len(seen) == len({worker for worker, _ in seen}), "an actor's device changed"


def test_data_is_loaded_once_by_each_process(ray, tmp_path):
    study = o.ga(o.WithData(o.Data(20_000_000, tmp_path)), eh.Ray())
    assert len(study.trials) == 24
    pids = [path.name.split("-")[0] for path in tmp_path.iterdir()]
    assert len(pids) == len(set(pids)) <= 4, "a process loaded it again"


def test_a_result_that_the_study_cannot_read_fails_its_trial_alone(ray):
    with eh.Ray(workers=1) as evaluator:
        end = end_of(evaluator, o.strange, {"study": os.getpid()})
        assert (end.kind, "cannot be read here (not here)" in end.reason) == ("value", True), end
        assert isinstance(end_of(evaluator, o.when, {"x": 1.0}, number=1), Finished)


def test_trials_with_different_objectives_run_side_by_side(ray):
    with eh.Ray(workers=8) as evaluator:
        ends = run(evaluator, *(Job(n, {}, lambda params, n=n: {"loss": n}) for n in range(20)))
    assert [ends[n][-1].value for n in range(20)] == [{"loss": n} for n in range(20)]


def test_without_ray_the_error_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(eh.UsageError, match=r"pip install 'evohpo\[ray-cluster\]'"):
        o.ga(o.steps, eh.Ray())
