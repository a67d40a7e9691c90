"""Tables and studies of one's own as problems: what was measured is looked up instead of measured again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.bench.problems.problem import Problem
from evohpo.errors import UsageError
from evohpo.replayed import Replayed
from evohpo.trials.goals import Goals
from evohpo.trials.pareto import front, hypervolume

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from evohpo.study import Study


def recorded(
    source: Replayed | pd.DataFrame | str | Path | Study, *, maximize: str | Iterable[str] | None = None,
    minimize: str | Iterable[str] | None = None, constraints: Iterable[str] = (), name: str | None = None, **how: Any,
) -> Problem:  # fmt: skip
    """Return recorded trials as a problem, whose optimum is the best that was recorded.

    Args:
        source: what `Replayed` takes: a table, the path of one, a study, the path of its store; or a `Replayed`.
        maximize: a metric or several; a study knows its own.
        minimize: a metric or several.
        constraints: on metrics.
        name: for tables and files.
        **how: further arguments of `Replayed`, such as `step="epoch"`.

    Raises:
        UsageError: no objective, or what `Replayed` refuses.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"rate": [0.1, 0.2, 0.4], "loss": [3.0, 1.0, 2.0]})
        >>> recorded(table, minimize="loss", name="rates").optimum
        1.0
    """
    study = _study(source)
    if study is not None and maximize is None and minimize is None:
        goals = Goals.of(**study.goals.to_dict())
    else:
        goals = Goals.of(maximize, minimize, constraints)
    if isinstance(source, Replayed):
        replayed = source
    elif study is not None:
        replayed = Replayed(study, **how)
    else:
        replayed = Replayed(source, list(how.pop("metrics", ())) or list(goals.required), **how)
    optimum, reference = _known(replayed, goals)
    label = name or (
        study.name if study is not None else Path(source).stem if isinstance(source, str | Path) else "recorded"
    )
    return Problem(label, replayed, replayed.space, goals, optimum, reference)


def _study(source: Any) -> Study | None:
    """Return the study that `source` is, or that its file holds."""
    if hasattr(source, "ledger"):
        return source  # type: ignore[no-any-return]
    if isinstance(source, str | Path) and Path(source).suffix not in (".csv", ".gz", ".parquet", ".pq"):
        from evohpo.study import load

        if not Path(source).exists():
            raise UsageError(f"recorded({str(source)!r}): there is no such file")
        with load(source) as study:
            return study
    return None


def _known(replayed: Replayed, goals: Goals) -> tuple[float | None, tuple[float, ...] | None]:
    """Return the optimum and the reference point of what was recorded, as far as they can be told.

    A trial that runs to its end has the last point of its curve as its result.
    """
    results = [goals.check(curve[-1][1]) for curve in replayed.curves]
    legal = [r for r in results if not goals.constraints or goals.violation(r) <= 0]
    if not legal or goals.relative:
        return None, None
    F = np.array([goals.fitness(r) for r in legal])
    if F.shape[1] == 1:
        return float(F.min() * goals.signs[0]), None
    worst = F.max(0)
    return hypervolume(F[front(F)], worst), tuple((worst * goals.signs).tolist())
