"""Classes that suggest and observe, and points that are configurations, are taken as they are."""

from __future__ import annotations

import pandas as pd
import pytest

import evohpo as eh
from tests.conftest import loss, make_mixed_space


class Suggests:
    """The spelling of many Bayesian optimizers: `suggest()` and `observe(x, f)`, points as dicts."""

    def __init__(self, space, rng):
        self.space, self.rng, self.seen = space, rng, []

    def suggest(self):
        return {**self.space.sample(1, self.rng)[0], "momentum": 0.5}  # it knows no conditions

    def observe(self, x, f):
        self.seen.append((x, f))


class SuggestsLists:
    """The spelling of Bayesmark and HEBO: a number of suggestions, observed together."""

    def __init__(self, space, rng):
        self.space, self.rng, self.seen = space, rng, []

    def suggest(self, n_suggestions=1):
        return self.space.sample(n_suggestions, self.rng)

    def observe(self, X, y):
        self.seen.append((X, y))


class SuggestsFrames(SuggestsLists):
    def suggest(self, n_suggestions=1):
        return pd.DataFrame([{**c, "momentum": 0.5} for c in super().suggest(n_suggestions)])


def studied(target, **more):
    """A study of a live object that cannot be copied, so that what it was told can be looked at."""
    seen = {}

    def make(space, rng):
        seen["guest"] = target(space, rng)
        return seen["guest"]

    study = eh.tune(
        loss, make_mixed_space(), minimize="loss", optimizer=make, trials=12, seed=1, progress=False, **more
    )
    return study, seen["guest"]


def test_suggest_and_observe_are_taken_as_ask_and_tell():
    study, guest = studied(Suggests)
    assert [t.fitness[0] for t in study.trials[:-1]] == [f for _, f in guest.seen]
    assert all(x["momentum"] == 0.5 for x, _ in guest.seen), "a point comes back as it was written"
    assert any("momentum" not in t.params for t in study.trials)


def test_a_list_of_suggestions_is_observed_as_a_list():
    study, guest = studied(SuggestsLists, population=4)
    assert [len(X) for X, _ in guest.seen] == [4, 4]
    assert [x for X, _ in guest.seen for x in X] == [t.params for t in study.trials[:8]]


def test_a_frame_of_suggestions_is_observed_as_a_frame():
    study, guest = studied(SuggestsFrames, population=4)
    X, y = guest.seen[0]
    assert isinstance(X, pd.DataFrame)
    assert list(X["units"]) == [t.params["units"] for t in study.trials[:4]]
    assert y.tolist() == [t.fitness[0] for t in study.trials[:4]]


def test_what_was_evaluated_instead_of_a_suggestion_is_observed():
    class TooWide(Suggests):
        def suggest(self):
            return {**super().suggest(), "layers": 6, "units": 256}

    _study, guest = studied(TooWide)
    assert all(x["layers"] * x["units"] <= 600 for x, _ in guest.seen)


def test_a_suggestion_outside_the_space_is_named():
    class Outside(Suggests):
        def suggest(self):
            return {**super().suggest(), "layers": 7}

    with pytest.raises(eh.OptimizerError, match=r"illegal configuration.*layers.*7"):
        studied(Outside)
