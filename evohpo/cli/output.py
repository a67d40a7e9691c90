"""A study as text: a header and a table that fits the terminal, CSV, or JSON."""

from __future__ import annotations

import io
import json
import math
import os
import shutil
import sys
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

import click

from evohpo.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.console import Console

    from evohpo.study import Study
    from evohpo.trials import Trial

FORMATS = ("table", "csv", "json")
WIDEST = 28  # characters of one cell


# ---- where it goes


@contextmanager
def quiet_stdout() -> Iterator[None]:
    """Send what user code prints to standard error, so that standard output holds the result and nothing else."""
    sys.stdout.flush()
    try:
        real = sys.stdout.fileno() == 1
    except (OSError, ValueError):  # captured, or no file at all
        real = False
    if not real:
        with redirect_stdout(sys.stderr):
            yield
        return
    kept = os.dup(1)
    os.dup2(2, 1)  # worker processes inherit the descriptor, not the object
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def check_out(out: Path | None, store: Path | None) -> None:
    """Refuse a file that cannot be written, or that is the store, before anything runs.

    Raises:
        UsageError: says why.
    """
    if out is None:
        return
    if store is not None and out.resolve() == store.resolve():
        raise UsageError(f"--out {out}: that is the store, and would be overwritten; give another file")
    if not out.parent.is_dir():
        raise UsageError(f"--out {out}: the folder {out.parent} does not exist; make it first")
    if not os.access(out if out.exists() else out.parent, os.W_OK):
        raise UsageError(f"--out {out}: cannot be written; give a file in a folder you may write to")


def deliver(study: Study, output: str, out: Path | None, quiet: bool = False, **selection: Any) -> None:
    """Print a study, or write it to the file `out`."""
    if out is None and quiet and output == "table":
        return
    text = render(study, output, terminal=out is None, **selection)
    text = text.encode("utf-8", "backslashreplace").decode()  # half a surrogate pair in a name would stop the writing
    if out is None:
        click.echo(text, nl=False)
        return
    part = out.with_name(f"{out.name}.part")  # a full disk must not cost what was there before
    part.write_text(text, "utf-8")
    part.replace(out)


# ---- what it says


def render(study: Study, output: str, terminal: bool = True, **selection: Any) -> str:
    """Return `study` as text in one of `FORMATS`; `selection` is that of `select`."""
    trials = select(study, **selection)
    if output == "json":
        return json.dumps(as_json(study, trials), indent=1, allow_nan=False) + "\n"
    if output == "csv":
        table = study.table()
        return str(table.iloc[[t.number for t in trials]].to_csv(index=False))
    console = make_console(terminal)
    _print_header(console, study)
    _print_trials(console, study, trials)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def make_console(terminal: bool = True) -> Console:
    """Return a console that writes into memory, as wide as the terminal, coloured if standard output is one."""
    from rich.console import Console

    width = shutil.get_terminal_size((120, 24)).columns if terminal else 120
    return Console(file=io.StringIO(), force_terminal=terminal and sys.stdout.isatty(), width=width, highlight=False)


def select(
    study: Study, best: bool = False, front: bool = False, sort: str | None = None, top: int | None = None
) -> list[Trial]:
    """Return the trials to show, in order.

    Args:
        study: where they are.
        best: the best one only.
        front: those that no other dominates.
        sort: a metric or hyperparameter; objectives best first, others smallest first, trials without it last.
        top: the first so many, best first if `sort` is not given.

    Raises:
        UnknownName: `sort` is neither metric nor hyperparameter.
    """
    trials = [study.best] if best else study.front() if front else list(study.trials)
    if sort is not None:
        trials.sort(key=_by(study, sort))
    elif top is not None and not best:
        trials = [t for t in trials if t.fitness is not None] or trials
        trials.sort(key=lambda t: (t.violation, t.fitness or (math.inf,)))
    return trials[:top]


def _by(study: Study, name: str) -> Any:
    metrics = dict.fromkeys(m for t in study.trials for m in t.metrics) | dict.fromkeys(study.goals.metrics)
    if name not in metrics and name not in study.space.names:
        raise UnknownName("metric or hyperparameter", name, [*metrics, *study.space.names])
    largest_first = any(o.maximize for o in study.goals.objectives if o.metric == name)

    def key(trial: Trial) -> tuple[int, float, str]:
        value = trial.metrics.get(name) if name in metrics else trial.params.get(name)
        if isinstance(value, bool | int | float) and value == value:
            return 0, -value if largest_first else value, ""
        return (2, 0.0, "") if value is None or value != value else (1, 0.0, str(value))

    return key


def as_json(study: Study, trials: Sequence[Trial]) -> dict[str, Any]:
    """Return settings, counts, why it ended, best and trials as values that JSON knows: NaN and infinity are null."""
    ledger, single = study.ledger, len(study.goals.objectives) == 1
    content: dict[str, Any] = {
        "settings": study.settings.to_header(),
        "counts": {str(status): n for status, n in ledger.counts.items()},
        "stopped": study.stopped,
        "best": _trial(ledger.best) if single and ledger.best is not None else None,
    }
    if not single:
        content["front"] = [t.number for t in study.front()]
    return _plain(content | {"trials": [_trial(t) for t in trials]})  # type: ignore[no-any-return]


