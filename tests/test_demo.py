"""The demo: its task, a killed run that goes on, and the whole of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

import evohpo as eh

pytest.importorskip("sklearn")

PLAIN = {
    "hidden": 64,
    "learning_rate": 0.01,
    "alpha": 1e-4,
    "batch_size": 64,
    "solver": "adam",
    "epochs": 5,
    "seed": 100,
}


def test_the_network_learns_to_read_and_reports_every_epoch():
    from evohpo.demo.digits import train

    curve = [metrics["accuracy"] for metrics in train(PLAIN)]
    assert len(curve) == 5
    assert curve[-1] > 0.9
    assert curve == [metrics["accuracy"] for metrics in train(PLAIN)]


def test_the_demos_own_algorithm_keeps_its_promises():
    from evohpo.demo.own import nine_lines
    from evohpo.testing import check_optimizer

    check_optimizer(nine_lines)


def test_a_missing_scikit_learn_is_a_clear_line(monkeypatch):
    from evohpo.demo import show

    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(eh.UsageError, match=re.escape("pip install 'evohpo[demo]'")):
        show()


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_table(tmp_path):
    from evohpo.demo import killed

    ended = killed.kill_in_the_middle(tmp_path / "killed.db", seed=3, workers=2)
    assert killed.GENERATIONS * killed.POPULATION // 2 <= ended < killed.GENERATIONS * killed.POPULATION
    gone_on = killed._when_free(tmp_path / "killed.db", 3, 2)
    calm = killed.search(tmp_path / "calm.db", 3, 2)
    assert len(calm.trials) == killed.GENERATIONS * killed.POPULATION
    assert killed.untimed(gone_on).equals(killed.untimed(calm))


@pytest.mark.slow
def test_the_whole_demo_compares_all_and_goes_on_from_its_own_stores(tmp_path):
    command = [
        sys.executable,
        "-m",
        "evohpo",
        "demo",
        "--generations",
        "1",
        "--population",
        "4",
        "--store",
        tmp_path / "studies",
    ]
    first = subprocess.run(command, capture_output=True, text=True, timeout=500, env=os.environ | {"COLUMNS": "100"})
    assert first.returncode == 0, first.stderr
    from evohpo.demo import NAMES

    for name in NAMES:
        assert re.search(rf"^{re.escape(name)}\s+0\.\d{{4}}", first.stdout, re.MULTILINE)
        assert len(eh.load(tmp_path / "studies" / f"{name}.db").trials) == 4
    assert "killed with SIGKILL" in first.stdout
    assert "equal, row by row" in first.stdout
    assert "\x1b" not in first.stdout
    again = subprocess.run(command, capture_output=True, text=True, timeout=500, env=os.environ | {"COLUMNS": "100"})
    assert again.returncode == 0, again.stderr
    assert len(eh.load(tmp_path / "studies" / "ga.db").trials) == 4
