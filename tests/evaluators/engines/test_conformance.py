"""Trials on clusters keep the promises that trials keep everywhere."""

import pytest

import evohpo as eh
from evohpo.testing.evaluators import CHECKS, Target
from evohpo.testing.outcome import run_check


def holds(check, make):
    outcome = run_check(check, Target(make))
    if outcome.status == "skipped":
        pytest.skip(outcome.reason)
    assert outcome.status == "ok", f"{outcome.claim} But: {outcome.reason}"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_dask_keeps_the_promises_of_all_evaluators(check, client):
    holds(check, lambda: eh.Dask(client, workers=2))


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_ray_keeps_the_promises_of_all_evaluators(check, ray):
    holds(check, lambda: eh.Ray(workers=2))
