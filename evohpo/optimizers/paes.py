"""Pareto archived evolution strategy: mutation, and an archive that an adaptive grid keeps spread out.

Reference: Knowles, Corne (2000), Approximating the nondominated front using the Pareto archived evolution strategy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evohpo.errors import UsageError
from evohpo.optimizers.operators import Integers, mutate
from evohpo.optimizers.protocol import Array, Population, Problem, Results
from evohpo.optimizers.registry import optimizer
from evohpo.optimizers.start import Newcomers, start

if TYPE_CHECKING:
    from collections.abc import Generator


@optimizer("paes", objectives="multi", constraints=True, told="results", reference="Knowles, Corne (2000)")
def paes(
    problem: Problem,
    rng: np.random.Generator,
    *,
    population: int = 10,
    max_archive_size: int = 100,
    num_grid_divisions: int = 4,
    mutation_rate: float | None = None,
    eta_mutation: float = 20.0,
) -> Generator[Population, Results, None]:
    """Mutate members of the archive, rather those in thinly settled regions; keep what no member dominates.

    This is the (mu + lambda) form of the paper, with the archive as mu and the population as lambda. With one objective
    the archive is the best individual, and the algorithm a (1 + lambda) evolution strategy. Steps beyond a bound are cut
    off there: without crossover nothing else would ever reach it.

    Args:
        problem: the task.
        rng: the source of all draws.
        population: candidates a generation, 1 or more.
        max_archive_size: members the archive keeps at most, 1 or more.
        num_grid_divisions: l, how often the range of each objective is halved: `2**l` cells an objective.
        mutation_rate: probability of a gene to mutate; one gene a chromosome on average (1/dim) if None.
        eta_mutation: distribution index of the polynomial mutation; half of the candidates take a quarter of it.

    Raises:
        UsageError: an archive of no member, or a negative number of divisions.
    """
    if max_archive_size < 1 or num_grid_divisions < 0:
        raise UsageError(
            f"max_archive_size = {max_archive_size}, num_grid_divisions = {num_grid_divisions}: "
            "give an archive of 1 or more and 0 or more divisions"
        )
    rate = 1.0 / max(problem.dim, 1) if mutation_rate is None else mutation_rate

    told = yield from start(problem, rng, population)
    newcomers = Newcomers(problem)
    archive = told.take(slice(0))
    while True:
        for i, u in enumerate(rng.random(len(told))):
            archive = _admit(archive, told.take([i]), max_archive_size, num_grid_divisions, u)
        settled = _occupancy(archive.F, num_grid_divisions)
        a, b = rng.integers(0, len(archive), (2, population))
        chosen = np.where(settled[a] <= settled[b], a, b)
        X = archive.X[chosen]
        etas = np.where(rng.random(population) < 0.5, eta_mutation, eta_mutation / 4.0)
        mutate(X, problem.genes, rate, etas, rng, cut=True)
        told = newcomers.join((yield Population(X, parents=archive.trials[chosen, None], operator="polynomial")))


def _admit(archive: Results, candidate: Results, size: int, divisions: int, u: float) -> Results:
    """Return the archive after the test of one candidate (the paper's figure 3).

    Less violation dominates more; the candidate replaces what it dominates and what it equals. Of too many members
    one of the most crowded cell goes, never the end of a front, and the newcomer itself if it settled there.
    """
    v, f = candidate.violation[0], candidate.F[0]
    even = archive.violation == v
    below = (f >= archive.F).all(1)
    if ((archive.violation < v) | (even & below & (f > archive.F).any(1))).any():
        return archive
    kept = ~((archive.violation > v) | (even & (f <= archive.F).all(1)))
    grown = Results.concatenate([archive.take(kept), candidate])
    if len(grown) <= size:
        return grown
    crowd = _occupancy(grown.F, divisions)
    crowd[grown.F.argmin(0)] = 0
    worst = np.flatnonzero(crowd == crowd.max())
    victim = len(grown) - 1 if worst[-1] == len(grown) - 1 else worst[int(u * len(worst))]
    return grown.take(np.arange(len(grown)) != victim)


def _occupancy(F: Array, divisions: int) -> Integers:
    """Return `(n,)`: how many rows share a row's cell in a grid over their range, `2**divisions` cells a side."""
    low, high = F.min(0), F.max(0)
    share = (F - low) / np.where(high > low, high - low, 1.0)
    cells = np.minimum((share * 2**divisions).astype(np.int64), 2**divisions - 1)
    _, cell, inhabitants = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    return np.asarray(inhabitants[cell.reshape(-1)])
