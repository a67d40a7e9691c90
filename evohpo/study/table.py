"""The study as tables: a row a trial, a row a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evohpo.tables import by_column, table

if TYPE_CHECKING:
    import pandas as pd

    from evohpo.study.study import Study


def trials_table(study: Study) -> pd.DataFrame:
    """Return one row a trial: number, generation, status, objectives, other metrics, hyperparameters, then the rest."""
    trials = study.trials
    objectives = study.goals.metrics
    others = dict.fromkeys(name for t in trials for name in t.metrics if name not in objectives)
    columns: dict[str, Any] = {
        "number": [t.number for t in trials],
        "generation": [t.generation for t in trials],
        "status": [str(t.status) for t in trials],
    }
    for name in (*objectives, *others):
        columns[_free(name, columns)] = [t.metrics.get(name) for t in trials]
    for name in study.space.names:
        columns[_free(name, columns)] = [t.params.get(name) for t in trials]
    rest = ("violation", "steps", "seconds", "worker", "job", "error", "label")
    for name in rest:
        columns[_free(name, columns)] = [getattr(t, name) for t in trials]
    if any(t.parents or t.operator for t in trials):
        columns[_free("parents", columns)] = [t.parents for t in trials]
        columns[_free("operator", columns)] = [t.operator for t in trials]
    if any(t.resumed for t in trials):
        columns[_free("resumed", columns)] = [t.resumed for t in trials]
    return table(columns)


def curves_table(study: Study) -> pd.DataFrame:
    """Return one row a report: number, step, and the metrics reported."""
    rows = [{"number": t.number, "step": step, **metrics} for t in study.trials for step, metrics in t.reports or ()]
    return table(by_column(rows, ("number", "step")))


def _free(name: str, columns: dict[str, Any]) -> str:
    """Return a column name not yet taken: a metric may be called like a hyperparameter, or "seconds"."""
    while name in columns:
        name += "_"
    return name
