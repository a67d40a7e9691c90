"""Clusters of this machine, one for all tests of a module."""

import pytest


@pytest.fixture(scope="module")
def client():
    """A Dask client of a cluster with two workers of two threads."""
    distributed = pytest.importorskip("distributed", reason="Dask is not installed: pip install 'evohpo[dask]'")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, dashboard_address=":0", resources={"slot": 1}
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def ray():
    """Ray with a cluster of four cores, two devices and a resource of its own."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'evohpo[ray-cluster]'")
    ray.init(
        address="local", num_cpus=4, num_gpus=2, resources={"slot": 1}, include_dashboard=False, log_to_driver=False,
        logging_level="ERROR",
    )  # fmt: skip
    yield ray
    ray.shutdown()
