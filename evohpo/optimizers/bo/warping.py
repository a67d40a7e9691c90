"""Losses as a model wants them: without the tails that tell nothing of where the best is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

if TYPE_CHECKING:
    from evohpo.optimizers.protocol import Array


def half_rank(y: Array, usual: Array) -> Array:
    """Return losses `(n,)` standardised, those above the usual median by normal scores as wide as the better half.

    What a diverged training costs is noise; that it was worse than others is information. Differences among better ones stay
    as they are, and what differences are large is told by results from everywhere: measured by those near an optimum, once
    most are, the least improvement would seem worth any number of trials.

    Args:
        y: the losses.
        usual: `(u,)` losses whose median and spread count; those of `y` if there are none.

    Reference: Golovin et al. (2017), Google Vizier; Song et al. (2024), The Vizier Gaussian process bandit algorithm.
    """
    usual = usual if len(usual) else y
    centre = np.median(usual)
    spread = np.sqrt(np.mean((usual[usual <= centre] - centre) ** 2))
    ranks = rankdata(y)
    if not np.isfinite(spread) or spread <= 1e-12 * max(1.0, abs(centre)):
        z = ndtri((ranks - 0.5) / len(y))  # more than half are equal
    else:
        worse = y > centre
        better = len(y) - int(worse.sum())
        share = (np.maximum(ranks - better, 0.5) - 0.5) / max(len(y) - better, 1)
        z = np.where(worse, ndtri(0.5 + 0.5 * share), (y - centre) / spread)
    scale = z.std()
    return np.asarray((z - z.mean()) / (scale if scale > 0 else 1.0))
