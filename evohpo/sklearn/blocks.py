"""Training in steps: what a step is for an estimator, and the data it is trained on."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.multiclass import type_of_target, unique_labels
from sklearn.utils.validation import _check_method_params, _num_samples

from evohpo.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

FEWEST = 2  # rows of a class, or in all, that a model is ever trained on


@dataclass
class Part:
    """The data that a model is trained on.

    Attributes:
        estimator: says how to take rows, of a kernel matrix for instance.
        X: all data, of any kind scikit-learn takes.
        y: all targets, or None.
        rows: `(n,)` which of them these are.
        fit_params: further arguments of fit; those of one value a row are cut with the rows.
        seed: of the order in which blocks are taken.
    """

    estimator: Any
    X: Any
    y: Any
    rows: NDArray[np.intp]
    fit_params: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    @cached_property
    def whole(self) -> tuple[Any, Any, dict[str, Any]]:
        """X, y and arguments of fit for all rows."""
        return self._take(self.rows)

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """`(n,)` the rows in an order of which every beginning has the classes in their shares."""
        rng = np.random.default_rng(self.seed)
        rows = rng.permutation(self.rows)
        if not self.classified:
            return rows
        labels = np.asarray(self.y)[rows].ravel()
        place = np.empty(len(rows))
        for label in np.unique(labels):
            mine = np.flatnonzero(labels == label)
            place[mine] = (np.arange(len(mine)) + rng.random()) / len(mine)
            place[mine[:FEWEST]] = -1.0  # some of each class come first
        return rows[np.argsort(place, kind="stable")]

    @cached_property
    def classified(self) -> bool:
        """Whether the targets are classes of a classifier, one a row."""
        return is_classifier(self.estimator) and type_of_target(self.y) in ("binary", "multiclass")

    @cached_property
    def classes(self) -> Any:
        """All classes, those of rows that are not in here included."""
        return unique_labels(self.y)

    @cached_property
    def fewest(self) -> int:
        """The rows that a model is trained on at least."""
        return min(len(self.rows), FEWEST * (len(self.classes) if self.classified else 1))

    def first(self, share: float) -> tuple[Any, Any, dict[str, Any]]:
        """Return X, y and arguments of fit for a share of the rows, in (0, 1], in the order of the data."""
        n = max(self.fewest, min(len(self.rows), int(np.ceil(share * len(self.rows) - 1e-9))))
        return self.whole if n == len(self.rows) else self._take(np.sort(self.order[:n]))

    def block(self, call: int, size: int | None) -> tuple[Any, Any, dict[str, Any]]:
        """Return X, y and arguments of fit for a call, counted from 0: blocks of about `size` rows, again and again."""
        count = 1 if size is None else max(1, round(len(self.rows) / size))
        if count == 1:
            return self.whole
        edges = np.linspace(0, len(self.rows), count + 1).astype(int)
        return self._take(self.order[edges[call % count] : edges[call % count + 1]])

    def _take(self, rows: NDArray[np.intp]) -> tuple[Any, Any, dict[str, Any]]:
        X, y = _safe_split(self.estimator, self.X, self.y, rows)
        return X, y, _check_method_params(self.X, params=dict(self.fit_params), indices=rows)


@dataclass(frozen=True)
class PartialFit:
    """A step is one call of `partial_fit` with one block."""

    size: int | None = None
    afresh = False  # whether a model is trained anew to come to a later step

    def train(self, model: Any, part: Part, before: int, after: int, last: int) -> Any:  # noqa: ARG002 - all resources'
        """Train a model that has had `before` steps up to `after`."""
        taken = signature(model.partial_fit).parameters.values()
        # one that hands arguments on, as a mask of columns does, takes what a classifier takes
        named = is_classifier(model) and any(p.name == "classes" or p.kind is p.VAR_KEYWORD for p in taken)
        for call in range(before, after):
            X, y, fit_params = part.block(call, self.size)
            first = {"classes": part.classes} if named and call == 0 and "classes" not in fit_params else {}
            model.partial_fit(X, y, **first, **fit_params)
        return model


@dataclass(frozen=True)
class WarmStart:
    """A step is one more of what a parameter counts: trees, iterations; the model goes on from where it was."""

    parameter: str
    afresh = False

    def train(self, model: Any, part: Part, before: int, after: int, last: int) -> Any:  # noqa: ARG002 - all resources'
        """Train a model that has had `before` steps up to `after`."""
        prefix, dots, name = self.parameter.rpartition("__")
        owner = model.get_params()[prefix] if prefix else getattr(model, "estimator", model)
        # iterations are counted from where a fit begins, members of an ensemble in all
        total = name != "max_iter" or type(owner).__module__.startswith("sklearn.ensemble")
        model.set_params(**{self.parameter: after if total else after - before, f"{prefix}{dots}warm_start": True})
        return _fit(model, *part.whole)


@dataclass(frozen=True)
class Samples:
    """A step is a share of the data; a model is trained anew on more of them."""

    afresh = True

    def train(self, model: Any, part: Part, before: int, after: int, last: int) -> Any:  # noqa: ARG002 - all resources'
        """Train a model on `after / last` of the data."""
        return _fit(clone(model), *part.first(after / last))


def _fit(model: Any, X: Any, y: Any, fit_params: Mapping[str, Any]) -> Any:
    return model.fit(X, **fit_params) if y is None else model.fit(X, y, **fit_params)


def resource_of(
    spec: str, estimator: Any, searched: Collection[str], size: int | None
) -> PartialFit | WarmStart | Samples:
    """Return what the steps of an estimator are.

    Args:
        spec: "partial_fit", "n_samples", the name of a parameter that is raised with `warm_start`, or "auto": the first that
            the estimator has of `partial_fit`, `n_estimators` and `max_iter` with `warm_start`; else "n_samples".
        estimator: whose.
        searched: parameters that are searched, so that they cannot be steps.
        size: rows of a block, for `partial_fit`.

    Raises:
        UsageError: the estimator cannot be trained like that; says what it can.

    Example:
        >>> from sklearn.ensemble import RandomForestClassifier
        >>> from sklearn.svm import SVC
        >>> resource_of("auto", RandomForestClassifier(), [], None), resource_of("auto", SVC(), [], None)
        (WarmStart(parameter='n_estimators'), Samples())
    """
    if size is not None and (isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1):
        raise UsageError(f"chunk_size={size!r}: must be a whole number of at least 1, or None for all rows")
    params = estimator.get_params()
    name = type(estimator).__name__
    if spec == "auto":
        warm = [p for p in ("n_estimators", "max_iter") if p in params and "warm_start" in params and p not in searched]
        spec = "partial_fit" if hasattr(estimator, "partial_fit") else warm[0] if warm else "n_samples"
    if spec == "n_samples":
        return Samples()
    if spec == "partial_fit":
        if not hasattr(estimator, "partial_fit"):
            raise UsageError(f'resource="partial_fit": {name} has none; take "auto", "n_samples" or a parameter')
        return PartialFit(size)
    flag = f"{spec.rpartition('__')[0]}__warm_start" if "__" in str(spec) else "warm_start"
    if spec not in params or flag not in params:
        raise UsageError(
            f"resource={spec!r}: {name} has no parameter {spec if spec not in params else flag!r}; take "
            '"auto", "partial_fit", "n_samples", or a parameter beside which there is warm_start'
        )
    if spec in searched:
        raise UsageError(f"resource={spec!r}: the same parameter cannot be searched; leave it out of the space")
    return WarmStart(spec)


def rows_of(X: Any) -> NDArray[np.intp]:
    """Return the numbers of all rows."""
    return np.arange(_num_samples(X))
