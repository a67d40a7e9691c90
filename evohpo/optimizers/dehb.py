"""DEHB: differential evolution at every fidelity, fed from the one below.

Reference: Awad, Mallik, Hutter (2021), DEHB: Evolutionary Hyperband for scalable, robust and efficient hyperparameter
optimization.
"""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from evohpo.errors import UsageError
from evohpo.optimizers.de import de, mix
from evohpo.optimizers.operators import at_least_one, no_worse, order, unordered, where
from evohpo.optimizers.protocol import Array, Population, Problem, Results
from evohpo.optimizers.registry import optimizer
from evohpo.optimizers.start import latin_hypercube
from evohpo.trials.brackets import plan

if TYPE_CHECKING:
    from collections.abc import Generator


@optimizer(
    "dehb", constraints=True, fidelity=True, told="results", heirs=True,
    reference="Awad, Mallik, Hutter (2021), DEHB: Evolutionary Hyperband",
)  # fmt: skip
def dehb(
    problem: Problem,
    rng: np.random.Generator,
    *,
    max_steps: int | None = None,
    min_steps: int = 1,
    eta: int = 3,
    weight: float = 0.5,
    crossover: float = 0.5,
) -> Generator[Population, Results, None]:
    """Evolve one subpopulation a rung of Hyperband; the best of a rung are the parents of the rung above.

    Each rung of a bracket is a generation whose trials end at that rung's step. The first brackets fill the subpopulations:
    from a Latin hypercube, and with the best of the rung below, which go on from their checkpoints. From then on an
    individual is replaced by a child of rand/1/bin if that is no worse at the same step. It needs no pruner. Where nobody
    says what the last step is, there is one subpopulation, of trials that run to their own ends.

    Args:
        problem: the task.
        rng: the source of all draws.
        max_steps: the last step; None takes the pruner's, or the space's `epochs` or `max_epochs`.
        min_steps: the first rung, at least.
        eta: ratio of steps between rungs, and of trials; at least 2.
        weight: F, the factor on differences, in (0, 2].
        crossover: CR, the probability of a gene to come from the mutant.

    Raises:
        UsageError: steps that make no rungs.
    """
    last = max_steps if max_steps is not None else problem.max_steps
    if last is None:
        size = problem.population or 20
        plain = de(problem, rng, population=size, strategy="rand/1/bin", weight=weight, crossover=crossover, adapt=0)
        population = next(plain)
        while True:  # it knows nothing of rungs
            population = plain.send((yield population).take(slice(size)))
    if not 1 <= min_steps <= last or eta < 2:
        raise UsageError(
            f"dehb(min_steps={min_steps}, max_steps={last}, eta={eta}): 1 <= min_steps <= max_steps, eta >= 2"
        )
    brackets = plan(last, min_steps, eta)
    sizes = {
        step: max(dict(zip(b.rungs, b.sizes, strict=True)).get(step, 0) for b in brackets) for step in brackets[0].rungs
    }
    pools: dict[int, Results] = {}
    turn = dict.fromkeys(sizes, 0)  # whose turn it is to be replaced
    whole = unordered(problem.genes)

    for bracket in cycle(brackets):
        below: Results | None = None  # the subpopulation of the rung below
        for step, n in zip(bracket.rungs, bracket.sizes, strict=True):
            steps = np.full(n, step)
            if step not in pools or len(pools[step]) < sizes[step]:
                told = (yield _beginners(problem, rng, below, n, steps)).take(slice(n))
                pool = told if step not in pools else Results.concatenate([pools[step], told])
                pools[step] = pool.take(order(pool)[: sizes[step]])
            else:
                pool = pools[step]
                rows = (turn[step] + np.arange(n)) % len(pool)
                turn[step] = int(rows[-1] + 1)
                targets = pool.take(rows)
                parents = pool if below is None else below.take(order(below)[: max(n, 3)])
                donors = _three(parents, pool, n, rng)
                X = _children(targets.X, donors, weight, crossover, whole, rng)
                family = np.column_stack([targets.trials, *(d.trials for d in donors)])
                told = (yield Population(X, parents=family, operator="rand/1/bin", steps=steps)).take(slice(n))
                chosen = where(no_worse(told, targets), told, targets)
                keep = np.setdiff1d(np.arange(len(pool)), rows)
                pools[step] = Results.concatenate([pool.take(keep), chosen])
                turn[step] = 0  # those just looked at are the last now
            below = pools[step]


def _beginners(
    problem: Problem, rng: np.random.Generator, below: Results | None, n: int, steps: np.ndarray
) -> Population:
    """Return trials for a subpopulation that is not full: the best of the rung below, or new ones."""
    if below is None:
        return Population(latin_hypercube(n, problem.dim, rng), operator="latin hypercube", steps=steps)
    best = below.take(order(below)[np.arange(n) % len(below)])
    return Population(best.X, parents=best.trials[:, None], operator="promotion", steps=steps, heirs=best.trials)


def _children(
    targets: Array, donors: tuple[Results, Results, Results], weight: float, crossover: float, whole: np.ndarray,
    rng: np.random.Generator,
) -> Array:  # fmt: skip
    """Return children of rand/1/bin; what leaves its bounds is drawn anew."""
    a, b, c = (donor.X for donor in donors)
    mutants = a + weight * (b - c)
    outside = (mutants < 0) | (mutants > 1)
    mutants = np.where(outside, rng.random(mutants.shape), mutants)
    mutants = mix(mutants, a, b, whole, rng)
    return np.asarray(np.where(at_least_one(rng.random(mutants.shape), crossover, rng), mutants, targets))


def _three(parents: Results, pool: Results, n: int, rng: np.random.Generator) -> tuple[Results, Results, Results]:
    """Return three donors for each of `n` children: all different, where there are three to choose from."""
    if len(parents) < 3:
        parents = Results.concatenate([parents, pool])
    m = len(parents)
    picks = np.argsort(rng.random((n, m)), axis=1)[:, : min(3, m)]
    a, b, c = (picks[:, i % picks.shape[1]] for i in range(3))
    return parents.take(a), parents.take(b), parents.take(c)
