"""Recorded learning curves as an objective: tables, files and studies, looked up instead of trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from evohpo.errors import UsageError
from evohpo.evaluators.simulated import Curve, Simulated
from evohpo.space import Categorical, Continuous, OneHot, Ordinal, Space

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd

    from evohpo.study import Study

FEW = 20  # distinct numbers up to which a column becomes an Ordinal of them
Recorded: TypeAlias = (
    "list[tuple[int, dict[str, Any], float | None]]"  # step, metrics, seconds where they were measured
)

WIDE = 1000.0  # ratio of largest to smallest number from which a column becomes logarithmic


class Replayed:
    """Looks up what was recorded instead of training; its trials run on simulated workers with a virtual clock.

    `tune(replayed, replayed.space, ..., workers=64)` takes milliseconds, whatever training took. Afterwards `elapsed`,
    `timeline()`, `history()` and `utilization` say what the schedule would have cost. A configuration that was not recorded
    gets the curve of the nearest one that was (equal weights of all parameters, on their scales).

    Args:
        source: a DataFrame, or the path of a CSV or parquet file, with a row for each step of each configuration; or a
            `Study`, or the path of its store.
        metrics: the columns that were measured; not needed for a study.
        step: the column with the step, whole numbers that grow; without such a column each configuration has one step.
        seconds: what a step takes: virtual seconds for each unit of step, the name of a column with the seconds that a row
            took, or a function of hyperparameters and step.
        space: the space; None makes one of all columns that are neither metric, step nor seconds.
        overhead: virtual seconds before a trial's first step, and before it goes on after a pause.
        rerun: a trial that goes on takes its earlier steps again, as where no checkpoint is kept.

    Raises:
        UsageError: a column that is not there, steps that do not grow, metrics that are no numbers, or an empty table.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"rate": [0.1, 0.1, 0.2, 0.2], "step": [1, 2, 1, 2], "loss": [3.0, 2.0, 4.0, 1.0]})
        >>> replayed = Replayed(table, metrics=["loss"])
        >>> list(replayed({"rate": 0.2}))
        [{'loss': 4.0}, {'loss': 1.0}]
    """

    def __init__(
        self, source: pd.DataFrame | str | Path | Study, metrics: Sequence[str] = (), *, step: str = "step",
        seconds: float | str | Callable[[Mapping[str, Any], int], float] = 1.0, space: Space | None = None,
        overhead: float = 0.0, rerun: bool = False,
    ) -> None:  # fmt: skip
        if not isinstance(seconds, str) and not callable(seconds) and not seconds >= 0:
            raise UsageError(f"Replayed(seconds={seconds!r}): must be at least 0, a column's name, or a function")
        if not overhead >= 0:
            raise UsageError(f"Replayed(overhead={overhead!r}): must be at least 0 seconds")
        self._seconds, self._overhead, self._rerun = seconds, overhead, rerun
        recorded = _read(source)
        if hasattr(recorded, "trials"):
            self.space = space or recorded.space
            configs, curves = _of_study(recorded)
        else:
            columns = _columns(recorded, metrics, step, seconds)
            if not len(recorded):
                raise UsageError("Replayed: there is no curve in it")
            self.space = space or _space(recorded[columns])
            configs, curves = _of_table(recorded, columns, list(metrics), step, seconds)
        if not configs:
            raise UsageError("Replayed: there is no curve in it")
        self._lookup: Callable[[Mapping[str, Any]], Recorded] = _Nearest(self.space, configs, curves)
        self._last: Simulated | None = None

    @classmethod
    def from_function(
        cls, curve: Callable[[Mapping[str, Any]], Sequence[Mapping[str, Any]]], space: Space | Mapping[str, Any], *,
        seconds: float | Callable[[Mapping[str, Any], int], float] = 1.0, overhead: float = 0.0, rerun: bool = False,
    ) -> Replayed:  # fmt: skip
        """Return what replays curves that a function makes: of a configuration, the metrics of steps 1, 2, 3 ..."""
        self = cls.__new__(cls)
        self._seconds, self._overhead, self._rerun = seconds, overhead, rerun
        self.space = space if isinstance(space, Space) else Space(space)
        self._lookup = lambda params: [(step, dict(metrics), None) for step, metrics in enumerate(curve(params), 1)]
        self._last = None
        return self

    @property
    def curves(self) -> list[Curve]:
        """All recorded curves, points of step, metrics and seconds; none for curves that a function makes."""
        recorded = self._lookup.recorded if isinstance(self._lookup, _Nearest) else []
        return [self.curve(config) for config in recorded]

    # ---- the objective

    def __call__(self, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the metrics of a configuration, step by step; for evaluators with a real clock."""
        for _, metrics, _ in self.curve(params):
            yield dict(metrics)

    def curve(self, params: Mapping[str, Any]) -> Curve:
        """Return the recorded points of a configuration, or of the nearest one: step, metrics, seconds since the last."""
        before, timed = 0, []
        for step, metrics, took in self._lookup(params):
            timed.append((step, metrics, self._price(params, step, before) if took is None else took))
            before = step
        return timed

    def _price(self, params: Mapping[str, Any], step: int, before: int) -> float:
        if callable(self._seconds):
            return float(self._seconds(params, step))
        return float(self._seconds) * (step - before)

    # ---- the clock

    def simulate(self, workers: int) -> Simulated:
        """Return an evaluator with so many simulated workers, its clock at 0; `tune` does so by itself."""
        self._last = Simulated(self.curve, workers, self._overhead, self._rerun)
        return self._last

    def _simulation(self) -> Simulated:
        if self._last is None:
            raise UsageError("nothing was simulated yet: tune(replayed, replayed.space, ..., workers=8)")
        return self._last

    @property
    def elapsed(self) -> float:
        """Virtual seconds that the last run took."""
        return self._simulation().elapsed

    @property
    def utilization(self) -> float:
        """The share of the workers' time that they were busy in the last run, in [0, 1]."""
        return self._simulation().utilization

    def timeline(self) -> pd.DataFrame:
        """Return what ran where and when in the last run: worker, number, start, end, from_step, to_step."""
        return self._simulation().timeline()

    def history(self) -> pd.DataFrame:
        """Return every report of the last run with its virtual time: seconds, number, step, and the metrics."""
        return self._simulation().history()


