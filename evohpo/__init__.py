"""evohpo: bring your own algorithm. Evolutionary optimization of hyperparameters.

    import evohpo as eh

    study = eh.tune(train, space, maximize="accuracy", optimizer="ga", generations=10, population=20, workers=4)

Names are imported when first used, so that `import evohpo` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evohpo.lazy import exports

__version__ = "0.1.0"

_HOMES = {
    "space": [
        "Space", "Continuous", "Integer", "Categorical", "Ordinal", "Static",
        "at_least", "at_most", "between", "Real", "OneHot", "Binary", "Index", "Configs", "Encoding",
    ],
    "trials": ["Trial", "Status", "Goals"],
    "optimizers": ["optimizer", "use", "available_optimizers", "Optimizer", "Population", "Problem", "Results"],
    "optimizers.islands": ["Islands"],
    "optimizers.pbt": ["PBT"],
    "pruners": [
        "ASHA", "PASHA", "Hyperband", "SuccessiveHalving", "Median", "Percentile", "Plateau", "Decision", "Pruner",
    ],
    "evaluators": [
        "Inline", "Threads", "Processes", "Script", "Batched", "Context", "Evaluator", "TensorBoard", "Dask", "Ray",
        "Launched", "Slurm", "TorchX",
    ],
    "replayed": ["Replayed"],
    "reporting": ["report", "trial"],
    "study": ["Study", "Stop", "load"],
    "driver": ["tune"],
    "bench": ["compare", "Comparison", "meta", "problems"],
    "service": ["HTTP", "connect", "serve"],
    "errors": [
        "EvohpoError", "EvohpoWarning", "UsageError", "IllegalDefinition", "IllegalValue", "UnknownName",
        "OptimizerError", "StoreError",
    ],
}  # fmt: skip
_WITH_EXTRA = {  # not for `import *`
    "sagemaker": ["SageMaker"],
    "sklearn": ["EvolutionSearchCV", "HyperbandSearchCV", "suggest_hyperband"],
}

__all__ = sorted([*(name for names in _HOMES.values() for name in names), "__version__", "callbacks", "export"])
__getattr__, __dir__ = exports(__name__, {**_HOMES, **_WITH_EXTRA, "callbacks": [], "export": []})

if TYPE_CHECKING:
    from evohpo import callbacks as callbacks
    from evohpo import export as export
    from evohpo.bench import Comparison as Comparison
    from evohpo.bench import compare as compare
    from evohpo.bench import meta as meta
    from evohpo.bench import problems as problems
    from evohpo.driver import tune as tune
    from evohpo.errors import EvohpoError as EvohpoError
    from evohpo.errors import EvohpoWarning as EvohpoWarning
    from evohpo.errors import IllegalDefinition as IllegalDefinition
    from evohpo.errors import IllegalValue as IllegalValue
    from evohpo.errors import OptimizerError as OptimizerError
    from evohpo.errors import StoreError as StoreError
    from evohpo.errors import UnknownName as UnknownName
    from evohpo.errors import UsageError as UsageError
    from evohpo.evaluators import Batched as Batched
    from evohpo.evaluators import Context as Context
    from evohpo.evaluators import Dask as Dask
    from evohpo.evaluators import Evaluator as Evaluator
    from evohpo.evaluators import Inline as Inline
    from evohpo.evaluators import Launched as Launched
    from evohpo.evaluators import Processes as Processes
    from evohpo.evaluators import Ray as Ray
    from evohpo.evaluators import Script as Script
    from evohpo.evaluators import Slurm as Slurm
    from evohpo.evaluators import TensorBoard as TensorBoard
    from evohpo.evaluators import Threads as Threads
    from evohpo.evaluators import TorchX as TorchX
    from evohpo.optimizers import Optimizer as Optimizer
    from evohpo.optimizers import Population as Population
    from evohpo.optimizers import Problem as Problem
    from evohpo.optimizers import Results as Results
    from evohpo.optimizers import available_optimizers as available_optimizers
    from evohpo.optimizers import optimizer as optimizer
    from evohpo.optimizers import use as use
    from evohpo.optimizers.islands import Islands as Islands
    from evohpo.optimizers.pbt import PBT as PBT
    from evohpo.pruners import ASHA as ASHA
    from evohpo.pruners import PASHA as PASHA
    from evohpo.pruners import Decision as Decision
    from evohpo.pruners import Hyperband as Hyperband
    from evohpo.pruners import Median as Median
    from evohpo.pruners import Percentile as Percentile
    from evohpo.pruners import Plateau as Plateau
    from evohpo.pruners import Pruner as Pruner
    from evohpo.pruners import SuccessiveHalving as SuccessiveHalving
    from evohpo.replayed import Replayed as Replayed
    from evohpo.reporting import report as report
    from evohpo.reporting import trial as trial
    from evohpo.sagemaker import SageMaker as SageMaker
    from evohpo.service import HTTP as HTTP
    from evohpo.service import connect as connect
    from evohpo.service import serve as serve
    from evohpo.sklearn import EvolutionSearchCV as EvolutionSearchCV
    from evohpo.sklearn import HyperbandSearchCV as HyperbandSearchCV
    from evohpo.sklearn import suggest_hyperband as suggest_hyperband
    from evohpo.space import Binary as Binary
    from evohpo.space import Categorical as Categorical
    from evohpo.space import Configs as Configs
    from evohpo.space import Continuous as Continuous
    from evohpo.space import Encoding as Encoding
    from evohpo.space import Index as Index
    from evohpo.space import Integer as Integer
    from evohpo.space import OneHot as OneHot
    from evohpo.space import Ordinal as Ordinal
    from evohpo.space import Real as Real
    from evohpo.space import Space as Space
    from evohpo.space import Static as Static
    from evohpo.space import at_least as at_least
    from evohpo.space import at_most as at_most
    from evohpo.space import between as between
    from evohpo.study import Stop as Stop
    from evohpo.study import Study as Study
    from evohpo.study import load as load
    from evohpo.trials import Goals as Goals
    from evohpo.trials import Status as Status
    from evohpo.trials import Trial as Trial
