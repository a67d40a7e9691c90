"""What the analysis knows of a study: for one metric, the configurations that were measured and what came of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evohpo.errors import UnknownName, UsageError
from evohpo.space.parameters import bins
from evohpo.trials.goals import as_number
from evohpo.trials.trial import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from evohpo.space import Space
    from evohpo.study.study import Study
    from evohpo.trials.trial import Trial

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

ANALYSIS = 1000  # key of the analysis among the streams of the study's seed: far from those that the search draws from
LARGEST = 1e100  # of a value; differences below its reciprocal are none
CHOICES = 100  # a feature each up to so many; beyond, one for all


@dataclass(frozen=True, slots=True)
class Data:
    """The `n` measurements of one metric.

    Attributes:
        metric: its name.
        direction: 1 if it is to be made small, -1 if large, 0 if it is no objective.
        numbers: `(n,)` trial numbers, ascending.
        U: `(n, searched)` genes in [0, 1], one a searched parameter. Of parameters that do not apply, a value that another
            trial has, so that asking "what if it applied?" stays within what was tried.
        active: `(n, searched)` which parameters apply.
        y: `(n,)` values of the metric.
    """

    metric: str
    direction: int
    numbers: Integers
    U: Floats
    active: Mask
    y: Floats


def metric_of(study: Study, metric: str | None) -> str:
    """Return the metric to look at: the first objective if None.

    Raises:
        UnknownName: no trial carries this metric.
    """
    if metric is None:
        return study.goals.metrics[0]
    known = dict.fromkeys([*study.goals.required, *(name for t in study.trials for name in t.metrics)])
    if metric not in known:
        raise UnknownName("metric", str(metric), known)
    return metric


def direction_of(study: Study, metric: str) -> int:
    """Return 1 for a metric to be made small, -1 for one to be made large, 0 for one that is no objective."""
    return next(((-1 if o.maximize else 1) for o in study.goals.objectives if o.metric == metric), 0)


def measured(study: Study, metric: str) -> tuple[list[Trial], Floats]:
    """Return the completed trials with a finite value of `metric`, and these values `(n,)`.

    Trials that only repeat the result of an earlier one are left out: they would be seen twice. Those that were stopped
    early are too, as their metrics belong to fewer steps. Values beyond 1e100 count as that: their squares are numbers.
    """
    trials, values = [], []
    for t in study.trials:
        if t.status is Status.COMPLETED and not repeated(t):
            value = as_number(t.metrics.get(metric))
            if value is not None and np.isfinite(value):
                trials.append(t)
                values.append(value)
    return trials, np.clip(np.array(values, float), -LARGEST, LARGEST)


def varies(y: Floats) -> bool:
    """Return whether values differ at all."""
    return len(y) > 1 and bool(np.ptp(y) > 1 / LARGEST)


def repeated(trial: Trial) -> bool:
    """Return whether a trial was given the result of an earlier one with the same configuration."""
    return trial.job.startswith("reused ")


def data_of(study: Study, metric: str | None, needed: int) -> Data:
    """Return the measurements of a metric.

    Raises:
        UnknownName: no trial carries this metric.
        UsageError: fewer than `needed` trials were measured, or the space has nothing to search.
    """
    metric = metric_of(study, metric)
    trials, y = measured(study, metric)
    if not study.space.searched:
        raise UsageError("the space has only static parameters: there is nothing to learn about")
    if len(trials) < needed:
        raise UsageError(
            f"{len(trials)} completed trials have a finite number as {metric!r}, this takes at least {needed} (repeated "
            "and stopped ones do not count): let the study go on"
        )
    U, active = units(study.space, [t.params for t in trials])
    return Data(
        metric, direction_of(study, metric), np.array([t.number for t in trials]), _filled(study, U, active), active, y
    )


def units(space: Space, configs: Iterable[Mapping[str, Any]]) -> tuple[Floats, Mask]:
    """Return genes `(n, searched)` of legal configurations, and where their parameters apply."""
    U = space.encode(configs)
    return U, activity(space, U)


def activity(space: Space, U: Floats) -> Mask:
    """Return `(n, searched)`: which parameters apply in the configurations at genes `U`."""
    active = np.ones(U.shape, bool)
    if space.conditions:
        _, where = space.columns(U)
        for i, name in enumerate(space.searched):
            if name in where:
                active[:, i] = where[name]
    return active


def legal(space: Space, U: Floats) -> Mask:
    """Return `(n,)`: which configurations at genes `U` satisfy the space's constraints."""
    return np.asarray(space.satisfied(U).all(1)) if space.constraints else np.ones(len(U), bool)


def features(space: Space, U: Floats) -> Floats:
    """Return `(n, d)` features in [0, 1] of the configurations at genes `U`, for models.

    A gene a parameter, of unordered ones a feature a choice; 0.5 where a parameter does not apply, and for every condition
    one feature more that says whether it holds.
    """
    active = activity(space, U)
    parts = []
    for i, name in enumerate(space.searched):
        k = 0 if (parameter := space.parameters[name]).ordered else parameter.cardinality
        part = np.eye(k)[bins(U[:, i], k)] if 0 < k <= CHOICES else U[:, i : i + 1]
        parts.append(np.where(active[:, i : i + 1], part, 0.5) if name in space.conditions else part)
    holds = {space.conditions[name].text: i for i, name in enumerate(space.searched) if name in space.conditions}
    return np.concatenate([*parts, active[:, list(holds.values())]], axis=1)


def generator(study: Study, purpose: int) -> np.random.Generator:
    """Return the generator of one analysis, a function of the study's seed alone."""
    return np.random.default_rng(study.seeds.sequence(ANALYSIS, purpose))


def _filled(study: Study, U: Floats, active: Mask) -> Floats:
    """Return `U` with genes that do not apply drawn from the trials where they do; 0.5 where there are none."""
    rng = generator(study, 0)
    U = U.copy()
    for i in np.flatnonzero(~active.all(0)):
        there = active[:, i]
        if there.any():
            U[~there, i] = rng.choice(U[there, i], int((~there).sum()))
    return U
