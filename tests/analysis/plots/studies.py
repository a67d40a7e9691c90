"""Studies to draw: small ones of every kind, and large ones that cost nothing to make."""

from __future__ import annotations

import numpy as np

import evohpo as eh
from evohpo.errors import UsageError
from tests.conftest import loss, make_mixed_space

FLAT = eh.Space({"x": eh.Continuous(0.0, 1.0), "y": eh.Continuous(0.0, 1.0)})
HOSTILE = "<u>odd</u> %{odd} & $y$"  # what plotly would read as something else


def mixed(n=40, **arguments):
    """All kinds of parameters, one objective, an algorithm that tells lineage."""
    goal = {"minimize": "loss", "optimizer": "ga", "population": 8} | arguments
    return eh.tune(loss, make_mixed_space(), trials=n, seed=1, progress=False, **goal)


def two(n=60, **arguments):
    """Two objectives, one of them bounded, some trials infeasible."""

    def objective(p):
        return {"gain": p["x"], "price": (p["x"] + 0.3 * p["y"]) ** 2}

    goals = {"maximize": "gain", "minimize": "price", "constraints": ["gain >= 0.2", "price <= 0.8"]} | arguments
    return eh.tune(objective, FLAT, optimizer="nsga2", population=10, trials=n, seed=1, progress=False, **goals)


def three(n=40):
    def objective(p):
        return {"a": p["x"], "b": p["y"], "c": (1 - p["x"]) ** 2 + (1 - p["y"]) ** 2}

    goals = {"minimize": ["a", "b", "c"]}
    return eh.tune(objective, FLAT, optimizer="nsga2", population=10, trials=n, seed=1, progress=False, **goals)


def stepwise(n=30, store=None, workers=1):
    """Trials with steps, some of them stopped early, one failed."""

    def objective(p):
        for step in range(1, 10):
            if p["x"] > 0.95:
                raise FloatingPointError("diverged")
            yield {"loss": p["x"] + 1 / step}

    return eh.tune(
        objective, FLAT, minimize="loss", optimizer="random", pruner=eh.ASHA(max_steps=9), trials=n, seed=4,
        workers=workers, store=store, progress=False,
    )  # fmt: skip


def told(results, space=FLAT, **goals):
    """A study told what it is given: a dict of metrics, an error, or None for a trial that goes on running."""
    study = eh.Study(space, optimizer="random", seed=1, duplicates="evaluate", **(goals or {"minimize": "loss"}))
    for result in results:
        (trial,) = study.ask(1)
        if isinstance(result, Exception):
            study.tell(trial, error=result)
        elif result is not None:
            study.tell(trial, result)
    return study


def large(n=10_000, objectives=1, parameters=8, steps=0, store=None):
    """Random results, quickly."""
    kinds = (eh.Continuous(1e-4, 1.0, scale="log"), eh.Categorical(["adam", "sgd", "lbfgs"]), eh.Integer(1, 50))
    space = eh.Space({f"parameter_{i}": kinds[i % 3] for i in range(parameters)})
    names = [f"metric_{j}" for j in range(objectives)]
    study = eh.Study(
        space, minimize=names, optimizer="random", seed=1, population=100, duplicates="evaluate", store=store
    )
    rng = np.random.default_rng(1)
    while len(study.trials) < n:
        for trial in study.ask(100):
            level = rng.exponential(size=objectives)
            for step in range(1, steps + 1):
                study.note(trial, step, {name: float(v) + 1 / step for name, v in zip(names, level, strict=True)})
            if rng.random() < 0.02:
                study.settle(trial, error=ValueError("diverged"))
            else:
                facts = {"worker": f"thread-{trial.number % 8}", "seconds": 1e-4}
                study.settle(
                    trial, dict(zip(names, level.tolist(), strict=True)) | {"size": float(trial.number)}, **facts
                )
    study.commit()
    return study


def drawings(study):
    """Every plot of a study, by name, ready to be drawn."""
    plot, names = study.plot, study.space.searched
    simple = (
        "history", "generations", "front", "hypervolume", "parallel", "slices", "interactions", "importance",
        "cross_validation", "curves", "timeline", "lineage",
    )  # fmt: skip
    made = {name: getattr(plot, name) for name in simple}
    made["effect"] = lambda: plot.effect(names[0] if names else "x")
    made["contour"] = lambda: plot.contour(*(names[:2] if len(names) > 1 else ("x", "y")))
    return made


def drawn(study, leave=()):
    """The figures that can be drawn, and the reasons why the others cannot."""
    figures, reasons = {}, {}
    for name, draw in drawings(study).items():
        if name not in leave:
            try:
                figures[name] = draw()
            except UsageError as error:
                reasons[name] = str(error)
    return figures, reasons


def trace(figure, name):
    """The one trace of this name."""
    (found,) = [t for t in figure.data if t.name == name]
    return found
