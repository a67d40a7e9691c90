"""The checks. Each takes an optimizer with its options, runs short studies, and raises AssertionError with what it saw."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

from evohpo.driver import tune
from evohpo.evaluators import Threads
from evohpo.optimizers.registry import Use
from evohpo.space import Categorical, Continuous, Integer, Ordinal, Space
from evohpo.study import Study, load
from evohpo.trials import Status, Trial

Check = Callable[[Use], None]
CHECKS: dict[str, Check] = {}
TRIALS = 40


def _check(function: Check) -> Check:
    CHECKS[function.__name__] = function
    return function


def _cube(dim: int) -> Space:
    return Space({f"x{i}": Continuous(0.0, 1.0) for i in range(dim)})


def _mixed() -> Space:
    return Space(
        {
            "rate": Continuous(1e-4, 1e-1, scale="log"),
            "layers": Integer(1, 4),
            "units": Integer(4, 64, scale="log"),
            "batch": Ordinal([16, 32, 64]),
            "solver": Categorical(["sgd", "adam"]),
            "momentum": Continuous(0.0, 0.9, when={"solver": "sgd"}),
        },
        constraints=["layers * units <= 128"],
    )


def _sphere(params: dict[str, Any]) -> float:
    return sum((v - 0.3) ** 2 for v in params.values() if isinstance(v, float))


def _search(optimizer: Use, space: Space, objective: Callable[..., Any] = _sphere, **arguments: Any) -> Study:
    goals = arguments if {"minimize", "maximize"} & set(arguments) else arguments | {"minimize": "loss"}
    return tune(objective, space, optimizer=optimizer, progress=False, **{"trials": TRIALS, "seed": 1, **goals})


def _params(study: Study) -> list[dict[str, Any]]:
    return [t.params for t in study.trials]


def _same(a: list[dict[str, Any]], b: list[dict[str, Any]], what: str) -> None:
    for number, (one, other) in enumerate(zip(a, b, strict=False)):
        assert one == other, f"trial {number} is {one} and {other} {what}"
    assert len(a) == len(b), f"{len(a)} and {len(b)} trials {what}"


def _seed_global(seed: int) -> None:
    """Disturb the generators that no optimizer should use."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002


def _global_states() -> tuple[Any, Any]:
    return random.getstate(), repr(np.random.get_state())  # noqa: NPY002


@_check
def proposals_are_legal(optimizer: Use) -> None:
    """Every proposal is inside the unit cube and of the right shape."""
    _search(optimizer, _cube(5))


@_check
def one_gene(optimizer: Use) -> None:
    """It works on a single gene."""
    _search(optimizer, _cube(1))


@_check
def sixty_genes(optimizer: Use) -> None:
    """It works on sixty genes."""
    _search(optimizer, _cube(60))


@_check
def mixed_conditional_constrained_space(optimizer: Use) -> None:
    """It works on logs, integers, categories, a condition and an input constraint, and stays legal."""
    space = _mixed()
    for trial in _search(optimizer, space).trials:
        space.validate(trial.params)


@_check
def same_seed_same_proposals(optimizer: Use) -> None:
    """The same seed gives the same proposals: no clock, no generator but its own."""
    random.seed(1)
    np.random.seed(1)
    first = _params(_search(optimizer, _cube(4)))
    random.seed(2)
    np.random.seed(2)
    _same(first, _params(_search(optimizer, _cube(4))), "with the same seed")


@_check
def seed_matters(optimizer: Use) -> None:
    """Another seed gives other proposals."""
    first, second = (_params(_search(optimizer, _cube(4), seed=s)) for s in (1, 2))
    assert first != second, "seeds 1 and 2 propose the same"


@_check
def global_generators_left_alone(optimizer: Use) -> None:
    """It draws nothing from the global generators of random and numpy."""
    random.seed(5)
    np.random.seed(5)
    before = _global_states()
    _search(optimizer, _cube(3))
    after = _global_states()
    assert before[0] == after[0], "it draws from Python's global random"
    assert before[1] == after[1], "it draws from numpy.random's global generator"


@_check
def survives_failures(optimizer: Use) -> None:
    """It goes on when three trials in ten fail."""

    def fails(params: dict[str, float]) -> float:
        if int(1e6 * sum(params.values())) % 10 < 3:
            raise ValueError("planted")
        return _sphere(params)

    study = _search(optimizer, _cube(4), fails)
    assert any(t.failed for t in study.trials), "no failure was met"
    assert study.best.fitness is not None, "there is no result"


@_check
def survives_a_failed_generation(optimizer: Use) -> None:
    """It goes on when all of the first trials fail."""
    calls = iter(range(10**9))

    def fails(params: dict[str, float]) -> float:
        if next(calls) < 8:
            raise ValueError("planted")
        return _sphere(params)

    study = _search(optimizer, _cube(4), fails)
    assert study.ledger.succeeded >= TRIALS - 8, f"only {study.ledger.succeeded} results"


