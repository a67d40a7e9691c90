"""Train a network of two hidden layers on images of digits, and write what comes of it as TensorBoard logs.

A training script as there are many: hyperparameters come as arguments, and it knows nothing of whoever tunes them.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
from tensorboard.summary import Writer

Arrays = dict[str, np.ndarray]
SIZE, CLASSES = 28 * 28, 10


def arguments() -> argparse.Namespace:
    """Return hyperparameters and places."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log_path", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="an .npz file with X, y, X_valid, y_valid")
    parser.add_argument("--hidden_size_1", type=int, default=64)
    parser.add_argument("--hidden_size_2", type=int, default=64)
    parser.add_argument("--learning_rate", type=float, default=1e-3)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def initial(sizes: list[int], rng: np.random.Generator) -> Arrays:
    """Return weights and biases of layers with these sizes, from input to output."""
    weights = {}
    for layer, (a, b) in enumerate(pairwise(sizes)):
        weights[f"W{layer}"] = rng.normal(0, np.sqrt(2 / a), (a, b)).astype(np.float32)
        weights[f"b{layer}"] = np.zeros(b, np.float32)
    return weights


def forward(weights: Arrays, X: np.ndarray, masks: list[np.ndarray] | None = None) -> list[np.ndarray]:
    """Return the values of all layers, the logits last; `masks` drop hidden units out."""
    values = [X]
    last = len(weights) // 2 - 1
    for layer in range(last + 1):
        Z = values[-1] @ weights[f"W{layer}"] + weights[f"b{layer}"]
        if layer < last:
            Z = np.maximum(Z, 0) * (1 if masks is None else masks[layer])
        values.append(Z)
    return values


def gradients(weights: Arrays, values: list[np.ndarray], y: np.ndarray) -> Arrays:
    """Return the gradients of the mean cross-entropy; dropped units are 0 in `values`, and so get none."""
    P = np.exp(values[-1] - values[-1].max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    P[np.arange(len(y)), y] -= 1
    D, found = P / len(y), {}
    for layer in reversed(range(len(values) - 1)):
        found[f"W{layer}"], found[f"b{layer}"] = values[layer].T @ D, D.sum(axis=0)
        D = (D @ weights[f"W{layer}"].T) * (values[layer] > 0)
    return found


def main() -> None:
    """Train with Adam; log after each epoch."""
    args = arguments()
    with np.load(args.data) as data:
        X, y, X_valid, y_valid = (data[name] for name in ("X", "y", "X_valid", "y_valid"))
    rng = np.random.default_rng(args.seed)
    weights = initial([SIZE, args.hidden_size_1, args.hidden_size_2, CLASSES], rng)
    mean, square = ({name: np.zeros_like(w) for name, w in weights.items()} for _ in range(2))
    writer, step, keep = Writer(str(args.log_path)), 0, 1 - args.dropout
    for epoch in range(1, args.epochs + 1):
        order = rng.permutation(len(X))
        for batch in np.array_split(order, -(-len(X) // args.batch_size)):
            step += 1
            masks = [
                (rng.random((len(batch), n)) < keep).astype(np.float32) / np.float32(keep)
                for n in (args.hidden_size_1, args.hidden_size_2)
            ]
            for name, g in gradients(weights, forward(weights, X[batch], masks), y[batch]).items():
                mean[name] += 0.1 * (g - mean[name])
                square[name] += 0.001 * (g**2 - square[name])
                unbiased = mean[name] / (1 - 0.9**step), square[name] / (1 - 0.999**step)
                weights[name] -= args.learning_rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
        accuracy = (forward(weights, X_valid)[-1].argmax(axis=1) == y_valid).mean()
        writer.add_scalar("val_acc", float(accuracy), epoch)
        writer.add_scalar("num_params", float(sum(w.size for w in weights.values())), epoch)
        writer.flush()
    writer.close()


if __name__ == "__main__":
    main()
