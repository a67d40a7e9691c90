"""Live searchers of Ray Tune are optimizers of evohpo; Ray itself is not started."""

from __future__ import annotations

import pandas as pd
import pytest

pytest.importorskip("ray.tune", exc_type=ImportError)  # Ray may be there without it
from ray.tune.search import ConcurrencyLimiter, Searcher
from ray.tune.search.optuna import OptunaSearch

import evohpo as eh
from evohpo.testing import check_optimizer
from tests.conftest import loss, make_mixed_space, untimed


class Fixed(Searcher):
    """The example of Ray's own documentation: a searcher that proposes one place."""

    def __init__(self, metric="mean_loss", mode="min", **kwargs):
        super().__init__(metric=metric, mode=mode, **kwargs)
        self.domains, self.results = {}, {}

    def set_search_properties(self, metric, mode, config, **spec):
        self._metric, self.domains = metric, config
        return True

    def suggest(self, trial_id):
        return {name: domain.sample() for name, domain in self.domains.items()}

    def on_trial_complete(self, trial_id, result=None, **kwargs):
        if result:
            self.results[trial_id] = result[self._metric]


MADE = {
    "OptunaSearch": OptunaSearch,
    "ConcurrencyLimiter": lambda: ConcurrencyLimiter(OptunaSearch(), max_concurrent=2),
    "a user's own": Fixed,
}


def tune(optimizer, **more):
    usual = {"minimize": "loss", "trials": 24, "seed": 1, "progress": False, "lookahead": 2}
    return eh.tune(loss, make_mixed_space(), optimizer=optimizer, **(usual | more))


@pytest.mark.slow
def test_it_keeps_the_promises_of_an_optimizer():
    check_optimizer(OptunaSearch())


@pytest.mark.parametrize("name", MADE)
def test_it_goes_on_where_it_was_to_the_same_table(name, tmp_path):
    whole = tune(MADE[name]())
    tune(MADE[name](), trials=11, store=tmp_path / "study.db").close()
    resumed = tune(MADE[name](), store=tmp_path / "study.db", evaluator=eh.Threads(2))
    pd.testing.assert_frame_equal(untimed(resumed), untimed(whole))


@pytest.mark.parametrize("name", MADE)
def test_the_seed_of_the_study_decides(name):
    tables = [[t.params for t in tune(MADE[name](), seed=seed).trials] for seed in (1, 1, 2)]
    assert tables[0] == tables[1]
    assert tables[0] != tables[2]


def test_every_kind_of_parameter_is_searched_to_its_ends():
    space = eh.Space(
        {
            "a": eh.Continuous(1e-3, 1, scale="log"), "b": eh.Continuous(0.01, 0.99, scale="logit"),
            "c": eh.Continuous(0, 1, step=0.25), "d": eh.Integer(1, 3), "e": eh.Integer(1, 9, step=4),
            "f": eh.Categorical(["x", None]), "g": eh.Ordinal([1, 10, 100]), "h": "still",
        }
    )  # fmt: skip
    study = eh.tune(lambda p: 1.0, space, minimize="loss", optimizer=Fixed(), trials=200, seed=1, progress=False)
    seen = {name: {t.params[name] for t in study.trials} for name in "cdefg"}
    assert seen == {"c": {0, 0.25, 0.5, 0.75, 1}, "d": {1, 2, 3}, "e": {1, 5, 9}, "f": {"x", None}, "g": {1, 10, 100}}


def test_a_baseline_is_known_to_a_searcher_that_takes_evaluated_points():
    study = eh.Study(make_mixed_space(), minimize="loss", optimizer=OptunaSearch(), seed=1)
    best = {
        "learning_rate": 1e-2, "layers": 3, "units": 64, "batch_size": 64, "solver": "sgd", "momentum": 0.9, "seed": 100
    }  # fmt: skip
    study.attach(best, 0.0)
    for trial in study.ask(3):
        study.tell(trial, loss(trial.params))
    assert len(study.trials) == 4


def test_a_class_is_made_with_the_options_given():
    assert len(tune(eh.use(Fixed, metric="loss")).trials) == 24
    with pytest.raises(eh.UsageError, match="is a live object"):
        tune(eh.use(Fixed(), metric="loss"))