@_check
def survives_constant_fitness(optimizer: Use) -> None:
    """It goes on when all trials are equally good."""
    _search(optimizer, _cube(3), lambda _: 1.0)


@_check
def survives_huge_fitness(optimizer: Use) -> None:
    """It goes on when fitness spans forty orders of magnitude."""
    _search(optimizer, _cube(3), lambda p: 10.0 ** (40 * p["x0"] - 20))


@_check
def maximising_is_minimising_the_negative(optimizer: Use) -> None:
    """Maximising a metric proposes what minimising its negative does."""
    down = _search(optimizer, _cube(3), minimize="m")
    up = _search(optimizer, _cube(3), lambda p: -_sphere(p), maximize="m")
    _same(_params(down), _params(up), "minimising and maximising the negative")


@_check
def two_objectives(optimizer: Use) -> None:
    """It works on two objectives, by itself or scalarised."""
    study = _search(optimizer, _cube(3), lambda p: {"a": p["x0"], "b": 1 - p["x0"] + p["x1"]}, minimize=["a", "b"])
    assert study.front(), "the front is empty"


@_check
def outcome_constraint(optimizer: Use) -> None:
    """It works with an outcome constraint."""
    study = _search(
        optimizer, _cube(3), lambda p: {"loss": p["x0"], "size": 1 - p["x0"]}, minimize="loss", constraints=["size <= 0.7"]
    )  # fmt: skip
    assert study.best.feasible, "no feasible trial was found"


@_check
def baseline_is_taken(optimizer: Use) -> None:
    """Results it never asked for do not confuse it."""
    study = Study(_cube(3), minimize="loss", optimizer=optimizer, seed=1)
    for value in (0.1, 0.5, 0.9):
        params = dict.fromkeys(("x0", "x1", "x2"), value)
        study.attach(params, _sphere(params))
    for _ in range(6):
        for trial in study.ask(8):
            study.tell(trial, _sphere(trial.params))
    assert len(study.trials) > 10, "it proposes nothing"


@_check
def results_out_of_order(optimizer: Use) -> None:
    """Results that come in another order than they were asked for reach the right proposals."""
    _same(_told_in(optimizer, False), _told_in(optimizer, True), "whichever way a generation is told")


def _told_in(optimizer: Use, backwards: bool) -> list[dict[str, Any]]:
    study = Study(_cube(3), minimize="loss", optimizer=optimizer, seed=1)
    while len(study.trials) < 3 * TRIALS:
        batch: list[Trial] = []
        while len(batch) < TRIALS and (more := study.ask(1)):
            batch += more
        if not batch or len(batch) == TRIALS:
            break  # done, or it never waits: then order is its business
        for trial in batch[::-1] if backwards else batch:
            study.tell(trial, _sphere(trial.params))
    return _params(study)


@_check
def workers_do_not_matter(optimizer: Use) -> None:
    """One worker and three give the same trials (one that never waits: with lookahead)."""
    lookahead = None if _waits(optimizer) else 4
    alone = _search(optimizer, _cube(3), lookahead=lookahead)
    together = _search(optimizer, _cube(3), lookahead=lookahead, evaluator=Threads(3), workers=3)
    _same(_params(alone), _params(together), "with 1 and 3 workers")


def _waits(optimizer: Use) -> bool:
    study = Study(_cube(3), minimize="loss", optimizer=optimizer, seed=1)
    return len(study.ask(300)) < 300


@_check
def resumes_exactly(optimizer: Use) -> None:
    """A study that was stopped goes on to the very same trials."""
    import tempfile
    import warnings
    from pathlib import Path

    whole = _params(_search(optimizer, _mixed()))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a mismatch shows in the trials
        store = Path(folder) / "study.db"
        for trials in (7, 23, TRIALS):
            _search(optimizer, _mixed(), trials=trials, store=store)
        _same(whole, _params(load(store)), "uninterrupted and resumed")


@_check
def told_arrays_stay_as_they_are(optimizer: Use) -> None:
    """It does not try to write into what it is told."""
    study = _search(optimizer, _cube(3))
    assert all(t.status is Status.COMPLETED for t in study.trials)


@_check
def better_than_random(optimizer: Use) -> None:
    """On a sphere of eight genes 200 trials find more than random search does (median of five seeds)."""

    def median(which: Any) -> float:
        return float(np.median([_search(which, _cube(8), trials=200, seed=s).best.metrics["loss"] for s in range(5)]))

    own, chance = median(optimizer), median("random")
    assert own < chance, f"it reaches {own:.3g}, random search {chance:.3g}"
