"""An optimizer as a sampler of Optuna."""

from __future__ import annotations

import threading
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.errors import EvohpoWarning, IllegalValue, UnknownName, UsageError
from evohpo.export.inside import Inside

try:
    import optuna
except ImportError as error:
    raise ImportError("export.to_optuna needs Optuna: pip install optuna") from error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial, TrialState

    from evohpo.space import Space
    from evohpo.trials import Trial


def to_optuna(
    optimizer: Any, space: Space | Mapping[str, Any], *, population: int | None = None, budget: int | None = None,
    seed: int | None = None, **options: Any,
) -> optuna.samplers.BaseSampler:  # fmt: skip
    """Return a sampler of Optuna that proposes what `optimizer` proposes.

    The objective suggests parameters under the names they have in `space`, each only where its condition holds. Directions
    are those of Optuna's study. Trials whose parameters are fixed (`enqueue_trial`) are told as points that were not
    proposed; the proposal they took the place of is the next one again. A failed trial is told as failed, a pruned one with
    its last intermediate value. While a generation is out, parallel workers get random configurations.

    Args:
        optimizer: whatever `optimizer=` accepts.
        space: what is searched.
        population: trials a generation.
        budget: how many trials there will be, for optimizers that want to know, such as "sa".
        seed: the same seed proposes the same as at home; drawn where not given.
        **options: what the optimizer is started with.

    Raises:
        ImportError: Optuna is not installed.
    """
    return Sampler(optimizer, space, population, budget, seed, options)


class Sampler(optuna.samplers.BaseSampler):
    """See `to_optuna`. It serves one study of Optuna, from several threads if need be."""

    def __init__(
        self, optimizer: Any, space: Space | Mapping[str, Any], population: int | None, budget: int | None,
        seed: int | None, options: Mapping[str, Any],
    ) -> None:  # fmt: skip
        self._arguments = optimizer, space, population, budget, seed, options
        self._inside: Inside | None = None
        self._rng = np.random.default_rng(seed)
        self._out: dict[int, tuple[Trial | None, dict[str, Any]]] = {}  # by Optuna's number, proposal and configuration
        self._lock = threading.Lock()

    def reseed_rng(self) -> None:
        """Do nothing: there is one sequence of proposals, whatever the number of workers."""

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, BaseDistribution]:  # noqa: ARG002
        """Return nothing: values are given one by one, so that a condition decides which are asked for."""
        return {}

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:  # noqa: ARG002
        """Return nothing, see `infer_relative_search_space`."""
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return the value that this trial's proposal has for a parameter.

        Raises:
            UnknownName: the space has no such parameter.
            UsageError: the space's value is not in the objective's distribution.
        """
        with self._lock:
            inside = self._started(study)
            if trial.number not in self._out:
                proposal = inside.ask()
                given = inside.study.space.sample(1, self._rng)[0] if proposal is None else proposal.params
                self._out[trial.number] = proposal, given
            config = self._out[trial.number][1]
        space = inside.study.space
        if param_name not in space:
            raise UnknownName("parameter", param_name, space.names)
        value = config[param_name] if param_name in config else space.parameters[param_name].middle()
        if not param_distribution._contains(param_distribution.to_internal_repr(value)):
            raise UsageError(
                f"parameter {param_name!r}: the space proposes {value!r}, which is not in the objective's "
                f"{param_distribution}: give both the same bounds"
            )
        return value

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Tell what became of a trial."""
        with self._lock:
            inside = self._started(study)
            proposal, config = self._out.pop(trial.number, (None, {}))
            if values is None and state == optuna.trial.TrialState.PRUNED and trial.intermediate_values:
                values = [trial.intermediate_values[max(trial.intermediate_values)]]
            as_proposed = all(config.get(name, value) == value for name, value in trial.params.items())
            if proposal is not None and as_proposed:
                stopped = state == optuna.trial.TrialState.PRUNED
                inside.tell(proposal, values, f"ended as {state.name.lower()} in Optuna", stopped=stopped)
                return
            if proposal is not None:
                inside.give_back(proposal)
            if values is not None:
                self._learn(inside, trial, config, values)

    def _learn(self, inside: Inside, trial: FrozenTrial, config: Mapping[str, Any], values: Sequence[float]) -> None:
        space = inside.study.space
        usual = {name: space.parameters[name].middle() for name in space.searched}
        try:
            inside.learn(usual | dict(config) | trial.params, values)
        except IllegalValue as error:
            message = f"trial {trial.number} of Optuna is not in the space, so that nothing is learned of it: {error}"
            warnings.warn(message, EvohpoWarning, stacklevel=3)

    def _started(self, study: optuna.Study) -> Inside:
        if self._inside is None:
            optimizer, space, population, budget, seed, options = self._arguments
            up = [direction == optuna.study.StudyDirection.MAXIMIZE for direction in study.directions]
            self._inside = Inside(optimizer, space, up, population, budget, seed, options)
        return self._inside

    def __getstate__(self) -> dict[str, Any]:
        raise UsageError("a sampler of evohpo cannot be pickled: make it anew from the same seed")
