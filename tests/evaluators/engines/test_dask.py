"""Trials on Dask: what is lost starts again, what grows is used, what was open stays open."""

import os
import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise
from random import Random

import psutil
import pytest

import evohpo as eh
from evohpo.evaluators import Failed, Finished, Job
from evohpo.evaluators.engines import pool
from tests.evaluators.engines import objectives as o
from tests.evaluators.running import end_of, eventually, gone, run

distributed = pytest.importorskip("distributed", reason="Dask is not installed: pip install 'evohpo[dask]'")

WORKER = ("import sys; from distributed.cli.dask_{0} import main; main(sys.argv[1:])").format


def cluster(**options):
    return distributed.LocalCluster(dashboard_address=":0", **options)


def runs_left(client):
    return [run for runs in client.run(lambda: list(pool.POOLS)).values() for run in runs]


def test_a_pruned_study_has_the_same_table_as_in_this_process(client):
    there = o.ga(o.steps, eh.Dask(client), pruner=eh.Hyperband(3))
    assert o.table(there) == o.table(o.ga(o.steps, eh.Inline(), pruner=eh.Hyperband(3)))
    assert len({trial.worker for trial in there.trials}) == 2


def test_a_client_that_was_given_stays_open_and_keeps_nothing(client):
    tasks = len(client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks)))
    o.ga(o.steps, eh.Dask(client), generations=1)
    assert client.status == "running"
    assert client.submit(sum, [1, 2]).result(10) == 3
    assert runs_left(client) == []
    eventually(
        lambda: len(client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks))) <= tasks, "tasks stay"
    )


def test_an_address_is_enough(client):
    study = o.ga(o.steps, eh.Dask(client.scheduler.address), generations=1)
    assert study.table()["status"].eq("completed").all()
    assert client.status == "running"


def test_a_cluster_of_its_own_is_closed_with_all_its_processes():
    before = set(psutil.Process().children(recursive=True))
    o.ga(o.steps, eh.Dask(workers=2), generations=1)
    eventually(lambda: set(psutil.Process().children(recursive=True)) <= before, "processes stay")


def test_trials_of_a_killed_worker_start_again_and_report_no_step_twice(tmp_path):
    with cluster(n_workers=2, threads_per_worker=2) as own:
        there = o.ga(o.killing_a_worker_once, eh.Dask(own), store=tmp_path / "study.jsonl")
    assert list(tmp_path.rglob("killed")), "no worker was killed"
    assert o.table(there) == o.table(o.ga(o.steps, eh.Inline()))


@pytest.mark.parametrize("retries", [0, 2])
def test_a_trial_that_kills_its_worker_each_time_ends_as_lost(tmp_path, retries):
    with cluster(n_workers=2, threads_per_worker=1) as own, eh.Dask(own, workers=1, retries=retries) as evaluator:
        end = end_of(evaluator, o.killing_every_worker, {"folder": str(tmp_path)})
        assert isinstance(end, Failed)
        assert end.kind == "lost"
        begun = len(list(tmp_path.iterdir()))  # losses before it is heard to have begun count apart
        assert retries + 1 <= begun <= retries + max(1, retries) + 2  # one may begin before it is called off
        assert isinstance(end_of(evaluator, o.when, {"x": 1.0}, number=1), Finished)


