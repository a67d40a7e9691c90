"""The demo's task: a neural network that reads handwritten digits, and what of it is tuned."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import evohpo as eh
from evohpo.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


def space() -> eh.Space:
    """Return what is tuned: seven hyperparameters of five kinds, one of them conditional, and a constant."""
    return eh.Space(
        {
            "hidden": eh.Integer(8, 128, scale="log"),
            "learning_rate": eh.Continuous(1e-4, 1e-1, scale="log"),
            "alpha": eh.Continuous(1e-6, 1e-1, scale="log"),
            "batch_size": eh.Ordinal([32, 64, 128, 256]),
            "solver": eh.Categorical(["sgd", "adam"]),
            "momentum": eh.Continuous(0.0, 0.99, when={"solver": "sgd"}),
            "epochs": eh.Integer(5, 15),
            "seed": 100,
        }
    )


def train(params: dict[str, Any]) -> Iterator[dict[str, float]]:
    """Train the network and yield its accuracy on digits it has not seen, in [0, 1], after each epoch."""
    from sklearn.neural_network import MLPClassifier

    seen, unseen, seen_labels, unseen_labels = _digits()
    network = MLPClassifier(
        hidden_layer_sizes=(params["hidden"],), solver=params["solver"], alpha=params["alpha"],
        batch_size=params["batch_size"], learning_rate_init=params["learning_rate"],
        momentum=params.get("momentum", 0.9), random_state=params["seed"],
    )  # fmt: skip
    for _ in range(params["epochs"]):
        network.partial_fit(seen, seen_labels, classes=range(10))
        yield {"accuracy": float(network.score(unseen, unseen_labels))}


def require_sklearn() -> None:
    """Say how to get scikit-learn where it is missing.

    Raises:
        UsageError: it is missing.
    """
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise UsageError("the demo needs scikit-learn: pip install 'evohpo[demo]'") from error


@cache
def _digits() -> Any:
    """Return the fixed split: images and labels of 1347 digits to learn from and 450 to be judged by."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    return train_test_split(images / 16.0, labels, test_size=0.25, stratify=labels, random_state=0)
