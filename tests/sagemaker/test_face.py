"""The functions of the AWS post, as its notebook calls them."""

from __future__ import annotations

import random

import boto3
import inspyred
import numpy as np
import pytest

import evohpo as eh
import evohpo.sagemaker as et
from tests.sagemaker.conftest import loss, request_of

LOSS = r"loss=(\S+)"
HYPERPARAMETERS = {
    "batch_size": et.StaticParameter(100),
    "x": et.ContinuousParameter(0.01, 0.9),
    "num_epoch": et.IntegerParameter(10, 50),
    "solver": et.CategoricalParameter(["sgd", "adam"]),
}


@pytest.fixture
def fit(aws):
    client = boto3.client("sagemaker")

    def fit_evolutionary(job_name, hyperparameters):
        client.create_training_job(TrainingJobName=job_name, **request_of(aws, **hyperparameters))

    return fit_evolutionary


def test_the_four_kinds_of_parameter_give_legal_values():
    rng = np.random.default_rng(1)
    for _ in range(50):
        values = {name: parameter.get_value(rng) for name, parameter in HYPERPARAMETERS.items()}
        assert values["batch_size"] == 100
        assert 0.01 <= values["x"] <= 0.9
        assert values["num_epoch"] in range(10, 51)
        assert values["solver"] in ("sgd", "adam")
    assert et.IntegerParameter(1, 1_000_000).get_value() != et.IntegerParameter(1, 1_000_000).get_value()


@pytest.mark.parametrize(
    "optimizer",
    [
        "ga",
        inspyred.ec.GA(random.Random(1)),
        eh.use(inspyred.swarm.PSO(random.Random(1)), neighborhood_size=5),
        eh.use(inspyred.ec.emo.PAES(random.Random(1)), max_archive_size=100, num_grid_divisions=4),
    ],
    ids=["ga", "inspyred GA", "PSO", "PAES"],
)
@pytest.mark.filterwarnings(
    "ignore:inspyred:evohpo.errors.EvohpoWarning"
)  # what it replaces in them is not the subject
def test_an_evolutionary_search_as_in_the_post(fit, optimizer):
    jobs = et.evolutionary_search(
        base_name=None, hyperparameters=HYPERPARAMETERS, generations=2, max_parallel_jobs=3, train_fn=fit,
        optimizer=optimizer, regex=LOSS, maximize=False, seed=1, progress=False,
    )  # fmt: skip
    table = et.table_metrics(jobs, et.get_metrics(jobs, LOSS))
    assert list(table.columns) == ["batch_size", "x", "num_epoch", "solver", "objective", "job_number"]
    assert {name[-10:] for name in table.index} <= {f"-g{g:03d}-i{i:03d}" for g in range(2) for i in range(3)}
    assert len(table) == 6 - sum(t.job.startswith("reused ") for t in jobs.study.trials) >= 4
    assert list(table.objective) == pytest.approx([loss(row) for row in table.to_dict("records")])
    assert list(table.job_number) == list(range(len(table)))
    assert jobs.study.best.metrics["objective"] == pytest.approx(table.objective.min())


def test_random_search_and_all_that_was_printed(fit):
    jobs = et.random_search(
        fit, HYPERPARAMETERS, base_name="digits", max_jobs=5, max_parallel_jobs=2, regex=LOSS, seed=1, progress=False
    )
    assert len(jobs) == 6
    assert all(name.startswith("digits-") for name in jobs)
    printed = et.get_metrics(jobs, LOSS)
    assert {len(texts) for texts in printed.values()} == {3}  # every step's


def test_a_search_with_a_store_goes_on(fit, aws, tmp_path):
    how = {
        "base_name": "again", "hyperparameters": HYPERPARAMETERS, "max_parallel_jobs": 2, "train_fn": fit, "regex": LOSS,
        "seed": 1, "progress": False, "store": tmp_path / "search.db",
    }  # fmt: skip
    first = et.evolutionary_search(generations=1, **how)
    before = len(aws.jobs.started)
    second = et.evolutionary_search(generations=2, **how)
    assert list(second)[:2] == list(first)
    assert len(aws.jobs.started) == before + 2


def test_a_job_that_printed_nothing_has_no_objective():
    table = et.table_metrics({"a": {"x": 1}, "b": {"x": 2}}, {"a": ["0.5", "0.98."]})
    assert table.objective["a"] == 0.98
    assert np.isnan(table.objective["b"])
