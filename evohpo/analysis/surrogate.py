"""A surrogate: a model of one metric over the space, learned from the trials, whatever optimizer proposed them.

Two models compete, and the one with the smaller leave-one-out error is taken: a gaussian process, good on smooth metrics
and few trials, and a random forest, good where thresholds decide.

Reference: Rasmussen, Williams (2006), Gaussian Processes for Machine Learning, sections 2.2, 5.1 and 5.4.2; Breiman
(2001), Random forests, section 3.1 (out-of-bag estimates).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np

from evohpo.analysis.data import Data, Floats, Integers, data_of, features, generator, metric_of, varies

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from evohpo.analysis.data import Mask
    from evohpo.space import Space
    from evohpo.study.study import Study

NEEDED = 5  # measurements: one a fold
FOLDS = 5
MOST = 500  # points that a gaussian process is given: it takes time in the third power of them
FITTED = 200  # of these, how many its length scales are learned from
WIDEST = 60  # features with a length scale each; beyond, all share one
STEPS = 20  # of the likelihood's climb: more take four times as long and predict no better, with few trials worse
HEAVY = 30.0  # a standard deviation of so many interquartile ranges (of a normal distribution: 0.74) is tails alone
TREES = 200
CHUNK = 4_000  # predictions at once: bounds the memory


class Model(Protocol):
    """What both models are: fitted to features `(n, d)` and values `(n,)`."""

    def predict(self, X: Floats) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of a measurement at `X`, `(n,)` each."""
        ...

    def mean(self, X: Floats) -> Floats:
        """Return the mean alone, which takes less time."""
        ...

    def average(self, X: Floats) -> tuple[float, float]:
        """Return the mean of the predictions at `X`, and the standard deviation of this mean."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Surrogate:
    """What was learned of one metric.

    Attributes:
        metric: its name.
        model: "gaussian process", "forest", or "constant" where all values are equal.
        error: mean absolute leave-one-out error, in the metric's units.
        errors: the same of every model that was tried.
        data: the measurements it was learned from.
        held_out: `(n,)` means and `(n,)` standard deviations, the prediction of each measurement by a model that never saw
            it.
        space: the space.
        fitted: the model itself, on features.
    """

    metric: str
    model: str
    error: float
    errors: dict[str, float]
    data: Data
    held_out: tuple[Floats, Floats]
    space: Space
    fitted: Model

    def predict(self, configs: Iterable[Mapping[str, Any]]) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of what a measurement would give, `(n,)` each, in the metric's units.

        Args:
            configs: `n` configurations; what does not apply in them may be there or not.

        Raises:
            IllegalValue: a missing, unknown or illegal value.
        """
        return self.at(self.space.encode([self.space.narrowed(c) for c in configs]))

    def at(self, U: Floats) -> tuple[Floats, Floats]:
        """Return mean and standard deviation at genes `U` `(n, searched)`; see `predict`."""
        parts = [self.fitted.predict(features(self.space, U[i : i + CHUNK])) for i in range(0, len(U), CHUNK)]
        means, stds = zip(*parts, strict=True) if parts else ([np.empty(0)], [np.empty(0)])
        return np.concatenate(means), np.concatenate(stds)

    def mean(self, U: Floats) -> Floats:
        """Return the mean alone at genes `U`, which takes less time."""
        parts = [self.fitted.mean(features(self.space, U[i : i + CHUNK])) for i in range(0, len(U), CHUNK)]
        return np.concatenate(parts) if parts else np.empty(0)

    def sample(self, n: int, rng: np.random.Generator, among: Mask | None = None) -> Floats:
        """Return the genes of `n` random measurements, of all (`among` these, `(len(data.y),)`) if there are not so many."""
        known = self.data.U if among is None else self.data.U[among]
        return known[np.sort(rng.choice(len(known), n, replace=False))] if len(known) > n else known.copy()

    def average(self, U: Floats) -> tuple[float, float]:
        """Return the mean over the configurations at genes `U`, and the standard deviation of that mean."""
        return self.fitted.average(features(self.space, U))

    def __repr__(self) -> str:
        tried = ", ".join(f"{name} {error:.4g}" for name, error in self.errors.items())
        return f"Surrogate({self.metric!r}, {self.model}, {len(self.data.y)} trials, leave-one-out error: {tried})"


# a model is asked for by every plot of a report; it changes only when trials end
_known: WeakKeyDictionary[Study, dict[str, tuple[int, Surrogate]]] = WeakKeyDictionary()


