"""Amazon SageMaker: each individual a training job, the built-in tuner beside it, and a local service to try it on.

`SageMaker` is the evaluator for `evohpo.tune`. `evolutionary_search`, `random_search`, `get_metrics`, `table_metrics` and the
four kinds of parameter are those of the AWS post on bringing your own algorithm. Names are imported when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evohpo.lazy import exports

if TYPE_CHECKING:
    from evohpo.sagemaker.builtin import builtin_search, tuning_trials
    from evohpo.sagemaker.evaluator import SageMaker
    from evohpo.sagemaker.face import evolutionary_search, get_metrics, random_search, table_metrics
    from evohpo.sagemaker.metrics import NUMBER
    from evohpo.sagemaker.parameters import CategoricalParameter, ContinuousParameter, IntegerParameter, StaticParameter

__getattr__, __dir__ = exports(
    __name__,
    {
        "builtin": ("builtin_search", "tuning_trials"),
        "evaluator": ("SageMaker",),
        "face": ("evolutionary_search", "get_metrics", "random_search", "table_metrics"),
        "metrics": ("NUMBER",),
        "parameters": ("CategoricalParameter", "ContinuousParameter", "IntegerParameter", "StaticParameter"),
    },
)

__all__ = [
    "NUMBER", "CategoricalParameter", "ContinuousParameter", "IntegerParameter", "SageMaker", "StaticParameter",
    "builtin_search", "evolutionary_search", "get_metrics", "random_search", "table_metrics", "tuning_trials",
]  # fmt: skip
