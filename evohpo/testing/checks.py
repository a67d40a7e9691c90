"""The checks: one promise of an optimizer each, its docstring the claim. Each takes well under a second for most."""

from __future__ import annotations

import random
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import evohpo as eh
from evohpo.errors import OptimizerError
from evohpo.testing.problems import brittle, cube, drive, genes, measure, mixed, proposals, search, sphere, valley

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SEEDS = 5
KNOWN = {
    "random": {"better_than_nothing": "it is random search"},
    "sobol": {"better_than_nothing": "it is random search, spread evenly"},
    "grid": {
        "better_than_nothing": "it looks at every corner in turn",
        "another_seed": "a grid has nothing to draw",
        "sixty_genes": "a grid of 60 genes has more points than atoms",
    },
}
"""By name of a built-in optimizer, the checks that it may fail, and why."""


class Inapplicable(Exception):
    """Raised by a check that makes no sense for an optimizer; says why."""


# ---- what it proposes


def legal_proposals(optimizer: Any) -> None:
    """Proposals have one column a gene, and every gene is a number in [0, 1]."""
    X = genes(search(optimizer, sphere, cube(4)))
    assert not X.size or (X.min() >= 0 and X.max() <= 1), "genes outside [0, 1]"


def one_gene(optimizer: Any) -> None:
    """A problem of one gene is searched."""
    _complete(search(optimizer, sphere, cube(1)))


def sixty_genes(optimizer: Any) -> None:
    """A problem of sixty genes is searched."""
    _complete(search(optimizer, sphere, cube(60), trials=40))


def mixed_space(optimizer: Any) -> None:
    """In a mixed space with a condition and an input constraint every proposal is legal."""
    study = search(optimizer, valley, mixed())
    _complete(study)
    for params in proposals(study):
        study.space.validate(params)


def tiny_space(optimizer: Any) -> None:
    """A space of four configurations is searched; repetitions do no harm."""
    space = eh.Space({"x0": eh.Integer(0, 1), "x1": eh.Integer(0, 1)})
    study = search(optimizer, sphere, space, trials=80)
    best = min(sphere(c) for c in space.grid())
    assert study.done or sphere(study.best.params) == best, "it never came to the best of four configurations"


# ---- what it depends on


def same_seed(optimizer: Any) -> None:
    """The same seed gives the same proposals, whatever the global generators are at."""
    with set_global_generators(1):
        first = proposals(search(optimizer, sphere, cube(4)))
    with set_global_generators(2):
        second = proposals(search(optimizer, sphere, cube(4)))
    _same(first, second, "the same seed")


def another_seed(optimizer: Any) -> None:
    """Another seed gives other proposals."""
    first, second = (proposals(search(optimizer, sphere, cube(4), seed=seed)) for seed in (1, 2))
    assert first != second, "seeds 1 and 2 give the same proposals: draw from rng, or from problem.seed"


def global_generators(optimizer: Any) -> None:
    """The global generators of random and numpy.random are left as they were."""
    with set_global_generators(3):
        before = random.getstate(), repr(np.random.get_state())  # noqa: NPY002
        search(optimizer, sphere, cube(4))
        after = random.getstate(), repr(np.random.get_state())  # noqa: NPY002
    assert before[0] == after[0], "it drew from, or seeded, the module random: draw from rng"
    assert before[1] == after[1], "it drew from, or seeded, numpy.random: draw from rng"


def same_for_any_workers(optimizer: Any) -> None:
    """One worker and three give the same table; a steady-state optimizer with lookahead."""
    more: dict[str, Any] = {"lookahead": 4} if _steady(optimizer) else {}
    tables = []
    for workers in (1, 3):
        study = eh.Study(cube(4), minimize="loss", optimizer=optimizer, seed=1, **more)
        evaluator = eh.Threads(workers)
        study.run(sphere, trials=40, evaluator=evaluator, progress=False)
        tables.append(proposals(study))
    _same(tables[0], tables[1], "1 and 3 workers")


def resume(optimizer: Any) -> None:
    """A study that was killed goes on exactly as one that was not; a steady-state optimizer with lookahead."""
    more: dict[str, Any] = (
        {"lookahead": 4} if _steady(optimizer) else {}
    )  # else the batches of asks matter, as they may
    whole = proposals(search(optimizer, sphere, cube(3), trials=50, **more))
    for at in (1, 13, 27):
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder) / "study.db"
            search(optimizer, sphere, cube(3), trials=at, budget=50, store=store, **more).close()
            with eh.Study(cube(3), minimize="loss", optimizer=optimizer, seed=1, store=store, **more) as study:
                _same(whole, proposals(drive(study, sphere, 50)), f"a study killed after {at} trials and one in one go")


def maximize_is_minimize(optimizer: Any) -> None:
    """Maximizing the negative proposes what minimizing does."""
    down = search(optimizer, sphere, cube(4))
    up = search(optimizer, lambda params: -sphere(params), cube(4), maximize="gain")
    _same(proposals(down), proposals(up), "minimizing and maximizing the negative")


# ---- what it survives


