"""`HyperbandSearchCV` does what Dask-ML's search of that name does."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

import evohpo as eh
from evohpo.sklearn import HyperbandSearchCV, suggest_hyperband

SGD, ALPHA = SGDClassifier(random_state=0), {"alpha": loguniform(1e-6, 10.0)}


class Fake(ClassifierMixin, BaseEstimator):
    """Scores `level * calls` and keeps count of its calls in `log`, a list that clones share."""

    log: list[tuple[float, int]] = []  # noqa: RUF012 - shared on purpose

    def __init__(self, level=0.0, flat=False):
        self.level, self.flat = level, flat

    def partial_fit(self, X, y, classes=None):
        if classes is not None:
            self.classes_ = classes
        self.calls_ = getattr(self, "calls_", 0) + 1
        self.rows_ = [*getattr(self, "rows_", []), len(X)]
        self.log.append((self.level, self.calls_))
        return self

    def fit(self, X, y):
        raise AssertionError("a model with partial_fit is trained by it")

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def score(self, X, y):
        return self.level if self.flat else self.level * self.calls_


@pytest.fixture
def log():
    Fake.log.clear()
    return Fake.log


def test_the_plan_has_dasks_numbers():
    plan = HyperbandSearchCV(SGD, ALPHA, max_iter=27, aggressiveness=3).metadata
    assert (plan["n_models"], plan["partial_fit_calls"]) == (49, 357)
    assert [(b["bracket"], b["n_models"], b["decisions"]) for b in plan["brackets"]] == [
        (3, 27, [1, 3, 9, 27]),
        (2, 12, [3, 9, 27]),
        (1, 6, [9, 27]),
        (0, 4, [27]),
    ]


def test_81_steps_make_five_brackets():
    plan = HyperbandSearchCV(SGD, ALPHA, max_iter=81).metadata
    assert [b["n_models"] for b in plan["brackets"]] == [81, 34, 15, 8, 5]  # ceil(5 / (s + 1) * 3**s)
    assert (plan["n_models"], plan["partial_fit_calls"]) == (143, 1581)


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_what_was_planned_is_what_is_done(n_jobs, log, data):
    search = HyperbandSearchCV(
        Fake(), {"level": eh.Continuous(0, 1)}, max_iter=27, n_jobs=n_jobs, refit=False, random_state=0
    )
    search.fit(*data)
    assert search.metadata_ == search.metadata
    assert len(log) == 357  # calls that were really made, models that were paused included


def test_27_models_become_9_then_3_then_1(data):
    search = HyperbandSearchCV(Fake(), {"level": eh.Continuous(0, 1)}, max_iter=27, random_state=0).fit(*data)
    calls = [entry["partial_fit_calls"] for entry in search.history_ if entry["bracket"] == 3]
    assert [calls.count(step) for step in (1, 3, 9, 27)] == [27, 9, 3, 1]


def test_the_best_of_a_bracket_goes_all_the_way(data):
    search = HyperbandSearchCV(Fake(), {"level": eh.Continuous(0, 1)}, max_iter=27, random_state=0).fit(*data)
    levels = {t.number: t.params["level"] for t in search.study_.trials[:27]}
    longest = max(search.model_history_, key=lambda n: (n < 27, len(search.model_history_[n])))
    assert levels[longest] == max(levels.values())
    assert search.best_params_["level"] == max(t.params["level"] for t in search.study_.trials if t.steps == 27)
    assert search.best_estimator_.calls_ == search.n_iter_ == 27


def test_higher_scores_go_first_where_workers_are_scarce(data):
    search = HyperbandSearchCV(Fake(), {"level": eh.Continuous(0, 1)}, max_iter=27, n_jobs=1, random_state=0).fit(*data)
    second = [e for e in search.history_ if e["bracket"] == 3 and e["partial_fit_calls"] == 3]
    scores = [entry["score"] for entry in second]
    assert scores == sorted(scores, reverse=True)
    assert [e["model_id"] for e in second] != sorted(e["model_id"] for e in second)


def test_the_number_of_jobs_changes_nothing(data):
    one = HyperbandSearchCV(SGD, ALPHA, max_iter=9, random_state=0).fit(*data)
    three = HyperbandSearchCV(SGD, ALPHA, max_iter=9, random_state=0, n_jobs=3).fit(*data)
    assert one.best_params_ == three.best_params_
    assert one.cv_results_["mean_test_score"].tolist() == three.cv_results_["mean_test_score"].tolist()
    assert (one.predict(data[0]) == three.predict(data[0])).all()


def test_a_flat_score_ends_after_patience(log, data):
    space = {"level": eh.Continuous(0.1, 1), "flat": True}
    search = HyperbandSearchCV(Fake(), space, max_iter=27, patience=5, refit=False, random_state=0).fit(*data)
    assert search.cv_results_["partial_fit_calls"].max() == 6  # the first, and five that are no better
    assert search.metadata_["partial_fit_calls"] == len(log) < search.metadata["partial_fit_calls"]
    assert search.metadata_["n_models"] == 49


def test_a_score_that_rises_is_not_ended_by_patience(data):
    search = HyperbandSearchCV(Fake(), {"level": eh.Continuous(0.1, 1)}, max_iter=27, patience=True, random_state=0)
    assert search.fit(*data).metadata_ == search.metadata


def test_tol_is_what_counts_as_better(data):
    search = HyperbandSearchCV(
        Fake(), {"level": eh.Continuous(0.1, 1)}, max_iter=27, patience=3, tol=1.5, random_state=0
    )
    assert search.fit(*data).metadata_["partial_fit_calls"] < 357


def test_the_rule_of_thumb_is_that_of_the_talk():
    assert suggest_hyperband(n_examples=50 * 60_000, n_params=299) == {"max_iter": 299, "chunk_size": 10_033}
    search = HyperbandSearchCV(SGD, ALPHA, **suggest_hyperband(50 * 160, 299))
    assert search.metadata["brackets"][-1]["decisions"] == [299]


@pytest.mark.parametrize(("n_examples", "n_params", "told"), [
    (0, 5, "n_examples=0"), (10, 2.5, "n_params=2.5"), (3, 10, "at least one row"),
])  # fmt: skip
def test_numbers_that_make_no_rule_are_refused(n_examples, n_params, told):
    with pytest.raises(eh.UsageError, match=told):
        suggest_hyperband(n_examples, n_params)


def test_blocks_are_parts_of_the_data_and_every_row_is_seen(data):
    search = HyperbandSearchCV(Fake(), {"level": [1.0]}, max_iter=9, chunk_size=50, random_state=0).fit(*data)
    assert search.best_estimator_.rows_ == [50] * 9
    whole = HyperbandSearchCV(Fake(), {"level": [1.0]}, max_iter=9, random_state=0).fit(*data)
    assert whole.best_estimator_.rows_ == [200] * 9


def test_a_model_without_partial_fit_is_given_more_of_the_data(data):
    search = HyperbandSearchCV(SVC(), {"C": loguniform(1e-3, 1e3)}, max_iter=9, random_state=0).fit(*data)
    assert search.metadata_ == search.metadata
    assert search.best_score_ > 0.8
    assert search.best_estimator_.shape_fit_ == data[0].shape


def test_folds_may_take_the_place_of_the_part_that_is_held_out(data):
    folds = StratifiedKFold(3)
    search = HyperbandSearchCV(SGD, ALPHA, max_iter=9, cv=folds, random_state=0).fit(*data)
    assert search.n_splits_ == 3
    assert "split2_test_score" in search.cv_results_
    assert HyperbandSearchCV(SGD, ALPHA, max_iter=3, random_state=0).fit(*data).n_splits_ == 1


def test_sample_weights_reach_partial_fit(data):
    X, y = data
    search = HyperbandSearchCV(SGD, ALPHA, max_iter=9, chunk_size=40, random_state=0)
    weighted = clone(search).fit(X, y, sample_weight=np.where(y == 1, 1.0, 1e-6))
    assert weighted.predict(X).mean() > search.fit(X, y).predict(X).mean() + 0.1


def test_an_optimizer_that_learns_takes_the_place_of_chance(data):
    search = HyperbandSearchCV(SGD, ALPHA, max_iter=9, optimizer="de", population=9, random_state=0).fit(*data)
    assert search.study_.optimizer == "de"
    assert search.metadata_["n_models"] == 17


def test_the_talks_example_tunes_a_small_network(data):
    space = {
        "batch_size": [16, 32, 64],
        "learning_rate": ["constant", "invscaling"],
        "hidden_layer_sizes": [(12,), (6, 6), (4, 4, 4)],
        "alpha": loguniform(1e-6, 1e-1),
        "learning_rate_init": loguniform(1e-4, 1e-1),
    }
    model = MLPClassifier(solver="sgd", random_state=0)
    search = HyperbandSearchCV(model, space, max_iter=9, patience=True, tol=0.001, random_state=0).fit(*data)
    assert search.best_params_["hidden_layer_sizes"] in space["hidden_layer_sizes"]
    assert search.best_score_ > 0.8
    assert search.metadata_["partial_fit_calls"] <= search.metadata["partial_fit_calls"]


@pytest.mark.parametrize(("options", "told"), [
    ({"max_iter": 0}, "max_steps=0"), ({"aggressiveness": 1}, "eta=1"), ({"chunk_size": 0}, "chunk_size=0"),
    ({"patience": -1}, "patience=-1"),
])  # fmt: skip
def test_numbers_that_make_no_sense_are_refused(options, told, data):
    with pytest.raises(eh.UsageError, match=told):
        HyperbandSearchCV(SGD, ALPHA, **options).fit(*data)
