"""An optimizer of ours as a function like `scipy.optimize.minimize`."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import Bounds

import evohpo as eh
from tests.export.conftest import OPTIMIZERS, target

BOUNDS = [(-1.0, 1.0), (0.0, 3.0), (-5.0, 5.0)]


def bowl(x, middle=0.3):
    return float(((np.asarray(x) - middle) ** 2).sum())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_evaluates_the_same_points_as_at_home(name):
    seen = []

    def fun(x):
        seen.append(list(x))
        return bowl(x)

    space = {f"x{i}": eh.Continuous(*pair) for i, pair in enumerate(BOUNDS)}
    study = eh.tune(
        lambda p: bowl(list(p.values())), space, minimize="loss", optimizer=target(name), trials=50, population=6, seed=5,
        progress=False,
    )  # fmt: skip
    result = eh.export.to_scipy(target(name))(fun, BOUNDS, maxfev=50, population=6, seed=5)
    assert seen == [list(t.params.values()) for t in study.trials]
    assert result.fun == study.best.metrics["loss"]
    assert result.x.tolist() == list(study.best.params.values())
    assert (result.nfev, result.success) == (50, True)


def test_a_whole_generation_is_one_call_if_vectorized():
    sizes = []

    def fun(X):
        sizes.append(X.shape)
        return ((X - 0.3) ** 2).sum(0)

    result = eh.export.to_scipy("de")(fun, BOUNDS, maxfev=60, population=20, seed=1, vectorized=True)
    assert sizes == [(3, 20)] * 3
    assert result.nit == 3


def test_arguments_bounds_options_and_callback_are_understood():
    minimize = eh.export.to_scipy("de", weight=0.5)
    results = []
    result = minimize(
        bowl, Bounds([-1, -1], [1, 1]), args=(0.5,), maxfev=400, seed=1, callback=lambda r: results.append(r.fun)
    )
    assert abs(result.x - 0.5).max() < 0.05
    assert results == sorted(results, reverse=True)
    assert len(results) == 400
    stopped = minimize(bowl, BOUNDS, maxfev=400, seed=1, callback=lambda r: r.nfev >= 7)
    assert (stopped.nfev, stopped.message) == (7, "the callback asked to end")


def test_a_finite_optimizer_ends_before_the_budget():
    result = eh.export.to_scipy("grid", resolution=3)(bowl, BOUNDS, maxfev=1000)
    assert result.nfev == 27
    assert "nothing more" in result.message


def test_endless_bounds_and_unknown_options_are_refused():
    with pytest.raises(eh.UsageError, match="must be finite"):
        eh.export.to_scipy("de")(bowl, [(-np.inf, 1)])
    with pytest.raises(eh.UsageError, match="pairs"):
        eh.export.to_scipy("de")(bowl, [1, 2, 3])
    with pytest.raises(eh.UsageError, match="no option 'wieght'"):
        eh.export.to_scipy("de", wieght=1)(bowl, BOUNDS)
