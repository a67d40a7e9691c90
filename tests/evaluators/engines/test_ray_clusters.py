"""Trials on clusters of Ray that are started and lost under the study; apart, since a process has one connection to Ray."""

import subprocess
import sys

import psutil
import pytest

import evohpo as eh
from tests.evaluators.engines import objectives as o
from tests.evaluators.running import eventually

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'evohpo[ray-cluster]'")
pytestmark = pytest.mark.slow


@pytest.fixture
def cluster():
    """A cluster of one machine with one core, not connected to."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def test_a_cluster_of_its_own_is_closed_with_all_its_processes():
    before = set(psutil.Process().children(recursive=True))
    study = o.ga(o.steps, eh.Ray(workers=3, options={"log_to_driver": False}), generations=1)
    assert study.table()["status"].eq("completed").all()
    assert not ray.is_initialized()
    eventually(lambda: set(psutil.Process().children(recursive=True)) <= before, "processes stay")


def test_capacity_follows_a_cluster_that_grows_under_the_study(cluster):
    evaluator = eh.Ray(cluster.address, options={"log_to_driver": False})
    sizes = []

    def grow(study, trial):
        sizes.append(evaluator.capacity)
        if trial.number == 1:
            cluster.add_node(num_cpus=2)

    study = o.ga(o.when, evaluator, population=30, generations=1, callbacks=[grow])
    assert sizes[0] == 1
    assert max(sizes) == 3
    assert len({trial.worker for trial in study.trials}) == 3
    assert not ray.is_initialized()


def test_trials_of_a_machine_that_goes_start_again_elsewhere(cluster):
    second = cluster.add_node(num_cpus=2)

    def lose(study, trial):
        if trial.number == 8:
            cluster.remove_node(second, allow_graceful=False)

    there = o.ga(o.steps, eh.Ray(cluster.address, options={"log_to_driver": False}), callbacks=[lose])
    assert o.table(there) == o.table(o.ga(o.steps, eh.Inline()))


LOSING = """
import sys, psutil
import evohpo as eh
from tests.evaluators.engines import objectives as o

def kill(study, trial):
    if trial.number == 8:
        for process in psutil.process_iter(["cmdline", "environ"]):
            name = (process.info["cmdline"] or [""])[0]
            if name.endswith("gcs_server") and process.ppid() == psutil.Process().pid:
                process.kill()
                print("killed", flush=True)

o.ga(o.when, eh.Ray(workers=2), callbacks=[kill], generations=40, store=sys.argv[1])
"""


def test_a_killed_head_ends_the_study_with_one_error_and_the_study_goes_on_elsewhere(tmp_path):
    study = subprocess.run(
        [sys.executable, "-c", LOSING, tmp_path / "study.jsonl"], capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert "killed" in study.stdout
    assert study.returncode == 1
    last = study.stderr.strip().splitlines()[-1]
    assert "the head of the Ray cluster has not answered for 15 s" in last, study.stderr
    resumed = o.ga(o.when, eh.Inline(), store=tmp_path / "study.jsonl", generations=12)
    assert resumed.table()["status"].eq("completed").all()
