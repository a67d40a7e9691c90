"""What an optimizer proposes."""

from __future__ import annotations

import evohpo as eh
from evohpo.testing.optimizers.helpers import complete, drive_for, is_steady
from evohpo.testing.outcome import USUAL, Case, Check, Inapplicable
from evohpo.testing.problems import cube, genes, measure, mixed, proposals, search, sphere, valley


def legal_proposals(optimizer: object, case: Case = USUAL) -> None:
    """Proposals have one column a gene, and every gene is a number in [0, 1]."""
    X = genes(search(optimizer, sphere, cube(case.dim), case.trials, case.seed))
    assert not X.size or (X.min() >= 0 and X.max() <= 1), "genes outside [0, 1]"


def one_gene(optimizer: object) -> None:
    """A problem of one gene is searched."""
    complete(search(optimizer, sphere, cube(1)))


def sixty_genes(optimizer: object) -> None:
    """A problem of sixty genes is searched."""
    complete(search(optimizer, sphere, cube(60), trials=40))


def two_hundred_genes(optimizer: object) -> None:
    """A problem of two hundred genes is searched."""
    complete(search(optimizer, sphere, cube(200), trials=30))


def in_bounds_for_long(optimizer: object) -> None:
    """After many generations proposals are still in [0, 1]; a thousand trials, or as many as two seconds allow."""
    study = eh.Study(cube(2), minimize="loss", optimizer=optimizer, seed=1, duplicates="evaluate")
    complete(drive_for(study, lambda p: p["x0"] + p["x1"], 1000, 2.0))  # the best place is a corner


def variety(optimizer: object, case: Case = USUAL) -> None:
    """It does not propose one point for ever: of its first trials in a continuous space at least a third differ."""
    if case.trials < 12:
        raise Inapplicable("too few trials to tell")
    study = search(optimizer, sphere, cube(case.dim), case.trials, case.seed, duplicates="evaluate")
    distinct = len({tuple(params.values()) for params in proposals(study)})
    assert distinct >= len(study.trials) / 3, f"{distinct} different points in {len(study.trials)} trials"


def pending_points(optimizer: object) -> None:
    """Asked again while points are out, it proposes others or waits; it takes their results whenever they come."""
    study = eh.Study(cube(4), minimize="loss", optimizer=optimizer, seed=1, duplicates="evaluate")
    steady = is_steady(optimizer)
    measure(study, sphere, study.ask(20 if steady else 200))
    batches = [batch for _ in range(4) if (batch := study.ask(3))]
    points = [tuple(t.params.values()) for batch in batches for t in batch]
    again = steady and len(set(points)) < len(points)  # in a generation, equal children are its own affair
    assert not again, "it proposes points again that are out: remember what you were asked for"
    for batch in batches[::-1]:
        measure(study, sphere, batch)
    if not study.done:
        assert study.ask(1), "with all results told it proposes nothing more"


def mixed_space(optimizer: object) -> None:
    """In a mixed space with a condition and an input constraint every proposal is legal."""
    study = search(optimizer, valley, mixed())
    complete(study)
    for params in proposals(study):
        study.space.validate(params)


def tiny_space(optimizer: object) -> None:
    """A space of four configurations is searched; repetitions do no harm."""
    space = eh.Space({"x0": eh.Integer(0, 1), "x1": eh.Integer(0, 1)})
    study = search(optimizer, sphere, space, trials=80)
    best = min(sphere(c) for c in space.grid())
    assert study.done or sphere(study.best.params) == best, "it never came to the best of four configurations"


def coarse_space(optimizer: object) -> None:
    """Where all parameters are discrete, and repeated configurations are evaluated again, it is not confused."""
    space = eh.Space({"x0": eh.Integer(0, 2), "x1": eh.Categorical([0, 1, 2]), "x2": eh.Ordinal([0, 1, 5])})
    study = search(optimizer, sphere, space, trials=60, duplicates="evaluate")
    complete(study)
    assert all(t.fitness is not None for t in study.trials), "a trial has no result"


CHECKS: list[Check] = [
    legal_proposals, one_gene, sixty_genes, two_hundred_genes, in_bounds_for_long, variety, pending_points, mixed_space,
    tiny_space, coarse_space,
]  # fmt: skip
