"""What is tuned: a small neural network on scikit-learn's handwritten digits."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from evohpo.space import Categorical, Continuous, Integer, Ordinal, Space

if TYPE_CHECKING:
    from collections.abc import Iterator

SPACE = Space(
    {
        "hidden": Integer(8, 128, scale="log"),
        "learning_rate": Continuous(1e-4, 1e-1, scale="log"),
        "alpha": Continuous(1e-6, 1e-1, scale="log"),
        "batch_size": Ordinal([32, 64, 128, 256]),
        "solver": Categorical(["sgd", "adam"]),
        "momentum": Continuous(0.0, 0.99, when={"solver": "sgd"}),
        "epochs": Integer(4, 12),
        "seed": 0,
    }
)


@functools.cache
def images() -> Any:
    """Return training and validation images and labels; loaded once a process."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    X, y = load_digits(return_X_y=True)
    return train_test_split(X / 16.0, y, test_size=0.4, random_state=0, stratify=y)


def train(params: dict[str, Any]) -> Iterator[dict[str, float]]:
    """Train a network with these hyperparameters; yield its accuracy on unseen digits after every epoch."""
    from sklearn.neural_network import MLPClassifier

    X, unseen, y, labels = images()
    network = MLPClassifier(
        hidden_layer_sizes=(params["hidden"],),
        learning_rate_init=params["learning_rate"],
        alpha=params["alpha"],
        batch_size=params["batch_size"],
        solver=params["solver"],
        momentum=params.get("momentum", 0.9),
        random_state=params["seed"],
    )
    for _ in range(params["epochs"]):
        network.partial_fit(X, y, classes=range(10))
        yield {"accuracy": float(network.score(unseen, labels))}
