"""Classes shaped as a Searcher of Ray Tune are taken as they are, without Ray."""

from __future__ import annotations

import random

import pytest

import evohpo as eh
from tests.conftest import loss, make_mixed_space


class Draws:
    """Draws from the global generator, as many do, and notes what it hears."""

    def __init__(self, space, metric=None, mode=None):
        self.space, self.metric, self.mode = space, metric, mode
        self.properties, self.running, self.heard, self.points = None, {}, [], []

    def set_search_properties(self, metric, mode, config, **spec):
        self.properties = metric, mode, config
        return True

    def suggest(self, trial_id):
        values = {
            name: random.choice(p.levels(5)) for name, p in self.space.parameters.items() if name in self.space.searched
        }
        self.running[trial_id] = values  # it knows no conditions, and leaves static values to others
        return values

    def on_trial_complete(self, trial_id, result=None, error=False):
        del self.running[trial_id]
        self.heard.append((trial_id, result, error))

    def add_evaluated_point(self, parameters, value):
        self.points.append((parameters, value))


def searched(kind=Draws, objective=loss, **more):
    """A study, and the searcher behind it."""
    seen = {}

    class Made(kind):
        def __init__(self, space):
            super().__init__(space)
            seen["searcher"] = self

    usual = {"minimize": "loss", "trials": 20, "seed": 1, "progress": False}
    return eh.tune(objective, make_mixed_space(), optimizer=Made, **(usual | more)), seen["searcher"]


def test_it_hears_of_every_trial_by_its_id():
    study, searcher = searched()
    assert searcher.properties[:2] == ("loss", "min")
    assert list(searcher.properties[2]) == list(study.space.names)
    study.ask(1)
    assert [result["loss"] for _, result, _ in searcher.heard] == [t.fitness[0] for t in study.trials[:20]]
    assert [result["config"] for _, result, _ in searcher.heard] == [t.params for t in study.trials[:20]]


def test_the_seed_decides_what_it_draws_from_the_global_generator():
    first, second, third = (searched(seed=s)[0] for s in (1, 1, 2))
    assert [t.params for t in first.trials] == [t.params for t in second.trials]
    assert [t.params for t in first.trials] != [t.params for t in third.trials]


def test_a_failed_trial_is_an_error_without_a_result():
    def broken(params):
        if params["layers"] == 1:
            raise ValueError("one layer is too little")
        return loss(params)

    study, searcher = searched(objective=broken, duplicates="evaluate")
    study.ask(1)
    assert [error for _, _, error in searcher.heard] == [t.failed for t in study.trials[:20]]
    assert any(error for _, _, error in searcher.heard)
    assert all((result is None) == error for _, result, error in searcher.heard)


def test_baselines_are_evaluated_points():
    study, searcher = searched(initial=[{"layers": 2}])
    study.ask(1)
    assert [p for p, _ in searcher.points] == [study.trials[0].params]


def test_it_may_wait_for_results():
    class Limited(Draws):
        def suggest(self, trial_id):
            return None if len(self.running) >= 2 else super().suggest(trial_id)

    study = eh.Study(make_mixed_space(), minimize="loss", optimizer=Limited, seed=1, duplicates="evaluate")
    first = study.ask(8)
    assert len(first) == 2
    assert study.ask(8) == []
    study.tell(first[0], loss(first[0].params))
    assert len(study.ask(8)) == 1


def test_it_may_finish():
    class Finite(Draws):
        def suggest(self, trial_id):
            return "FINISHED" if int(trial_id, 16) >= 7 else super().suggest(trial_id)

    study, _ = searched(Finite, duplicates="evaluate")
    assert len(study.trials) == 7
    assert study.stopped == {"optimizer": "has nothing more to propose"}


def test_a_live_object_is_taken_too_and_left_alone():
    searcher = Draws(make_mixed_space())
    study = eh.tune(loss, make_mixed_space(), minimize="loss", optimizer=searcher, trials=10, seed=1, progress=False)
    assert len(study.trials) == 10
    assert searcher.heard == []


def test_a_configuration_outside_the_space_is_named():
    class Wrong(Draws):
        def suggest(self, trial_id):
            return super().suggest(trial_id) | {"layers": 9}

    with pytest.raises(eh.OptimizerError, match=r"illegal configuration.*layers.*9"):
        searched(Wrong)
