"""What adapters of other libraries share: seeds, sizes, discrete genes, and a penalty that models can live with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evohpo.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from evohpo.optimizers.protocol import Array, Problem, Results


def seed_from(rng: np.random.Generator) -> int:
    """Return a seed in [0, 2**31) for libraries that want an integer."""
    return int(rng.integers(2**31))


def check_size(name: str, own: int, problem: Problem) -> None:
    """Check that a live object has a variable a gene.

    Raises:
        UsageError: it was made for another number of variables.
    """
    if own != problem.dim:
        names = problem.genes.parameter[:8] + ("...",) * (problem.dim > 8)
        raise UsageError(
            f"optimizer {name!r} was made for {own} variables, and the space has {problem.dim} genes "
            f"({', '.join(names)}): make it with {problem.dim}, or hand over its class"
        )


def levels_of(x: Array, cardinality: ArrayLike) -> Array:
    """Return genes in [0, 1] as levels: 0 to k - 1 where `cardinality` is k, the gene itself where it is 0.

    Example:
        >>> levels_of(np.array([0.4, 1.0, 0.4]), np.array([0, 3, 5]))
        array([0.4, 2. , 2. ])
    """
    k = np.asarray(cardinality)
    return np.where(k > 0, np.minimum(np.floor(x * k), k - 1), x)


def genes_of(levels: Array, cardinality: ArrayLike) -> Array:
    """Return genes in [0, 1], the middle of its bin for a level; the inverse of `levels_of`.

    Example:
        >>> genes_of(np.array([0.4, 2.0, 2.0]), np.array([0, 2 + 1, 5]))
        array([0.4       , 0.83333333, 0.5       ])
    """
    k = np.asarray(cardinality)
    return np.where(k > 0, (levels + 0.5) / np.maximum(k, 1), levels)


class Penalty:
    """Fitness for a model of a single objective that knows no constraints: infeasible points are bad, but not absurdly so.

    What a study tells such optimizers otherwise, numbers beyond 1e30, would leave a regression nothing else to see. An
    optimizer that uses this declares `constraints=True`. An infeasible point gets the worst fitness told so far plus its
    violation.
    """

    def __init__(self) -> None:
        self._worst = -np.inf

    def __call__(self, results: Results) -> Array:
        """Return the penalised fitness `(k, m)` of newly told results."""
        F = np.array(results.F)
        if not len(F):
            return F
        feasible = results.violation <= 0
        worst = np.maximum(self._worst, F.max(0))
        self._worst = worst
        F[~feasible] = worst + results.violation[~feasible, None]
        return F
