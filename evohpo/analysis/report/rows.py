"""The table of trials as plain columns and rows, ready to be JSON: what the report and the dashboard show."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from evohpo.analysis.data import repeated
from evohpo.analysis.summary import method_of
from evohpo.trials.goals import as_number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evohpo.study import Study
    from evohpo.trials import Trial

LONGEST = 300  # characters of a cell; the whole text is a click away
DIGITS = 7  # of a number in a cell


class Column(NamedTuple):
    """One column: a title, and the group it belongs to ("trial", "objective", "metric", "parameter")."""

    title: str
    group: str


def metric_names(trials: Iterable[Trial], known: Iterable[str] = ()) -> list[str]:
    """Return the names of all metrics that `trials` carry, after those already `known`."""
    names = dict.fromkeys(known)
    for trial in trials:
        names.update(dict.fromkeys(trial.metrics))
    return list(names)


def columns_of(study: Study, metrics: Iterable[str]) -> list[Column]:
    """Return the columns of the table, the objectives first among the `metrics`."""
    objectives = study.goals.metrics
    others = [name for name in metrics if name not in objectives]
    return [
        *(Column(title, "trial") for title in ("trial", "status", "method")),
        *(Column(name, "objective") for name in objectives),
        *(Column(name, "metric") for name in others),
        *([Column("violation", "trial")] if study.goals.constraints else []),
        *(Column(name, "parameter") for name in study.space.names),
        *(Column(title, "trial") for title in ("generation", "steps", "seconds", "note")),
    ]


def rows_of(study: Study, trials: Iterable[Trial], columns: Iterable[Column]) -> list[list[Any]]:
    """Return a row a trial: numbers of at most seven digits, texts, None where there is nothing; the number comes first."""
    columns = list(columns)
    metrics = [c.title for c in columns if c.group in ("objective", "metric")]
    constrained, names, method = bool(study.goals.constraints), study.space.names, study.optimizer
    rows = []
    for t in trials:
        row = [t.number, str(t.status), method_of(t, method)]
        row += [cell(t.metrics[name]) if name in t.metrics else None for name in metrics]
        if constrained:
            row.append(cell(t.violation) if t.fitness is not None else None)
        row += [cell(t.params[name]) if name in t.params else None for name in names]
        row += [t.generation if t.asked else None, t.steps or None]
        row += [cell(round(t.seconds, 3)) if t.seconds else None, note_of(t)]
        rows.append(row)
    return rows


def note_of(trial: Trial) -> str | None:
    """Return what is worth a remark: the error, or whose result it took over."""
    text = trial.error or (trial.job if repeated(trial) else "")
    return shortened(text) or None


def shortened(text: str, longest: int = LONGEST) -> str:
    """Return `text`, cut where it is long.

    >>> shortened("abcdefgh", 5)
    'abcd…'
    """
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def cell(value: Any) -> Any:
    """Return a value as a cell: a number, or text. What is not finite becomes text, for JSON knows no other way.

    >>> cell(0.123456789123), cell(3), cell(True), cell(None), cell(float("nan")), cell([1, 2])
    (0.1234568, 3, 'True', 'None', 'nan', '[1, 2]')
    """
    kind = type(value)
    if kind is str:
        return shortened(value)
    if kind is int and abs(value) < 2**53:
        return value
    number = value if kind is float else as_number(value)
    if number is None or isinstance(value, int):
        return shortened(str(value))
    return float(f"{number:.{DIGITS}g}") if math.isfinite(number) else str(number)


def rounded(value: Any, digits: int = DIGITS) -> str:
    """Return a value as text, numbers with so many digits.

    >>> rounded(0.123456789123), rounded(150.0), rounded(1 / 3, 2), rounded("adam")
    ('0.1234568', '150', '0.33', 'adam')
    """
    value = cell(value)
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def exact(value: Any) -> str:
    """Return a value as text that loses nothing.

    >>> exact(0.1 + 0.2), exact("adam"), exact(3)
    ('0.30000000000000004', 'adam', '3')
    """
    return value if isinstance(value, str) else repr(value) if isinstance(value, float) else str(value)
