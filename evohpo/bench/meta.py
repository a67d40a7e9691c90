"""Tuning the tuner: an optimizer's own options, searched on some problems and judged on others."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.bench.comparing import compare, problems_of
from evohpo.bench.comparison import Comparison
from evohpo.bench.options import defaults_of, options_of
from evohpo.bench.running import Grid, run_all
from evohpo.driver import tune as search
from evohpo.errors import UsageError
from evohpo.optimizers.registry import Use, resolve, use

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd

    from evohpo.bench.problems.problem import Problem
    from evohpo.bench.running import Run
    from evohpo.space import Space
    from evohpo.study import Study

FRESH = 100_001  # the first seed of the judging: far from those of the search
DEFAULT, TUNED = "default", "tuned"


@dataclass(frozen=True, eq=False)
class Tuned:
    """What tuning an optimizer's options came to.

    Attributes:
        options: the best that were found.
        optimizer: the optimizer with these options, as `tune` takes it.
        study: the search for them; its metric is the mean normalised regret on the problems.
        comparison: the default options and the tuned ones on problems, or seeds, that the search did not see.
        held_out: whether these are other problems.
        regret: of the default options on the problems of the search, the same measure.
    """

    options: dict[str, Any]
    optimizer: Use
    study: Study
    comparison: Comparison = field(repr=False)
    held_out: bool
    regret: float

    def table(self) -> pd.DataFrame:
        """Return a row for the default and one for the tuned options: `Comparison.table` on what was held out."""
        return self.comparison.table()

    def verdict(self) -> str:
        """Say whether the tuned options are better where they were not tuned, and what they are."""
        found = self.study.best.metrics["regret"]
        where = "other problems" if self.held_out else "the same problems with other seeds"
        options = ", ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in self.options.items())
        lines = [
            f"Best of {len(self.study.trials)} settings: {options}.",
            f"Where it was tuned, its mean regret is {found:.4g}; that of the default {self.regret:.4g}.",
            f"On {where}: {self.comparison.verdict()}",
        ]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.verdict()


def tune(
    target: Any, problems: Problem | str | Iterable[Problem | str], options: Space | Mapping[str, Any] | None = None, *,
    trials: int, budget: int = 100, seeds: int = 5, optimizer: Any = "auto", pruner: Any = None,
    held_out: Problem | str | Iterable[Problem | str] | None = None, held_out_seeds: int = 10, workers: int = 1,
    seed: int | None = None, store: str | Path | None = None, progress: bool = True,
) -> Tuned:  # fmt: skip
    """Search the options of an optimizer on a set of problems, and judge the best on others.

    A setting is run on every problem with every seed; what counts is its mean normalised regret, 0 the optimum and 1 the median
    random configuration. Where the optimum is not known it is the best that the default options found, so that a regret may be
    below 0. The default options are tried first.

    Args:
        target: whose options: a name, a function or a class that takes them.
        problems: as `compare` takes them.
        options: the space of options; None takes what is worth tuning of a built-in optimizer.
        trials: how many settings are tried.
        budget: trials of each run of a setting.
        seeds: runs of a setting on each problem, the same seeds for all.
        optimizer: what searches the options.
        pruner: a setting reports its mean regret after each seed: "median" ends those that fall behind.
        held_out: problems to judge on; None judges on the same problems with other seeds.
        held_out_seeds: runs of both on each of these.
        workers: settings that run at once.
        seed: of the search.
        store: a folder; the same call goes on where it was killed.
        progress: False for silence.

    Raises:
        UsageError: an argument that makes no sense, or a problem to judge on that is tuned on.

    Example:
        >>> from evohpo.space import Integer
        >>> tuned = tune("ga", "sphere/2", {"population": Integer(2, 9)}, trials=2, budget=9, seeds=2, seed=1,
        ...              held_out="ackley/2", held_out_seeds=8, progress=False)
        >>> sorted(tuned.options)
        ['population']
    """
    trained = problems_of(problems)
    judged = trained if held_out is None else problems_of(held_out)
    both = sorted({p.name for p in trained} & {p.name for p in judged})
    if held_out is not None and both:
        raise UsageError(f"held_out: {both[0]} is tuned on too, so it cannot judge; give other problems or instances")
    space = options_of(target, options)
    name = resolve(target).name
    folder = None if store is None else Path(store)
    numbers = range(1, seeds + 1)
    default = Setting(target, trained, budget, numbers).comparison({}, workers, progress)
    measured = Setting(target, [_fixed(default, p) for p in trained], budget, numbers)
    study = search(
        measured, space, minimize="regret", optimizer=optimizer, pruner=pruner, trials=trials, workers=workers, seed=seed,
        initial=[defaults_of(target, space)], store=_search_file(folder), name=f"options of {name}", progress=progress,
    )  # fmt: skip
    if "interrupted" in study.stopped:
        raise KeyboardInterrupt
    found = dict(study.best.params)
    tuned = use(target, **found)
    comparison = compare(
        judged, {DEFAULT: target, TUNED: tuned}, trials=budget, seeds=range(FRESH, FRESH + held_out_seeds), workers=workers,
        store=None if folder is None else folder / "judging", progress=progress,
    )  # fmt: skip
    return Tuned(found, tuned, study, comparison, held_out is not None, _regret(default))


def _search_file(folder: Path | None) -> Path | None:
    if folder is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"store={str(folder)!r}: the folder cannot be made ({error.strerror})") from error
    return folder / "search.db"


def _fixed(default: Comparison, problem: Problem) -> Problem:
    """Return a problem with the best and the reference point that the default options found, where they are not known."""
    reference = default.reference(problem.name)
    if reference is not None:
        problem = replace(problem, reference=tuple((problem.goals.signs * reference).tolist()))
    ends = default.values(problem.name)
    ends = ends[np.isfinite(ends)]
    if problem.optimum is None and len(ends):
        problem = replace(problem, optimum=float(ends.max() if problem.maximize else ends.min()))
    return problem


def _regret(comparison: Comparison) -> float:
    return float(comparison.regrets[:, :, :, -1].mean())


@dataclass(frozen=True, slots=True)
class Setting:
    """The objective: what a setting makes of an optimizer, seed by seed.

    Attributes:
        optimizer: whose options are searched.
        problems: where.
        budget: trials of a run.
        seeds: runs on each problem.
    """

    optimizer: Any
    problems: Sequence[Problem]
    budget: int
    seeds: Sequence[int]

    def comparison(self, params: Mapping[str, Any], workers: int = 1, progress: bool = False) -> Comparison:
        """Run a setting with all seeds; its comparison with nobody has the regrets."""
        return Comparison(
            self.problems,
            [DEFAULT],
            self.seeds,
            self.budget,
            run_all(self._grid(params), self.seeds, workers, progress),
        )

    def _grid(self, params: Mapping[str, Any]) -> Grid:
        optimizer = use(self.optimizer, **params) if params else self.optimizer
        return Grid(self.problems, {DEFAULT: optimizer}, self.budget, None, None, 1, None)

    def __call__(self, params: Mapping[str, Any]) -> Iterator[dict[str, float]]:
        """Yield the mean regret over all problems and the seeds so far."""
        grid = self._grid(params)
        runs: dict[tuple[int, str, int], Run] = {}
        for k, seed in enumerate(self.seeds, 1):
            runs |= run_all(grid, [seed], 1, False)
            yield {"regret": _regret(Comparison(self.problems, [DEFAULT], self.seeds[:k], self.budget, runs))}
