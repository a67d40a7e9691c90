"""What the checks search: small spaces, objectives that are good, bad or hostile, and the ask-and-tell loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import evohpo as eh

Objective = Callable[[Mapping[str, Any]], Any]


def cube(dim: int) -> eh.Space:
    """Return a space of `dim` continuous parameters in [-1, 1]."""
    return eh.Space({f"x{i}": eh.Continuous(-1, 1) for i in range(dim)})


def mixed() -> eh.Space:
    """Return a space of all five kinds, with a condition and an input constraint."""
    return eh.Space(
        {
            "learning_rate": eh.Continuous(1e-4, 1e-1, scale="log"),
            "layers": eh.Integer(1, 6),
            "units": eh.Integer(4, 256, scale="log"),
            "batch_size": eh.Ordinal([32, 64, 128, 256]),
            "solver": eh.Categorical(["sgd", "adam", "lbfgs"]),
            "momentum": eh.Continuous(0.0, 0.99, when={"solver": "sgd"}),
            "seed": 100,
        },
        constraints=["layers * units <= 600"],
    )


def sphere(params: Mapping[str, Any]) -> float:
    """Return the squared distance to 0.3 in every parameter."""
    return float(sum((value - 0.3) ** 2 for value in params.values()))


def valley(params: Mapping[str, Any]) -> float:
    """Return a loss on `mixed`, least at learning_rate 1e-2, 3 layers and 64 units."""
    loss = (math.log10(params["learning_rate"]) + 2) ** 2 + 0.2 * (params["layers"] - 3) ** 2
    loss += (math.log2(params["units"]) - 6) ** 2 / 4
    return float(loss + {"sgd": 0.0, "adam": 0.3, "lbfgs": 0.6}[params["solver"]])


def brittle(params: Mapping[str, Any]) -> float:
    """Return `sphere`, but raise or return NaN for 3 in 10 configurations."""
    dice = math.sin(1e4 * sum(params.values()))
    if dice > 0.8:
        raise FloatingPointError("the loss is not a number")
    return math.nan if dice > 0.588 else sphere(params)


def measure(study: eh.Study, objective: Objective, trials: list[eh.Trial]) -> None:
    """Tell a study what became of `trials`."""
    for trial in trials:
        try:
            study.tell(trial, objective(trial.params))
        except ArithmeticError as error:
            study.tell(trial, error=error)


def drive(study: eh.Study, objective: Objective, trials: int) -> eh.Study:
    """Ask and tell until the study has `trials` trials or its optimizer has nothing more to propose."""
    while len(study.trials) < trials:
        asked = study.ask(min(8, trials - len(study.trials)))
        if not asked:
            if study.done or study.exhausted:
                break
            raise AssertionError(f"it has nothing to propose after {len(study.trials)} trials, although all were told")
        measure(study, objective, asked)
    return study


def search(
    optimizer: Any,
    objective: Objective,
    space: eh.Space,
    trials: int = 60,
    seed: int = 1,
    budget: int | None = None,
    **more: Any,
) -> eh.Study:
    """Return a study of `optimizer` after at most `trials` trials, of `budget` if it is to go on; `more` is for `Study`."""
    goals: dict[str, Any] = {} if {"minimize", "maximize"} & set(more) else {"minimize": "loss"}
    study = eh.Study(space, optimizer=optimizer, seed=seed, **goals, **more)
    study.begin(budget=budget or trials, workers=1)
    return drive(study, objective, trials)


def proposals(study: eh.Study) -> list[Mapping[str, Any]]:
    """Return the configurations of a study in order."""
    return [trial.params for trial in study.trials]


def genes(study: eh.Study) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the chromosomes of a study `(trials, dim)`; no row for an optimizer without chromosomes."""
    rows = [trial.x for trial in study.trials if trial.x is not None]
    return np.array(rows).reshape(len(rows), -1 if rows else 0)
