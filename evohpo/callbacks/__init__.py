"""Callbacks: who is told of every event of a run, and writers for TensorBoard, MLflow and Weights & Biases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evohpo.lazy import exports

if TYPE_CHECKING:
    from evohpo.callbacks.mlflow import MLflowWriter
    from evohpo.callbacks.protocol import Callback
    from evohpo.callbacks.tensorboard import TensorBoardWriter
    from evohpo.callbacks.wandb import WandbWriter

__getattr__, __dir__ = exports(
    __name__,
    {
        "mlflow": ("MLflowWriter",),
        "protocol": ("Callback",),
        "tensorboard": ("TensorBoardWriter",),
        "wandb": ("WandbWriter",),
    },
)

__all__ = ["Callback", "MLflowWriter", "TensorBoardWriter", "WandbWriter"]
