"""What `EvolutionSearchCV` has beyond the searches of scikit-learn: any optimizer, pruners, columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform, norm
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import evohpo as eh
from evohpo.sklearn import ColumnMask, EvolutionSearchCV

SGD, ALPHA = SGDClassifier(random_state=0), {"alpha": loguniform(1e-6, 10.0)}


@pytest.mark.parametrize("optimizer", ["ga", "de", "pso", "random", "sobol", "sa", "eda"])
def test_every_optimizer_searches(optimizer, data):
    search = EvolutionSearchCV(
        SVC(), {"C": loguniform(1e-3, 1e3)}, optimizer=optimizer, n_trials=12, cv=2, random_state=0
    )
    assert search.fit(*data).best_score_ > 0.8
    assert search.study_.optimizer == optimizer
    assert len(search.trials_) == 12


def test_an_algorithm_of_ones_own_searches(data):
    def own(problem, rng):
        while True:
            yield rng.random((3, problem.dim))

    search = EvolutionSearchCV(SVC(), {"C": loguniform(1e-3, 1e3)}, optimizer=own, generations=2, cv=2, random_state=0)
    assert search.fit(*data).trials_.generation.tolist() == [0, 0, 0, 1, 1, 1]


def test_the_first_configurations_may_be_given(data):
    space = {"C": loguniform(1e-3, 1e3), "class_weight": [None, {0: 1, 1: 3}]}
    first = {"C": 0.5, "class_weight": {0: 1, 1: 3}}
    search = EvolutionSearchCV(SVC(), space, initial=[first], n_trials=3, cv=2, random_state=0).fit(*data)
    assert search.cv_results_["params"][0] == first


def test_a_pruner_ends_what_does_not_promise_and_saves_calls(data):
    search = EvolutionSearchCV(
        SGD, ALPHA, optimizer="de", population=9, generations=3, pruner=eh.ASHA(max_steps=27), cv=2, random_state=0
    ).fit(*data)
    table, calls = search.trials_, search.cv_results_["partial_fit_calls"]
    assert {"stopped", "completed"} <= set(table.status)
    assert calls.tolist() == table.steps.tolist()
    assert set(calls) <= {1, 3, 9, 27}
    assert calls.sum() < 27 * len(table) / 2
    assert search.n_iter_ == calls[search.best_index_]


def test_a_pruner_without_a_last_step_asks_for_one(data):
    with pytest.raises(eh.UsageError, match="max_steps"):
        EvolutionSearchCV(SGD, ALPHA, pruner=eh.Median(), n_trials=3).fit(*data)
    assert EvolutionSearchCV(SGD, ALPHA, pruner=eh.Median(), max_steps=3, n_trials=3).fit(*data).history_


def test_a_step_may_be_a_tree_more(data):
    search = EvolutionSearchCV(
        RandomForestClassifier(random_state=0), {"max_depth": [1, 2, 4, 8]}, pruner=eh.ASHA(max_steps=9), n_trials=8, cv=2,
        random_state=0,
    ).fit(*data)  # fmt: skip
    assert search.best_estimator_.n_estimators == len(search.best_estimator_.estimators_) == search.n_iter_


def test_a_step_may_be_within_a_pipeline(data):
    pipe = Pipeline([("scale", StandardScaler()), ("forest", RandomForestClassifier(random_state=0))])
    search = EvolutionSearchCV(
        pipe, {"forest__max_depth": [1, 2, 4, 8]}, resource="forest__n_estimators", pruner=eh.ASHA(max_steps=9), n_trials=6,
        cv=2, random_state=0,
    ).fit(*data)  # fmt: skip
    assert len(search.best_estimator_[-1].estimators_) == search.n_iter_


def test_a_step_may_be_a_larger_share_of_the_data(data):
    seen = []

    class Watched(KNeighborsClassifier):
        def fit(self, X, y):
            seen.append((len(X), len(set(y))))
            return super().fit(X, y)

    EvolutionSearchCV(
        Watched(), {"n_neighbors": [1, 3, 5, 7]}, optimizer="grid", pruner=eh.ASHA(max_steps=9), cv=2, random_state=0
    ).fit(*data)
    assert {rows for rows, _ in seen[:-1]} <= {12, 34, 100}  # 1/9, 1/3 and all of half the data
    assert seen[-1] == (200, 2)
    assert {classes for _, classes in seen} == {2}


@pytest.mark.parametrize(("resource", "told"), [
    ("partial_fit", "has none"),
    ("n_estimators", "no parameter 'n_estimators'"),
    ("C", "cannot be searched"),
    (None, "no parameter None"),
])  # fmt: skip
def test_a_step_that_the_estimator_does_not_have_is_refused(resource, told, data):
    search = EvolutionSearchCV(
        LogisticRegression(), {"C": [0.1, 1.0]}, pruner=eh.ASHA(max_steps=3), resource=resource, n_trials=2
    )
    with pytest.raises(eh.UsageError, match=told):
        search.fit(*data)


@pytest.mark.parametrize(("space", "told"), [
    ([{"C": [1.0]}], "write a list of dicts as one space"),
    ({}, "an evohpo.Space, or a dict"),
    ({"C": norm(0, 1)}, "C.*has no bounds"),
])  # fmt: skip
def test_a_space_that_cannot_be_searched_is_refused(space, told, data):
    with pytest.raises(eh.UsageError, match=told):
        EvolutionSearchCV(SVC(), space).fit(*data)


def test_a_budget_that_makes_no_sense_is_refused(data):
    with pytest.raises(eh.UsageError, match="generations=0"):
        EvolutionSearchCV(SVC(), {"C": [0.1, 1.0]}, generations=0).fit(*data)


def test_columns_of_noise_are_left_out(data):
    X, y = data  # three columns tell, five are noise
    search = EvolutionSearchCV(
        KNeighborsClassifier(), {"n_neighbors": [1, 3, 5, 9]}, features=True, optimizer="ga", population=20, generations=8,
        random_state=0,
    ).fit(X, y)  # fmt: skip
    assert search.support_[:3].sum() >= 2
    assert search.support_.sum() < 8
    assert search.best_features_ == np.flatnonzero(search.support_).tolist()
    assert search.cv_results_["params"][0]["support"] == (True,) * 8
    assert search.best_score_ > search.cv_results_["mean_test_score"][0]


def test_chosen_columns_have_the_names_of_the_frame_and_are_taken_by_themselves(data):
    X, y = pd.DataFrame(data[0], columns=list("abcdefgh")), data[1]
    search = EvolutionSearchCV(SVC(), {"C": [0.1, 1.0]}, features=True, n_trials=20, cv=2, random_state=1).fit(X, y)
    assert search.best_features_ == [name for name, used in zip("abcdefgh", search.support_, strict=True) if used]
    alone = SVC(C=search.best_params_["C"]).fit(X[search.best_features_], y)
    assert (search.predict(X) == alone.predict(X[search.best_features_])).all()
    assert search.n_features_in_ == 8


def test_at_least_one_column_remains(data):
    X, y = data[0][:, :2], data[1]
    search = EvolutionSearchCV(SVC(), {"C": [1.0]}, features=True, optimizer="grid", cv=2).fit(X, y)
    tried = {params["support"] for params in search.cv_results_["params"]}
    assert tried == {(True, True), (True, False), (False, True)}


def test_columns_are_chosen_in_steps_too(data):
    search = EvolutionSearchCV(
        SGD, ALPHA, features=True, pruner=eh.ASHA(max_steps=9), n_trials=20, cv=2, random_state=0
    ).fit(*data)
    assert search.support_.sum() < 8
    assert search.best_score_ > search.cv_results_["mean_test_score"][0]  # of all columns


def test_without_a_pruner_max_steps_trains_every_trial_to_its_end(data):
    search = EvolutionSearchCV(SGD, ALPHA, max_steps=5, n_trials=4, cv=2, random_state=0).fit(*data)
    assert search.trials_.status.tolist() == ["completed"] * 4
    assert [entry["partial_fit_calls"] for entry in search.history_] == [1, 2, 3, 4, 5] * 4


def test_a_mask_that_fits_nothing_is_refused(data):
    with pytest.raises(eh.UsageError, match="no column is left"):
        ColumnMask(SVC(), support=[False] * 8).fit(*data)
    with pytest.raises(eh.UsageError, match="3 truth values for 8 columns"):
        ColumnMask(SVC(), support=[True] * 3).fit(*data)
