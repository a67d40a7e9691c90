"""The demo itself: the comparison, then a run that is killed and goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd

from evohpo.cli import output
from evohpo.demo.digits import SPACE, train
from evohpo.demo.own import nine_lines
from evohpo.driver import tune
from evohpo.study import Study, load

OPTIMIZERS = ("ga", "pso", "paes", "de", "cmaes", "random", "inspyred.pso", "nine-lines")


def search(name: str, store: Path, generations: int, population: int, workers: int, seed: int, progress: bool) -> Study:
    """Tune the network with one algorithm."""
    return tune(
        train, SPACE, maximize="accuracy", optimizer=nine_lines if name == "nine-lines" else name, generations=generations,
        population=population, workers=workers, seed=seed, store=store, name=f"digits, {name}", progress=progress,
    )  # fmt: skip


def compare(names: tuple[str, ...], folder: Path, **settings: Any) -> None:
    """Tune with every algorithm at the same budget; print them side by side, and each one's best."""
    out = output.console()
    rows, bests = [], []
    for name in names:
        began = time.monotonic()
        study = search(name, folder / f"{name}.db", **settings)
        rows.append(
            {
                "optimizer": name,
                "best accuracy": study.best.metrics["accuracy"],
                "found at trial": study.best.number,
                "mean of last generation": _last_mean(study),
                "trials": len(study.trials),
                "failed": sum(t.failed for t in study.trials),
                "seconds": time.monotonic() - began,
            }
        )
        bests.append({"optimizer": name} | {k: study.best.params.get(k) for k in SPACE.searched})
        if not out.is_terminal:
            out.print(f"{name}: best accuracy {study.best.metrics['accuracy']:.4f} after {len(study.trials)} trials")
    order = sorted(range(len(rows)), key=lambda i: -rows[i]["best accuracy"])
    out.print()
    output.print_table(
        pd.DataFrame([rows[i] for i in order]), "Eight algorithms, one budget" if len(rows) == 8 else "Comparison"
    )
    out.print()
    output.print_table(pd.DataFrame([bests[i] for i in order]), "The best configuration of each")


def _last_mean(study: Study) -> float:
    last = max(t.generation for t in study.trials)
    values: list[float] = [t.metrics["accuracy"] for t in study.trials if t.generation == last and not t.failed]
    return sum(values) / len(values)


def kill_and_resume(seed: int, workers: int) -> bool:
    """Kill a run in its middle with SIGKILL, go on, and compare with one that nobody disturbed; return if they are equal."""
    out = output.console()
    settings: dict[str, Any] = {"generations": 3, "population": 6, "workers": workers, "seed": seed, "progress": False}
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "killed.db"
        call = f"search('de', Path({str(store)!r}), **{settings!r})"
        code = f"from pathlib import Path; from evohpo.demo.show import search; {call}"
        process = subprocess.Popen([sys.executable, "-c", code])  # noqa: S603 - our own code, written above
        while _ended(store) < 7 and process.poll() is None:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        out.print(f"\nA run of de was killed (SIGKILL) after {_ended(store)} of 18 trials. The same call goes on:")
        resumed = search("de", store, **settings)
        whole = search("de", Path(folder) / "whole.db", **settings)
        same = _untimed(resumed).equals(_untimed(whole))
    verdict = "equal to" if same else "DIFFERENT from"
    best = resumed.best.metrics["accuracy"]
    out.print(f"{len(resumed.trials)} trials, best accuracy {best:.4f}; its table is {verdict} an undisturbed run's.")
    return same


def _untimed(study: Study) -> pd.DataFrame:
    return study.table().drop(columns=["seconds", "worker"])


def _ended(store: Path) -> int:
    from evohpo.study.journal import exists

    try:
        return load(store).ledger.ended if exists(store) else 0
    except Exception:  # noqa: BLE001 - the other process is just making it
        return 0