@pytest.mark.slow
def test_workers_killed_at_random_cost_no_trial(tmp_path):
    with cluster(n_workers=3, threads_per_worker=2) as own:
        random, over = Random(7), threading.Event()

        def kill():
            while not over.wait(random.uniform(0.5, 1.5)):
                pids = [worker.pid for worker in own.workers.values() if worker.worker_address in own.scheduler.workers]
                if len(pids) == 3 and all(pids):  # one killed while it starts is given up by its nanny
                    os.kill(random.choice(pids), signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            there = o.ga(o.steps, eh.Dask(own, retries=50), generations=40, store=tmp_path / "study.jsonl")
        finally:
            over.set()
            killer.join()
    assert o.table(there) == o.table(o.ga(o.steps, eh.Inline(), generations=40))


@pytest.fixture
def remote_cluster(tmp_path):
    """A scheduler and a worker as programs of their own; yields the scheduler's process and address."""
    port_file = tmp_path / "scheduler.json"
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    start = [sys.executable, "-c", WORKER("scheduler"), "--port", "0", "--no-dashboard", "--scheduler-file", port_file]
    scheduler = subprocess.Popen(start, **options)
    eventually(port_file.exists, "no scheduler")
    start = [sys.executable, "-c", WORKER("worker"), "--scheduler-file", port_file, "--nthreads", "2", "--no-dashboard"]
    worker = subprocess.Popen(start, **options)
    with distributed.Client(scheduler_file=str(port_file), set_as_default=False) as client:
        client.wait_for_workers(1, timeout=30)
        address = client.scheduler.address
    yield scheduler, address
    for process in (worker, scheduler):
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
        process.wait()


def test_a_killed_scheduler_ends_the_study_with_one_error_and_the_study_goes_on_elsewhere(remote_cluster, tmp_path):
    scheduler, address = remote_cluster

    def kill(study, trial):
        if trial.number == 8:
            scheduler.kill()

    store = tmp_path / "study.jsonl"
    began = time.monotonic()
    with pytest.raises(eh.EvohpoError, match=r"connection to the Dask scheduler at .* is lost"):
        o.ga(o.steps, eh.Dask(address), store=store, callbacks=[kill])
    assert time.monotonic() - began < 60
    resumed = o.ga(o.steps, eh.Inline(), store=store)
    assert o.table(resumed) == o.table(o.ga(o.steps, eh.Inline()))


def test_the_trials_of_a_killed_study_end_on_the_cluster(client, tmp_path):
    code = (
        "import sys; from tests.evaluators.engines import objectives as o; import evohpo as eh; "
        "o.ga(o.endless, eh.Dask(sys.argv[1], workers=2), store=sys.argv[2])"
    )
    study = subprocess.Popen([sys.executable, "-c", code, client.scheduler.address, tmp_path / "s.jsonl"])
    eventually(lambda: len([p for p in tmp_path.rglob("pid") if p.read_text()]) == 2, "trials do not begin")
    pids = [int(path.read_text()) for path in tmp_path.rglob("pid")]
    os.kill(study.pid, signal.SIGKILL)
    study.wait()
    eventually(lambda: all(map(gone, pids)), "trials run on")


def test_capacity_follows_a_cluster_that_grows_under_the_study():
    with cluster(n_workers=1, threads_per_worker=1) as own, distributed.Client(own, set_as_default=False) as client:
        evaluator = eh.Dask(client)
        sizes = []

        def grow(study, trial):
            sizes.append(evaluator.capacity)
            if trial.number == 1:
                own.scale(3)

        study = o.ga(o.when, evaluator, population=30, generations=1, callbacks=[grow])
    assert sizes[0] == 1
    assert max(sizes) == 3
    assert len({trial.worker for trial in study.trials}) == 3


def test_an_adaptive_cluster_without_workers_grows_for_the_study_and_shrinks():
    with cluster(n_workers=0, threads_per_worker=1) as own, distributed.Client(own, set_as_default=False) as client:
        own.adapt(minimum=0, maximum=2, interval="200ms", target_duration="200ms")
        study = o.ga(o.when, eh.Dask(client), population=16, generations=1)
        assert study.table()["status"].eq("completed").all()
        assert len({trial.worker for trial in study.trials}) == 2
        eventually(lambda: not client.scheduler_info()["workers"], "it does not shrink")


def test_resources_are_honoured(client):
    evaluator = eh.Dask(client, resources={"slot": 1})
    study = o.ga(o.when, evaluator, population=8, generations=1)
    on = {}
    for trial in study.trials:
        on.setdefault(trial.worker, []).append((trial.metrics["began"], trial.metrics["ended"]))
    assert len(on) == 2
    for spans in on.values():
        spans.sort()
        assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_data_is_sent_to_each_worker_once(client, tmp_path):
    size = 20_000_000
    objective = o.WithData(o.Data(size, tmp_path))
    before = psutil.net_io_counters(pernic=True)["lo"].bytes_sent
    study = o.ga(objective, eh.Dask(client))
    sent = psutil.net_io_counters(pernic=True)["lo"].bytes_sent - before
    assert len(study.trials) == 24
    assert sent < 8 * size, (
        f"{sent / size:.1f} times the data went over the network"
    )  # twice a worker, and other traffic
    pids = [path.name.split("-")[0] for path in tmp_path.iterdir()]
    assert len(pids) == len(set(pids)) <= 4, "a process loaded it again"


def test_a_result_that_the_study_cannot_read_fails_its_trial_alone(client):
    with eh.Dask(client, workers=1) as evaluator:
        end = end_of(evaluator, o.strange, {"study": os.getpid()})
        assert (end.kind, "cannot be read here (not here)" in end.reason) == ("value", True), end
        assert isinstance(end_of(evaluator, o.when, {"x": 1.0}, number=1), Finished)


def test_trials_with_different_objectives_run_side_by_side(client):
    with eh.Dask(client, workers=8) as evaluator:
        ends = run(evaluator, *(Job(n, {}, lambda params, n=n: {"loss": n}) for n in range(20)))
    assert [ends[n][-1].value for n in range(20)] == [{"loss": n} for n in range(20)]


def test_trials_that_wait_start_by_priority(client):
    order = []
    with eh.Dask(client, workers=8, resources={"slot": 1}, priority=lambda params: params["x"]) as evaluator:
        jobs = [Job(number, {"x": float(number)}, o.when) for number in range(8)]
        ends = {n: events[-1].value["began"] for n, events in run(evaluator, *jobs).items()}
        order = sorted(ends, key=ends.__getitem__)
    waited = [n for n in order if n not in order[:2]]
    assert waited[:2] == [7, 6] or waited[:2] == [6, 7]
    assert waited[-1] < 4


def test_a_scheduler_that_is_not_there_is_told_before_anything_runs():
    with distributed_timeout("300ms"), pytest.raises(eh.UsageError, match="there is no scheduler to connect to"):
        o.ga(o.steps, eh.Dask("tcp://127.0.0.1:9"))


def distributed_timeout(limit):
    import dask

    return dask.config.set({"distributed.comm.timeouts.connect": limit})


def test_without_dask_the_error_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(eh.UsageError, match=r"pip install 'evohpo\[dask\]'"):
        o.ga(o.steps, eh.Dask())
