"""Every live object drives a mixed conditional study on two workers, is killed, and goes on to the same table."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from evohpo import plugins
from tests.conftest import untimed
from tests.live import victim
from tests.live.objects import LIVE, NOT_REPEATABLE
from tests.study.test_kill import ended

ROOT = Path(__file__).parents[2]
SLOW = ("ax", "bayes_opt.Bay", "skopt")  # models that take seconds a proposal: tested in their plugins' folders always
HEAVY = {"ax": "ax", "ray": "ray.tune"}  # libraries with hundreds of megabytes, and what is needed of them


def requires(name: str) -> None:
    """Skip where a heavy library is not installed; all others must be there."""
    root = name.split(".")[0]
    if root in HEAVY:
        pytest.importorskip(HEAVY[root], exc_type=ImportError)


@pytest.fixture(
    scope="module", params=[pytest.param(n, marks=pytest.mark.slow if n.startswith(SLOW) else ()) for n in LIVE]
)
def name(request) -> str:
    requires(request.param)
    return request.param


def test_a_killed_study_of_a_live_object_goes_on_to_the_same_table(name, tmp_path):
    whole = victim.search(name, None)
    assert len(whole.trials) == victim.TRIALS
    assert all(t.ended for t in whole.trials)
    store = tmp_path / "study.db"
    process = subprocess.Popen([sys.executable, "-m", "tests.live.victim", name, str(store)], cwd=ROOT)
    deadline = time.monotonic() + 240
    while ended(store) < victim.TRIALS // 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    assert process.poll() is None, "it was to be killed while it runs"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert victim.TRIALS // 2 <= ended(store) < victim.TRIALS
    resumed = victim.search(name, str(store))
    assert [t.number for t in resumed.trials] == list(range(victim.TRIALS))
    if name not in NOT_REPEATABLE:
        pd.testing.assert_frame_equal(untimed(resumed), untimed(whole))


@pytest.mark.parametrize("root", sorted(plugins.EXTRAS))
def test_every_library_with_an_extra_is_driven(root):
    assert any(name.split(".")[0] == root for name in LIVE)
