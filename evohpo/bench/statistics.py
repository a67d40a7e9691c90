"""What can be said of paired results: ranks, bootstrap intervals, signed-rank tests with correction, Friedman's test.

Reference: Demsar (2006), Statistical comparisons of classifiers over multiple data sets; Benavoli, Corani, Mangili (2016),
Should we really use post-hoc tests based on mean-ranks? (why pairs are compared by signed ranks); Holm (1979), A simple
sequentially rejective multiple test procedure.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESAMPLES = 2000
LEVEL = (
    0.02  # at 0.05 five of a hundred comparisons of equals would find a difference by chance, often six; so seldom one
)


def signed_rank(differences: Floats) -> float:
    """Return the two-sided p-value of Wilcoxon's signed-rank test; 1 where all pairs are equal.

    >>> round(signed_rank(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])), 5), signed_rank(np.zeros(9))
    (0.03125, 1.0)
    """
    from scipy.stats import wilcoxon

    kept = differences[differences != 0]
    return float(wilcoxon(kept).pvalue) if len(kept) else 1.0


def smallest(pairs: int) -> float:
    """Return the least p-value that so many pairs can have."""
    return float(2.0 ** (1 - pairs)) if pairs else 1.0


def holm(p: Floats) -> Floats:
    """Return p-values `(k,)` corrected for there being `k` of them.

    >>> holm(np.array([0.01, 0.04, 0.03])).round(4).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    corrected = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    made = np.empty(len(p))
    made[order] = np.minimum(corrected, 1.0)
    return made


def ranks(scores: Floats) -> Floats:
    """Return ranks `(k, n)` of `k` competitors in `n` blocks by scores `(k, n)`, 1 the least; equals share the mean.

    >>> ranks(np.array([[0.1, 3.0], [0.2, 3.0]])).tolist()
    [[1.0, 1.5], [2.0, 1.5]]
    """
    from scipy.stats import rankdata

    return np.asarray(rankdata(scores, axis=0))


def friedman(scores: Floats) -> float:
    """Return the p-value of Friedman's test of `k` competitors in `n` blocks `(k, n)`; NaN for two or one block.

    >>> bool(friedman(np.array([[1.0] * 6, [2.0] * 6, [3.0] * 6])) < 0.01)
    True
    """
    from scipy.stats import friedmanchisquare

    if scores.shape[0] < 3 or scores.shape[1] < 2 or (scores == scores[0]).all():
        return float("nan")
    return float(friedmanchisquare(*scores).pvalue)


def critical_difference(competitors: int, blocks: int, level: float) -> float:
    """Return by how much mean ranks must differ to tell two apart (Nemenyi's test).

    >>> round(critical_difference(4, 14, 0.05), 2)
    1.25
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    z, step = np.linspace(-8.0, 8.0, 1601, retstep=True)

    def beyond(q: float) -> float:
        """Return the chance that the range of `competitors` normal numbers is above `q`, less the level."""
        below = norm.pdf(z) * (norm.cdf(z) - norm.cdf(z - q)) ** (competitors - 1)
        return float(1 - competitors * below.sum() * step - level)

    # scipy.stats.studentized_range gives the same after seconds
    q = brentq(beyond, 0.0, 40.0) / np.sqrt(2)
    return float(q * np.sqrt(competitors * (competitors + 1) / (6 * blocks)))


def interval(values: Floats, level: float = 0.05) -> tuple[Floats, Floats]:
    """Return a bootstrap interval of the mean over seeds and problems.

    Seeds are drawn anew within each problem, since the problems are what they are.

    Args:
        values: `(problems, seeds, ...)`.
        level: the share of intervals that may miss.

    Returns:
        Lower and upper ends, of the shape that is left.
    """
    problems, seeds = values.shape[:2]
    drawn = np.random.default_rng(0).multinomial(seeds, [1 / seeds] * seeds, (RESAMPLES, problems))
    means = drawn.reshape(RESAMPLES, -1) @ values.reshape(problems * seeds, -1) / (problems * seeds)
    low, high = np.quantile(means, [level / 2, 1 - level / 2], axis=0)
    return low.reshape(values.shape[2:]), high.reshape(values.shape[2:])


def median_interval(values: Floats, level: float = 0.05) -> tuple[float, float]:
    """Return a bootstrap interval of the median of `(n,)`."""
    drawn = np.random.default_rng(0).choice(values, (RESAMPLES, len(values)))
    low, high = np.quantile(np.median(drawn, axis=1), [level / 2, 1 - level / 2])
    return float(low), float(high)


def alike(order: list[int], same: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the longest stretches of `order`, first and last place, in which any two are the same, two or more long.

    >>> alike([2, 0, 1], np.array([[True, True, True], [True, True, False], [True, False, True]]))
    [(0, 1), (1, 2)]
    """
    found: list[tuple[int, int]] = []
    for first in range(len(order)):
        last = first
        while last + 1 < len(order) and all(same[order[last + 1], order[i]] for i in range(first, last + 1)):
            last += 1
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found
