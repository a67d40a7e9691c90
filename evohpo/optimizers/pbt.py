"""Population based training: hyperparameters change while the models train.

Reference: Jaderberg, Dalibard, Osindero, Czarnecki, Donahue, Razavi, Vinyals, Green, Dunning, Simonyan, Fernando, Kavukcuoglu
(2017), Population based training of neural networks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.errors import UsageError
from evohpo.optimizers.operators import count, order, reflect
from evohpo.optimizers.protocol import Array, Population, Problem, Results
from evohpo.optimizers.registry import Use, optimizer, use
from evohpo.optimizers.start import latin_hypercube

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

ROUNDS = 10  # intervals where none is given


@optimizer(
    "pbt", objectives="multi", constraints=True, fidelity=True, told="results", finite=True, heirs=True,
    reference="Jaderberg et al. (2017), Population based training of neural networks",
)  # fmt: skip
def pbt(
    problem: Problem,
    rng: np.random.Generator,
    *,
    population: int = 20,
    interval: int | None = None,
    max_steps: int | None = None,
    truncation: float = 0.2,
    resample: float = 0.25,
    perturb: float = 0.1,
) -> Generator[Population, Results, None]:
    """Train a population in intervals; after each the worst take over the checkpoints of the best, with other parameters.

    A generation is an interval, and an individual's next interval a new trial: it goes on from the folder of the trial
    before (exploit: of one of the best) at that one's step. So `study.lineage(study.best)` is the schedule of
    hyperparameters that was found. The objective has to keep its checkpoint in `ctx.directory` and to begin at `ctx.step`;
    one that does not is trained again from its first step, with its new parameters. Where nobody says what the last step
    is, there are ten generations of trials that run to their own ends.

    Args:
        problem: the task.
        rng: the source of all draws.
        population: individuals, 2 or more.
        interval: steps between exchanges; None for a tenth of all.
        max_steps: the last step; None takes the pruner's, or the space's `epochs` or `max_epochs`.
        truncation: share of the population that takes over from as many of the best, in (0, 0.5].
        resample: probability of a gene to be drawn anew when an individual explores; else it is perturbed.
        perturb: by how much of its range a gene moves, up or down; at least one value where it is discrete.

    Raises:
        UsageError: an interval, but nobody says what the last step is; or a number that makes no sense.
    """
    last = max_steps if max_steps is not None else problem.max_steps
    if last is None and interval is not None:
        raise UsageError(
            "pbt has to know the last step: evohpo.PBT(max_steps=...), or a parameter 'epochs' in the space"
        )
    every = interval if interval is not None else -(-(last or ROUNDS) // ROUNDS)
    if every < 1 or population < 2 or not 0 < truncation <= 0.5:
        raise UsageError(
            f"pbt(interval={every}, population={population}, truncation={truncation}): interval >= 1, population >= 2, "
            "truncation above 0 and at most 0.5"
        )
    ends = [*range(every, last or ROUNDS, every), last or ROUNDS]
    swapped, everyone = max(1, count("truncation", truncation, population)), np.arange(population)

    def until(end: int) -> NDArray[np.int64] | None:
        return None if last is None else np.full(population, end)

    told = yield Population(latin_hypercube(population, problem.dim, rng), operator="start", steps=until(ends[0]))
    for end in ends[1:]:
        told = told.take(everyone)  # results at rungs follow behind
        ranked = order(told)
        losers = np.union1d(ranked[population - swapped :], np.flatnonzero(told.failed))
        source = everyone.copy()
        source[losers] = ranked[rng.integers(0, swapped, len(losers))]
        X = told.X[source]
        X[losers] = explore(X[losers], problem, rng, resample, perturb)
        operator = ["continue"] * population
        for i in losers:
            operator[i] = "exploit and explore"
        origins = told.trials[source]
        heirs = None if last is None else origins
        told = yield Population(X, origins[:, None], operator, steps=until(end), heirs=heirs)


def explore(X: Array, problem: Problem, rng: np.random.Generator, resample: float, perturb: float) -> Array:
    """Return chromosomes near `X`, some genes drawn anew; unordered genes are drawn anew or stay."""
    cardinality, ordered = problem.genes.cardinality, problem.genes.ordered
    move = np.where(cardinality > 0, np.maximum(perturb, 1.0 / np.maximum(cardinality, 1)), perturb)
    move = np.where((cardinality > 0) & ~ordered, 0.0, move)
    sign = rng.choice([-1.0, 1.0], X.shape)
    return np.where(rng.random(X.shape) < resample, rng.random(X.shape), reflect(X + sign * move))


def PBT(**options: Any) -> Use:  # noqa: N802 - it is used like the pruners' classes
    """Return population based training with these options, for `optimizer=`; see `evohpo.optimizers.pbt.pbt`.

    Example:
        >>> PBT(interval=5, population=8).options
        {'interval': 5, 'population': 8}
    """
    return use("pbt", **options)
