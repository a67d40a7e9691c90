"""How a parameter changes a metric: partial dependence of one and of two, and which pairs interact.

Partial dependence sets a parameter to a value in a sample of the trials and averages what the surrogate predicts.

Reference: Friedman (2001), Greedy function approximation: a gradient boosting machine, section 8.2; Friedman, Popescu
(2008), Predictive learning via rule ensembles, section 8.1 (the H statistic).
"""

from __future__ import annotations

import itertools
import operator
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.analysis.data import CHOICES, activity, generator, legal
from evohpo.analysis.surrogate import surrogate_of
from evohpo.analysis.validation import Z
from evohpo.errors import UnknownName, UsageError
from evohpo.tables import by_column, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from evohpo.analysis.data import Floats, Mask
    from evohpo.analysis.surrogate import Surrogate
    from evohpo.space import Space
    from evohpo.study.study import Study

SAMPLE = 200  # trials that an effect is averaged over
CELLS = 60  # the same for each cell of a surface
PREDICTIONS = 100_000  # that all interactions may take


def effect(study: Study, parameter: str, metric: str | None = None, points: int = 30) -> pd.DataFrame:
    """Return one row a value of `parameter`: `value`, the `mean` of the metric there, and the 95 % band `low` to `high`.

    The band is what the surrogate does not know about the mean, not how much single trials differ. Only configurations
    count in which the parameter applies and which the space's constraints allow; values without any have no row.

    Args:
        study: finished or running.
        parameter: a searched parameter.
        metric: any metric that trials carry; the first objective if None.
        points: at most so many values, evenly on the parameter's scale, both ends included; of categories all, or the
            hundred that were tried most.

    Raises:
        UnknownName: no such searched parameter, or no trial carries this metric.
        UsageError: fewer than five completed trials have a value of the metric, the parameter applies in none of them, or
            fewer than two points.
    """
    import pandas as pd

    i, values = _values(study, parameter, points)
    surrogate = surrogate_of(study, metric)
    U = _sample(study, surrogate, SAMPLE, [parameter])
    rows = []
    for value in values:
        U[:, i] = study.space.parameters[parameter].gene(value)
        there = _applies(study.space, U, [i])
        if there.any():
            mean, std = surrogate.average(U[there])
            rows.append({"value": value, "mean": mean, "low": mean - Z * std, "high": mean + Z * std})
    columns: dict[str, Any] = by_column(rows, ("value", "mean", "low", "high"))
    if not study.space.parameters[parameter].ordered:
        columns["value"] = pd.Series(columns["value"], dtype=object)  # True and 1 stay what they are
    frame = table(columns)
    frame.attrs = {"metric": surrogate.metric, "parameter": parameter, "model": surrogate.model}
    return frame


def surface(
    study: Study, a: str, b: str, metric: str | None = None, points: int = 25
) -> tuple[list[Any], list[Any], Floats]:
    """Return the values of two parameters, and the mean of the metric where they meet, `(len(b), len(a))`.

    NaN where no configuration is legal, or where not both apply. See `effect` for the arguments.

    Raises:
        UnknownName: no such searched parameter, or no trial carries this metric.
        UsageError: twice the same parameter, or two that never apply together, or as `effect`.
    """
    if a == b:
        raise UsageError(f"a surface takes two parameters, not {a!r} twice: effect(study, {a!r}) shows one")
    (i, values_a), (j, values_b) = _values(study, a, points), _values(study, b, points)
    surrogate = surrogate_of(study, metric)
    U = _sample(study, surrogate, CELLS, [a, b])
    genes_a, genes_b = (
        np.array([study.space.parameters[name].gene(v) for v in values])
        for name, values in ((a, values_a), (b, values_b))
    )
    shape = (len(values_b), len(values_a), len(U))
    V = np.tile(U, (shape[0] * shape[1], 1))
    V[:, i] = np.broadcast_to(genes_a[None, :, None], shape).ravel()
    V[:, j] = np.broadcast_to(genes_b[:, None, None], shape).ravel()
    there = _applies(study.space, V, [i, j])
    total = np.zeros(len(V))
    total[there] = surrogate.mean(V[there])
    count = there.reshape(shape).sum(2)
    with np.errstate(invalid="ignore"):
        mean: Floats = np.where(count > 0, total.reshape(shape).sum(2) / count, np.nan)
    return values_a, values_b, mean


