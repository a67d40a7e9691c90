"""Eight algorithms on the same task with the same budget, two workers, and one table of what they found."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import evohpo as eh
from evohpo.demo import killed
from evohpo.demo.digits import require_sklearn, space, train
from evohpo.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

NAMES = ("ga", "pso", "paes", "de", "cmaes", "nine-lines", "inspyred.pso", "random")


@dataclass(frozen=True, slots=True)
class Entry:
    """One algorithm's run: its study, and how many seconds this process spent on it."""

    name: str
    study: eh.Study
    seconds: float


def show(
    names: Sequence[str] | None = None, generations: int = 5, population: int = 10, budget: int | None = None,
    workers: int = 2, seed: int = 1, store: Path | None = None,
) -> None:  # fmt: skip
    """Run the demo and print what it finds.

    Args:
        names: the optimizers; `NAMES` if None.
        generations: generations of each.
        population: trials a generation.
        budget: trials of each; `generations * population` if None.
        workers: trials that run at once.
        seed: root of all randomness.
        store: folder for the studies, made if it is missing; studies already there go on. A temporary one if None.

    Raises:
        UsageError: scikit-learn is missing, an optimizer is unknown, or the folder cannot be made.
    """
    from rich.console import Console

    require_sklearn()
    names = list(dict.fromkeys(names or NAMES))
    _check(names)
    budget = budget or generations * population
    folder = _folder(store)
    console = Console(highlight=False)
    _explain(console, names, budget, workers)
    entries = [_tune(console, name, budget, population, workers, seed, folder) for name in names]
    _compare(console, entries)
    killed.show(console, folder, seed, workers)
    _what_next(console, folder, max(entries, key=_score))


def _check(names: list[str]) -> None:
    """Refuse unknown names now, not after ten minutes."""
    from evohpo.demo import own  # noqa: F401 - registers nine-lines
    from evohpo.optimizers import resolve

    for name in names:
        resolve(name)


def _folder(store: Path | None) -> Path:
    if store is None:
        return Path(tempfile.mkdtemp(prefix="evohpo-demo-"))
    try:
        store.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--store {store}: the folder cannot be made ({error.strerror})") from error
    return store


def _explain(console: Console, names: list[str], budget: int, workers: int) -> None:
    console.rule("[bold]Tuning a neural network that reads handwritten digits")
    console.print(
        f"{len(names)} algorithms, {budget} trials each, {workers} at a time. A trial trains a network on 1347 digits and is "
        "judged by the share of 450 unseen ones it reads right. What is tuned:"
    )
    console.print(str(space()), style="dim", markup=False)


def _tune(console: Console, name: str, budget: int, population: int, workers: int, seed: int, folder: Path) -> Entry:
    began = perf_counter()
    study = eh.tune(
        train, space(), maximize="accuracy", optimizer=name, trials=budget, population=population, seed=seed,
        evaluator=eh.Processes(workers, threads=1), store=folder / f"{name}.db", name=name, progress=console.is_terminal,
    )  # fmt: skip
    if "interrupted" in study.stopped:
        raise KeyboardInterrupt
    entry = Entry(name, study, perf_counter() - began)
    if not console.is_terminal:
        console.print(f"{name:<14}{len(study.trials)} trials, best accuracy {_score(entry):.4f}, {entry.seconds:.1f} s")
    return entry


def _score(entry: Entry) -> float:
    best = entry.study.ledger.best
    return best.metrics["accuracy"] if best is not None else 0.0


def _compare(console: Console, entries: list[Entry]) -> None:
    from rich import box
    from rich.table import Table

    console.rule("[bold]What each of them found")
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("optimizer", no_wrap=True)
    for heading in ("accuracy", "seconds", "trials", "failed"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("with")
    ranked = sorted(entries, key=lambda e: (-_score(e), e.name))
    for entry in ranked:
        study = entry.study
        cells = [
            entry.name, f"{_score(entry):.4f}", f"{entry.seconds:.1f}", str(len(study.trials)),
            str(study.ledger.counts[eh.Status.FAILED]), short(study.best.params) if study.ledger.best else "",
        ]  # fmt: skip
        table.add_row(*cells, style="green" if entry is ranked[0] and console.is_terminal else None)
    console.print(table)


def short(params: dict[str, Any]) -> str:
    """Return hyperparameters in one line, without the constant.

    >>> short({"hidden": 96, "learning_rate": 0.00312345, "solver": "adam", "seed": 100})
    'hidden 96, learning_rate 0.0031, solver adam'
    """
    shown = {k: f"{v:.2g}" if isinstance(v, float) else str(v) for k, v in params.items() if k != "seed"}
    return ", ".join(f"{name} {value}" for name, value in shown.items())


def _what_next(console: Console, folder: Path, best: Entry) -> None:
    console.rule("[bold]What to try next")
    lines = (
        f"evohpo show {folder / f'{best.name}.db'} --top 10",
        "evohpo optimizers",
        f"evohpo demo --optimizers {best.name},{'ga' if best.name == 'random' else 'random'} --generations 10 --seed 2",
    )
    text = f"The studies are in {folder}; the same command with --store {folder} goes on from them."
    console.print(text, markup=False, soft_wrap=True)
    for line in lines:
        console.print(f"  {line}", markup=False, soft_wrap=True)
