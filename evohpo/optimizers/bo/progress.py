"""Results of trials that train in steps: which of them tell something, and what they are without the usual progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evohpo.optimizers.operators import Integers
    from evohpo.optimizers.protocol import Array, Results


def doublings(steps: NDArray[np.int64]) -> Integers:
    """Return how often 1 was doubled to come to each step, in whole numbers; 0 for results without steps."""
    return np.frexp(np.maximum(steps, 1))[1].astype(np.int64) - 1


def milestones(told: Results) -> Integers:
    """Return rows in order, of each trial the last one before its steps double: its other results are hardly news.

    Results that no trial is named of are all kept.
    """
    rows = np.arange(len(told))
    if not len(told.trials):
        return rows
    trial = np.where(told.trials < 0, -1 - rows, told.trials)
    level = doublings(told.steps)
    by = np.lexsort((rows, told.steps, level, trial))
    last = np.append((np.diff(trial[by]) != 0) | (np.diff(level[by]) != 0), True)
    return np.sort(by[last[: len(by)]])


def usual_progress(X: Array, steps: NDArray[np.int64], F: Array) -> Array:
    """Return `(n, m)`: how much the objectives have usually changed by the step of each result, from the first ones on.

    Only the better trials come to later rungs, so that the means of rungs cannot be compared, and a model that took them
    for what steps do would expect little of what is new. What can be compared are results of the same configuration: the
    median of their differences, over all configurations that came so far, is added up from one doubling of steps to another.

    Args:
        X: `(n, dim)` canonical chromosomes.
        steps: `(n,)` where they were measured; 0 is the end.
        F: `(n, m)` their objectives.
    """
    levels, level = np.unique(doublings(np.where(steps > 0, steps, steps.max(initial=1))), return_inverse=True)
    change = np.zeros((len(levels), F.shape[1]))
    config = np.unique(X, axis=0, return_inverse=True)[1].ravel()
    by = np.lexsort((level, config))
    before, after = by[:-1], by[1:]
    pairs = (config[before] == config[after]) & (level[before] < level[after])
    before, after = before[pairs], after[pairs]
    for k in range(1, len(levels)):
        here = level[after] == k
        came = change[level[before[here]]] + F[after[here]] - F[before[here]]
        change[k] = np.median(came, axis=0) if len(came) else change[k - 1]
    return change[level]