def failures(optimizer: Any) -> None:
    """Three failed trials in ten, by exception or NaN, do no harm."""
    study = search(optimizer, brittle, cube(4), trials=80)
    _complete(study)
    assert study.ledger.succeeded, "no trial succeeded"


def only_failures(optimizer: Any) -> None:
    """Generations of nothing but failures are survived."""

    def broken(params: Mapping[str, Any]) -> float:
        raise ArithmeticError(f"nothing works with {params}")

    study = search(optimizer, broken, cube(4), trials=50, duplicates="evaluate")
    drive(study, sphere, 80)
    assert study.done or study.ledger.succeeded == 30, "it did not go on after the failures"


def constant_fitness(optimizer: Any) -> None:
    """A fitness that is the same everywhere is survived."""
    _complete(search(optimizer, lambda _: 1.0, cube(4), trials=80))


def extreme_fitness(optimizer: Any) -> None:
    """Fitness values from -1e300 to 1e300 are survived."""
    _complete(search(optimizer, lambda p: 1e300 * p["x0"], cube(4), trials=80))


def out_of_order(optimizer: Any) -> None:
    """Results in another order than the proposals are taken."""
    study = eh.Study(cube(4), minimize="loss", optimizer=optimizer, seed=1)
    while len(study.trials) < 60 and (asked := study.ask(7)):
        measure(study, sphere, asked[::-1])
    _complete(study)


def baseline(optimizer: Any) -> None:
    """Results that it never asked for are taken, before the start and in the middle."""
    study = eh.Study(cube(2), minimize="loss", optimizer=optimizer, seed=1)
    study.attach({"x0": 0.5, "x1": 0.5}, {"loss": 0.08}, label="before")
    drive(study, sphere, 30)
    study.attach({"x0": 0.25, "x1": 0.25}, {"loss": 0.005}, label="later")
    _complete(drive(study, sphere, 60))


def told_arrays(optimizer: Any) -> None:
    """What it is told is read, not written to."""
    try:
        search(optimizer, sphere, cube(4), trials=80)
    except OptimizerError as error:
        if "read-only" in str(error):
            raise
        raise Inapplicable("it cannot be told, see the other checks") from error


# ---- what it makes of it


def two_objectives(optimizer: Any) -> None:
    """A problem of two objectives is searched."""
    study = search(
        optimizer, lambda p: {"a": p["x0"] ** 2 + p["x1"] ** 2, "b": (p["x0"] - 1) ** 2 + p["x1"] ** 2}, cube(2),
        trials=80, minimize=["a", "b"],
    )  # fmt: skip
    _complete(study)
    assert study.front(), "there is no front"


def outcome_constraint(optimizer: Any) -> None:
    """A problem with an outcome constraint is searched, and ends feasible."""
    study = search(
        optimizer, lambda p: {"loss": sphere(p), "seconds": p["x0"]}, cube(2), trials=80, constraints=["seconds <= 0"]
    )
    _complete(study)
    assert study.best.feasible, "half of the space is feasible, and 80 trials found nothing there"


def better_than_nothing(optimizer: Any) -> None:
    """In 200 trials on an 8-D sphere it gets closer than random search, in the median of five seeds."""
    got, random_search = _typical(optimizer), _by_random_search()
    assert got < random_search, f"median {got:.4g}, random search {random_search:.4g}"


CHECKS: list[Callable[[Any], None]] = [
    legal_proposals, one_gene, sixty_genes, told_arrays, global_generators, same_seed, another_seed,
    maximize_is_minimize, resume, same_for_any_workers, failures, only_failures, constant_fitness, extreme_fitness,
    out_of_order, baseline, mixed_space, tiny_space, two_objectives, outcome_constraint, better_than_nothing,
]  # fmt: skip


# ---- helpers


def _complete(study: eh.Study) -> None:
    open_ = [t.number for t in study.trials if not t.ended]
    assert study.trials, "it proposed nothing"
    assert not open_, f"trials {open_} never ended"


def _same(first: list[Mapping[str, Any]], second: list[Mapping[str, Any]], what: str) -> None:
    for number, (a, b) in enumerate(zip(first, second, strict=False)):
        assert a == b, f"{what}: trial {number} differs, {dict(a)} and {dict(b)}"
    assert len(first) == len(second), f"{what}: {len(first)} and {len(second)} trials"


def _steady(optimizer: Any) -> bool:
    """Whether it proposes although results are out."""
    study = eh.Study(cube(4), minimize="loss", optimizer=optimizer, seed=1, duplicates="evaluate")
    study.begin(budget=40, workers=1)
    asked = len(study.ask(1000))
    return asked == 1000 or bool(study.ask(1))


def _typical(optimizer: Any) -> float:
    studies = [search(optimizer, sphere, cube(8), trials=200, seed=seed) for seed in range(SEEDS)]
    return float(np.median([sphere(s.best.params) for s in studies]))


@cache
def _by_random_search() -> float:
    return _typical("random")


@contextmanager
def set_global_generators(seed: int) -> Iterator[None]:
    """Put the global generators into a known state, and back into their own afterwards."""
    before = random.getstate(), np.random.get_state()  # noqa: NPY002 - it is the legacy one that is watched
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
