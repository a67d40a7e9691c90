"""Classes shaped as a Searcher of Ray Tune, taken as they are; Ray itself is not needed.

Such a class has `suggest(trial_id)`, which returns a configuration, None for "not now" or "FINISHED", and
`on_trial_complete(trial_id, result, error)`. It may have `set_search_properties(metric, mode, config)`, which is called
first, and `add_evaluated_point(parameters, value)`, which hears of baselines.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from evohpo.errors import UsageError
from evohpo.optimizers.protocol import Population, Traits
from evohpo.optimizers.registry import Registered
from evohpo.optimizers.signatures import arguments, parameters_of
from evohpo.space import Configs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from evohpo.optimizers.protocol import Problem, Results

METRIC = "loss"  # the name under which fitness is told
REFERENCE = "Liaw et al. (2018), Tune: a research platform for distributed model selection and training"


def is_searcher(target: Any) -> bool:
    """Return whether an object or a class has the shape.

    Example:
        >>> class Fixed:
        ...     def suggest(self, trial_id): ...
        ...     def on_trial_complete(self, trial_id, result=None, error=False): ...
        >>> is_searcher(Fixed), is_searcher(Fixed()), is_searcher("de")
        (True, True, False)
    """
    return all(callable(getattr(target, name, None)) for name in ("suggest", "on_trial_complete"))


def adapt(target: Any) -> Registered:
    """Return the optimizer that a searcher, or a class of searchers, is.

    A class is made with those of `space`, `rng`, `seed` and `problem` that it has parameters for, `metric`, `mode` and the
    options given.
    """
    kind = target if isinstance(target, type) else type(target)
    home = f"{kind.__module__}:{kind.__qualname__}"

    def start(problem: Problem, rng: np.random.Generator, **options: Any) -> Searching:
        if target is not kind and options:
            raise UsageError(f"optimizer {home!r} is a live object, it takes no options ({', '.join(options)})")
        own = {"metric": METRIC, "mode": "min"}
        named = {name: value for name, value in own.items() if name in parameters_of(target)}
        searcher = target(**arguments(target, named | options, problem, rng)) if target is kind else target
        assert problem.space is not None
        return Searching(searcher, problem.space.parameters)

    return Registered(home, start, Traits(encoding=Configs(), reference=REFERENCE), home)


class Searching:
    """Asks a searcher for one configuration after the other, and tells it of each by its trial id.

    Args:
        searcher: the searcher.
        config: the space in the searcher's own terms.
        read: makes a configuration of what the searcher suggests.
        write: makes what the searcher can take of a configuration.
    """

    def __init__(
        self, searcher: Any, config: Mapping[str, Any],
        read: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
        write: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
    ) -> None:  # fmt: skip
        self._searcher, self._serial, self._out = searcher, 0, 0
        self._read, self._write = read, write
        if hasattr(searcher, "set_search_properties"):
            searcher.set_search_properties(METRIC, "min", dict(config))

    def ask(self, n: int) -> Population | None:
        """Return at most `n` configurations, none where the searcher wants results first, None when it has finished."""
        configs: list[Any] = []
        keys = []
        while len(configs) < n:
            trial_id = f"{self._serial:08x}"
            config = self._searcher.suggest(trial_id)
            if isinstance(config, str):  # Searcher.FINISHED
                if not configs and not self._out:
                    return None
                break
            if config is None:
                break
            self._serial += 1
            configs.append(self._read(config))
            keys.append(trial_id)
        self._out += len(configs)
        return Population(configs, keys=keys)  # type: ignore[arg-type]  # configurations, by its encoding

    def tell(self, results: Results) -> None:
        """Tell it of every trial by its id; a failed one as an error, without a result."""
        for i, trial_id in enumerate(results.keys):
            config: Any = results.X[i]
            fitness = float(results.F[i, 0])
            if trial_id is None:
                if hasattr(self._searcher, "add_evaluated_point"):
                    with suppress(NotImplementedError):
                        self._searcher.add_evaluated_point(parameters=self._write(config), value=fitness)
                continue
            self._out -= 1
            if results.failed[i]:
                self._searcher.on_trial_complete(trial_id, result=None, error=True)
                continue
            steps = max(int(results.steps[i]), 1)
            result = {
                METRIC: fitness,
                "training_iteration": steps,
                "trial_id": trial_id,
                "config": config,
                "done": True,
            }
            self._searcher.on_trial_complete(trial_id, result=result, error=False)
