"""The view of a running study: one bar and one line, in a terminal or a notebook, silent elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from evohpo.trials.trial import Status

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console, RenderableType

    from evohpo.study import Study


class Progress:
    """Shows generation, best, running, failed, rate and time left, four times a second, while a study runs.

    Args:
        study: what is shown.
        trials: the budget of trials, or None.
        generations: the budget of generations, or None.
        timeout: the budget of seconds, or None.
        console: where it is shown; standard error if None.
    """

    def __init__(
        self,
        study: Study,
        trials: int | None,
        generations: int | None,
        timeout: float | None,
        console: Console | None = None,
    ) -> None:
        from rich.console import Console

        self.study, self.trials, self.generations, self.timeout = study, trials, generations, timeout
        self.console = console or Console(stderr=True)
        self._began, self._ended_before = time.monotonic(), study.ledger.ended
        self._strategy = study.strategy
        self._live: object | None = None

    @property
    def share(self) -> float | None:
        """How much of the budget is spent, in [0, 1]; None where there is no budget to measure by."""
        ledger, shares = self.study.ledger, []
        if self.trials is not None:
            shares.append(ledger.ended / self.trials)
        if self.generations is not None:
            population = self.study.settings.population
            done = ledger.ended / population if population else len(ledger.history)
            shares.append(done / self.generations)
        if self.timeout is not None:
            shares.append((time.monotonic() - self._began) / self.timeout)
        return min(1.0, max(shares)) if shares else None

    @property
    def line(self) -> str:
        """What the study has come to, in one line."""
        study, counts = self.study, self.study.ledger.counts
        ended = study.ledger.ended
        seconds = time.monotonic() - self._began
        rate = (ended - self._ended_before) / seconds if seconds > 0 else 0.0
        parts = [f"generation {study.trials[-1].generation}" if study.trials else "starting", f"{ended} trials"]
        if study.ledger.best is not None:
            objective = study.goals.objectives[0]
            parts.append(f"best {objective.metric} {study.ledger.best.metrics[objective.metric]:.6g}")
        if counts[Status.RUNNING]:
            parts.append(f"{counts[Status.RUNNING]} running")
        if counts[Status.FAILED]:
            parts.append(f"{counts[Status.FAILED]} failed")
        if rate:
            parts.append(f"{rate:.3g}/s" if rate >= 1 else f"{1 / rate:.3g} s a trial")
        share = self.share
        if share and share < 1 and rate:
            parts.append(f"{_duration(seconds * (1 - share) / share)} left")
        return " · ".join(parts)

    def __rich__(self) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        share = self.share
        head = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=1.0, completed=share or 0.0, width=32, pulse=share is None)
        head.add_row(
            Text(f"{self.study.name} [{self.study.optimizer}, seed {self.study.seed}]"),
            bar,
            f"{share:.0%}" if share is not None else "",
        )
        said = [Text(self._strategy, style="dim")] if self._strategy else []
        return Group(head, *said, Text(self.line))

    def __enter__(self) -> Self:
        if self.console.is_terminal or self.console.is_jupyter:
            from rich.live import Live

            live = Live(self, console=self.console, refresh_per_second=4, transient=False)
            live.start()
            self._live = live
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()  # type: ignore[attr-defined]


def _duration(seconds: float) -> str:
    minutes, hours = divmod(int(seconds), 60)[0], int(seconds) // 3600
    return (
        f"{hours} h {minutes % 60:02d} min"
        if hours
        else f"{minutes} min {int(seconds) % 60:02d} s"
        if minutes
        else f"{seconds:.0f} s"
    )
