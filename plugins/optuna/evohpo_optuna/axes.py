"""A space as Optuna sees it: a distribution a parameter, and the way from values to Optuna's and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from evohpo.errors import IllegalValue
from evohpo.space import Categorical, Continuous, Integer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.trial import Trial

    from evohpo.space import Space


@dataclass(frozen=True, slots=True)
class Axis:
    """One parameter as Optuna sees it.

    Attributes:
        parameter: the parameter.
        distribution: what Optuna draws from.
        code: what Optuna's number stands for: the "value" itself, the "index" of the value, or its "gene" in [0, 1].
    """

    parameter: Any
    distribution: BaseDistribution
    code: Literal["value", "index", "gene"]

    def encode(self, value: Any) -> Any:
        """Return a legal value as Optuna has it."""
        if self.code == "value":
            return value
        gene = self.parameter.gene(value)
        return int(gene * self.parameter.cardinality) if self.code == "index" else gene

    def decode(self, given: Any) -> Any:
        """Return what Optuna gave as the parameter's value; raise ValueError with the reason where it is none."""
        if self.code == "value":
            return self.parameter.canonical(given)
        k = self.parameter.cardinality
        if self.code == "index" and not 0 <= given < k:
            raise ValueError(f"the index of none of {k} values")
        u = (given + 0.5) / k if self.code == "index" else given
        return self.parameter.read(np.array([u], float)).tolist()[0]

    def suggest(self, trial: Trial, name: str) -> Any:
        """Ask a trial of Optuna for a number or a choice."""
        d = self.distribution
        if isinstance(d, CategoricalDistribution):
            return trial.suggest_categorical(name, d.choices)
        if isinstance(d, IntDistribution):
            return trial.suggest_int(name, d.low, d.high, step=d.step, log=d.log)
        assert isinstance(d, FloatDistribution)
        return trial.suggest_float(name, d.low, d.high, log=d.log)


def axis(parameter: Any) -> Axis:
    """Return a searched parameter as Optuna sees it.

    What Optuna has under the same name is itself: linear and log ranges, choices. What is ordered, but listed or stepped,
    is the index of its value, so that neighbours are alike. Other scales, and log scales with steps, are genes.

    Example:
        >>> from evohpo.space import Ordinal
        >>> batch_size = axis(Ordinal([32, 64, 128, 256]).checked("batch_size"))
        >>> batch_size.distribution, batch_size.encode(64), batch_size.decode(3)
        (IntDistribution(high=3, log=False, low=0, step=1), 1, 256)
    """
    if isinstance(parameter, Categorical):
        same = len(set(parameter.choices)) < len(parameter.choices)  # 1, 1.0 and True are one choice for Optuna
        choices = range(len(parameter.choices)) if same else parameter.choices
        return Axis(parameter, CategoricalDistribution(tuple(choices)), "index" if same else "value")
    p, log = parameter, getattr(parameter, "scale", "") == "log"
    if isinstance(p, Continuous) and p.step is None and p.scale in ("linear", "log"):
        return Axis(p, FloatDistribution(p.low, p.high, log=log), "value")
    if isinstance(p, Integer) and (p.scale == "linear" or (log and p.step == 1)):
        return Axis(p, IntDistribution(p.low, p.high, log=log, step=p.step), "value")
    if p.cardinality:
        return Axis(p, IntDistribution(0, p.cardinality - 1), "index")
    return Axis(p, FloatDistribution(0.0, 1.0), "gene")


class Axes(dict[str, Axis]):
    """The searched parameters of a space by name, as Optuna sees them."""

    def __init__(self, space: Space) -> None:
        super().__init__({name: axis(space.parameters[name]) for name in space.searched})
        self.space = space

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """Return the configuration that a trial suggests, parameter by parameter, where they apply.

        Raises:
            IllegalValue: the sampler gave a value that is not in the space.
        """
        config: dict[str, Any] = {}
        for name, parameter in self.space.parameters.items():  # parents come before those that depend on them
            condition = self.space.conditions.get(name)
            if condition is not None and not (set(condition.names) <= config.keys() and condition(config)):
                continue
            config[name] = self._suggested(trial, name) if name in self else parameter.value
        return config

    def _suggested(self, trial: Trial, name: str) -> Any:
        given = self[name].suggest(trial, name)
        try:
            return self[name].decode(given)
        except (ValueError, TypeError) as error:
            raise IllegalValue(name, given, f"what the sampler suggested is {error}") from None

    def encode(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what Optuna has for the searched ones among some values.

        Raises:
            IllegalValue: an illegal value.
        """
        coded = {}
        for name, value in config.items():
            if name in self:
                try:
                    coded[name] = self[name].encode(self[name].parameter.canonical(value))
                except ValueError as error:
                    raise IllegalValue(name, value, str(error)) from None
        return coded

    def distributions(self, names: Mapping[str, Any]) -> dict[str, BaseDistribution]:
        """Return the distributions of some parameters."""
        return {name: self[name].distribution for name in names}
