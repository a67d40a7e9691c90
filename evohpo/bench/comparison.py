"""The results of a comparison: table, curves, ranks, differences, a verdict in words, figures and a report."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.analysis.plots.hypervolume import grown
from evohpo.bench import statistics
from evohpo.errors import UnknownName, UsageError
from evohpo.tables import by_column, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from evohpo.bench.figures import Figures
    from evohpo.bench.problems.problem import Problem
    from evohpo.bench.running import Floats, Run


@dataclass(frozen=True, eq=False)
class Comparison:
    """What optimizers found on the same problems, with the same budget and the same seeds; made by `compare`.

    What is compared is the best so far: of one objective its value among feasible trials, of several the hypervolume up to a
    reference point that all runs share. `regret` is that on a common scale: 0 is the optimum, or the best that any run found
    where the optimum is not known, and 1 the median of the first trials, which are random.

    Attributes:
        problems: what was searched.
        labels: the optimizers.
        seeds: one run of each optimizer on each problem.
        trials: the budget of a run.
        runs: by place of the problem, label and seed.
        initial: how many trials of each run were the same for all optimizers.

    Example:
        >>> import evohpo as eh
        >>> comparison = eh.compare("sphere/3", ["random", "cmaes"], trials=80, seeds=8, progress=False)
        >>> print(comparison.verdict().partition(",")[0])
        cmaes is better than random: in 8 of 8 seeds
    """

    problems: Sequence[Problem]
    labels: Sequence[str]
    seeds: Sequence[int]
    trials: int
    runs: Mapping[tuple[int, str, int], Run] = field(repr=False)
    initial: int = 0

    # ---- numbers

    @cached_property
    def scores(self) -> list[Floats]:
        """By problem, the best so far as something minimised `(optimizers, seeds, trials)`; infinite where nothing is legal."""
        return [self._scores(at, problem) for at, problem in enumerate(self.problems)]

    def _scores(self, at: int, problem: Problem) -> Floats:
        made = np.full((len(self.labels), len(self.seeds), self.trials), np.inf)
        point = self.reference(problem.name) if problem.several else None
        for i, label in enumerate(self.labels):
            for j, seed in enumerate(self.seeds):
                run = self.runs[at, label, seed]
                n = len(run.F)
                if n:
                    made[i, j, :n] = _so_far(run, point)
                    made[i, j, n:] = made[i, j, n - 1]
        return made

    def reference(self, problem: str | None = None) -> Floats | None:
        """Return the point from which hypervolume is measured, minimised `(m,)`; None for one objective.

        It is what the problem says, else the thresholds of its constraints, else the worst feasible value of any run.
        """
        at = self.place(problem)
        asked = self.problems[at]
        if not asked.several:
            return None
        signs = asked.goals.signs
        if asked.reference is not None:
            return np.asarray(signs * np.array(asked.reference))
        every = [r.F[(r.violation <= 0) & ~np.isnan(r.F[:, 0])] for (i, _, _), r in self.runs.items() if i == at]
        found = np.concatenate(every)
        known = asked.goals.thresholds
        worst = found.max(0) if len(found) else np.zeros(len(signs))
        bounds = [
            signs[k] * known[o.metric] if o.metric in known else worst[k] for k, o in enumerate(asked.goals.objectives)
        ]
        return np.array(bounds, float)

    @cached_property
    def regrets(self) -> Floats:
        """Normalised regret `(problems, optimizers, seeds, trials)`; see the class. Nothing legal counts as the worst seen."""
        return np.array([self._regret(s, p) for s, p in zip(self.scores, self.problems, strict=True)])

    def _regret(self, scores: Floats, problem: Problem) -> Floats:
        known = np.isfinite(scores)
        if not known.any():
            return np.ones_like(scores)
        sign = -1.0 if problem.maximize else 1.0
        least = float(scores[known].min()) if problem.optimum is None else sign * problem.optimum
        first = scores[:, :, 0]
        first = first[np.isfinite(first)] if np.isfinite(first).any() else scores[known]
        scale = float(np.median(first)) - least
        regret = (scores - least) / (scale if scale > 0 else np.ptp(scores[known]) or 1.0)
        regret[~known] = max(1.0, float(regret[known].max()))
        return np.asarray(regret)

    def place(self, problem: str | None) -> int:
        """Return the place of a problem among all; None stands for the only one.

        Raises:
            UsageError: there is none of that name, or it is not said which.
        """
        names = [p.name for p in self.problems]
        if problem is None:
            if len(names) > 1:
                raise UsageError(f"say which problem: {', '.join(names)}")
            return 0
        if problem not in names:
            raise UnknownName("problem", problem, names)
        return names.index(problem)

    def when(self, at: int | None) -> int:
        """Return the place of trial number `at`, counted from 1; None stands for the last.

        Raises:
            UsageError: no run is that long.
        """
        if at is None:
            return self.trials - 1
        if isinstance(at, bool) or not 1 <= at <= self.trials:
            raise UsageError(f"at={at!r}: must be from 1 to {self.trials}, the trials of a run")
        return at - 1

    def values(self, problem: str | None = None) -> Floats:
        """Return the best so far as it was measured `(optimizers, seeds, trials)`; infinite where nothing is legal."""
        at = self.place(problem)
        return -self.scores[at] if self.problems[at].maximize else self.scores[at]

    # ---- tables

    def table(self, problem: str | None = None, at: int | None = None) -> pd.DataFrame:
        """Return one row an optimizer, the best by mean rank first.

        Args:
            problem: one of several; None takes all, and leaves out the columns in the problem's own units if there are several.
            at: after so many trials; None for all.

        Returns:
            Columns `optimizer`; `mean`, `low`, `high`, `median` of the final best over seeds, with a 95 % bootstrap interval of
            the mean, for one problem; `regret`, `regret_low`, `regret_high`, the mean normalised regret; `rank`, the mean rank
            over all pairs of problem and seed; `cpu`, seconds of processor time a proposal; `failed`, trials; `without`, runs
            that found nothing feasible.
        """
        t, places = self.when(at), range(len(self.problems)) if problem is None else [self.place(problem)]
        alone = len(places) == 1
        regrets = self.regrets[list(places), :, :, t]
        ranked = statistics.ranks(self._blocks(regrets)).mean(1)
        rows = []
        for i, label in enumerate(self.labels):
            row: dict[str, Any] = {"optimizer": label}
            if alone:
                best = self.values(self.problems[places[0]].name)[i, :, t]
                best = best[np.isfinite(best)]
                low, high = statistics.interval(best[None]) if len(best) else (np.nan, np.nan)
                row |= {"mean": float(best.mean()) if len(best) else np.nan, "low": float(low), "high": float(high)}
                row["median"] = float(np.median(best)) if len(best) else np.nan
            low, high = statistics.interval(regrets[:, i])
            row |= {"regret": float(regrets[:, i].mean()), "regret_low": float(low), "regret_high": float(high)}
            runs = [self.runs[p, label, seed] for p in places for seed in self.seeds]
            timed = [r for r in runs if np.isfinite(r.cpu) and r.asked]
            row |= {
                "rank": float(ranked[i]),
                "cpu": sum(r.cpu for r in timed) / sum(r.asked for r in timed) if timed else np.nan,
                "failed": sum(r.failed for r in runs),
                "without": int(sum(np.isinf(self.scores[p][i, :, t]).sum() for p in places)),
            }
            rows.append(row)
        return table(by_column(rows)).sort_values(["rank", "regret"], kind="stable", ignore_index=True)

    def curves(self) -> pd.DataFrame:
        """Return one row for each problem, optimizer, seed and trial.

        Columns `problem`, `optimizer`, `seed`, `trial` (from 1), `best` so far as it is measured, NaN where nothing is feasible
        yet, `regret`, and `steps`, those of all trials so far.
        """
        p, o, s, t = len(self.problems), len(self.labels), len(self.seeds), self.trials
        best = np.array([self.values(problem.name) for problem in self.problems])
        steps = np.zeros((p, o, s, t))
        for (i, label, seed), run in self.runs.items():
            row = steps[i, list(self.labels).index(label), list(self.seeds).index(seed)]
            row[: len(run.steps)] = run.steps
            row[len(run.steps) :] = run.steps[-1] if len(run.steps) else 0
        return table({
            "problem": np.repeat([problem.name for problem in self.problems], o * s * t),
            "optimizer": np.tile(np.repeat(list(self.labels), s * t), p),
            "seed": np.tile(np.repeat(np.array(self.seeds), t), p * o),
            "trial": np.tile(np.arange(1, t + 1), p * o * s),
            "best": np.where(np.isfinite(best), best, np.nan).ravel(),
            "regret": self.regrets.ravel(),
            "steps": steps.ravel().astype(int),
        })  # fmt: skip

    def ranks(self, at: int | None = None) -> pd.DataFrame:
        """Return one row an optimizer with its mean rank over all pairs of problem and seed, 1 the best.

        Columns `optimizer`, `rank`, `low`, `high` (a 95 % bootstrap interval), `first`, the share of pairs in which it was the
        best, alone or with others; with several problems a column a problem with the mean rank there.

        Args:
            at: after so many trials; None for all.
        """
        regrets = self.regrets[:, :, :, self.when(at)]
        every = statistics.ranks(self._blocks(regrets)).reshape(len(self.labels), len(self.problems), len(self.seeds))
        best = regrets == regrets.min(1, keepdims=True)
        rows = []
        for i, label in enumerate(self.labels):
            low, high = statistics.interval(every[i])
            row = {"optimizer": label, "rank": float(every[i].mean()), "low": float(low), "high": float(high)}
            row["first"] = float(best[:, i].mean())
            if len(self.problems) > 1:
                row |= {p.name: float(every[i, k].mean()) for k, p in enumerate(self.problems)}
            rows.append(row)
        return table(by_column(rows)).sort_values("rank", kind="stable", ignore_index=True)

    @staticmethod
    def _blocks(regrets: Floats) -> Floats:
        """Return `(optimizers, problems * seeds)` of regrets `(problems, optimizers, seeds)`."""
        return regrets.swapaxes(0, 1).reshape(regrets.shape[1], -1)

    def differences(self, at: int | None = None, level: float = statistics.LEVEL) -> pd.DataFrame:
        """Return one row a pair of optimizers: whether they differ, and by how much.

        Pairs of runs with the same problem and seed are compared by Wilcoxon's signed-rank test on their regrets, and the
        p-values are corrected for the number of pairs of optimizers (Holm).

        Args:
            at: after so many trials; None for all.
            level: the chance that a difference is found although there is none.

        Returns:
            Columns `a`, `b`; `difference`, the median of a's value minus b's, in the units of the only problem, else of
            normalised regret; `low`, `high`, its 95 % bootstrap interval; `a_wins`, `b_wins`, `ties`, numbers of pairs of runs;
            `p`; `p_holm`; `better`, the label of the better one or "" for no difference. `attrs` has the level and, with several
            problems, `friedman`, the p-value of Friedman's test over problems, and `critical_difference`, that of mean ranks
            over problems (Nemenyi).
        """
        t = self.when(at)
        regrets = self._blocks(self.regrets[:, :, :, t])
        pairs = [(i, j) for i in range(len(self.labels)) for j in range(i + 1, len(self.labels))]
        p = np.array([statistics.signed_rank(regrets[i] - regrets[j]) for i, j in pairs])
        units = (
            self.values()[:, :, t]
            if len(self.problems) == 1 and np.isfinite(self.scores[0][:, :, t]).all()
            else regrets
        )
        rows = []
        for (i, j), raw, corrected in zip(pairs, p, statistics.holm(p), strict=True):
            apart, wins = units[i] - units[j], regrets[i] - regrets[j]
            low, high = statistics.median_interval(apart)
            a, b = int((wins < 0).sum()), int((wins > 0).sum())
            ahead = _ahead(wins) if corrected <= level else 0
            rows.append({
                "a": self.labels[i], "b": self.labels[j], "difference": float(np.median(apart)), "low": low, "high": high,
                "a_wins": a, "b_wins": b, "ties": len(wins) - a - b, "p": float(raw), "p_holm": float(corrected),
                "better": "" if not ahead else self.labels[i] if ahead < 0 else self.labels[j],
            })  # fmt: skip
        made = table(by_column(rows))
        made.attrs["level"] = level
        if len(self.problems) > 1:
            means = self.regrets[:, :, :, t].mean(2).T
            made.attrs["friedman"] = statistics.friedman(means)
            made.attrs["critical_difference"] = statistics.critical_difference(len(means), means.shape[1], level)
        return made

    # ---- words and pictures

    def verdict(self, at: int | None = None, level: float = statistics.LEVEL) -> str:
        """Say in words which optimizers are better and by how much, or that there is no difference.

        Args:
            at: after so many trials; None for all.
            level: the chance that a difference is found although there is none.
        """
        from evohpo.bench.verdicts import verdict

        return verdict(self, at, level)

    @property
    def plot(self) -> Figures:
        """Figures: `plot.curves()`, `plot.ranks()`, `plot.finals()`."""
        from evohpo.bench.figures import Figures

        return Figures(self)

    def write_report(self, path: str | Path) -> Path:
        """Write the verdict, all tables and figures into one HTML file that opens without a network.

        Raises:
            UsageError: plotly or jinja2 is not installed, or the folder does not exist.
        """
        from evohpo.bench.page import write_report

        return write_report(self, path)

    def __str__(self) -> str:
        return self.verdict()


def _so_far(run: Run, point: Floats | None) -> Floats:
    """Return `(n,)`: the best so far, minimised; minus the hypervolume up to `point` with several objectives."""
    if run.true is not None:
        return run.true
    legal = (run.violation <= 0) & ~np.isnan(run.F[:, 0])
    if point is None:
        return np.asarray(np.minimum.accumulate(np.where(legal, run.F[:, 0], np.inf)))
    F = np.where(legal[:, None], run.F, np.inf)
    rows, volumes = grown(F, point)
    return -np.array(volumes)[np.searchsorted(rows, np.arange(len(F)), side="right") - 1]


def _ahead(wins: Floats) -> int:
    """Return -1 where the first of a pair has the better ranks, 1 where the second has: the sign of their signed-rank sum."""
    from scipy.stats import rankdata

    return int(np.sign((rankdata(np.abs(wins)) * np.sign(wins)).sum()))
