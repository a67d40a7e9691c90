"""An objective may do its worst: the study ends, every trial has its status and reason, and no process stays behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

import evohpo as eh

ROOT = Path(__file__).parents[2]


def does_its_worst(params):
    """Eight behaviours, one a trial."""
    match params["behaviour"]:
        case "raises":
            raise ValueError("no such layer")
        case "hangs":
            while True:
                time.sleep(1)
        case "exits":
            os._exit(3)
        case "crashes":
            ctypes.string_at(0)
        case "eats":
            hoard = [bytearray(50_000_000) for _ in range(100)]
            return len(hoard)
        case "forks":
            for _ in range(3):
                subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
            return 1.0
        case "prints":
            print("x" * 5_000_000)
            return 2.0
    return float("nan") if params["behaviour"] == "nan" else 3.0


BEHAVIOURS = ["raises", "hangs", "exits", "crashes", "eats", "forks", "prints", "nan", "behaves"]
REASONS = {
    "raises": ("raised", "ValueError: no such layer"),
    "hangs": ("timeout", "6 s"),
    "exits": ("crashed", "exit code 3"),
    "crashes": ("crashed", "SIGSEGV"),
    "eats": ("memory", "limit"),
    "nan": ("value", "not a finite number"),
}


def children_left():
    """Processes started by this one, directly or not, that evohpo marks as its own."""
    left = []
    for process in psutil.process_iter():
        try:
            if any(key.startswith("EVOHPO_RUN") for key in process.environ()) and process.pid != os.getpid():
                left.append(process)
        except (psutil.Error, OSError):
            continue
    return left


def gone(processes, deadline=20.0):
    until = time.monotonic() + deadline
    while time.monotonic() < until:
        if not [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]:
            return True
        time.sleep(0.05)
    return False


def test_every_trial_of_a_hostile_objective_ends_with_its_reason(tmp_path):
    before = {p.pid for p in children_left()}
    study = eh.tune(
        does_its_worst,
        {"behaviour": eh.Categorical(BEHAVIOURS)},
        minimize="loss",
        optimizer="grid",
        evaluator=eh.Processes(2, timeout=6, memory=400_000_000),
        seed=1,
        store=tmp_path / "study.db",
        progress=False,
    )
    assert len(study.trials) == len(BEHAVIOURS)
    for trial in study.trials:
        behaviour = trial.params["behaviour"]
        if behaviour in REASONS:
            kind, reason = REASONS[behaviour]
            assert (trial.status, trial.kind) == (eh.Status.FAILED, kind), trial.error
            assert reason in trial.error
        else:
            assert trial.status is eh.Status.COMPLETED
    assert gone([p for p in children_left() if p.pid not in before])


@pytest.mark.parametrize("moment", [0.3, 1.0])
def test_nothing_is_left_behind_when_the_driver_itself_is_killed(moment, tmp_path):
    script = tmp_path / "search.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, subprocess, sys, time
            import evohpo as eh

            def hangs(params):
                subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
                os.write(1, b"hanging\\n")  # one write, so that two workers' lines stay two
                time.sleep(600)

            eh.tune(hangs, {"x": eh.Continuous(0, 1)}, minimize="loss", optimizer="ga", trials=10, workers=2, progress=False)
            """
        )
    )
    before = {p.pid for p in children_left()}
    process = subprocess.Popen(
        [sys.executable, str(script)], env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    )
    for _ in range(2):
        assert "hanging" in process.stdout.readline()
    time.sleep(moment)
    started = [p for p in children_left() if p.pid not in before]
    assert len(started) >= 4, "two workers and what they started"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert gone(started), [p for p in started if p.is_running()]