class _Nearest:
    """Finds the curve of a configuration, or of the nearest one that has one."""

    def __init__(self, space: Space, configs: list[dict[str, Any]], curves: list[Recorded]) -> None:
        from scipy.spatial import cKDTree

        self.recorded = configs
        self._space, self._curves = space, curves
        self._known = {space.key(config): curve for config, curve in zip(configs, curves, strict=True)}
        self._codec = OneHot().bind(space)
        self._tree = cKDTree(self._codec.encode(configs))

    def __call__(self, params: Mapping[str, Any]) -> Recorded:
        known = self._known.get(self._space.key(dict(params)))
        return known or self._curves[int(self._tree.query(self._codec.encode([dict(params)])[0])[1])]


# ---- sources


def _read(source: Any) -> Any:
    if not isinstance(source, str | Path):
        return source
    path = Path(source)
    if not path.exists():
        raise UsageError(f"Replayed({str(path)!r}): there is no such file")
    import pandas as pd

    if path.suffix == ".csv" or path.name.endswith(".csv.gz"):
        return pd.read_csv(path)
    if path.suffix in (".parquet", ".pq"):
        return pd.read_parquet(path)
    from evohpo.study import load

    with load(path) as study:
        return study


def _of_study(study: Any) -> tuple[list[dict[str, Any]], list[Recorded]]:
    """Return configurations and curves of the trials that have a result, the longest curve of each configuration."""
    curves: dict[Any, tuple[dict[str, Any], Recorded]] = {}
    for trial in study.trials:
        points = trial.reports or ([(max(trial.steps, 1), trial.metrics)] if trial.metrics else [])
        key = study.space.key(trial.params)
        if points and (key not in curves or len(curves[key][1]) < len(points)):
            curves[key] = trial.params, [(step, metrics, None) for step, metrics in points]
    return [config for config, _ in curves.values()], [curve for _, curve in curves.values()]


def _columns(table: pd.DataFrame, metrics: Sequence[str], step: str, seconds: Any) -> list[str]:
    """Return the columns with hyperparameters.

    Raises:
        UsageError: a column that was named is not there, or none is left.
    """
    if not len(metrics) or isinstance(metrics, str):
        raise UsageError('Replayed: say which columns were measured, metrics=["accuracy", ...]')
    named = [*metrics, *([seconds] if isinstance(seconds, str) else [])]
    missing = [name for name in named if name not in table.columns]
    if missing:
        raise UsageError(
            f"Replayed: there is no column {missing[0]!r}; the columns are {', '.join(map(repr, table.columns))}"
        )
    left = [name for name in table.columns if name not in (*named, step)]
    if not left:
        raise UsageError("Replayed: no column is left for hyperparameters")
    return left


def _space(table: pd.DataFrame) -> Space:
    """Return a space in which every row is a legal configuration."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    parameters: dict[str, Any] = {}
    for name, column in table.items():
        values = sorted(column.dropna().unique().tolist(), key=lambda v: (str(type(v)), v))
        if len(values) == 1:
            parameters[str(name)] = values[0]
        elif not is_numeric_dtype(column) or is_bool_dtype(column):
            parameters[str(name)] = Categorical(values)
        elif len(values) <= FEW:
            parameters[str(name)] = Ordinal(values)
        else:
            wide = values[0] > 0 and values[-1] / values[0] >= WIDE
            parameters[str(name)] = Continuous(float(values[0]), float(values[-1]), scale="log" if wide else "linear")
    return Space(parameters)


def _of_table(
    table: pd.DataFrame, columns: list[str], metrics: list[str], step: str, seconds: Any
) -> tuple[list[dict[str, Any]], list[Recorded]]:
    """Return configurations and curves of a table.

    Raises:
        UsageError: a metric that is no finite number, or steps that are no whole numbers or come twice.
    """
    values = table[metrics].to_numpy(dtype=float, na_value=np.nan)
    if not np.isfinite(values).all():
        row, at = np.argwhere(~np.isfinite(values))[0]
        raise UsageError(
            f"Replayed: {metrics[at]!r} is {table[metrics[at]].iloc[row]!r} in row {row}: leave such rows out"
        )
    steps = table[step].to_numpy() if step in table.columns else np.ones(len(table), int)
    if len(steps) and ((steps != np.round(steps.astype(float))) | (steps.astype(float) < 1)).any():
        raise UsageError(f"Replayed: column {step!r} must have whole numbers of at least 1")
    took = table[seconds].to_numpy(dtype=float) if isinstance(seconds, str) else None
    configs, curves = [], []
    for same in table.groupby(columns, sort=False, dropna=False).indices.values():
        rows = np.asarray(same)[np.argsort(steps[same], kind="stable")]
        if len(set(steps[rows].tolist())) < len(rows):
            raise UsageError(f"Replayed: step {step!r} comes twice in rows {rows.tolist()}")
        first = table.iloc[rows[0]]
        configs.append({name: _python(first[name]) for name in columns if first[name] == first[name]})
        curves.append(
            [
                (
                    int(steps[r]),
                    dict(zip(metrics, values[r].tolist(), strict=True)),
                    None if took is None else float(took[r]),
                )
                for r in rows
            ]
        )
    return configs, curves


def _python(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
