"""Real problems that take seconds: models of scikit-learn that read handwritten digits."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from evohpo.bench.problems.problem import Problem
from evohpo.errors import UnknownName, UsageError
from evohpo.space import Categorical, Continuous, Integer, Space
from evohpo.trials.goals import Goals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FOLDS = 3
SVM = {
    "C": Continuous(1e-3, 1e4, scale="log"),
    "kernel": Categorical(["rbf", "poly", "sigmoid"]),
    "gamma": Continuous(1e-6, 1e1, scale="log"),
    "degree": Integer(2, 5, when={"kernel": "poly"}),
    "coef0": Continuous(-1.0, 1.0, when="kernel == 'poly' or kernel == 'sigmoid'"),
}
FOREST = {
    "n_estimators": Integer(4, 64, scale="log"),
    "criterion": Categorical(["gini", "entropy"]),
    "max_depth": Integer(2, 20),
    "max_features": Continuous(0.02, 1.0, scale="log"),
    "min_samples_leaf": Integer(1, 30, scale="log"),
    "bootstrap": Categorical([True, False]),
}


def svm(params: Mapping[str, Any]) -> dict[str, float]:
    """Return the accuracy of a support vector machine, the mean of three folds, in [0, 1]."""
    from sklearn.svm import SVC

    return _validated(SVC(**params, max_iter=2000))


def forest(params: Mapping[str, Any]) -> dict[str, float]:
    """Return the accuracy of a random forest, the mean of three folds, in [0, 1]."""
    from sklearn.ensemble import RandomForestClassifier

    return _validated(RandomForestClassifier(**params, random_state=0))


def _validated(model: Any) -> dict[str, float]:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import cross_val_score

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a bad configuration is one that does not converge
        return {"accuracy": float(cross_val_score(model, *_digits(), cv=FOLDS).mean())}


@cache
def _digits() -> Any:
    """Return images `(1797, 64)` in [0, 1] and their labels, in an order that has nothing to do with who wrote them."""
    import numpy as np
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    return images[order] / 16.0, labels[order]


def _mlp() -> tuple[Callable[..., Any], Space]:
    from evohpo.demo.digits import space, train

    return train, space()


def digits(name: str) -> Problem:
    """Return a model that reads handwritten digits: "mlp", which trains in epochs, "svm" or "forest".

    Raises:
        UnknownName: there is none of that name.
        UsageError: scikit-learn is not installed.
    """
    kinds: dict[str, Callable[[], tuple[Callable[..., Any], Space]]] = {
        "mlp": _mlp, "svm": lambda: (svm, Space(SVM)), "forest": lambda: (forest, Space(FOREST)),
    }  # fmt: skip
    if name not in kinds:
        raise UnknownName("model", name, kinds)
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise UsageError(f"problem 'digits-{name}' needs scikit-learn: pip install 'evohpo[sklearn]'") from error
    objective, space = kinds[name]()
    return Problem(f"digits-{name}", objective, space, Goals.of(maximize="accuracy"))
