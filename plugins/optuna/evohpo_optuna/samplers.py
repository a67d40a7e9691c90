"""How a sampler of Optuna proposes for a study of evohpo, and learns what became of it.

It works in an in-memory study of Optuna's own. The space is suggested parameter by parameter, conditions included, as an
objective of Optuna would do it; what was really evaluated is what it learns.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import optuna
from optuna.samplers import (
    BaseGASampler,
    BaseSampler,
    BruteForceSampler,
    GPSampler,
    GridSampler,
    NSGAIIISampler,
    NSGAIISampler,
    PartialFixedSampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from optuna.trial import TrialState, create_trial

from evohpo.errors import EvohpoError, UsageError
from evohpo.optimizers.protocol import Population, Traits
from evohpo.optimizers.registry import Registered
from evohpo.space import Configs

from .axes import Axes
from .quiet import quiet
from .state import forget, parts, reseed, translate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from optuna.trial import FrozenTrial

    from evohpo.optimizers.protocol import Problem, Results

REFERENCE = "Akiba, Sano, Yanase, Ohta, Koyama (2019), Optuna: A next-generation hyperparameter optimization framework"
FINITE = (GridSampler, BruteForceSampler)
CONSTRAINED = (TPESampler, NSGAIISampler, NSGAIIISampler, GPSampler)  # they read the constraints of trials
SEVERAL = (*CONSTRAINED, *FINITE, RandomSampler, QMCSampler, BaseGASampler)  # they take several objectives


def adapt(obj: Any) -> Registered | None:
    """Return what runs a sampler of Optuna; None for what is none.

    Args:
        obj: a `BaseSampler`, the user's own included, or a class that can be called without arguments.

    Raises:
        UsageError: a class that needs arguments, or a study of Optuna.

    Example:
        >>> adapted = adapt(optuna.samplers.TPESampler(n_startup_trials=5))
        >>> adapted.name, adapted.traits.objectives, adapted.traits.constraints
        ('optuna.TPESampler', 'multi', True)
    """
    if isinstance(obj, optuna.Study):
        raise UsageError("optimizer=<a study of Optuna>: hand over its sampler, study.sampler; results can be attached")
    kind = obj if isinstance(obj, type) else type(obj)
    if not issubclass(kind, BaseSampler):
        return None
    sampler = _made(kind) if isinstance(obj, type) else obj
    name = _name(kind)
    inner = _inner(sampler)

    def start(problem: Problem, rng: np.random.Generator) -> Sampling:
        return Sampling(copy.deepcopy(sampler), problem, rng)

    traits = Traits(
        objectives="multi" if isinstance(inner, SEVERAL) else "single",
        constraints=isinstance(inner, CONSTRAINED),
        encoding=Configs(),
        finite=isinstance(inner, FINITE),
        reference=REFERENCE,
    )
    return Registered(name, start, traits, f"{kind.__module__}:{kind.__qualname__}")


def _name(kind: type) -> str:
    own = kind.__module__.partition(".")[0] == "optuna"
    return f"optuna.{kind.__name__}" if own else f"{kind.__module__}:{kind.__name__}"


def _made(kind: type[BaseSampler]) -> BaseSampler:
    try:
        with quiet():
            return kind()
    except TypeError as error:
        raise UsageError(
            f"optimizer={kind.__name__} cannot be made without arguments ({error}): hand over an object"
        ) from error


def _inner(sampler: BaseSampler) -> BaseSampler:
    """Return the sampler that decides: the one within, where some parameters are fixed."""
    while isinstance(sampler, PartialFixedSampler):
        sampler = sampler._base_sampler
    return sampler


class Sampling:
    """A sampler at work for one study.

    Attributes:
        study: the study of Optuna that it works in.
    """

    def __init__(self, sampler: BaseSampler, problem: Problem, rng: np.random.Generator) -> None:
        assert problem.space is not None
        self._space, self._axes = problem.space, Axes(problem.space)
        forget(sampler)
        reseed(sampler, rng)
        translate(sampler, self._axes, rng)
        with quiet():
            self.study = optuna.create_study(
                sampler=sampler, study_name="evohpo", directions=["minimize"] * problem.n_objectives
            )
        self.study.stop = self._stop  # type: ignore[method-assign]  # its own works only within its own loop
        self._stopped = False
        self._finite = isinstance(_inner(sampler), FINITE)
        self._constrained = problem.n_constraints > 0 and isinstance(_inner(sampler), CONSTRAINED)
        self._has_function = any(getattr(part, "_constraints_func", None) is not None for part in parts(sampler))
        self._asked: dict[int, tuple[optuna.Trial, dict[str, Any]]] = {}
        self._proposed: set[Any] = set()  # keys of configurations, of a sampler that is finite
        self._succeeded = False
        self._violation = 0.0  # the largest one told

    def _stop(self) -> None:
        self._stopped = True

    # ---- asking

    def ask(self, n: int) -> Population | None:
        """Return `n` configurations, fewer if the sampler has no more; None if it has none."""
        with quiet():
            rows = [row for _ in range(n) if (row := self._next()) is not None]
        if not rows and self._stopped:
            return None
        configs: Any = [config for _, config in rows]
        return Population(configs, keys=[trial.number for trial, _ in rows])

    def _next(self) -> tuple[optuna.Trial, dict[str, Any]] | None:
        """Return the next trial and its configuration; None if the sampler has been through all of them."""
        while not self._stopped:
            trial = self.study.ask()
            config = self._axes.suggest(trial)
            if self._finite and self._again(config):
                # either parameters that do not apply made it the same as another one, or there is nothing left
                self._tell(trial, None)
                continue
            self._asked[trial.number] = trial, config
            return trial, config
        return None

    def _again(self, config: Mapping[str, Any]) -> bool:
        key, before = self._space.key(config), len(self._proposed)
        self._proposed.add(key)
        return len(self._proposed) == before

    # ---- telling

    def tell(self, results: Results) -> None:
        """Tell Optuna what was evaluated: the trials it was asked for, and all others as trials of their own."""
        keys = results.keys if len(results.keys) else [None] * len(results)
        with quiet():
            for params, F, violation, failed, key in zip(
                results.X, results.F.tolist(), results.violation.tolist(), results.failed.tolist(), keys, strict=True
            ):
                trial, config = (None, None) if key is None else self._asked.pop(key)
                if failed and not self._succeeded:  # its fitness is on no scale yet, and models would take it for one
                    if trial is not None:
                        self._tell(trial, None)
                    continue
                self._succeeded = True
                constraints = self._constraints(violation, failed)
                if trial is not None and config is not None and self._space.key(params) == self._space.key(config):
                    for name, value in constraints.items():
                        trial.set_constraint(name, value)
                    self._tell(trial, F)
                else:
                    self._replace(trial, params, F, constraints)

    def _constraints(self, violation: float, failed: bool) -> dict[str, float]:
        if not self._constrained:
            return {}
        if failed:
            return {"violation": self._violation + 1.0}
        self._violation = max(self._violation, violation)
        return {"violation": violation}

    def _replace(
        self,
        trial: optuna.Trial | None,
        params: Mapping[str, Any],
        F: Sequence[float],
        constraints: dict[str, float],
    ) -> None:
        """Add a trial for what was evaluated instead of what `trial` suggested; it keeps its generation and the like."""
        attributes = self._tell(trial, None).system_attrs if trial is not None else {}
        coded = self._axes.encode(params)
        distributions = self._axes.distributions(coded)
        real = create_trial(
            params=coded, distributions=distributions, values=F, constraints=constraints, system_attrs=attributes
        )
        self.study.add_trial(real)

    def _tell(self, trial: optuna.Trial, values: Sequence[float] | None) -> FrozenTrial:
        """End a trial with its values; with none it is as if it had never been."""
        try:
            return self.study.tell(trial, values, state=None if values is not None else TrialState.FAIL)
        except EvohpoError:
            raise
        except Exception as error:
            if not self._has_function:
                raise
            raise UsageError(
                f"the sampler's constraints_func failed, {type(error).__name__}: {error}; a trial of a study has params "
                "and values but no attributes of its own: write constraints=[...] of the study instead"
            ) from error