def _trial(trial: Trial) -> dict[str, Any]:
    names = (
        "number", "generation", "status", "params", "metrics", "violation", "steps", "seconds", "worker", "job", "error",
        "kind", "label", "operator", "parents",
    )  # fmt: skip
    return {name: getattr(trial, name) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


# ---- the table


def _print_header(console: Console, study: Study) -> None:
    from rich.text import Text

    from evohpo.pruners.naming import pruner_text

    ledger = study.ledger
    counts = ", ".join(f"{n} {status}" for status, n in ledger.counts.items() if n) or "none"
    reused = sum(t.job.startswith("reused ") for t in study.trials)
    reasons = ", ".join(f"{name}: {_cell(value)}" for name, value in study.stopped.items())
    facts = {
        "study": f"{study.name}{f' of {study.settings.owner}' if study.settings.owner else ''}",
        "about": study.settings.description,
        "goals": str(study.goals),
        "optimizer": " ".join([study.optimizer, *(f"{k}={v}" for k, v in study.settings.optimizer["options"].items())]),
        "strategy": study.strategy,
        "pruner": pruner_text(study.settings.pruner) if study.settings.pruner else "",
        "seed": str(study.seed),
        "trials": f"{len(study.trials)} ({counts}{f'; {reused} reused' if reused else ''})",
        "ended": reasons or ("not yet" + (f"; go on with: evohpo resume {study.store}" if study.store else "")),
    }
    if ledger.best is not None and len(study.goals.objectives) == 1:
        best = ledger.best
        facts["best"] = f"trial {best.number}: " + ", ".join(f"{k}={_cell(v)}" for k, v in best.metrics.items())
        facts["best"] += "" if best.feasible else " (infeasible: no trial meets the constraints)"
        if (estimate := study.estimate(best)).trials > 1:
            facts["measured"] = f"{study.goals.metrics[0]}={estimate}"
        facts["with"] = ", ".join(f"{k}={_cell(v)}" for k, v in best.params.items())
    elif len(study.goals.objectives) > 1:
        facts["front"] = f"{len(study.front())} trials"
    for name, text in facts.items():
        if text:
            console.print(Text.assemble((f"{name:<10}", "bold"), text), soft_wrap=True)


def _print_trials(console: Console, study: Study, trials: Sequence[Trial]) -> None:
    if not trials:
        return
    columns = _columns(study, trials)
    shown, left = fit(columns, console.width)
    console.print()
    print_table(console, {name: columns[name] for name in shown})
    notes = [f"{len(trials)} of {len(study.trials)} trials"] if len(trials) < len(study.trials) else []
    notes += [f"not shown for width: {', '.join(left)}"] if left else []
    if notes:
        console.print(f"({'; '.join(notes)})", style="dim", markup=False)


def _columns(study: Study, trials: Sequence[Trial]) -> dict[str, list[str]]:
    """Return the table's columns in the order in which they give way, first to stay."""
    metrics = dict.fromkeys([*study.goals.metrics, *(m for t in trials for m in t.metrics)])
    columns = {"#": [str(t.number) for t in trials], "gen": [str(t.generation) for t in trials]}
    columns |= {m: [_cell(t.metrics.get(m)) for t in trials] for m in study.goals.metrics}
    if any(t.status != "completed" for t in trials):
        columns["status"] = [str(t.status) for t in trials]
    if any(t.violation for t in trials):
        columns["violation"] = [_cell(t.violation) for t in trials]
    columns |= {n: [_cell(t.params.get(n)) for t in trials] for n in study.space.searched}
    for name, cells in (
        *((m, [_cell(t.metrics.get(m)) for t in trials]) for m in metrics),
        ("seconds", [f"{t.seconds:.3g}" for t in trials]),
        ("label", [t.label for t in trials]),
        ("error", [t.error for t in trials]),
    ):
        if name not in columns and any(cells):
            columns[name] = cells
    return columns


def fit(columns: dict[str, list[str]], width: int) -> tuple[list[str], list[str]]:
    """Return the names of the columns that fit into `width` characters side by side, and of those that don't."""
    shown: list[str] = []
    used = 0
    for name, cells in columns.items():
        needs = min(WIDEST, max(map(len, [name, *cells]))) + 2
        if used + needs > width and shown:
            continue
        used += needs
        shown.append(name)
    return shown, [name for name in columns if name not in shown]


def print_table(console: Console, columns: dict[str, list[str]], widest: int = WIDEST) -> None:
    """Print columns of text side by side, numbers to the right, long cells cut."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", collapse_padding=True)
    for name, cells in columns.items():
        numeric = all(_is_number(c) for c in cells if c)
        table.add_column(
            Text(name), justify="right" if numeric else "left", no_wrap=True, overflow="ellipsis", max_width=widest
        )
    for row in zip(*columns.values(), strict=True):
        table.add_row(*(Text(cell.replace("\n", " ")) for cell in row))
    console.print(table)


def _cell(value: Any) -> str:
    """Return a value as it stands in a table.

    >>> _cell(0.123456789), _cell(None), _cell("adam"), _cell({"accuracy": 0.5})
    ('0.123457', '', 'adam', 'accuracy=0.5')
    """
    if isinstance(value, dict):
        return ", ".join(f"{k}={_cell(v)}" for k, v in value.items())
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
