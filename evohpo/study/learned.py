"""What a study has learned: the half of it that is only read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from evohpo.errors import UnknownName, UsageError
from evohpo.study import journal as journals
from evohpo.trials import choosing
from evohpo.trials.goals import as_number

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from evohpo.analysis.plots import Plots
    from evohpo.study.journal import Moment
    from evohpo.study.ledger import Ledger
    from evohpo.study.repeats import Estimate
    from evohpo.study.study import Study
    from evohpo.trials.goals import Goals
    from evohpo.trials.trial import Trial


class Learned:
    """What can be asked of a study, finished or running, whoever made it."""

    goals: Goals
    ledger: Ledger

    @property
    def _study(self) -> Study:
        return cast("Study", self)

    @property
    def trials(self) -> list[Trial]:
        """All trials in the order of their numbers."""
        return self.ledger.trials

    @property
    def best(self) -> Trial:
        """The best trial: feasible before infeasible, then by fitness, then the earlier one.

        Raises:
            UsageError: no trial has a result yet, or there are several objectives.
        """
        if len(self.goals.objectives) > 1:
            raise UsageError("several objectives have no single best trial: see study.front()")
        if self.ledger.best is None:
            failed = next((t for t in self.trials if t.failed), None)
            why = f"; trial {failed.number} failed: {failed.error}" if failed is not None else ""
            raise UsageError(f"no trial has a result yet{why}")
        return self.ledger.best

    def estimate(self, trial: Trial | int | None = None, metric: str | None = None) -> Estimate:
        """Return what an objective of a configuration is, by all trials that measured it: `mean`, `low`, `high`, `count`.

        The interval holds the mean with 95 %; its bounds are NaN while nothing was measured twice (see `repeats=` of `tune`).

        Args:
            trial: one of the configuration's trials, or its number; None for the best.
            metric: an objective; None for the first.

        Raises:
            UsageError: there is no such trial or objective, or no result.
        """
        found = self.best if trial is None else self.trials[trial] if isinstance(trial, int) else trial
        first = self.trials[found.repeats] if found.repeats >= 0 else found
        names = self.goals.metrics
        if metric is not None and metric not in names:
            raise UnknownName("objective", metric, names)
        if first.fitness is None:
            raise UsageError(f"trial {first.number} has no result: {first.error or first.status}")
        k = 0 if metric is None else names.index(metric)
        return self.ledger.repeats.estimate(first, float(self.goals.signs[k]), k)

    def front(self) -> list[Trial]:
        """Return the feasible trials that no other one dominates; with one objective, the best alone."""
        if len(self.goals.objectives) > 1:
            return self.ledger.front
        best = self.ledger.best
        return [best] if best is not None and best.feasible else []

    def knee(self) -> Trial:
        """Return the trial of the front where gaining in one objective begins to cost most in the others.

        Raises:
            UsageError: no trial is feasible.

        Reference: Das (1999), On characterizing the "knee" of the Pareto curve based on normal-boundary intersection.
        """
        front = self._chosen_from()
        return front[choosing.knee(_fitness(front))]

    def choose(self, weights: Mapping[str, float] | None = None) -> Trial:
        """Return the trial of the front that is nearest to the best of everything, as far as each objective matters.

        Args:
            weights: how much each metric matters, 0 or more; those left out matter not at all. None: all the same.

        Raises:
            UsageError: no trial is feasible, or a weight is no number of at least 0.
            UnknownName: a weight for what is no objective.

        Reference: Steuer, Choo (1983), An interactive weighted Tchebycheff procedure for multiple objective programming.

        Example:
            study.choose({"accuracy": 2, "seconds": 1})
        """
        metrics = self.goals.metrics
        given = dict.fromkeys(metrics, 1.0) if weights is None else weights
        for name, weight in given.items():
            if name not in metrics:
                raise UnknownName("objective", str(name), metrics)
            number = as_number(weight)
            if number is None or not 0 <= number < np.inf:
                raise UsageError(f"weights: {name} = {weight!r} must be a finite number of at least 0")
        if not any(given.values()):
            raise UsageError(f"weights: give at least one of {', '.join(metrics)} a weight above 0")
        front = self._chosen_from()
        return front[choosing.compromise(_fitness(front), [given.get(name, 0.0) for name in metrics])]

    @property
    def reference(self) -> dict[str, float]:
        """The point from which hypervolume is measured: an objective's threshold, else its worst feasible value.

        A threshold is a constraint that bounds an objective on its good side, such as "accuracy >= 0.9" of an accuracy that
        is maximized. {} while no trial is feasible.
        """
        worst = self.ledger.worst
        if worst is None:
            return {}
        values = {o.metric: -w if o.maximize else w for o, w in zip(self.goals.objectives, worst, strict=True)}
        return values | self.goals.thresholds

    def hypervolume(self, reference: Mapping[str, float] | Sequence[float] | None = None) -> float:
        """Return the volume that the front dominates, in units of the metrics.

        Args:
            reference: a point in the metrics' own terms, by metric or one value an objective in their order, that everything
                counted must beat; `study.reference` where not given.

        Raises:
            UsageError: the point has not a value for each objective.
        """
        point = self.reference if reference is None else reference
        if reference is None and not point:
            return 0.0
        metrics = self.goals.metrics
        if isinstance(point, Mapping):
            point = [point[name] for name in metrics if name in point]
        if len(point) != len(metrics):
            raise UsageError(f"reference={reference!r}: give a value for each of {', '.join(metrics)}")
        return self.ledger.hypervolume(np.asarray(point, float) * self.goals.signs)

    def moments(self) -> list[Moment]:
        """Return when trials were started, paused, taken up again and ended, in order; attached ones were not.

        Raises:
            StoreError: the study's file cannot be read.
        """
        chronicle = self._study._chronicle
        return journals.moments(chronicle.journal.path) if chronicle.journal is not None else list(chronicle.moments)

    def table(self) -> pd.DataFrame:
        """Return one row a trial."""
        from evohpo.study.table import trials_table

        return trials_table(self._study)

    def curves(self) -> pd.DataFrame:
        """Return one row a report."""
        from evohpo.study.table import curves_table

        return curves_table(self._study)

    def lineage(self, trial: Trial | int) -> pd.DataFrame:
        """Return the family tree of a trial upwards, one row an ancestor; see `evohpo.study.lineage.family_tree`."""
        from evohpo.study.lineage import family_tree

        return family_tree(self._study, trial)

    def operators(self) -> pd.DataFrame:
        """Return what each operator achieved, one row an operator; see `evohpo.study.lineage.operator_table`."""
        from evohpo.study.lineage import operator_table

        return operator_table(self._study)

    def generations(self) -> pd.DataFrame:
        """Return how generations change, one row a generation; see `evohpo.study.lineage.generation_table`."""
        from evohpo.study.lineage import generation_table

        return generation_table(self._study)

    @property
    def plot(self) -> Plots:
        """The plots: `study.plot.history()`, `.front()`, `.importance()` ...; see `evohpo.analysis.plots.Plots`."""
        from evohpo.analysis.plots import Plots

        return Plots(self._study)

    def write_report(self, path: str | Path) -> Path:
        """Write all there is to see into one HTML file; see `evohpo.analysis.report.write_report`."""
        from evohpo.analysis.report import write_report

        return write_report(self._study, path)

    def _chosen_from(self) -> list[Trial]:
        """Return the front, which must not be empty."""
        front = self.front()
        if not front:
            closest = min((t for t in self.trials if t.fitness is not None), key=lambda t: t.violation, default=None)
            why = (
                f"; the closest, trial {closest.number}, misses the constraints by {closest.violation:.4g} of their bounds"
                if closest is not None
                else ""
            )
            raise UsageError(f"no trial is feasible yet, so that there is none to choose{why}")
        return front


def _fitness(trials: Sequence[Trial]) -> np.ndarray:
    return np.array([t.fitness for t in trials])
