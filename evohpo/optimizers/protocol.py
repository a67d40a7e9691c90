"""What an optimizer is: two methods over arrays, and the few values they exchange."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evohpo.space import Encoding, Genes, Space

Array = NDArray[np.float64]
GENERATION = 20  # trials that count as one generation where neither the user nor the optimizer says


@dataclass(frozen=True, slots=True)
class Results:
    """What became of `k` proposed chromosomes, in the order in which they were proposed.

    All arrays are read-only. A row is told once; an optimizer with the trait `fidelity` is told a trial at every rung that
    it comes to, with its step. One that never waits is told a trial that pauses, and where that goes on, its later result as
    a point of number -1. Without the trait, a trial that a pruner ended is told so that it is never better than one
    known by then that came further: the results of its step are moved behind those, in their own order.

    Attributes:
        X: `(k, dim)` the chromosomes that were really evaluated: as proposed, or as repaired. A list of configurations
            for optimizers with the encoding `Configs()`.
        F: `(k, m)` fitness, minimised and finite. For a single-objective optimizer `m` is 1.
        violation: `(k,)` total violation of the outcome constraints, 0 where feasible.
        steps: `(k,)` the step at which the fitness was measured, 0 where the objective has no steps.
        failed: `(k,)` trials that gave no result; their fitness is as bad as the worst one seen.
        numbers: `(k,)` trial numbers; -1 marks a point that this optimizer never proposed (a baseline).
        keys: what the optimizer attached to each row with `Population(..., keys=...)`, else None.
        trials: `(k,)` trial numbers of all rows, those never proposed included: what `Population.parents` is made of.
        final: `(k,)` whether the trial is over; False only for results at a rung, see the trait `fidelity`.
    """

    X: Array
    F: Array
    violation: Array
    steps: NDArray[np.int64]
    failed: NDArray[np.bool_]
    numbers: NDArray[np.int64]
    keys: Sequence[Any] = ()
    trials: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    final: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))

    def __post_init__(self) -> None:
        if len(self.final) != len(self.numbers):
            object.__setattr__(self, "final", np.ones(len(self.numbers), np.bool_))
        if len(self.trials) != len(self.numbers):  # results made by hand: all rows were proposed
            object.__setattr__(self, "trials", self.numbers)

    def __len__(self) -> int:
        return len(self.X)

    def take(self, index: Any) -> Results:
        """Return the rows that `index` (a slice, a mask or integers) selects."""
        rows = np.arange(len(self))[index]
        keys = [self.keys[i] for i in rows] if len(self.keys) else ()
        X: Any = self.X[index] if isinstance(self.X, np.ndarray) else [self.X[i] for i in rows]
        return Results(
            X, self.F[index], self.violation[index], self.steps[index], self.failed[index],
            self.numbers[index], keys, self.trials[index], self.final[index],
        )  # fmt: skip

    @staticmethod
    def concatenate(parts: Sequence[Results]) -> Results:
        """Return the rows of all `parts`, one after the other."""
        keys = [k for r in parts for k in (r.keys if len(r.keys) else [None] * len(r))]
        matrices = all(isinstance(r.X, np.ndarray) for r in parts)
        X: Any = np.concatenate([r.X for r in parts]) if matrices else [x for r in parts for x in r.X]
        return Results(
            X, np.concatenate([r.F for r in parts]),
            np.concatenate([r.violation for r in parts]), np.concatenate([r.steps for r in parts]),
            np.concatenate([r.failed for r in parts]), np.concatenate([r.numbers for r in parts]), keys,
            np.concatenate([r.trials for r in parts]), np.concatenate([r.final for r in parts]),
        )  # fmt: skip

    @staticmethod
    def none(dim: int, n_objectives: int) -> Results:
        """Return results of no row."""
        return Results(
            np.empty((0, dim)), np.empty((0, n_objectives)), np.empty(0), np.empty(0, np.int64),
            np.empty(0, np.bool_), np.empty(0, np.int64),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Population:
    """Chromosomes with what their author knows of them. A plain array is a population without lineage.

    Attributes:
        X: `(k, dim)` chromosomes in [0, 1].
        parents: `(k, p)` trial numbers of the parents, as `Results.trials` has them, -1 for none; or None.
        operator: how they were made, one name for all or one a row, e.g. "sbx".
        keys: anything, one a row, that comes back in `Results.keys`.
        steps: `(k,)` the step at which each trial is to end, 0 for its own end; for objectives that train in steps.
        heirs: `(k,)` trial numbers whose folders (checkpoints) and steps each trial goes on from, -1 for none.
    """

    X: Array
    parents: NDArray[np.int64] | None = None
    operator: str | Sequence[str] | None = None
    keys: Sequence[Any] | None = None
    steps: NDArray[np.int64] | None = None
    heirs: NDArray[np.int64] | None = None


@runtime_checkable
class Optimizer(Protocol):
    """Proposes chromosomes and learns what became of them."""

    def ask(self, n: int) -> Array | Population | None:
        """Return chromosomes to evaluate: `(k, dim)`, at best `n` rows, all in [0, 1].

        More rows than `n` are queued; fewer are welcome. No row means "tell me something first" (a generation is out),
        None means "I am done".
        """
        ...

    def tell(self, results: Results) -> None:
        """Learn what became of some of the chromosomes, or of points that were never asked (number -1)."""
        ...


@dataclass(slots=True)
class Problem:
    """What an algorithm may know of the task. It never sees a hyperparameter's name unless it asks for the space.

    Attributes:
        dim: number of genes.
        genes: gene by gene: `genes.cardinality` (0 for a continuous gene), `genes.ordered`.
        n_objectives: how many fitness columns it will be told (1 for a single-objective optimizer).
        n_constraints: how many outcome constraints there are.
        population: the population the user asked for, or None.
        workers: how many trials can run at once. An algorithm that uses it is not independent of the machine.
        budget: how many trials there will be at most, or None.
        max_steps: the last step of an objective that trains in steps, or None.
        seed: the study's seed.
        space: the space, for algorithms with an interest in it.
        encoding: the bound encoding: `encoding.decode(X)`, `encoding.encode(configs)`.
        prior: what earlier studies of related tasks found, a pair a study: chromosomes `(n, dim)` and scores `(n,)` in [0, 1),
            the share of that study's results that were better.
        generations: how many generations there will be at most, or None.
        inherited: results to begin with instead of a first population, where an algorithm takes over from another.
        known: results told that this optimizer never proposed (baselines, warm starts); it grows as they come.
    """

    dim: int
    genes: Genes
    n_objectives: int = 1
    n_constraints: int = 0
    population: int | None = None
    workers: int = 1
    budget: int | None = None
    max_steps: int | None = None
    seed: int = 0
    space: Space | None = None
    encoding: Any = None
    prior: Sequence[tuple[Array, Array]] = ()
    generations: int | None = None
    inherited: Results | None = None
    known: Results = field(init=False)

    def __post_init__(self) -> None:
        self.known = Results.none(self.dim, self.n_objectives)


@dataclass(frozen=True, slots=True)
class Traits:
    """What an optimizer declares of itself; the study does for it whatever it cannot do.

    Attributes:
        objectives: "multi" if it takes several fitness columns; "single" sees a scalarisation.
        constraints: True if it reads `violation`; False sees infeasible trials ranked behind all feasible ones.
        encoding: the encoding it wants its chromosomes in, `Real()` if None.
        fidelity: True if it wants the result of every rung, not only of the last step.
        told: what `yield` gives back to a generator: "fitness", the array F (`(k,)`, or `(k, m)` with several
            objectives), or "results", the whole `Results` in the order of the population. With `fidelity` the results
            at rungs follow behind the final ones.
        finite: True if it ends by itself, so that no budget is needed (a grid).
        reference: the paper or library it comes from.
        heirs: True if its trials go on from the folders of others, see `Population.heirs`.
    """

    objectives: Literal["single", "multi"] = "single"
    constraints: bool = False
    encoding: Encoding | None = None
    fidelity: bool = False
    told: Literal["fitness", "results"] = "fitness"
    finite: bool = False
    reference: str = ""
    heirs: bool = False