def surrogate_of(study: Study, metric: str | None = None) -> Surrogate:
    """Return a model of `metric`, learned from the completed trials; the first objective if None.

    The same trials and the same study's seed give the same surrogate. It is kept until more trials have ended.

    Raises:
        UnknownName: no trial carries this metric.
        UsageError: fewer than five completed trials have a value of it.
    """
    metric = metric_of(study, metric)
    known, ended = _known.setdefault(study, {}), study.ledger.ended
    if metric not in known or known[metric][0] != ended:
        from threadpoolctl import threadpool_limits

        data = data_of(study, metric, NEEDED)
        with threadpool_limits(
            1
        ):  # on busy cores the threads of small fits wait for each other: six times slower, measured
            known[metric] = ended, _learned(study, data)
    return known[metric][1]


def _learned(study: Study, data: Data) -> Surrogate:
    X, y, rng = features(study.space, data.U), data.y, generator(study, 1)
    if not varies(y):
        constant = _Constant(float(y[0]))
        return Surrogate(data.metric, "constant", 0.0, {}, data, constant.predict(X), study.space, constant)
    chosen = _chosen(data, rng)
    tried: dict[str, Any] = {"gaussian process": _GaussianProcess, "forest": _Forest}
    fitted = {name: model(X, y, chosen, rng) for name, model in tried.items()}
    held_out = {name: model.held_out() for name, model in fitted.items()}
    # both are judged on the points that the process has: it would be unfair to ask it about those it was not given;
    # and with heavy tails not by the tails alone
    warp = _Warp(y)
    z = warp.forth(y)
    judged = {name: float(np.mean(np.abs(warp.forth(mean) - z)[chosen])) for name, (mean, _) in held_out.items()}
    best = min(judged, key=judged.__getitem__)
    errors = {name: float(np.mean(np.abs(mean - y)[chosen])) for name, (mean, _) in held_out.items()}
    return Surrogate(data.metric, best, errors[best], errors, data, held_out[best], study.space, fitted[best])


