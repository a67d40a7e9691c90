"""What is worth tuning of the built-in optimizers: their options with sensible ranges."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from evohpo.errors import IllegalValue, UsageError
from evohpo.optimizers.registry import get, names
from evohpo.space import Categorical, Continuous, Integer, Space

if TYPE_CHECKING:
    from collections.abc import Mapping

POPULATION = Integer(4, 100, scale="log")
CROSSOVER = {
    "crossover_rate": Continuous(0.3, 1.0),
    "eta_crossover": Continuous(1.0, 30.0, scale="log"),
    "eta_mutation": Continuous(1.0, 100.0, scale="log"),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "ga": {
        "population": POPULATION, "crossover": Categorical(["sbx", "uniform", "n-point"]), **CROSSOVER,
        "tournament": Integer(1, 8), "elites": Continuous(0.0, 0.99),
    },
    "de": {
        "population": POPULATION, "strategy": Categorical(["rand/1/bin", "best/1/bin", "current-to-pbest/1"]),
        "weight": Continuous(0.1, 1.0), "crossover": Continuous(0.1, 1.0), "adapt": Continuous(0.0, 0.5),
        "best": Continuous(0.05, 0.5, when={"strategy": "current-to-pbest/1"}),
    },
    "pso": {
        "population": POPULATION, "topology": Categorical(["global", "ring"]),
        "neighborhood_size": Integer(2, 9, when={"topology": "ring"}), "inertia": Continuous(0.3, 0.95),
        "cognitive": Continuous(0.2, 2.5), "social": Continuous(0.2, 2.5), "max_velocity": Continuous(0.02, 1.0, scale="log"),
    },
    "cmaes": {"population": POPULATION, "sigma": Continuous(0.03, 1.0, scale="log")},
    "eda": {
        "population": POPULATION, "selected": Continuous(0.1, 0.7), "learning_rate": Continuous(0.1, 1.0),
        "floor": Continuous(1e-8, 1e-2, scale="log"),
    },
    "sa": {
        "population": Integer(1, 30, scale="log"), "hot": Continuous(1e-3, 1.0, scale="log"),
        "cold": Continuous(1e-6, 1e-2, scale="log"), "reach": Continuous(0.03, 1.0, scale="log"),
        "precision": Continuous(1e-4, 0.1, scale="log"),
    },
    "nsga2": {"population": POPULATION, **CROSSOVER},
}  # fmt: skip


def options_of(optimizer: Any, given: Space | Mapping[str, Any] | None) -> Space:
    """Return the space of an optimizer's options: what is given, or what is worth tuning of a built-in one.

    Raises:
        UsageError: nothing is given and nobody knows.
    """
    if given is not None:
        return given if isinstance(given, Space) else Space(given)
    if not isinstance(optimizer, str) or optimizer not in OPTIONS:
        raise UsageError(
            f"say which options of {optimizer!r} are searched, such as {{'population': eh.Integer(4, 100)}}; known are "
            f"those of {', '.join(OPTIONS)}"
        )
    return Space(OPTIONS[optimizer])


def defaults_of(optimizer: Any, space: Space) -> dict[str, Any]:
    """Return the defaults of an optimizer's options as far as the space has them.

    >>> def mine(problem, rng, step=0.5, width=None): ...
    >>> defaults_of(mine, Space({"step": Continuous(0, 1), "width": Continuous(0, 1)}))
    {'step': 0.5}
    """
    target = get(optimizer).target if isinstance(optimizer, str) and optimizer in names() else optimizer
    try:
        parameters = inspect.signature(target).parameters
    except (TypeError, ValueError):
        return {}
    found: dict[str, Any] = {}
    for name in space.searched:
        if name in parameters and parameters[name].default is not inspect.Parameter.empty:
            try:
                space.complete({**found, name: parameters[name].default})
            except IllegalValue:  # outside, or for another branch
                continue
            found[name] = parameters[name].default
    return found
