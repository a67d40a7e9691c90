"""What users of Ax have in hand, and the private client that works for a study with the same settings."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ax.api.client import Client
from ax.core.experiment import Experiment
from ax.generation_strategy.generation_strategy import GenerationStrategy

from evohpo.errors import UsageError
from evohpo.optimizers.adapting import seed_from
from evohpo.optimizers.protocol import Traits
from evohpo.optimizers.registry import Registered
from evohpo.space import Configs

from .asking import Asking
from .axes import Axes
from .slices import at_work

if TYPE_CHECKING:
    from typing import Literal

    import numpy as np

    from evohpo.optimizers.protocol import Problem

REFERENCE = "Olson et al. (2025), Ax: A Platform for Adaptive Experimentation"


@dataclass(frozen=True, slots=True)
class Settings:
    """What an object of Ax says about how to search.

    Attributes:
        experiment: the experiment it was configured with, if it was.
        strategy: the generation strategy it was configured with, if it was.
    """

    experiment: Experiment | None = None
    strategy: GenerationStrategy | None = None


def adapt(obj: Any) -> Registered | None:
    """Return what runs an object of Ax; see `evohpo_ax.adapt`."""
    kind = obj if isinstance(obj, type) else type(obj)
    settings = _settings(obj, kind)
    if settings is None:
        return None
    name = f"ax.{kind.__name__}" if kind.__module__.startswith("ax.") else f"{kind.__module__}:{kind.__name__}"

    def start(
        problem: Problem,
        rng: np.random.Generator,
        *,
        method: Literal["fast", "quality", "random_search"] | None = None,
        initialization_budget: int | None = None,
        initialize_with_center: bool | None = None,
        min_observed_initialization_trials: int | None = None,
        allow_exceeding_initialization_budget: bool | None = None,
        simplify_parameter_changes: bool | None = None,
        torch_device: str | None = None,
    ) -> Asking:
        given = {
            "method": method,
            "initialization_budget": initialization_budget,
            "initialize_with_center": initialize_with_center,
            "min_observed_initialization_trials": min_observed_initialization_trials,
            "allow_exceeding_initialization_budget": allow_exceeding_initialization_budget,
            "simplify_parameter_changes": simplify_parameter_changes,
            "torch_device": torch_device,
        }
        options = {option: value for option, value in given.items() if value is not None}
        assert problem.space is not None
        axes = Axes(problem.space, settings.experiment.search_space if settings.experiment is not None else None)
        seed = seed_from(rng)
        with at_work(seed):
            return Asking(_client(settings, axes, seed, options, name), axes, problem, seed)

    notes: tuple[str, ...] = ()
    if settings.experiment is not None and settings.experiment.trials:
        left_out = f"{name}: its {len(settings.experiment.trials)} trials are left out, their metrics are unknown here"
        notes = (f"{left_out}; attach their configurations and metrics to the study",)
    traits = Traits(objectives="multi", constraints=True, encoding=Configs(), reference=REFERENCE)
    return Registered(name, start, traits, f"{kind.__module__}:{kind.__qualname__}", notes)


def _settings(obj: Any, kind: type) -> Settings | None:
    """Return what an object, or a class of clients, says; None for one that is not known."""
    legacy = any(base.__module__ == "ax.service.ax_client" and base.__name__ == "AxClient" for base in kind.__mro__)
    if isinstance(obj, GenerationStrategy):
        return Settings(strategy=obj)
    if not legacy and not issubclass(kind, Client):
        return None
    if isinstance(obj, type):
        return Settings()
    if legacy:
        return Settings(obj._experiment, obj._generation_strategy)
    return Settings(obj._maybe_experiment, obj._maybe_generation_strategy)


def _client(settings: Settings, axes: Axes, seed: int, options: dict[str, Any], name: str) -> Client:
    """Return a client of its own experiment, with no data base behind it; it lacks objectives.

    Raises:
        UsageError: options for a strategy that is configured already, or one that needs what is not installed.
    """
    client = Client()
    client.set_experiment(Experiment(search_space=axes.search_space, name="evohpo"))
    if settings.strategy is None:
        client.configure_generation_strategy(**options)
    elif options:
        raise UsageError(
            f"optimizer {name!r} has a generation strategy of its own ({settings.strategy.name}), so that "
            f"{', '.join(map(repr, options))} would do nothing: set it there, or hand over a client without one"
        )
    _check_installed(settings.strategy or client._generation_strategy, name)
    # nodes of strategies that were chosen by Ax share the specification of what they fall back on
    strategy = (settings.strategy or client._generation_strategy).clone_reset()
    for node in strategy._nodes:
        for spec in (*node.generator_specs, *node.fallback_specs.values()):
            spec._fitted_adapter = None
            if "seed" in spec.generator_kwargs:
                spec.generator_kwargs["seed"] = seed
    client.set_generation_strategy(strategy)
    return client


def _check_installed(strategy: GenerationStrategy, name: str) -> None:
    """Check now what Ax would find only after the first trials have been paid for.

    Raises:
        UsageError: a fully Bayesian model without NumPyro.
    """
    surrogates = [
        spec.generator_kwargs.get("surrogate_spec") for node in strategy._nodes for spec in node.generator_specs
    ]
    models = [config.botorch_model_class for s in surrogates if s is not None for config in s.model_configs]
    bayesian = any(getattr(model, "__module__", "") == "botorch.models.fully_bayesian" for model in models)
    if bayesian and not (find_spec("jax") and find_spec("numpyro")):
        raise UsageError(
            f"optimizer {name!r}: the method 'quality' has a fully Bayesian model: pip install 'botorch[fully_bayesian]'"
        )
