"""The demo's second half: a run is killed in the middle, really, and the same call goes on with it."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import evohpo as eh
from evohpo.demo.digits import space, train
from evohpo.errors import EvohpoError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from rich.console import Console

GENERATIONS, POPULATION = 4, 6
PATIENCE = 120.0  # seconds for the child to come to the middle of its run


def search(store: Path, seed: int, workers: int) -> eh.Study:
    """Run a small study in `store`, or go on with it: the same call for both."""
    return eh.tune(
        train, {**space().parameters, "epochs": 4}, maximize="accuracy", optimizer="ga", generations=GENERATIONS,
        population=POPULATION, seed=seed, evaluator=eh.Processes(workers, threads=1), store=store, name=store.stem,
        progress=False,
    )  # fmt: skip


def kill_in_the_middle(store: Path, seed: int, workers: int) -> int:
    """Start the run in a process of its own, kill that process half-way, and return how many trials had ended.

    Raises:
        EvohpoError: it did not come that far.
    """
    code = f"import sys, pathlib; from {__name__} import search; "
    code += "search(pathlib.Path(sys.argv[1]), *map(int, sys.argv[2:]))"
    child = subprocess.Popen([sys.executable, "-c", code, str(store), str(seed), str(workers)])  # noqa: S603 - our own code
    try:
        limit = time.monotonic() + PATIENCE
        while _ended(store) < GENERATIONS * POPULATION // 2:
            if child.poll() is not None or time.monotonic() > limit:
                raise EvohpoError(f"the run that was to be killed did not come half-way (exit code {child.poll()})")
            time.sleep(0.02)
    finally:
        child.kill()  # SIGKILL: it has no chance to tidy up
        child.wait()
    return _ended(store)


def untimed(study: eh.Study) -> pd.DataFrame:
    """Return a study's table without the columns that tell when and where a trial ran."""
    return study.table().drop(columns=["seconds", "worker", "resumed"], errors="ignore")


def show(console: Console, folder: Path, seed: int, workers: int) -> None:
    """Kill a run, go on with it, and compare with one that nobody disturbed."""
    console.rule("[bold]A killed run goes on")
    disturbed, calm = folder / "killed.db", folder / "undisturbed.db"
    already = _ended(disturbed)
    if already < GENERATIONS * POPULATION // 2:
        already = kill_in_the_middle(disturbed, seed, workers)
        console.print(
            f"A run of {GENERATIONS * POPULATION} trials was killed with SIGKILL; {already} of them had ended."
        )
    study = _when_free(disturbed, seed, workers)
    console.print(f"The same call went on from {disturbed.name} and ended with {len(study.trials)} trials.")
    reference = search(calm, seed, workers)
    same = untimed(study).equals(untimed(reference))
    console.print(
        f"The same seed in one go gives {len(reference.trials)} trials, best accuracy {reference.best.metrics['accuracy']:.4f}."
    )
    if not same:
        raise EvohpoError(f"the two tables differ, which they must not: compare {disturbed} and {calm}")
    console.print("[bold green]The two tables are equal, row by row.[/]")


def _when_free(store: Path, seed: int, workers: int) -> eh.Study:
    """Go on as soon as the system has let go of the killed process's lock."""
    for _ in range(100):
        try:
            return search(store, seed, workers)
        except StoreError as error:
            if "another process" not in str(error):
                raise
            time.sleep(0.1)
    return search(store, seed, workers)


def _ended(store: Path) -> int:
    """Return how many trials have ended in a study that another process may be writing."""
    try:
        with eh.load(store) as study:
            return study.ledger.ended
    except StoreError:  # not there yet
        return 0
