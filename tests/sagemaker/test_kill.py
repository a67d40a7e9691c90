"""The driver is killed with jobs in flight: what was started is adopted, nothing is started twice, the table is the same."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import evohpo as eh
from tests.conftest import untimed
from tests.sagemaker import victim

ROOT = Path(__file__).parents[2]


def start(kind: str, store: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.sagemaker.victim", kind, str(store)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)


def kill_until_done(aws, kind: str, store: Path, kills: int, dice: random.Random) -> int:
    """Start the driver, kill it a while after it started or adopted something, as often as that succeeds."""
    for killed in range(kills):
        process, before = start(kind, store), len(aws.jobs.started)
        deadline = time.monotonic() + 20
        while process.poll() is None and len(aws.jobs.started) == before and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(dice.uniform(0, 0.5) * dice.random())
        if process.poll() is not None:
            assert process.returncode == 0, process.stderr.read().decode()
            return killed
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    process = start(kind, store)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()
    return kills


def table(study: eh.Study) -> pd.DataFrame:
    """What must not depend on interruptions: all but times and the study's own name in the names of its jobs."""
    frame = untimed(study).drop(columns="billable_seconds")
    return frame.assign(job=frame.job.str.replace(study.settings.id, "id"))


@pytest.mark.parametrize(
    "kills", [3, pytest.param(20, marks=pytest.mark.slow)], ids=lambda kills: f"killed {kills} times"
)
def test_a_killed_search_adopts_its_jobs(aws, kills, tmp_path):
    dice, stores = random.Random(kills), 0
    while kills > 0:
        stores += 1
        store = tmp_path / f"{stores}.db"
        kills -= kill_until_done(aws, "generations", store, kills, dice)
        study = eh.load(store)
        assert [t.number for t in study.trials] == list(range(25))
        assert all("is too large" in t.traceback for t in study.trials if t.failed)
        own = [n for n in aws.jobs.started if study.settings.id in n]
        assert len(own) == len({t.number for t in study.trials if not t.job.startswith("reused ")})  # each started once
        assert not [n for n in own if re.search(r"-r\d+$", n)]
        pd.testing.assert_frame_equal(table(study), table(victim.search("generations", None)))


@pytest.mark.slow
def test_a_killed_search_with_promotions_comes_to_the_same_table(aws, tmp_path):
    dice = random.Random(1)
    store = tmp_path / "s.db"
    kill_until_done(aws, "halving", store, 8, dice)
    study, other = eh.load(store), victim.search("halving", None)
    columns = ["number", "generation", "status", "loss", "x", "steps"]
    pd.testing.assert_frame_equal(study.table()[columns], other.table()[columns])
    pd.testing.assert_frame_equal(study.curves(), other.curves())
