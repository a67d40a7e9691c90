"""How far a surrogate can be trusted: what it says of each trial when it has not seen it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evohpo.analysis.data import varies
from evohpo.analysis.surrogate import surrogate_of
from evohpo.tables import table

if TYPE_CHECKING:
    import pandas as pd

    from evohpo.study.study import Study

Z = 1.959963984540054  # of a normal distribution, 95 % lie within so many standard deviations


def cross_validation(study: Study, metric: str | None = None) -> pd.DataFrame:
    """Return one row a completed trial: what was observed, and what a surrogate predicts that never saw it.

    Columns: `number`, `observed`, `predicted`, `std`, and the 95 % interval from `low` to `high`, in the metric's units.

    `.attrs` say how good that is: `metric`; `model`, which one it is; `r2`, the share of the variance that is explained
    (1 is perfect, 0 no better than the mean, below 0 worse); `spearman`, how well the order is predicted, in [-1, 1];
    `coverage`, the share of trials within their interval, 0.95 where the intervals are right. NaN where all values are equal.

    Args:
        study: finished or running.
        metric: any metric that trials carry; the first objective if None.

    Raises:
        UnknownName: no trial carries this metric.
        UsageError: fewer than five completed trials have a value of it.
    """
    surrogate = surrogate_of(study, metric)
    observed, (predicted, std) = surrogate.data.y, surrogate.held_out
    frame = table(
        {
            "number": surrogate.data.numbers,
            "observed": observed,
            "predicted": predicted,
            "std": std,
            "low": predicted - Z * std,
            "high": predicted + Z * std,
        }
    )
    frame.attrs = {
        "metric": surrogate.metric,
        "model": surrogate.model,
        "r2": float(1 - ((observed - predicted) ** 2).mean() / observed.var()) if varies(observed) else np.nan,
        "spearman": _spearman(observed, predicted) if varies(observed) else np.nan,
        "coverage": float(frame["observed"].between(frame["low"], frame["high"]).mean())
        if varies(observed)
        else np.nan,
    }
    return frame


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Return the correlation of the ranks, ties sharing theirs; 0 where one does not vary."""
    import pandas as pd

    value = pd.Series(a).rank().corr(pd.Series(b).rank())
    return 0.0 if np.isnan(value) else float(value)
