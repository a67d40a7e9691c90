"""Both searches pass the checks that scikit-learn has for estimators."""

from __future__ import annotations

import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import evohpo as eh
from evohpo.sklearn import EvolutionSearchCV, HyperbandSearchCV

C, ALPHA = {"C": [0.1, 1.0]}, {"alpha": [0.1, 1.0]}
USUAL = {"error_score": "raise", "random_state": 0}  # as scikit-learn checks its own searches
SEARCHES = [
    EvolutionSearchCV(LogisticRegression(), C, cv=2, n_trials=4, **USUAL),
    EvolutionSearchCV(Ridge(), ALPHA, cv=2, n_trials=4, **USUAL),
    EvolutionSearchCV(LogisticRegression(), C, cv=2, n_trials=4, features=True, **USUAL),
    EvolutionSearchCV(LogisticRegression(), C, cv=2, n_trials=4, pruner=eh.ASHA(max_steps=3), **USUAL),
    HyperbandSearchCV(LogisticRegression(), C, max_iter=3, **USUAL),
    HyperbandSearchCV(SGDClassifier(random_state=0), ALPHA, max_iter=3, **USUAL),
    HyperbandSearchCV(Pipeline([("p", PCA()), ("r", Ridge())]), {"r__alpha": [0.1, 1.0]}, max_iter=3, **USUAL),
]


def known(search):
    """Return what scikit-learn's own searches do not pass either."""
    own = {"check_supervised_y_2d": "a search keeps the warnings of its fits to itself, as GridSearchCV does"}
    return own if "Ridge" in str(search.estimator) else {}


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(SEARCHES, expected_failed_checks=known)
def test_a_search_is_an_estimator(estimator, check):
    check(estimator)