def _chosen(data: Data, rng: np.random.Generator) -> Integers:
    """Return which points a gaussian process is given: the better half of `MOST` and random ones, in order."""
    n = len(data.y)
    if n <= MOST:
        return np.arange(n)
    best = np.argsort(data.direction * data.y, kind="stable")[: MOST // 2] if data.direction else np.empty(0, np.int64)
    others = np.setdiff1d(np.arange(n), best)
    return np.sort(np.concatenate([best, rng.choice(others, MOST - len(best), replace=False)]))


# ---- the models


class _Constant:
    def __init__(self, value: float) -> None:
        self._value = value

    def predict(self, X: Floats) -> tuple[Floats, Floats]:
        return np.full(len(X), self._value), np.zeros(len(X))

    def mean(self, X: Floats) -> Floats:
        return np.full(len(X), self._value)

    def average(self, X: Floats) -> tuple[float, float]:  # noqa: ARG002 - the same everywhere
        return self._value, 0.0


class _Warp:
    """How values are laid out for a gaussian process: standardised; with heavy tails, by the normal scores of their ranks.

    A loss of 1e6 where training diverged would leave nothing to see of the others. Between known values it is linear, and
    what it gives back never lies beyond them.

    Reference: van der Waerden (1952), Order tests for the two-sample problem and their power (normal scores).
    """

    def __init__(self, y: Floats) -> None:
        from scipy.special import ndtri

        low, high = np.quantile(y, [0.25, 0.75])
        self.heavy = bool(0 < HEAVY * (high - low) < y.std())
        self._centre, self._scale = float(y.mean()), float(y.std()) or 1.0
        self._values, counts = np.unique(y, return_counts=True)
        self._scores = ndtri((np.cumsum(counts) - counts / 2) / len(y))  # equal values share the mean of their ranks

    def forth(self, y: Floats) -> Floats:
        return np.interp(y, self._values, self._scores) if self.heavy else (y - self._centre) / self._scale

    def back(self, z: Floats) -> Floats:
        return np.interp(z, self._scores, self._values) if self.heavy else self._centre + self._scale * z

    def spread(self, z: Floats, std: Floats) -> Floats:
        """Return the standard deviation in the metric's units: half of what one to each side spans."""
        return (self.back(z + std) - self.back(z - std)) / 2


class _GaussianProcess:
    """Matern 5/2 with a length scale a feature, and white noise, on standardised values."""

    def __init__(self, X: Floats, y: Floats, chosen: Integers, rng: np.random.Generator) -> None:
        self._X, self._y, self._chosen = X, y, chosen
        order = rng.permutation(len(chosen))
        self._fold = np.empty(len(chosen), np.int64)
        self._fold[order] = np.arange(len(chosen)) % FOLDS
        self._order = order
        self._process, self._warp, self._excess = self._fit(order)

    def _fit(self, rows: Integers) -> tuple[Any, _Warp, float]:
        """Return a process with all chosen points, whose kernel and warp are learned from `rows` of these.

        Third, the factor by which its standard deviations are too small, since the kernel was fitted to these same points:
        that of the degrees of freedom, as in linear regression, at most 2.
        """
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        X, y = self._X[self._chosen], self._y[self._chosen]
        warp = _Warp(y[rows])
        z = warp.forth(y)
        d = X.shape[1]
        lengths = np.full(d, 1.0) if d <= WIDEST else 1.0
        noise = WhiteKernel(1e-2, (1e-6, 1e1))
        kernel = ConstantKernel(1.0, (1e-2, 1e3)) * Matern(lengths, (5e-2, 1e3), nu=2.5) + noise
        some = rows[:FITTED]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a length scale at its bound is what an irrelevant parameter looks like
            learned = GaussianProcessRegressor(kernel, alpha=1e-8, optimizer=_climb).fit(X[some], z[some])
            process = GaussianProcessRegressor(learned.kernel_, alpha=1e-8, optimizer=None).fit(X, z)
        free = max(len(some) - len(learned.kernel_.theta), len(some) / 4)
        return process, warp, (len(some) / free) ** 0.5

    def held_out(self) -> tuple[Floats, Floats]:
        """Return the closed form of Rasmussen and Williams (5.12), kernels of each fold learned from the others."""
        from scipy.linalg import cho_solve

        mean, std = self.predict(self._X)  # of points that it was not given
        y = self._y[self._chosen]
        for fold in range(FOLDS):
            process, warp, excess = self._fit(self._order[self._fold[self._order] != fold])
            inverse = cho_solve((process.L_, True), np.eye(len(y)))
            own = self._fold == fold
            rows, precision = self._chosen[own], np.diag(inverse)[own]
            # z_i - [K^-1 z]_i / [K^-1]_ii without z_i, which would cancel, but only up to rounding
            others = (inverse - np.diag(np.diag(inverse))) @ warp.forth(y)
            z = -others[own] / precision
            mean[rows], std[rows] = warp.back(z), warp.spread(z, excess / np.sqrt(precision))
        return mean, std

    def predict(self, X: Floats) -> tuple[Floats, Floats]:
        z, std = self._process.predict(X, return_std=True)
        return self._warp.back(z), self._warp.spread(z, self._excess * std)

    def mean(self, X: Floats) -> Floats:
        return self._warp.back(self._process.predict(X))

    def average(self, X: Floats) -> tuple[float, float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # variances that rounding makes negative
            z, covariance = self._process.predict(X, return_cov=True)
        covariance -= np.eye(len(X)) * self._process.kernel_.k2.noise_level  # of a measurement, not of the mean
        std = np.sqrt(np.maximum(np.diag(covariance), 0))
        slope = self._warp.spread(z, np.maximum(std, 1e-9)) / np.maximum(std, 1e-9)
        mean_std = max(float(slope @ covariance @ slope), 0.0) ** 0.5 / len(X)
        return float(self._warp.back(z).mean()), self._excess * mean_std


def _climb(objective: Any, start: Floats, bounds: Any) -> tuple[Floats, float]:
    """Return the parameters of a kernel with a good likelihood, and minus its logarithm."""
    from scipy.optimize import minimize

    found = minimize(objective, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": STEPS})
    return found.x, float(found.fun)


class _Forest:
    """A random forest; the spread of its trees is the standard deviation."""

    def __init__(self, X: Floats, y: Floats, _: Integers, rng: np.random.Generator) -> None:
        from sklearn.ensemble import RandomForestRegressor

        self._X, self._y = X, y
        seed = int(rng.integers(2**31))
        self._forest = RandomForestRegressor(TREES, bootstrap=True, random_state=seed, n_jobs=1).fit(X, y)

    def _each(self, X: Floats) -> Floats:
        """Return `(trees, n)` predictions."""
        X = np.asarray(X, np.float32)  # what trees work on; once, not once a tree
        return np.array([tree.tree_.predict(X)[:, 0] for tree in self._forest.estimators_])

    def held_out(self) -> tuple[Floats, Floats]:
        """Return mean and spread of the trees that were not given a point."""
        each = self._each(self._X)
        for row, drawn in zip(each, self._forest.estimators_samples_, strict=True):
            row[drawn] = np.nan
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a point that every tree was given
            mean, std = np.nanmean(each, 0), np.nanstd(each, 0)
        unknown = np.isnan(mean)
        return np.where(unknown, self._y.mean(), mean), np.where(unknown, self._y.std(), std)

    def predict(self, X: Floats) -> tuple[Floats, Floats]:
        each = self._each(X)
        return each.mean(0), each.std(0)

    def mean(self, X: Floats) -> Floats:
        return np.asarray(self._forest.predict(X))

    def average(self, X: Floats) -> tuple[float, float]:
        each = self._each(X).mean(1)
        return float(each.mean()), float(each.std())
