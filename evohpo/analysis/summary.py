"""The summary: what a person wants to see of every trial, in one row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evohpo.study.table import _free
from evohpo.tables import table

if TYPE_CHECKING:
    import pandas as pd

    from evohpo.study.study import Study
    from evohpo.trials.trial import Trial


def summary(study: Study) -> pd.DataFrame:
    """Return one row a trial, failed and running ones too, in the order of their numbers.

    Columns: `trial`, its number; `name`, its label, "" where it has none; `status`; `method`, where it came from: the
    optimizer's name, or the label of trials that the user gave ("initial", "attached", "baseline"); `generation`; then
    every metric, the objectives first, and every parameter. Empty where a trial has no such metric or the parameter does
    not apply. A column whose name is taken gets a "_" at its end.
    """
    trials, objectives = study.trials, study.goals.metrics
    columns: dict[str, Any] = {
        "trial": [t.number for t in trials],
        "name": [t.label for t in trials],
        "status": [str(t.status) for t in trials],
        "method": [method_of(t, study.optimizer) for t in trials],
        "generation": [t.generation for t in trials],
    }
    for name in dict.fromkeys([*objectives, *(name for t in trials for name in t.metrics)]):
        columns[_free(name, columns)] = [t.metrics.get(name) for t in trials]
    for name in study.space.names:
        columns[_free(name, columns)] = [t.params.get(name) for t in trials]
    return table(columns)


def method_of(trial: Trial, optimizer: str) -> str:
    """Return where a trial came from: the optimizer, or the label that its user gave it."""
    return optimizer if trial.asked else trial.label or "attached"
