"""`EvolutionSearchCV` behaves as scikit-learn's own searches do."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform, randint
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, ShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import evohpo as eh
from evohpo.sklearn import EvolutionSearchCV, HyperbandSearchCV

GRID = {"kernel": ["rbf", "linear"], "C": [0.1, 1.0, 10.0], "gamma": list(np.geomspace(1e-3, 1.0, 12))}


def scores(search):
    """Return the score of each configuration."""
    results = search.cv_results_
    configs = [tuple(sorted(params.items())) for params in results["params"]]
    return dict(zip(configs, results["mean_test_score"], strict=True))


@pytest.fixture(scope="module")
def both(data):
    options = {"cv": 3, "return_train_score": True}
    return (
        GridSearchCV(SVC(), GRID, **options).fit(*data),
        EvolutionSearchCV(SVC(), GRID, optimizer="grid", **options).fit(*data),
    )


def test_on_a_grid_scores_and_choice_are_those_of_grid_search(both):
    grid, ours = both
    assert len(ours.cv_results_["params"]) == 72
    assert scores(ours) == scores(grid)
    assert ours.best_params_ == grid.best_params_
    assert ours.best_score_ == grid.best_score_
    assert ours.best_index_ == grid.best_index_


def test_the_columns_of_the_results_are_those_of_grid_search(both):
    grid, ours = both
    assert list(ours.cv_results_) == list(grid.cv_results_)
    for name, column in grid.cv_results_.items():
        assert type(ours.cv_results_[name]) is type(column), name


def test_the_fitted_search_predicts_as_grid_search_does(both, data):
    grid, ours = both
    X, y = data
    assert (ours.predict(X) == grid.predict(X)).all()
    assert np.allclose(ours.decision_function(X), grid.decision_function(X))
    assert ours.score(X, y) == grid.score(X, y)
    assert ours.classes_.tolist() == [0, 1]
    assert not hasattr(ours, "transform")


def test_the_attributes_of_grid_search_are_all_there(both):
    grid, ours = both
    fitted = {name for name in vars(grid) if name.endswith("_") and not name.startswith("_")}
    assert fitted <= set(vars(ours))
    assert fitted > {"best_estimator_", "n_splits_", "refit_time_", "scorer_", "multimetric_"}


@pytest.mark.parametrize("space", [
    {"C": loguniform(1e-2, 1e2), "degree": randint(2, 5)},
    {"C": eh.Continuous(1e-2, 1e2, scale="log"), "degree": eh.Integer(2, 4)},
    eh.Space({"C": eh.Continuous(1e-2, 1e2, scale="log"), "degree": eh.Integer(2, 4)}),
])  # fmt: skip
def test_three_spellings_of_a_space_mean_the_same(space, data):
    search = EvolutionSearchCV(SVC(), space, optimizer="de", n_trials=12, cv=2, random_state=3).fit(*data)
    other = EvolutionSearchCV(
        SVC(), {"C": loguniform(1e-2, 1e2), "degree": randint(2, 5)}, optimizer="de", n_trials=12, cv=2, random_state=3
    ).fit(*data)
    assert search.cv_results_["params"] == other.cv_results_["params"]
    assert {type(p["degree"]) for p in search.cv_results_["params"]} == {int}


def test_values_may_be_objects(data):
    scalers = [StandardScaler(), "passthrough"]
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    space = {"standardscaler": scalers, "logisticregression__class_weight": [None, {0: 1, 1: 5}]}
    search = EvolutionSearchCV(pipe, space, optimizer="grid", cv=2).fit(*data)
    tried = search.cv_results_["params"]
    assert len(tried) == 4
    assert {type(p["standardscaler"]) for p in tried} == {StandardScaler, str}
    assert {"logisticregression__class_weight": {0: 1, 1: 5}}.items() <= tried[-1].items()


def test_a_conditional_parameter_is_absent_where_it_does_not_apply(data):
    space = {
        "kernel": eh.Categorical(["linear", "poly"]),
        "degree": eh.Integer(2, 4, when={"kernel": "poly"}),
    }
    search = EvolutionSearchCV(SVC(), space, optimizer="random", n_trials=20, cv=2, random_state=0).fit(*data)
    for params, masked in zip(search.cv_results_["params"], search.cv_results_["param_degree"].mask, strict=True):
        assert ("degree" in params) == (params["kernel"] == "poly") != masked


def test_one_of_several_metrics_is_maximized_and_all_are_kept(data):
    search = EvolutionSearchCV(
        SVC(), {"C": loguniform(1e-3, 1e3)}, scoring=["accuracy", "f1"], refit="f1", n_trials=10, cv=2, random_state=0
    ).fit(*data)
    assert search.multimetric_
    assert search.best_score_ == search.cv_results_["mean_test_f1"].max()
    assert search.study_.best.metrics["f1"] == search.best_score_
    assert {"f1", "accuracy"} <= set(search.trials_.columns)


def test_several_metrics_without_one_to_refit_for_have_a_front(data):
    search = EvolutionSearchCV(
        SVC(), {"C": loguniform(1e-3, 1e3)}, scoring=["precision", "recall"], refit=False, n_trials=20, cv=2, random_state=0
    ).fit(*data)  # fmt: skip
    assert search.study_.goals.metrics == ("precision", "recall")
    assert len(search.study_.front()) >= 1
    assert not hasattr(search, "best_params_")


def test_a_function_may_score_and_another_one_choose(data):
    def scoring(model, X, y):
        return {"accuracy": model.score(X, y), "support": -float(model.n_support_.sum())}

    search = EvolutionSearchCV(
        SVC(), {"C": loguniform(1e-2, 1e2)}, scoring=scoring, refit=lambda results: 1, n_trials=4, cv=2, random_state=0
    ).fit(*data)
    assert search.best_index_ == 1
    assert "mean_test_support" in search.cv_results_


def test_sample_weights_reach_every_fit(data):
    X, y = data
    weights = np.where(y == 1, 1.0, 0.0) + 1e-9
    plain = EvolutionSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, optimizer="grid", cv=3).fit(X, y)
    weighted = clone(plain).fit(X, y, sample_weight=weights)
    reference = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3).fit(X, y, sample_weight=weights)
    assert scores(weighted) == scores(reference)
    assert weighted.predict(X).mean() > plain.predict(X).mean()


def test_groups_reach_the_splitter(data):
    X, y = data
    groups = np.arange(len(y)) % 4
    search = EvolutionSearchCV(SVC(), {"C": [0.1, 1.0]}, optimizer="grid", cv=GroupKFold(4)).fit(X, y, groups=groups)
    assert search.n_splits_ == 4


def test_all_candidates_are_compared_on_the_same_splits(data):
    search = EvolutionSearchCV(
        SVC(), {"C": [1.0], "shrinking": [True, False]}, optimizer="grid", cv=ShuffleSplit(3, test_size=0.3)
    )
    results = search.fit(*data).cv_results_
    assert results["std_test_score"][0] > 0
    for i in range(3):
        assert results[f"split{i}_test_score"][0] == results[f"split{i}_test_score"][1]


def test_a_data_frame_keeps_its_names(data):
    X, y = pd.DataFrame(data[0], columns=list("abcdefgh")), pd.Series(data[1])
    search = EvolutionSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2, n_trials=4, random_state=0).fit(X, y)
    assert search.feature_names_in_.tolist() == list("abcdefgh")


def test_a_clone_has_the_parameters_and_nothing_fitted(data):
    search = EvolutionSearchCV(SVC(), {"C": [0.1, 1.0]}, optimizer=eh.use("de", weight=0.5), n_trials=4, cv=2).fit(
        *data
    )
    copy = clone(search)
    assert copy.get_params()["optimizer"].options == {"weight": 0.5}
    with pytest.raises(NotFittedError):
        copy.predict(data[0])


@pytest.mark.parametrize("kind", [EvolutionSearchCV, HyperbandSearchCV])
def test_a_fitted_search_is_pickled_with_its_table(kind, data):
    budget = {"n_trials": 6} if kind is EvolutionSearchCV else {"max_iter": 3}
    search = kind(SGDClassifier(random_state=0), {"alpha": loguniform(1e-5, 1.0)}, random_state=0, **budget).fit(*data)
    copy = pickle.loads(pickle.dumps(search))
    assert (copy.predict(data[0]) == search.predict(data[0])).all()
    assert copy.trials_.equals(search.study_.table())
    assert copy.best_params_ == search.best_params_


def test_the_same_seed_finds_the_same_with_one_job_and_two(data):
    options = {"optimizer": "de", "generations": 3, "population": 5, "cv": 2, "random_state": 7}
    one = EvolutionSearchCV(SVC(), {"C": loguniform(1e-2, 1e2)}, **options).fit(*data)
    two = EvolutionSearchCV(SVC(), {"C": loguniform(1e-2, 1e2)}, n_jobs=2, **options).fit(*data)
    assert one.cv_results_["params"] == two.cv_results_["params"]
    assert len(one.trials_) == 15


def test_a_search_can_be_searched_within(data):
    inner = EvolutionSearchCV(SVC(), {"C": [0.1, 1.0]}, optimizer="grid", cv=2)
    assert cross_val_score(inner, *data, cv=2).min() > 0.7


@pytest.mark.parametrize("pruner", [None, eh.ASHA(max_steps=3)], ids=["whole", "in steps"])
def test_a_fit_that_fails_costs_only_itself(pruner, data):
    space = {"max_depth": [1, 2, -5]}
    search = EvolutionSearchCV(
        DecisionTreeClassifier(), space, optimizer="grid", cv=2, pruner=pruner, resource="n_samples"
    )
    with pytest.warns((FitFailedWarning, UserWarning)):
        search.fit(*data)
    assert search.best_params_["max_depth"] in (1, 2)
    assert np.isnan(search.cv_results_["mean_test_score"]).sum() == 1
    assert (search.trials_.status == "failed").sum() == 1


@pytest.mark.parametrize("pruner", [None, eh.ASHA(max_steps=3)], ids=["whole", "in steps"])
def test_where_every_fit_fails_the_reason_is_told(pruner, data):
    search = EvolutionSearchCV(DecisionTreeClassifier(), {"max_depth": [-5, -6]}, n_trials=12, cv=2, pruner=pruner)
    with pytest.raises(ValueError, match="max_depth"):
        search.fit(*data)


@pytest.mark.parametrize("pruner", [None, eh.ASHA(max_steps=3)], ids=["whole", "in steps"])
def test_a_failure_is_raised_where_that_is_wanted(pruner, data):
    search = EvolutionSearchCV(
        DecisionTreeClassifier(), {"max_depth": [-5, 2]}, optimizer="grid", cv=2, pruner=pruner, error_score="raise"
    )
    with pytest.raises(ValueError, match="'max_depth' parameter of DecisionTreeClassifier must be"):
        search.fit(*data)
