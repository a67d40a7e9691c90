"""Each evaluator keeps the promises that all of them make."""

import pytest

import evohpo as eh
from evohpo.testing.evaluators import CHECKS, Target
from evohpo.testing.outcome import run_check
from evohpo.testing.workloads import COMMAND

TARGETS = {
    "inline": Target(eh.Inline),
    "threads": Target(lambda: eh.Threads(2)),
    "processes": Target(lambda: eh.Processes(2)),
    "script": Target(lambda: eh.Script(COMMAND, workers=2), functions=False),
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_our_evaluators_keep_their_promises(target, check):
    outcome = run_check(check, target)
    if outcome.status == "skipped":
        pytest.skip(outcome.reason)
    assert outcome.status == "ok", f"{outcome.claim} But: {outcome.reason}"
