"""A killed study goes on to the very same table."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pandas as pd
import pytest

import evohpo as eh
from tests.conftest import untimed
from tests.study import victim

OPTIMIZERS = ["ga", "de", "pso", "inspyred.pso", "users-own", "ga+hyperband", "islands"]
ROOT = Path(__file__).parents[2]


def start(optimizer: str, store: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.study.victim", optimizer, str(store)], cwd=ROOT, stderr=subprocess.PIPE
    )


def kill_until_done(optimizer: str, store: Path, kills: int, dice: random.Random) -> int:
    """Run the script again and again, each time killed at a random moment, `kills` times at most; then let it finish."""
    killed = 0
    while killed < kills:
        process = start(optimizer, store)
        before = ended(store)
        # the moment: some time after the process has begun to get somewhere, or at any moment of its start-up
        deadline = time.monotonic() + 20
        if dice.random() < 0.7:
            while process.poll() is None and ended(store) <= before and time.monotonic() < deadline:
                time.sleep(0.002)
        time.sleep(dice.uniform(0, 0.25))
        if process.poll() is not None:
            assert process.returncode == 0, process.stderr.read().decode()
            return killed
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        killed += 1
    process = start(optimizer, store)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()
    return killed


def ended(store: Path) -> int:
    """How many trials the file says have ended, read while the writer is alive or dead."""
    import sqlite3

    if not store.exists():
        return 0
    db = sqlite3.connect(store.absolute().as_uri() + "?mode=ro", uri=True, timeout=5)
    try:
        return db.execute("SELECT COUNT(*) FROM events WHERE kind = 'end'").fetchone()[0]
    except sqlite3.DatabaseError:
        return 0
    finally:
        db.close()


def check_same(optimizer: str, store: Path) -> None:
    study = eh.load(store)
    numbers = [t.number for t in study.trials]
    assert numbers == list(range(30)), "no trial is lost, none is there twice"
    assert all(t.ended for t in study.trials)
    assert not [t.error for t in study.trials if t.failed and "six layers" not in t.error]
    tables = [untimed(s) for s in (study, victim.search(optimizer, None, workers=1))]
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_killed_study_ends_with_the_same_table(optimizer, tmp_path):
    store = tmp_path / "study.db"
    kill_until_done(optimizer, store, kills=2, dice=random.Random(optimizer))
    check_same(optimizer, store)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_study_killed_at_twenty_random_moments_ends_with_the_same_table(optimizer, tmp_path):
    dice, killed, round_ = random.Random(f"{optimizer}20"), 0, 0
    while killed < 20:
        store = tmp_path / f"study-{round_}.db"
        killed += kill_until_done(optimizer, store, kills=min(6, 20 - killed), dice=dice)
        check_same(optimizer, store)
        round_ += 1


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.5, 0.7, 0.9, 0.99])
@pytest.mark.parametrize("part", ["db", "wal"])
def test_a_truncated_store_goes_on_or_says_clearly_why_not(share, part, tmp_path):
    store = tmp_path / "study.db"
    process = start("ga", store)
    while ended(store) < 12:
        assert process.poll() is None
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    file = store if part == "db" else store.with_name("study.db-wal")
    if not file.exists():
        pytest.skip("killed in the moment without a write-ahead log")
    size = file.stat().st_size
    os.truncate(file, int(size * share))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", eh.EvohpoWarning)
        try:
            study = victim.search("ga", str(store), workers=1)
        except eh.StoreError as error:
            said = str(error)
        else:
            said = ""
            pd.testing.assert_frame_equal(untimed(study), untimed(victim.search("ga", None, workers=1)))
    assert not said or "study.db" in said
