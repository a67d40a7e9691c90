"""The page of one trial: what it was, what it reported, what it left in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from evohpo.analysis.report.rows import cell
from evohpo.trials.goals import as_number

if TYPE_CHECKING:
    from pathlib import Path

    from evohpo.study import Study
    from evohpo.trials import Trial

TAIL = 20_000  # bytes of a text file shown, its end
FILES = 40  # shown of a folder
SEEN = 1000  # looked at in a folder
TEXTS = {".log", ".txt", ".out", ".err", ".json", ".jsonl", ".csv", ".yaml", ".yml", ".toml", ".md"}
TEXT_NAMES = {"stdout", "stderr", "log"}


@dataclass(frozen=True, slots=True)
class File:
    """A file in a trial's folder; `text` is its end where it is text, `cut` whether there is more before."""

    name: str
    size: int
    text: str = ""
    cut: bool = False


def facts_of(study: Study, trial: Trial) -> list[tuple[str, str]]:
    """Return what else is known of a trial, as pairs of words and values."""
    facts: dict[str, Any] = {
        "generation": trial.generation if trial.asked else "",
        "steps": trial.steps or "",
        "seconds": f"{trial.seconds:.3g}" if trial.seconds else "",
        "worker": trial.worker,
        "job": trial.job,
        "label": trial.label,
        "operator": trial.operator,
        "parents": ", ".join(map(str, trial.parents)),
        "goes on from trial": trial.heir if trial.heir >= 0 else "",
        "went on by": trial.resumed,
        "constraints missed by": cell(trial.violation) if study.goals.constraints and trial.fitness is not None else "",
    }
    return [(name, str(value)) for name, value in facts.items() if value != ""]


def curves_of(trial: Trial) -> dict[str, list[list[Any]]]:
    """Return the numbers a trial reported, by metric: steps and values."""
    curves: dict[str, list[list[Any]]] = {}
    for step, metrics in trial.reports or ():
        for name, value in metrics.items():
            if as_number(value) is not None:
                steps, values = curves.setdefault(name, [[], []])
                steps.append(step)
                number = cell(value)
                values.append(number if isinstance(number, int | float) else None)
    return curves


def files_of(store: Path, number: int) -> list[File]:
    """Return what lies in a trial's folder, logs and other texts first; of these their end."""
    folder = store.with_name(f"{store.name}.files") / f"trial-{number:06d}"
    home = folder.resolve()
    found = [path for path in islice(folder.rglob("*"), SEEN) if path.is_file()]
    inside = [path for path in found if path.resolve().is_relative_to(home)]  # a link may lead anywhere
    inside.sort(key=lambda path: (not _is_text(path), len(path.parts), path))
    return [_read(path, str(path.relative_to(folder))) for path in inside[:FILES]]


def _is_text(path: Path) -> bool:
    return path.suffix.lower() in TEXTS or path.name in TEXT_NAMES


def _read(path: Path, name: str) -> File:
    try:
        size = path.stat().st_size
        if not _is_text(path):
            return File(name, size)
        with path.open("rb") as file:
            file.seek(max(0, size - TAIL))
            return File(name, size, file.read(TAIL).decode("utf-8", "replace"), size > TAIL)
    except OSError:  # gone, or not for us: its name is worth showing
        return File(name, 0)
