"""What an optimizer is told: ended trials as arrays, with whatever the optimizer cannot do done for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FAR = 1e30  # behind every real fitness, yet finite: foreign code rarely survives infinity
EPOCH = 4  # generations that share one weight vector: long enough to make progress, short enough to cover the front


class Told(NamedTuple):
    """A result as an optimizer hears of it.

    Attributes:
        fitness: the objectives' values, None for a failed trial.
        violation: of the outcome constraints.
        generation: of the trial.
        steps: where it was measured.
        complete: whether the trial came to its natural end.
    """

    fitness: tuple[float, ...] | None
    violation: float
    generation: int
    steps: int
    complete: bool


class Fitness:
    """Turns ended trials into fitness columns, one trial after the other in the order they are told.

    A failed trial gets the worst fitness seen so far plus the spread seen so far: behind all others, yet on their scale.
    For an optimizer that knows no constraints, an infeasible trial ranks behind every feasible one. For a single-objective
    optimizer several objectives become one by the augmented Chebyshev norm of normalised objectives with weights that
    rotate every few generations (Knowles 2006, ParEGO, eq. 2).

    A trial that was ended early is never better than one that came further: the results of its step are moved, all by the
    same amount, so that the best of them is as good as the worst known one that came further.

    Everything depends only on the order of trials, not on how they were batched, so replay gives the same numbers.

    Args:
        objectives: how many there are.
        constraints: how many outcome constraints there are.
        scalar: several objectives become one.
        constrained: the optimizer looks at violations itself.
        seed: of the weights.
        levelled: the optimizer looks at steps itself, so that nothing is moved.
    """

    def __init__(
        self, objectives: int, constraints: int, scalar: bool, constrained: bool, seed: np.random.SeedSequence,
        levelled: bool = False,
    ) -> None:  # fmt: skip
        self.m = objectives
        self.constraints = constraints > 0
        self.scalarise = scalar and self.m > 1
        self.penalise = self.constraints and not constrained
        self._seed = seed
        self._weights: dict[int, NDArray[np.float64]] = {}
        self._ideal, self._nadir = np.full(self.m, np.inf), np.full(self.m, -np.inf)
        columns = 1 if self.scalarise else self.m
        self._best, self._worst = np.full(columns, np.inf), np.full(columns, -np.inf)
        self._levelled = levelled
        self._level_best: dict[float, NDArray[np.float64]] = {}  # by the step at which trials ended
        self._level_worst: dict[float, NDArray[np.float64]] = {}  # as told

    def __call__(self, trials: Sequence[Told]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return fitness `(k, columns)` and violation `(k,)` of `trials`, in their order."""
        failed = np.array([t.fitness is None for t in trials])
        blank = (np.nan,) * self.m
        F = np.array([blank if t.fitness is None else t.fitness for t in trials], float).reshape(-1, self.m)
        violation = np.array([t.violation for t in trials], float)
        if self.scalarise:
            F = self._chebyshev(F, failed, [t.generation for t in trials])
        if not self._levelled:
            self._move(F, trials)
        F = self._impute(F, failed)
        if self.constraints:
            violation[failed] = FAR  # behind every infeasible trial too
            if self.penalise:
                bad = (violation > 0) & ~failed
                F[bad] = (FAR * (1 + violation[bad] / (1 + violation[bad])))[:, None]
                F[failed] = 3 * FAR
        return F, violation

    def _impute(self, F: NDArray[np.float64], failed: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Fill failed rows by what was seen up to each of them, and remember what was seen."""
        F = np.minimum(np.maximum(F, -FAR), FAR)
        if not failed.any():  # the usual case, at a quarter of the cost
            if len(F):
                self._worst = np.fmax(self._worst, np.fmax.reduce(F))
                self._best = np.fmin(self._best, np.fmin.reduce(F))
            return F
        worst = np.fmax.accumulate(np.vstack([self._worst, np.where(failed[:, None], -np.inf, F)]))[1:]
        best = np.fmin.accumulate(np.vstack([self._best, np.where(failed[:, None], np.inf, F)]))[1:]
        self._worst, self._best = worst[-1], best[-1]
        seen = np.isfinite(worst)
        with np.errstate(invalid="ignore"):
            spread = np.where(worst > best, worst - best, 1.0)
        return np.where(failed[:, None], np.where(seen, worst + spread, FAR), F)

    def _move(self, F: NDArray[np.float64], trials: Sequence[Told]) -> None:
        """Put trials that ended early behind those that came further."""
        if not self._level_best and all(t.complete for t in trials):
            known = F[[t.fitness is not None for t in trials]]
            if len(known):
                self._level_worst[np.inf] = np.fmax(self._level_worst.get(np.inf, known[0]), np.fmax.reduce(known))
            return
        for f, trial in zip(F, trials, strict=True):
            if trial.fitness is None:
                continue
            level = np.inf if trial.complete else float(trial.steps)
            if not trial.complete:
                best = self._level_best[level] = np.fmin(self._level_best.get(level, f), f)
                further = [worst for step, worst in self._level_worst.items() if step > level]
                if further:
                    f += np.maximum(np.max(further, 0) - best, 0.0)
            self._level_worst[level] = np.fmax(self._level_worst.get(level, f), f)

    def _chebyshev(
        self, F: NDArray[np.float64], failed: NDArray[np.bool_], generations: list[int]
    ) -> NDArray[np.float64]:
        """Return `(k, 1)`: every row normalised by the ideal and nadir known when it was told."""
        rows = np.where(failed[:, None], np.nan, F)
        ideal = np.fmin.accumulate(np.vstack([self._ideal, rows]))[1:]
        nadir = np.fmax.accumulate(np.vstack([self._nadir, rows]))[1:]
        if len(F):
            self._ideal, self._nadir = ideal[-1], nadir[-1]
        with np.errstate(invalid="ignore"):
            span = np.where(nadir > ideal, nadir - ideal, 1.0)
            weighted = (
                (rows - ideal) / span * np.array([self._weight(g // EPOCH) for g in generations]).reshape(-1, self.m)
            )
            return np.asarray(weighted.max(1, keepdims=True) + 0.05 * weighted.sum(1, keepdims=True))

    def _weight(self, epoch: int) -> NDArray[np.float64]:
        if epoch not in self._weights:
            child = np.random.SeedSequence(self._seed.entropy, spawn_key=(*self._seed.spawn_key, epoch))
            self._weights[epoch] = np.random.default_rng(child).dirichlet(np.ones(self.m))
        return self._weights[epoch]
