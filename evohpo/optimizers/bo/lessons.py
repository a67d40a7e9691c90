"""What earlier studies of related tasks let a model expect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from evohpo.optimizers.bo.model import Fitting, Learner
from evohpo.optimizers.bo.thinning import thinned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evohpo.optimizers.bo.domain import Domain
    from evohpo.optimizers.protocol import Array

MOST = 100  # results of a study that its model is made of: the better half as they are, some of the others
FEWEST = 3  # with fewer there is nothing to model


class Lessons:
    """Models of earlier studies, each of its own ranks, so that their scales do not matter.

    Args:
        domain: what the genes mean.
        prior: chromosomes `(n, dim)` of each study and the share of its results that were better, `(n,)`.
        fitting: how much is spent on a model.

    Reference: Feurer, Letham, Bakshy (2018), Scalable meta-learning for Bayesian optimization using ranking-weighted Gaussian
    process ensembles (a model a study); here weights are coefficients of a linear trend, integrated out.
    """

    def __init__(self, domain: Domain, prior: Sequence[tuple[Array, Array]], fitting: Fitting) -> None:
        self._models = []
        for X, scores in prior:
            by = thinned(np.argsort(scores, kind="stable"), MOST)
            if len(by) < FEWEST:
                continue
            z = ndtri(np.clip(scores[by] + 0.5 / len(scores), 0.5 / len(scores), 1 - 0.5 / len(scores)))
            z = (z - z.mean()) / max(z.std(), 1e-9)
            self._models.append(Learner(domain, fitting).learn(domain.coordinates(domain.canonical(X[by])), z, len(by)))

    def __len__(self) -> int:
        return len(self._models)

    def __call__(self, coordinates: Array) -> Array:
        """Return `(n, studies)`: what each study lets one expect of configurations, in its standard deviations."""
        said = [np.mean([model.predict(coordinates)[0] for model in models], axis=0) for models in self._models]
        return np.stack(said, 1) if said else np.empty((len(coordinates), 0))
