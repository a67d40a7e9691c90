"""A comparison in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.analysis.plots.frame import number
from evohpo.bench import statistics

if TYPE_CHECKING:
    from evohpo.bench.comparison import Comparison

FIRST = 5  # results that tell whether two runs begin alike


def verdict(comparison: Comparison, at: int | None, level: float) -> str:
    """See `Comparison.verdict`."""
    frame = comparison.differences(at, level)
    pairs: list[dict[Any, Any]] = frame.to_dict("records")
    order = list(comparison.ranks(at)["optimizer"])
    lines = [_two(comparison, pairs[0])] if len(order) == 2 else _many(comparison, pairs, order)
    lines += _too_few(comparison, pairs, level)
    lines += _repeats(comparison)
    lines += _errors(comparison)
    lines.append(_basis(comparison, frame.attrs, at, level, len(pairs)))
    return "\n".join(lines)


def _blocks(comparison: Comparison) -> str:
    several = len(comparison.problems) > 1
    count = len(comparison.problems) * len(comparison.seeds)
    return f"{count} pairs of runs" if several else f"{count} seed{'' if count == 1 else 's'}"


def _two(comparison: Comparison, pair: dict[Any, Any]) -> str:
    if pair["better"]:
        loser = pair["b"] if pair["better"] == pair["a"] else pair["a"]
        return f"{pair['better']} is better than {loser}: {_how_much(comparison, pair)}."
    more, most = (pair["a"], pair["a_wins"]) if pair["a_wins"] >= pair["b_wins"] else (pair["b"], pair["b_wins"])
    told = f"{more} was ahead in {most} of {_blocks(comparison)}" if most else f"all {_blocks(comparison)} ended alike"
    chance = f", which chance alone does with p = {number(pair['p_holm'], 2)}" if most else ""
    return f"No difference between {pair['a']} and {pair['b']}: {told}{chance}."


def _how_much(comparison: Comparison, pair: dict[Any, Any]) -> str:
    """Return the wins, the difference with its interval, and p."""
    wins = max(pair["a_wins"], pair["b_wins"])
    problem = comparison.problems[0]
    alone = len(comparison.problems) == 1
    unit = problem.measure if alone else "normalised regret"
    ends = (
        sorted(abs(pair[e]) for e in ("low", "high")) if pair["low"] * pair["high"] > 0 else [pair["low"], pair["high"]]
    )
    size = (
        f"{number(abs(pair['difference']), 3)} of {unit} in the median ({number(ends[0], 3)} to {number(ends[1], 3)})"
    )
    return f"in {wins} of {_blocks(comparison)}, by {size}, p = {number(pair['p_holm'], 2)}"


def _many(comparison: Comparison, pairs: list[dict[Any, Any]], order: list[str]) -> list[str]:
    """Return what there is to say of the leader and the others."""
    best, rest = order[0], order[1:]
    of = {frozenset((p["a"], p["b"])): p for p in pairs}
    beaten = [o for o in rest if of[frozenset((best, o))]["better"] == best]
    equal = [o for o in rest if o not in beaten]
    if not any(p["better"] for p in pairs):
        return [f"No difference between {_listed(order)}."]
    if not equal:
        lines = [f"{best} is better than all others."]
    elif beaten:
        lines = [f"{best} has the best mean rank; no difference between it and {_listed(equal)}."]
    else:
        lines = [f"{best} has the best mean rank, but no difference between it and any other is certain."]
    lines += [f"{best} is better than {o}: {_how_much(comparison, of[frozenset((best, o))])}." for o in beaten]
    others = [p for p in pairs if p["better"] and p["better"] != best]
    if others:
        told = [f"{p['better']} than {p['b'] if p['better'] == p['a'] else p['a']}" for p in others]
        lines.append(f"Better too: {_listed(told)}.")
    return lines


def _too_few(comparison: Comparison, pairs: list[dict[Any, Any]], level: float) -> list[str]:
    """Say when even a clean sweep could not be told from chance."""
    count = len(comparison.problems) * len(comparison.seeds)
    needed = int(np.ceil(1 + np.log2(len(pairs) / level)))
    if statistics.smallest(count) * len(pairs) <= level:
        return []
    what = f"{count} pair{'' if count == 1 else 's'} of runs are too few to show a difference"
    return [f"{what} between {len(comparison.labels)} optimizers: it takes {needed}, so more seeds or problems."]


def _repeats(comparison: Comparison) -> list[str]:
    """Say which optimizers begin the same with every seed, so that their runs are one piece of evidence and not many."""
    same = [label for label in comparison.labels if len(comparison.seeds) > 1 and _begins_alike(comparison, label)]
    advice = "whose runs then count for more than they tell; a live object is given as a function of seed that makes it"
    return [f"{_listed(same)} begin{'s' if len(same) == 1 else ''} the same with every seed, {advice}."] if same else []


def _begins_alike(comparison: Comparison, label: str) -> bool:
    """Return whether the first results after the shared ones are equal for all seeds, on any problem."""
    for at in range(len(comparison.problems)):
        runs = [comparison.runs[at, label, seed].F[comparison.initial :][:FIRST] for seed in comparison.seeds]
        first = runs[0]
        if (
            len(first) == FIRST
            and len(np.unique(first[:, 0])) >= FIRST - 1
            and all(np.array_equal(first, r) for r in runs)
        ):
            return True
    return False


def _errors(comparison: Comparison) -> list[str]:
    """Say which optimizers could not do their work, with the first reason of each."""
    lines = []
    for label in comparison.labels:
        broken = [(k, r) for k, r in comparison.runs.items() if k[1] == label and r.error]
        if broken:
            (at, _, seed), run = broken[0]
            lines.append(
                f"{label} ended early in {len(broken)} run{'' if len(broken) == 1 else 's'}, first on "
                f"{comparison.problems[at].name} with seed {seed}: {run.error}"
            )
    return lines


def _basis(comparison: Comparison, facts: dict[Any, Any], at: int | None, level: float, pairs: int) -> str:
    """Return what all of it rests on."""
    problems = comparison.problems
    where = problems[0].name if len(problems) == 1 else f"{len(problems)} problems"
    text = (
        f"({len(comparison.seeds)} seeds on {where} after {at or comparison.trials} trials; Wilcoxon signed-rank test, "
    )
    text += f"level {level:g}" + (f", Holm's correction for {pairs} pairs" if pairs > 1 else "")
    friedman = facts.get("friedman", float("nan"))
    if np.isfinite(friedman):
        text += f"; Friedman's test over problems p = {number(friedman, 2)}, "
        text += f"critical difference of mean ranks {number(facts['critical_difference'], 3)}"
    return text + ")"


def _listed(names: list[str]) -> str:
    """Return names as a list in a sentence.

    >>> _listed(["a"]), _listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
