"""Trials as jobs of launchers keep the promises that trials keep everywhere."""

from __future__ import annotations

import pytest

import evohpo as eh
from evohpo.testing.evaluators import CHECKS, Target
from evohpo.testing.outcome import run_check
from evohpo.testing.workloads import COMMAND

QUICK = {"workers": 2, "poll": 0.05, "settle": 1.0}
every_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)


def holds(check, make):
    outcome = run_check(check, Target(make, functions=False))
    if outcome.status == "skipped":
        pytest.skip(outcome.reason)
    assert outcome.status == "ok", f"{outcome.claim} But: {outcome.reason}"


@every_check
def test_the_documented_launcher_keeps_the_promises_of_all_evaluators(check, local):
    holds(check, lambda: eh.Launched(local(), COMMAND, **QUICK))


@pytest.mark.slow
@every_check
def test_slurm_keeps_the_promises_of_all_evaluators(check, slurm):
    holds(check, lambda: eh.Launched(eh.Slurm(), COMMAND, **QUICK))


@pytest.mark.slow
@every_check
def test_torchx_keeps_the_promises_of_all_evaluators(check, this_python):
    if check.__name__ == "starts_lost_jobs_again":
        pytest.xfail("TorchX does not tell whether a job failed or was killed")
    holds(check, lambda: eh.TorchX("utils.python", constants={"m": "evohpo.testing.workloads"}, **QUICK))
