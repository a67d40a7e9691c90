"""What is wrong with a study, in plain words with numbers, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.analysis import findings
from evohpo.analysis.data import Floats, Integers, Mask, measured, repeated
from evohpo.analysis.findings import ENOUGH, EXPLAINED, FEW, Diagnosis, Level, count, percent, shown
from evohpo.errors import UsageError
from evohpo.space.parameters import Listed
from evohpo.trials.pareto import front
from evohpo.trials.trial import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evohpo.study.study import Study
    from evohpo.trials.trial import Trial

LEVELS = ("problem", "warning", "info")
MANY_REPEATS, MOST_REPEATS = 0.2, 0.5  # shares of the proposals
STAGNANT = 0.3, 0.6  # shares of the trials since the last improvement
EDGE = 0.01  # of a gene, from either end
MATTERS = 0.05  # importance from which a parameter at its bound is worth a word
UNIFORM = 0.02  # diversity of copies and near copies; of random configurations it is about 1/3


def diagnoses(study: Study) -> list[Diagnosis]:
    """Return what was found, the worst first; nothing where all is well, or where it is too early to tell.

    Looked for: failures, by reason and by where they happen; repeated configurations; stagnation; the best value at a bound
    of a parameter's range; outcome constraints that nobody meets; a population without diversity; a pruner that never ended
    a trial, or nearly all; equal configurations with different results; an objective that never varies, is saturated, or
    that the parameters do not explain; too few results for the number of parameters.

    Args:
        study: finished or running.
    """
    found = [diagnosis for check in CHECKS for diagnosis in check(study)]
    return sorted(found, key=lambda d: LEVELS.index(d.level))


def _stagnation(study: Study) -> Iterator[Diagnosis]:
    ended = [t for t in study.trials if t.ended]
    feasible = [t for t in ended if t.feasible]
    varies = any(len({t.fitness[i] for t in feasible if t.fitness}) > 1 for i in range(len(study.goals.objectives)))
    if len(ended) < FEW or not varies:
        return
    if len(study.goals.objectives) == 1:
        last, what = study.best.number, f"The best trial, {study.best.number},"
    else:
        last = max(feasible[i].number for i in np.flatnonzero(front(np.array([t.fitness for t in feasible]))))
        what = f"The newest trial of the front, {last},"
    since = sum(t.number > last for t in ended)
    share = since / len(ended)
    if share >= STAGNANT[0] and since >= FEW:
        level: Level = "warning" if share >= STAGNANT[1] else "info"
        yield Diagnosis(
            level,
            "No improvement for a while",
            f"{what} was followed by {since} trials ({percent(share)} of all) that brought nothing better.",
            "If that is good enough, end sooner with stop=Stop(stagnation=...). If not, widen the space, take a larger "
            "population, or another optimizer.",
        )


def _bounds(study: Study) -> Iterator[Diagnosis]:
    leading = _leading(study)
    if len(leading) < 3:
        return
    at: list[tuple[str, str, Any, float]] = []
    for name in study.space.searched:
        parameter = study.space.parameters[name]
        if not parameter.ordered or 0 < parameter.size < 4:
            continue  # of three values, one is at a bound as often as not
        ends = parameter.read(np.array([0.0, 1.0])).tolist()
        there = [t.params[name] for t in leading if name in t.params]
        genes = np.array([parameter.gene(v) for v in there])
        for end, bound, side in ((ends[0], 0.0, "low"), (ends[1], 1.0, "high")):
            near = np.array([v == end for v in there], bool) | (np.abs(genes - bound) <= EDGE)
            if len(there) and near[0] and near.mean() >= 0.5:
                at.append((name, side, end, float(near.mean())))
    if not at:
        return
    weights = _weights(study)
    for name, side, end, share in at:
        if weights.get(name, 0.0) < MATTERS:
            continue  # one that hardly matters may end up anywhere
        which, more = ("lower", "smaller") if side == "low" else ("upper", "larger")
        listed = isinstance(study.space.parameters[name], Listed)
        yield Diagnosis(
            "warning",
            f"{name} is best at its bound",
            f"{percent(share)} of the best {len(leading)} trials, the best one too, have {name} at the {which} end of its "
            f"range, {shown(end)}.",
            f"Widen it: {'add values beyond it' if listed else f'make {side} {more}'}, if there can be any.",
        )


def _diversity(study: Study) -> Iterator[Diagnosis]:
    try:
        table = study.generations()
    except UsageError:
        return  # an optimizer that tells a lineage which cannot be
    table = table[table["trials"] > 1]
    if len(table) < 3:
        return
    first, last = float(table["diversity"].iloc[0]), float(table["diversity"].iloc[-1])
    if last <= UNIFORM and first > 5 * UNIFORM:
        when = int(table.loc[table["diversity"] <= UNIFORM, "generation"].iloc[0])
        yield Diagnosis(
            "info",
            "The population has lost its diversity",
            f"Its diversity fell from {first:.2g} in generation {int(table['generation'].iloc[0])} to {last:.2g} in generation "
            f"{int(table['generation'].iloc[-1])} (0 are copies, about 0.33 is random); it was below {UNIFORM} from generation "
            f"{when} on.",
            "More of the same will hardly find anything new. If it came too early, take a larger population, more mutation, or "
            "start again with another seed.",
        )


def _repeats(study: Study) -> Iterator[Diagnosis]:
    asked = [t for t in study.trials if t.asked]
    again = sum(repeated(t) for t in asked)
    share = again / max(len(asked), 1)
    if len(asked) < FEW or share < MANY_REPEATS:
        return
    size, tried = study.space.size, len({study.space.key(t.params) for t in study.trials})
    small = tried >= 0.5 * size
    yield Diagnosis(
        "warning" if share >= MOST_REPEATS else "info",
        "Many repeated configurations",
        f"{again} of {len(asked)} proposals ({percent(share)}) repeated an earlier configuration and were not evaluated again."
        + (f" The space has {size:.0f} configurations, of which {tried} were tried." if small else ""),
        "Nearly everything has been tried: end here, or widen the space."
        if small
        else "Repeats cost nothing, but the search stands still: more mutation, a larger population, or finer steps.",
    )


def _pruner(study: Study) -> Iterator[Diagnosis]:
    ended = [t for t in study.trials if t.ended and not t.failed and not repeated(t) and not (t.label and not t.steps)]
    if study.settings.pruner is None or len(ended) < FEW:
        return
    stopped = sum(t.status is Status.STOPPED for t in ended)
    completed = len(ended) - stopped
    if not any(t.reports for t in ended):
        yield Diagnosis(
            "warning",
            "The pruner has nothing to go by",
            f"None of {len(ended)} trials reported a step, so the pruner could not end any.",
            "Let the objective yield its metrics after each step, or call ctx.report(step, ...).",
        )
    elif stopped == 0:
        yield Diagnosis(
            "info",
            "The pruner never ended a trial",
            f"All {len(ended)} trials ran to their end.",
            "It saved nothing so far: let it compare earlier or more strictly, or do without.",
        )
    elif completed <= max(1, 0.01 * len(ended)):
        yield Diagnosis(
            "warning",
            "The pruner ended nearly all trials",
            f"{stopped} of {len(ended)} trials were ended early, {count(completed, 'trial')} ran to the end.",
            "The final result rests on very few complete trials: let more of them go on (a smaller reduction factor, a later "
            "first step), or train the best ones again to the end.",
        )


def _amount(study: Study) -> Iterator[Diagnosis]:
    results = len({study.space.key(t.params) for t in study.trials if t.status is Status.COMPLETED})
    parameters = len(study.space.searched)
    if 0 < results < ENOUGH * parameters:
        yield Diagnosis(
            "info",
            "Few results for so many parameters",
            f"{count(results, 'different configuration')} completed for {count(parameters, 'searched parameter')}; "
            f"{ENOUGH * parameters} or more are usual.",
            "Take importances and effects as hints. Go on, or fix the parameters that matter least.",
        )


def _leading(study: Study) -> list[Trial]:
    """Return the best tenth of the feasible trials, at least five, best first; with several objectives, the front."""
    trials = [t for t in study.trials if t.feasible and not repeated(t)]
    if len(study.goals.objectives) > 1:
        mask: Mask = front(np.array([t.fitness for t in trials])) if trials else np.empty(0, bool)
        return [t for t, keep in zip(trials, mask, strict=True) if keep]
    F: Floats = np.array([t.fitness[0] for t in trials if t.fitness is not None])
    order: Integers = np.argsort(F, kind="stable")[: max(5, len(trials) // 10)]
    return [trials[i] for i in order]


def _weights(study: Study) -> dict[str, float]:
    """Return how much each parameter matters for any objective that the parameters explain, by name."""
    from evohpo.analysis.importance import importance
    from evohpo.analysis.validation import cross_validation

    weights: dict[str, float] = {}
    for metric in study.goals.metrics:
        if len(measured(study, metric)[1]) >= FEW and cross_validation(study, metric).attrs["r2"] > EXPLAINED:
            for name, share in importance(study, metric, "permutation").itertuples(index=False):
                weights[name] = max(weights.get(name, 0.0), share)
    return weights


CHECKS: tuple[Callable[[Study], Iterator[Diagnosis]], ...] = (
    findings.failures, findings.constraints, findings.constants, findings.noise, findings.saturation, findings.explained,
    _stagnation, _bounds, _diversity, _repeats, _pruner, _amount,
)  # fmt: skip
