"""Train a small network on handwritten digits: a training script as SageMaker runs it, in script mode.

Hyperparameters come as arguments, the data are in the folder of the channel "training", the model goes to the folder of the
model. Accuracy is printed after each epoch. Where the job has a folder of checkpoints, training goes on from the last one.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

CHECKPOINTS = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")) / "checkpoints"
ACTIVATIONS = {  # a function, and its derivative in terms of its value
    "relu": (lambda z: np.maximum(z, 0), lambda h: h > 0),
    "tanh": (np.tanh, lambda h: 1 - h**2),
    "sigmoid": (lambda z: 0.5 * (1 + np.tanh(z / 2)), lambda h: h * (1 - h)),
}
Arrays = dict[str, np.ndarray]


def arguments() -> argparse.Namespace:
    """Return hyperparameters and folders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learning_rate", type=float, default=0.1)
    parser.add_argument("--num_epoch", type=int, default=20)
    parser.add_argument("--batch_size", type=int, default=100)
    parser.add_argument("--momentum", type=float, default=0.0)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--activation", choices=list(ACTIVATIONS), default="relu")
    parser.add_argument(
        "--shifted", type=int, choices=[0, 1], default=0, help="1: also train on images shifted by a pixel"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--training", type=Path, default=os.environ.get("SM_CHANNEL_TRAINING", "."))
    parser.add_argument("--model-dir", type=Path, default=os.environ.get("SM_MODEL_DIR", "."))
    return parser.parse_args()


def initial(hidden: int, rng: np.random.Generator) -> Arrays:
    """Return the weights of 64 inputs, `hidden` units and 10 classes."""
    return {
        "W1": rng.normal(0, np.sqrt(2 / 64), (64, hidden)),
        "b1": np.zeros(hidden),
        "W2": rng.normal(0, np.sqrt(2 / hidden), (hidden, 10)),
        "b2": np.zeros(10),
    }


def logits(weights: Arrays, X: np.ndarray, activation: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the hidden units (n, hidden) and the logits (n, 10) of images (n, 64)."""
    H = ACTIVATIONS[activation][0](X @ weights["W1"] + weights["b1"])
    return H, H @ weights["W2"] + weights["b2"]


def gradients(weights: Arrays, X: np.ndarray, y: np.ndarray, activation: str) -> Arrays:
    """Return the gradients of the mean cross-entropy of a batch."""
    H, Z = logits(weights, X, activation)
    P = np.exp(Z - Z.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    P[np.arange(len(y)), y] -= 1
    P /= len(y)
    D = (P @ weights["W2"].T) * ACTIVATIONS[activation][1](H)
    return {"W1": X.T @ D, "b1": D.sum(axis=0), "W2": H.T @ P, "b2": P.sum(axis=0)}


def shifted(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return images (9n, 64) shifted by up to one pixel to each side, and their classes."""
    squares = np.pad(X.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    shifts = [squares[:, i : i + 8, j : j + 8].reshape(-1, 64) for i in range(3) for j in range(3)]
    return np.concatenate(shifts), np.tile(y, 9)


def save(epoch: int, weights: Arrays, speeds: Arrays) -> None:
    """Write a checkpoint, so that a job that is broken off leaves a whole one."""
    if CHECKPOINTS.is_dir():  # it is there if the job has a CheckpointConfig
        state = {"epoch": np.array(epoch), **weights, **{f"speed_{n}": v for n, v in speeds.items()}}
        np.savez(CHECKPOINTS / "new.npz", **state)
        (CHECKPOINTS / "new.npz").replace(CHECKPOINTS / "last.npz")


def restore(weights: Arrays, speeds: Arrays) -> int:
    """Take over the last checkpoint, if there is one; return its epoch."""
    if not (CHECKPOINTS / "last.npz").exists():
        return 0
    with np.load(CHECKPOINTS / "last.npz") as state:
        for name in weights:
            weights[name], speeds[name] = state[name], state[f"speed_{name}"]
        return int(state["epoch"])


def main() -> None:
    """Train, print, save."""
    args = arguments()
    with np.load(args.training / "digits.npz") as data:
        X, y, X_valid, y_valid = (data[name] for name in ("X", "y", "X_valid", "y_valid"))
    if args.shifted:
        X, y = shifted(X, y)
    weights = initial(args.hidden, np.random.default_rng(args.seed))
    speeds = {name: np.zeros_like(values) for name, values in weights.items()}
    for epoch in range(restore(weights, speeds) + 1, args.num_epoch + 1):
        order = np.random.default_rng([args.seed, epoch]).permutation(len(X))  # the same after a break as without
        for first in range(0, len(X), args.batch_size):
            batch = order[first : first + args.batch_size]
            for name, gradient in gradients(weights, X[batch], y[batch], args.activation).items():
                speeds[name] = args.momentum * speeds[name] - args.learning_rate * gradient
                weights[name] += speeds[name]
        accuracy = (logits(weights, X_valid, args.activation)[1].argmax(axis=1) == y_valid).mean()
        print(f"Epoch[{epoch}] Validation-accuracy={accuracy:.4f}", flush=True)
        save(epoch, weights, speeds)  # after it is printed: no job that goes on leaves out an epoch
    np.savez(args.model_dir / "model.npz", **weights)


if __name__ == "__main__":
    main()
