"""What all results together let one hope for: objectives, and whether a configuration is feasible and does not fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata

from evohpo.optimizers.bo.acquisition import log_feasibility, log_hypervolume, log_improvement
from evohpo.optimizers.bo.lessons import Lessons
from evohpo.optimizers.bo.model import Fitting, Learner
from evohpo.optimizers.bo.progress import usual_progress
from evohpo.optimizers.bo.warping import half_rank
from evohpo.optimizers.protocol import Array, Results

if TYPE_CHECKING:
    from evohpo.optimizers.bo.domain import Domain
    from evohpo.optimizers.bo.gp import GaussianProcess

DIRECTIONS = 24  # in which the volume behind a front is measured
MARGIN = 0.1  # of a front's extent, by which the reference point is worse than its worst

Score = Callable[[Array], Array]


class Belief:
    """Learners for every objective and, once something was infeasible or failed, for that.

    Args:
        domain: what the genes mean.
        n_objectives: how many there are.
        fitting: how much is spent on the models.
        prior: what earlier studies found, see `Problem`; of several objectives nothing is learned from it.
    """

    def __init__(
        self, domain: Domain, n_objectives: int, fitting: Fitting, prior: Sequence[tuple[Array, Array]] = ()
    ) -> None:
        self._domain = domain
        self._lessons = Lessons(domain, prior if n_objectives == 1 else (), fitting)
        self._objectives = [Learner(domain, fitting, len(self._lessons)) for _ in range(n_objectives)]
        self._trouble = Learner(domain, fitting)

    def acquisition(
        self,
        told: Results,
        count: int,
        usual: Array,
        pending: Array,
        resource: float,
        margin: float,
        rng: np.random.Generator,
    ) -> Score:
        """Return a function that says how much `(n, dim)` canonical chromosomes promise, `(n,)`.

        Args:
            told: the results, canonical ones; at least one.
            count: of how many they are the best and some others.
            usual: `(u, m)` objectives of the first results, which say what differences are large.
            pending: `(k, dim)` chromosomes whose results are not known: they count as if they gave what is expected.
            resource: where on the way to the last step it is asked.
            margin: how much better than the best it must be to count, in standard deviations of the results.
            rng: the source of all draws.
        """
        features = self._features(told.X, self._domain.resource(told.steps))
        imagined = self._features(pending, resource)
        trouble = told.failed | (told.violation > 0)
        parts: list[Score] = []
        if trouble.all():  # less violation is what is sought
            violation = np.where(told.failed, told.violation.max() + 1.0, told.violation)
            models = self._trouble.learn(features, half_rank(violation, violation), count)
            known = np.concatenate([self._features(told.X, resource), imagined])
            parts.append(_improving([models], known, imagined, margin, None))
        else:
            there = ~told.failed  # what is infeasible has objectives, too
            F = told.F[there] - usual_progress(told.X[there], told.steps[there], told.F[there])
            learned = [
                learner.learn(features[there], half_rank(F[:, j], usual[:, j]), count)
                for j, learner in enumerate(self._objectives)
            ]
            directions = _directions(len(learned), rng) if len(learned) > 1 else None
            known = np.concatenate([self._features(told.X[~trouble], resource), imagined])
            parts.append(_improving(learned, known, imagined, margin, directions))
            if trouble.any():
                models = self._trouble.learn(features, _labels(told), count)
                parts.append(_feasible([model.with_fantasies(imagined) for model in models]))

        def score(X: Array) -> Array:
            at = self._features(X, resource)
            return np.asarray(sum(part(at) for part in parts))

        return score

    def _features(self, X: Array, resource: Array | float) -> Array:
        """Return coordinates, and behind them what earlier studies, which measured at the last step, let one expect."""
        at = self._domain.coordinates(X, resource)
        return np.concatenate([at, self._lessons(self._domain.coordinates(X))], 1) if len(self._lessons) else at


def _labels(told: Results) -> Array:
    """Return -0.5 for what is feasible, else 0.5 to 1: the more, the more violation; 1 for what failed."""
    bad = (told.violation > 0) & ~told.failed
    z = np.where(told.failed, 1.0, -0.5)
    z[bad] = 0.5 + 0.5 * (rankdata(told.violation[bad]) - 1) / max(bad.sum() - 1, 1)
    return z


def _feasible(models: list[GaussianProcess]) -> Score:
    return lambda at: np.asarray(np.mean([log_feasibility(*model.predict(at)) for model in models], axis=0))


def _improving(
    learned: list[list[GaussianProcess]], known: Array, imagined: Array, margin: float, directions: Array | None
) -> Score:
    """Return the score of expected improvement, averaged over models, on what they expect of `known` ones."""
    members = []
    for models in zip(*learned, strict=True):  # a model of each objective
        expected = np.stack([model.predict(known)[0] for model in models], 1)
        members.append(([model.with_fantasies(imagined) for model in models], expected))

    def score(at: Array) -> Array:
        each = []
        for models, expected in members:
            predicted = [model.predict(at) for model in models]
            if directions is None:
                mean, std = predicted[0]
                each.append(log_improvement(mean, std, float(expected.min()) - margin))
                continue
            mean, std = (np.stack(columns, 1) for columns in zip(*predicted, strict=True))
            worst, best = expected.max(0), expected.min(0)
            each.append(log_hypervolume(mean, std, expected, worst + MARGIN * (worst - best) + 1e-6, directions))
        return np.asarray(np.logaddexp.reduce(each, axis=0))

    return score


def _directions(m: int, rng: np.random.Generator) -> Array:
    vectors = np.maximum(np.abs(rng.standard_normal((DIRECTIONS, m))), 1e-2)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
