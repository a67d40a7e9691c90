"""Who descends from whom: the family tree of a trial, what each operator achieved, and how generations change.

Everything is computed from the trials' numbers, never from the order in which they ended, so it is the same for any
number of workers and after a resume. Only what an optimizer tells is known: `Population(X, parents=..., operator=...)`.

One trial is better than another if it violates the outcome constraints less, or as much and dominates it (with one
objective: has less fitness). A failed trial is worse than any with a result; one that has not ended is not compared.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evohpo.errors import UsageError
from evohpo.study.table import _free
from evohpo.tables import table
from evohpo.trials.pareto import domination_ranks
from evohpo.trials.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from evohpo.space import Space
    from evohpo.study.study import Study

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]


# ---- the three tables


def family_tree(study: Study, trial: Trial | int) -> pd.DataFrame:
    """Return one row an ancestor: the trial itself first, then its parents, their parents and so on.

    Breadth first: nearer ancestors come before farther ones, equally near ones in the order in which they were named.
    Each comes once, at its least depth. A trial without lineage stands alone.

    Columns: `depth` (generations of descent), `number`, `generation`, `operator`, `parents` (numbers), a column an
    objective (as measured; NaN without a result), and `improvement` over its best parent in units of the metric, positive
    where the child is better; NaN where there is no such parent or one of the two has no feasible result. With several
    objectives it is 1 where the child dominates a parent, -1 where a parent dominates it, else 0.

    Raises:
        UsageError: there is no such trial, or a trial has a parent that does not come before it.
    """
    trials, record = study.trials, _record(study)
    number = _number(study, trial)
    depth, order = {number: 0}, [number]
    for child in order:  # it grows while it is read: a queue that keeps its past
        for parent in trials[child].parents:
            if parent not in depth:
                depth[parent] = depth[child] + 1
                order.append(parent)
    found = [trials[n] for n in order]
    columns: dict[str, Any] = {
        "depth": list(depth.values()),
        "number": order,
        "generation": [t.generation for t in found],
        "operator": [t.operator for t in found],
        "parents": [t.parents for t in found],
    }
    for metric in study.goals.metrics:
        columns[_free(metric, columns)] = [np.nan if t.fitness is None else t.metrics[metric] for t in found]
    columns[_free("improvement", columns)] = _progress(record).improvement[order]
    return table(columns)


def operator_table(study: Study) -> pd.DataFrame:
    """Return one row an operator, in the order of first use; proposals whose operator was not told are in the row "".

    Columns: `operator`; `trials` that the optimizer proposed by it; `share` of all it proposed; `compared`, how many of
    them have ended and have a parent with a result; `improved`, how many of these are better than their best parent
    (with several objectives: dominate a parent while none dominates them); `success_rate`, improved / compared;
    `mean_improvement`, the mean of the tree's `improvement`; `became_best`, how many were better than all trials before
    them (with several objectives `entered_front`: feasible, neither dominated nor equalled by any before); `duplicates`,
    how many repeated an earlier configuration. Rates are NaN where there is nothing to compare.

    Raises:
        UsageError: a trial has a parent that does not come before it.

    Reference: Davis (1989), Adapting operator probabilities in genetic algorithms; Fialho, Da Costa, Schoenauer, Sebag
    (2008), Extreme value based adaptive operator selection.
    """
    import pandas as pd

    record = _record(study)
    progress, asked = _progress(record), record.asked
    advanced = "became_best" if record.F.shape[1] == 1 else "entered_front"
    code, names = pd.factorize(np.array([t.operator for t in study.trials], object)[asked])  # in the order of first use
    frame = pd.DataFrame(
        {
            "compared": progress.compared,
            "improved": progress.improved,
            "improvement": progress.improvement,
            "advanced": _advances(record),
            "repeats": record.repeats,
        }
    )[asked]
    found = frame.groupby(code).agg(
        trials=("compared", "size"),
        compared=("compared", "sum"),
        improved=("improved", "sum"),
        mean_improvement=("improvement", "mean"),
        **{advanced: ("advanced", "sum"), "duplicates": ("repeats", "sum")},
    )
    found.insert(1, "share", found["trials"] / max(int(asked.sum()), 1))
    found.insert(4, "success_rate", found["improved"] / found["compared"].where(found["compared"] > 0))
    return table({"operator": names} | {str(name): column for name, column in found.items()})


def generation_table(study: Study) -> pd.DataFrame:
    """Return one row a generation of trials that the optimizer proposed; what the user gave counts in the best so far.

    Columns, metrics as measured (with several objectives four columns each: `best_<metric>` and so on):

    - `generation`, `trials`.
    - `best` of the feasible trials; `mean` and `median` of all with a result; `best_so_far`, the best feasible one up to
      the generation's last trial.
    - `failed`, how many; `duplicates`, the share that repeats an earlier configuration, in [0, 1].
    - `diversity`: see the function of that name, in [0, 1].
    - `pressure`: the selection intensity I = S / sigma, in standard deviations. S, the selection differential, is how
      much better the parents of this generation are than the generation before, in the mean; each child counts once, in
      equal shares for its parents. sigma is the standard deviation of the generation before. 0 is blind choice. With
      several objectives or constraints both are taken of domination ranks, not of fitness. NaN without lineage or spread.
    - `parents_used`: the share of the generation before that became parents of this one, in [0, 1].
    - `takeover`: the share of this generation that has its most fertile parent among its parents, in [0, 1]. At 1 one
      individual has taken over.

    Raises:
        UsageError: a trial has a parent that does not come before it.

    Reference: Muehlenbein, Schlierkamp-Voosen (1993), Predictive models for the breeder genetic algorithm (S, I and the
    response to selection); Baeck (1994), Selective pressure in evolutionary algorithms (takeover time).
    """
    record = _record(study)
    rows: Integers = np.flatnonzero(record.asked)
    labels, code = np.unique(record.generation[rows], return_inverse=True)
    n = len(labels)
    trials = np.bincount(code, minlength=n)
    columns: dict[str, Any] = {"generation": labels, "trials": trials, **_metrics(study, record, rows, code)}
    columns["failed"] = np.bincount(code[record.failed[rows]], minlength=n)
    columns["duplicates"] = np.bincount(code[record.repeats[rows]], minlength=n) / trials
    columns["diversity"] = diversity(study.space, [study.trials[i].params for i in rows], code, n)
    members = np.split(rows[np.argsort(code, kind="stable")], np.cumsum(trials)[:-1])
    of = np.searchsorted(labels, record.generation[record.child])
    links = np.split(np.argsort(of, kind="stable"), np.cumsum(np.bincount(of, minlength=n))[:-1])
    ranked = len(study.goals.objectives) > 1 or bool(study.goals.constraints)
    selection = [_selection(record, members[g - 1] if g else rows[:0], members[g], links[g], ranked) for g in range(n)]
    columns["pressure"], columns["parents_used"], columns["takeover"] = np.reshape(selection, (-1, 3)).T
    return table(columns)


def _metrics(study: Study, record: _Record, rows: Integers, code: Integers) -> dict[str, Any]:
    """Return best, mean, median and best so far of each objective, one value a generation."""
    import pandas as pd

    last = pd.Series(rows).groupby(code).max().to_numpy(np.int64)
    columns: dict[str, Any] = {}
    for F, objective in zip(record.F.T, study.goals.objectives, strict=True):
        suffix = "" if len(study.goals.objectives) == 1 else f"_{objective.metric}"
        feasible = np.where(record.violation == 0, F, np.nan)
        results = pd.Series(F[rows]).groupby(code)
        values = {
            "best": pd.Series(feasible[rows]).groupby(code).min(),
            "mean": results.mean(),
            "median": results.median(),
            "best_so_far": np.fmin.accumulate(feasible)[last],
        }
        for name, value in values.items():
            measured = -np.asarray(value) if objective.maximize else np.asarray(value)
            columns[name + suffix] = measured + 0.0  # never -0.0
    return columns


# ---- the record as arrays


@dataclass(frozen=True, slots=True)
class _Record:
    """All `n` trials in the order of their numbers, and the `e` links from a child to each of its parents.

    Attributes:
        F: `(n, m)` fitness, NaN where there is no result.
        violation: `(n,)` total violation, infinite where there is no result.
        generation: `(n,)`.
        asked: `(n,)` proposed by the optimizer.
        ended: `(n,)`.
        failed: `(n,)`.
        repeats: `(n,)` of a configuration that an earlier trial has.
        child: `(e,)` numbers, ascending.
        parent: `(e,)` numbers; no link comes twice.
    """

    F: Floats
    violation: Floats
    generation: Integers
    asked: Mask
    ended: Mask
    failed: Mask
    repeats: Mask
    child: Integers
    parent: Integers

    @property
    def measured(self) -> Mask:
        """Which trials have a result, `(n,)`."""
        return np.isfinite(self.violation)

    def better(self, a: Integers, b: Integers) -> Mask:
        """Return `(k,)`: is trial `a` better than trial `b`, pair by pair?"""
        v, w, f, g = self.violation[a], self.violation[b], self.F[a], self.F[b]
        return np.asarray((v < w) | ((v == w) & (f <= g).all(1) & (f < g).any(1)))


def _record(study: Study) -> _Record:
    trials, seen = study.trials, set()
    repeats, links = [], []
    for t in trials:
        key = study.space.key(t.params)
        repeats.append(key in seen)
        seen.add(key)
        for number in dict.fromkeys(t.parents):
            if number >= t.number:
                raise UsageError(
                    f"trial {t.number} names trial {number} as a parent, which does not come before it: an optimizer "
                    "reports the numbers it was told in results.trials, not rows"
                )
            links.append((t.number, number))
    blank = (np.nan,) * len(study.goals.objectives)
    child, parent = np.array(links, np.int64).reshape(-1, 2).T
    return _Record(
        F=np.array([t.fitness or blank for t in trials], float).reshape(len(trials), len(blank)),
        violation=np.array([np.inf if t.fitness is None else t.violation for t in trials], float),
        generation=np.array([t.generation for t in trials], np.int64),
        asked=np.array([t.asked for t in trials], bool),
        ended=np.array([t.ended for t in trials], bool),
        failed=np.array([t.failed for t in trials], bool),
        repeats=np.array(repeats, bool), child=child, parent=parent,
    )  # fmt: skip


def _number(study: Study, trial: Trial | int) -> int:
    number = trial.number if isinstance(trial, Trial) else operator.index(trial)
    n = len(study.trials)
    if not 0 <= number < n:
        raise UsageError(f"there is no trial {number}: the study has {n}, counted from 0")
    if isinstance(trial, Trial) and study.trials[number] is not trial:
        raise UsageError(f"trial {number} belongs to another study, or to another copy of this one: give its number")
    return number


# ---- children against parents


@dataclass(frozen=True, slots=True)
class _Progress:
    """`(n,)` each: could a trial be compared with a parent, is it better than the best of them, and by how much?"""

    compared: Mask
    improved: Mask
    improvement: Floats


def _progress(record: _Record) -> _Progress:
    n, m = record.F.shape
    fair = record.ended[record.child] & record.measured[record.parent]
    child, parent = record.child[fair], record.parent[fair]
    compared = np.bincount(child, minlength=n) > 0
    if m > 1:
        won = np.bincount(child[record.better(child, parent)], minlength=n) > 0
        lost = np.bincount(child[record.better(parent, child)], minlength=n) > 0
        improved = won & ~lost
        return _Progress(compared, improved, np.where(compared, improved * 1.0 - lost, np.nan))
    by = np.lexsort((record.F[parent, 0], record.violation[parent], child))
    first = by[np.diff(child[by], prepend=-1) > 0]  # of each child the link to its best parent
    child, best = child[first], parent[first]
    improved, improvement = np.zeros(n, bool), np.full(n, np.nan)
    improved[child] = record.better(child, best)
    feasible = (record.violation[child] == 0) & (record.violation[best] == 0)
    improvement[child[feasible]] = (record.F[best, 0] - record.F[child, 0])[feasible]
    return _Progress(compared, improved, improvement)


def _advances(record: _Record) -> Mask:
    """Return `(n,)`: which trials were better than all before them, or, with several objectives, entered the front."""
    n, m = record.F.shape
    advances = np.zeros(n, bool)
    if m == 1:
        best = (np.inf, np.inf)
        for i, rank in enumerate(zip(record.violation.tolist(), record.F[:, 0].tolist(), strict=True)):
            if rank < best:
                best, advances[i] = rank, True
        return advances
    front = np.empty((0, m))
    for number in np.flatnonzero(record.violation == 0):
        f = record.F[number]
        if not (front <= f).all(1).any():
            front = np.vstack([front[~(f <= front).all(1)], f])
            advances[number] = True
    return advances


# ---- generations


def _selection(
    record: _Record, before: Integers, now: Integers, links: Integers, ranked: bool
) -> tuple[float, float, float]:
    """Return pressure, parents used and takeover of generation `now`; `links` are those of its children."""
    child, parent = record.child[links], record.parent[links]
    if not len(parent):
        return np.nan, np.nan, np.nan
    takeover = np.unique(parent, return_counts=True)[1].max() / len(now)
    used = np.isin(before, parent).mean() if len(before) else np.nan
    pool, fair = before[record.measured[before]], record.measured[parent]
    child, parent = child[fair], parent[fair]
    if not len(pool) or not len(parent):
        return np.nan, used, takeover
    if ranked:
        rows = np.unique(np.concatenate([pool, parent]))
        ranks = domination_ranks(record.F[rows], record.violation[rows])
        population, selected = ranks[np.searchsorted(rows, pool)], ranks[np.searchsorted(rows, parent)]
    else:
        population, selected = record.F[pool, 0], record.F[parent, 0]
    _, family, size = np.unique(child, return_inverse=True, return_counts=True)
    with np.errstate(over="ignore", invalid="ignore"):  # fitness may be of any size
        sigma = population.std()
        differential = population.mean() - np.average(selected, weights=1 / size[family])
    return differential / sigma if sigma > 0 else np.nan, used, takeover


def diversity(space: Space, configs: Sequence[dict[str, Any]], code: Integers, n: int) -> Floats:
    """Return the mean distance of two configurations of a group, `(n,)`, one value a group; NaN for groups of one.

    The distance is Gower's, the mean over all searched parameters of a distance in [0, 1]: of ordered ones the distance
    on their scale as a share of its length, of unordered ones 0 for equal and 1 for different choices (averaged over
    pairs, this is the expected heterozygosity). A parameter that applies to only one of the two counts as 1. So 0 are
    copies, about 1/3 is uniform random search on continuous parameters, and units, scales and encodings do not matter.

    Takes O(k log k) a parameter for `k` configurations: no pair is looked at.

    Args:
        space: the space.
        configs: `k` legal configurations.
        code: `(k,)` the group of each, in [0, n).
        n: number of groups.

    Reference: Gower (1971), A general coefficient of similarity and some of its properties; Nei (1973), Analysis of gene
    diversity in subdivided populations.

    Example:
        >>> from evohpo.space import Categorical, Continuous, Space
        >>> space = Space({"x": Continuous(0, 10), "c": Categorical(["a", "b"])})
        >>> configs = [{"x": x, "c": c} for x, c in [(0.0, "a"), (10.0, "a"), (5.0, "b"), (5.0, "b")]]
        >>> diversity(space, configs, np.array([0, 0, 1, 1]), 2).tolist()
        [0.5, 0.0]
    """
    U = space.encode(configs)
    there = np.array([[name in c for name in space.searched] for c in configs], bool).reshape(U.shape)
    size = np.bincount(code, minlength=n)
    apart = np.zeros(n)  # sum over parameters and pairs
    for i, name in enumerate(space.searched):
        parameter, active = space.parameters[name], there[:, i]
        u, group = U[active, i], code[active]
        k = np.bincount(group, minlength=n)
        apart += k * (size - k)
        if parameter.ordered:
            low, high = (parameter.gene(value) for value in parameter.read(np.array([0.0, 1.0])).tolist())
            apart += _sums_of_distances(u, group, n) / ((high - low) or 1.0)
        else:
            apart += k * (k - 1) / 2 - _pairs_of_equals(u, group, n)
    with np.errstate(invalid="ignore"):
        return np.asarray(apart / (size * (size - 1) / 2 * len(space.searched)))


def _sums_of_distances(u: Floats, group: Integers, n: int) -> Floats:
    """Return `(n,)`: the sum of |u_i - u_j| over the pairs of each group, by the places in sorted order."""
    by = np.lexsort((u, group))
    size = np.bincount(group, minlength=n)
    place = np.arange(len(u)) - (np.cumsum(size) - size)[group[by]]
    sums = np.bincount(group[by], (2 * place - size[group[by]] + 1) * u[by], minlength=n)
    return np.maximum(sums, 0.0)  # of copies rounding may leave less


def _pairs_of_equals(u: Floats, group: Integers, n: int) -> Floats:
    """Return `(n,)`: how many pairs of each group are equal."""
    pairs, count = np.unique(np.column_stack([group, u]), axis=0, return_counts=True)
    return np.asarray(np.bincount(pairs[:, 0].astype(np.int64), count * (count - 1) / 2, minlength=n), float)