def interactions(study: Study, metric: str | None = None) -> pd.DataFrame:
    """Return one row a pair of searched parameters, the strongest interaction first.

    Columns: `a`, `b`; `strength`, the share of the variance of all predictions that only both together explain, in [0, 1];
    and `h`, Friedman's H, the same as a share of what the pair explains, as a standard deviation: 0 if the effect of one
    does not depend on the other, 1 if there is nothing but this dependence. `strength` tells which pairs are worth a look;
    `h` alone is large for pairs that hardly matter.

    A parameter with a condition interacts with those that it depends on.

    Raises:
        UnknownName: no trial carries this metric.
        UsageError: fewer than five completed trials have a value of it.
    """
    surrogate, space = surrogate_of(study, metric), study.space
    pairs = list(itertools.combinations(range(len(space.searched)), 2))
    m = int(np.clip((PREDICTIONS / max(len(pairs) + len(space.searched), 1)) ** 0.5, 12, 64))
    U = surrogate.sample(m, generator(study, 6))
    variance = float(surrogate.mean(U).var())

    alone = _dependence(surrogate, U, [(i,) for i in range(len(space.searched))])
    rows = []
    for (i, j), both in zip(pairs, _dependence(surrogate, U, pairs), strict=True):
        joint, own = float(np.mean((both - alone[i] - alone[j]) ** 2)), float(np.mean(both**2))
        strength = min(1.0, joint / variance) if variance > 0 else 0.0
        h = min(1.0, (joint / own) ** 0.5) if own > 0 else 0.0
        rows.append({"a": space.searched[i], "b": space.searched[j], "strength": strength, "h": h})
    frame = table(by_column(rows, ("a", "b", "strength", "h")))
    frame = frame.sort_values("strength", ascending=False, kind="stable", ignore_index=True)
    frame.attrs = {"metric": surrogate.metric, "model": surrogate.model}
    return frame


def _dependence(surrogate: Surrogate, U: Floats, sets: Sequence[tuple[int, ...]]) -> Floats:
    """Return `(len(sets), n)` partial dependences on sets of columns, at the values of each of the `n` rows, centred."""
    n, found = len(U), []
    together = max(1, PREDICTIONS // (5 * n * n))  # many small questions take longer than a large one
    for start in range(0, len(sets), together):
        some = sets[start : start + together]
        V = np.tile(U, (len(some), n, 1))  # row n p + q of a set: the rest of row q, the set's columns of row p
        for v, columns in zip(V, some, strict=True):
            v[:, columns] = np.repeat(U[:, columns], n, axis=0)
        found.append(surrogate.mean(V.reshape(-1, U.shape[1])).reshape(len(some), n, n).mean(2))
    means = np.concatenate(found) if found else np.empty((0, n))
    return np.asarray(means - means.mean(1, keepdims=True))


def _values(study: Study, parameter: str, points: int) -> tuple[int, list[Any]]:
    """Return the column of a parameter, and the values at which it is looked at."""
    space = study.space
    if parameter not in space.searched:
        raise UnknownName("searched parameter", str(parameter), space.searched)
    if isinstance(points, bool) or operator.index(points) < 2:
        raise UsageError(f"points={points!r}: an effect takes at least 2 values")
    values = space.parameters[parameter].levels(points)
    if len(values) > max(points, CHOICES):
        tried = Counter(t.params[parameter] for t in study.trials if parameter in t.params)
        values = [value for value, _ in tried.most_common(CHOICES)]
    return space.searched.index(parameter), values


def _sample(study: Study, surrogate: Surrogate, n: int, parameters: list[str]) -> Floats:
    """Return the genes of at most `n` measurements in which all these parameters apply."""
    columns = [study.space.searched.index(name) for name in parameters]
    there: Mask = np.asarray(surrogate.data.active[:, columns].all(1))
    if not there.any():
        names = " and ".join(map(repr, parameters))
        what = "applies" if len(parameters) == 1 else "apply together"
        raise UsageError(
            f"{names} {what} in none of the {len(there)} completed trials: there is nothing to learn about"
        )
    return surrogate.sample(n, generator(study, 4), there)


def _applies(space: Space, U: Floats, columns: list[int]) -> Mask:
    """Return `(n,)`: where all these parameters apply and the constraints hold."""
    return np.asarray(legal(space, U) & activity(space, U)[:, columns].all(1))
