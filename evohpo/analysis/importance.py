"""Which parameters matter: for reaching the best results, or for the metric as a whole.

Both methods ask the surrogate instead of comparing trials with trials: those that an evolutionary algorithm proposed are
crowded where results are good, and the best of them have in common whatever the population had drifted to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evohpo.analysis.data import Floats, activity, generator, legal, varies
from evohpo.analysis.surrogate import Surrogate, surrogate_of
from evohpo.errors import UnknownName
from evohpo.space.parameters import bins
from evohpo.tables import table

if TYPE_CHECKING:
    import pandas as pd

    from evohpo.analysis.data import Integers, Mask
    from evohpo.space.parameters import Parameter
    from evohpo.study.study import Study

DRAWN = 4000  # configurations that PED-ANOVA compares
TOP = 0.1  # the share of them that is the top
LEVELS = 64  # of the gene of a parameter with more values
CHANCE = 64  # random tops, to know what chance alone would show
SAMPLE, REPEATS = 300, 5  # configurations whose parameters are permuted, and how often
METHODS = ("ped-anova", "permutation")


def importance(study: Study, metric: str | None = None, method: str = "ped-anova") -> pd.DataFrame:
    """Return how much each searched parameter matters, most important first.

    Columns: `parameter`, and `importance`, a share: they sum to 1, or are all 0 where nothing can be told from chance.
    `.attrs`: `metric`, `method`, and `model`, what the surrogate is.

    - "ped-anova": for getting into the top tenth of the space. How much the parameter's distribution among the best
      differs from that among all, as Pearson's divergence, less what as many random configurations would show; of uniform
      draws of the space that the surrogate has judged. Sees narrow optima, and only what matters near the best. Of a
      metric that is no objective both ends count. A parameter that does not always apply is compared where it does, which
      counts alpha^2 / beta (alpha the share of the best in which it applies, beta that of all), so that what its
      condition achieves is not ascribed to it.
    - "permutation": for the metric as a whole. How much the prediction changes in the mean square when the parameter's
      values are exchanged among the trials; of an additive function these are the shares of the variance. Where a
      parameter does not apply nothing changes; one that others depend on takes them along.

    Args:
        study: finished or running.
        metric: any metric that trials carry; the first objective if None.
        method: "ped-anova" or "permutation".

    Raises:
        UnknownName: no such method, or no trial carries this metric.
        UsageError: fewer than five completed trials have a value of it.

    Reference: Watanabe, Bansal, Hutter (2023), PED-ANOVA: Efficiently quantifying hyperparameter importance in arbitrary
    subspaces; Baba, Ozaki, Watanabe (2026), Conditional PED-ANOVA; Fisher, Rudin, Dominici (2019), All models are wrong,
    but many are useful (permutation importance of a model).
    """
    if method not in METHODS:
        raise UnknownName("method", str(method), METHODS)
    surrogate = surrogate_of(study, metric)
    shares = (_permutation if method == "permutation" else _ped_anova)(study, surrogate)
    total = shares.sum()
    shares = shares / total if total > 0 else shares
    frame = table({"parameter": list(study.space.searched), "importance": shares})
    frame = frame.sort_values("importance", ascending=False, kind="stable", ignore_index=True)
    frame.attrs = {"metric": surrogate.metric, "method": method, "model": surrogate.model}
    return frame


def _permutation(study: Study, surrogate: Surrogate) -> Floats:
    """Return `(searched,)` mean squared changes of the prediction."""
    rng = generator(study, 2)
    U = surrogate.sample(SAMPLE, rng)
    before, changes = np.tile(surrogate.mean(U), REPEATS), np.zeros(U.shape[1])
    for i in range(U.shape[1]):
        V = np.tile(U, (REPEATS, 1))
        V[:, i] = np.concatenate([rng.permutation(U[:, i]) for _ in range(REPEATS)])
        there = legal(study.space, V)
        if there.any():
            changes[i] = np.mean((surrogate.mean(V[there]) - before[there]) ** 2)
    return changes


def _ped_anova(study: Study, surrogate: Surrogate) -> Floats:
    """Return `(searched,)` divergences beyond chance of the best from all."""
    rng, space = generator(study, 3), study.space
    U = space.encode(space.sample(DRAWN, rng))
    active, y, direction = activity(space, U), surrogate.mean(U), surrogate.data.direction
    found = np.zeros(U.shape[1])
    if not varies(y):
        return found
    for sign in (direction,) if direction else (1, -1):
        top = _top(sign * y)
        for i, name in enumerate(space.searched):
            there, best = active[:, i], top & active[:, i]
            if best.any():
                alpha, beta = best.sum() / top.sum(), there.mean()
                divergence = _divergence(space.parameters[name], U[there, i], best[there], rng)
                found[i] += alpha**2 / beta * divergence
    return found


def _top(y: Floats) -> Mask:
    """Return `(n,)`: which are the smallest of `y`; as good as the last one of these is good enough."""
    count = round(TOP * len(y))
    return np.asarray(y <= np.partition(y, count - 1)[count - 1])


def _divergence(parameter: Parameter, u: Floats, top: Mask, rng: np.random.Generator) -> float:
    """Return Pearson's divergence of the genes of the top from all of them, less the mean of random tops; at least 0."""
    k = parameter.cardinality if 0 < parameter.cardinality <= LEVELS or not parameter.ordered else LEVELS
    level = bins(u, k)
    everything: Integers = np.bincount(level, minlength=k)
    chance = rng.multivariate_hypergeometric(everything, int(top.sum()), size=CHANCE, method="marginals")
    counts = np.vstack([np.bincount(level[top], minlength=k), chance, everything]).astype(float)
    if parameter.ordered:
        counts = counts @ _kernel(u, int(top.sum()), k)
    shares = counts / counts.sum(1, keepdims=True)
    region = shares[-1]
    seen = region > 0
    divergences = ((shares[:-1, seen] - region[seen]) ** 2 / region[seen]).sum(1)
    return max(0.0, float(divergences[0] - divergences[1:].mean()))


def _kernel(u: Floats, top: int, k: int) -> Floats:
    """Return `(k, k)` weights of a gaussian on the levels' middles, each row of sum 1, of Scott's width for `top` points.

    Both distributions are smoothed alike, so that smoothing alone makes no difference between them.
    """
    quarter, three_quarters = np.quantile(u, [0.25, 0.75])
    spread = min(float(u.std()), (three_quarters - quarter) / 1.34) or float(u.std())
    width = max(1.06 * spread * top**-0.2, 0.5 / k)
    middles = (np.arange(k) + 0.5) / k
    weights = np.exp(-0.5 * ((middles[:, None] - middles) / width) ** 2)
    return np.asarray(weights / weights.sum(1, keepdims=True))
