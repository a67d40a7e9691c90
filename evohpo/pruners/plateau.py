"""Stopping a trial that gets no better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evohpo.errors import UsageError
from evohpo.pruners.combine import Joinable
from evohpo.pruners.protocol import Decision
from evohpo.pruners.steps import check_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evohpo.trials.trial import Trial


class Plateau(Joinable):
    """Ends a trial whose last `patience` reports are no better by more than `tol` than what it had before.

    It compares a trial with itself alone; a trial on its plateau has come to its end, and counts as completed. With several
    objectives any of them may improve. The rule is that of Dask-ML's `patience` and `tol`.

    Args:
        patience: reports without progress, at least 1.
        tol: what counts as progress, in units of the objective, at least 0.

    Raises:
        UsageError: an argument that makes no sense.

    Example:
        >>> from evohpo.trials import Trial
        >>> pruner, trial = Plateau(patience=2, tol=0.01), Trial(0, {})
        >>> [pruner.report(trial, step, (loss,)).value for step, loss in enumerate([0.5, 0.4, 0.395, 0.396], 1)]
        ['continue', 'continue', 'continue', 'stop']
    """

    def __init__(self, patience: int = 3, tol: float = 1e-3) -> None:
        check_whole("Plateau", patience=patience)
        if isinstance(tol, bool) or not tol >= 0:
            raise UsageError(f"Plateau(tol={tol!r}): must be at least 0")
        self.patience, self.tol = patience, tol
        self._best: dict[int, tuple[tuple[float, ...], int]] = {}  # by trial: best so far, reports since
        self._flat: set[int] = set()

    def begin(self, setting: object) -> None:
        """Begin with no trial known."""

    def report(self, trial: Trial, step: int, value: Sequence[float]) -> Decision:  # noqa: ARG002 - reports are counted
        """Return STOP after `patience` reports without progress."""
        fitness = tuple(float(v) for v in value)
        best, since = self._best.get(trial.number, (None, 0))
        if best is None or any(v < b - self.tol for v, b in zip(fitness, best, strict=True)):
            kept = fitness if best is None else tuple(map(min, fitness, best))
            self._best[trial.number] = kept, 0
            return Decision.CONTINUE
        self._best[trial.number] = best, since + 1
        if since + 1 < self.patience:
            return Decision.CONTINUE
        self._flat.add(trial.number)
        return Decision.STOP

    def ended(self, trial: Trial) -> None:
        """Forget the trial."""
        self._best.pop(trial.number, None)
        self._flat.discard(trial.number)

    def completes(self, trial: Trial) -> bool:
        """Return whether the trial is on its plateau."""
        return trial.number in self._flat
