"""Feature selection: an estimator that sees some of the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import _safe_indexing, check_array, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _num_features, check_is_fitted

from evohpo.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

Method = TypeVar("Method")


def _has(method: str) -> Callable[[Method], Method]:
    """Return a decorator that hides a method where the estimator has none of that name."""

    def check(self: ColumnMask) -> bool:
        getattr(self.estimator_ if hasattr(self, "estimator_") else self.estimator, method)
        return True

    decorator: Callable[[Method], Method] = available_if(check)
    return decorator


def as_table(X: Any) -> Any:
    """Return X as something that has columns: a data frame as it is, a sparse matrix, or an array.

    Missing values are left to the estimator, which may not see them.
    """
    if hasattr(X, "iloc"):
        return X
    if hasattr(X, "tocsr"):
        return X.tocsr()  # not all formats can be cut
    return check_array(X, dtype=None, ensure_all_finite=False)


class ColumnMask(MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Fits an estimator on some of the columns, and gives it the same ones ever after.

    Its parameters are those of the estimator, by their own names, and the mask.

    Args:
        estimator: what is fitted.
        support: `(n_features,)` one truth value a column; None takes all.

    Attributes:
        estimator_: the fitted estimator.
        support_: `(n_features,)` the mask as an array.

    Raises:
        UsageError: at fit, a mask of another length, or one that leaves no column.

    Example:
        >>> from sklearn.linear_model import LinearRegression
        >>> X = np.array([[0.0, 7.0], [1.0, 5.0], [2.0, 9.0]])
        >>> model = ColumnMask(LinearRegression(), support=(True, False)).fit(X, [0.0, 2.0, 4.0])
        >>> model.set_params(fit_intercept=False).predict(np.array([[3.0, 0.0]])).round(6).tolist()
        [6.0]
    """

    def __init__(self, estimator: Any, support: Any = None) -> None:
        self.estimator = estimator
        self.support = support

    def set_params(self, **params: Any) -> Self:
        """Set the mask, the estimator, or parameters of the estimator by their own names."""
        own = {name: params.pop(name) for name in ("estimator", "support") if name in params}
        super().set_params(**own)
        if params:
            self.estimator.set_params(**params)
        return self

    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> Self:
        """Fit a clone of the estimator on the columns of the mask."""
        X = as_table(X)
        self._mask(X)
        self.estimator_ = clone(self.estimator).fit(self._part(X), y, **fit_params)
        return self

    @_has("partial_fit")
    def partial_fit(self, X: Any, y: Any = None, **fit_params: Any) -> Self:
        """Go on with the estimator on the columns of the mask."""
        X = as_table(X)
        if not hasattr(self, "estimator_"):
            self._mask(X)
            self.estimator_ = clone(self.estimator)
        self.estimator_.partial_fit(self._part(X), y, **fit_params)
        return self

    def _mask(self, X: Any) -> None:
        n = _num_features(X)
        support = np.ones(n, bool) if self.support is None else np.asarray(self.support, bool)
        if support.shape != (n,):
            raise UsageError(f"support has {support.size} truth values for {n} columns; give one a column")
        if not support.any():
            raise UsageError("no column is left: the mask must have at least one that is True")
        self.support_, self.n_features_in_ = support, n
        names = getattr(X, "columns", None)
        if names is not None and all(isinstance(name, str) for name in names):
            self.feature_names_in_ = np.asarray(names, dtype=object)

    def _part(self, X: Any) -> Any:
        check_is_fitted(self, "support_")
        X = as_table(X)
        n = _num_features(X)
        if n != self.n_features_in_:
            raise UsageError(
                f"X has {n} features, but {type(self).__name__} is expecting {self.n_features_in_} features as input"
            )
        return _safe_indexing(X, np.flatnonzero(self.support_), axis=1)

    @property
    def classes_(self) -> Any:
        """The classes that the estimator saw."""
        return self.estimator_.classes_

    @_has("score")
    def score(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Return the estimator's own score."""
        return self.estimator_.score(self._part(X), y, **params)

    @_has("predict")
    def predict(self, X: Any) -> Any:
        """Return the estimator's predictions."""
        return self.estimator_.predict(self._part(X))

    @_has("predict_proba")
    def predict_proba(self, X: Any) -> Any:
        """Return the estimator's probabilities."""
        return self.estimator_.predict_proba(self._part(X))

    @_has("predict_log_proba")
    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithms of the estimator's probabilities."""
        return self.estimator_.predict_log_proba(self._part(X))

    @_has("decision_function")
    def decision_function(self, X: Any) -> Any:
        """Return the estimator's decision function."""
        return self.estimator_.decision_function(self._part(X))

    @_has("score_samples")
    def score_samples(self, X: Any) -> Any:
        """Return the estimator's score of each sample."""
        return self.estimator_.score_samples(self._part(X))

    @_has("transform")
    def transform(self, X: Any) -> Any:
        """Return the columns of the mask as the estimator transforms them."""
        return self.estimator_.transform(self._part(X))

    def get_metadata_routing(self) -> Any:
        """Return how fit parameters reach the estimator."""
        mapping = MethodMapping().add(caller="fit", callee="fit").add(caller="score", callee="score")
        return MetadataRouter(owner=self).add(estimator=self.estimator, method_mapping=mapping)

    def __sklearn_tags__(self) -> Any:
        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.estimator_type, tags.input_tags.sparse = inner.estimator_type, inner.input_tags.sparse
        tags.classifier_tags, tags.regressor_tags = inner.classifier_tags, inner.regressor_tags
        tags.target_tags = inner.target_tags
        return tags
