"""What may be wrong with the results of a study: failures, constraints, and metrics that say little."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from evohpo.analysis.data import measured, varies
from evohpo.trials.trial import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evohpo.study.study import Study
    from evohpo.trials.trial import Trial

Level = Literal["info", "warning", "problem"]

FEW = 20  # trials; with fewer, nothing can be said about rates and progress
ENOUGH = 5  # results a parameter
MANY_FAILURES, MOST_FAILURES = 0.1, 0.5  # shares of the ended trials
EXPLAINED = 0.1  # share of the variance
TIED = 0.05  # share of the results that have the best value


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One finding.

    Attributes:
        level: "problem": results cannot be trusted, or there are none; "warning": effort or quality is lost; "info": worth
            knowing.
        title: a few words.
        text: what was seen, with numbers.
        advice: what to do.
    """

    level: Level
    title: str
    text: str
    advice: str


def failures(study: Study) -> Iterator[Diagnosis]:
    """Failures: how many, for which reasons, and for which values of a parameter."""
    ended = [t for t in study.trials if t.ended]
    failed = [t for t in ended if t.failed]
    if not failed:
        return
    share = len(failed) / len(ended)
    reasons: dict[str, list[Trial]] = {}
    for t in failed:
        reasons.setdefault(reason_of(t), []).append(t)
    largest = sorted(reasons.values(), key=len, reverse=True)
    listed = "; ".join(
        f"{count(len(group), 'time')} {reason_of(group[0])!r} (first in trial {group[0].number})"
        for group in largest[:3]
    )
    more = f"; and {count(len(largest) - 3, 'other reason')}" if len(largest) > 3 else ""
    where = _where(study, [t for t in ended if not t.failed], failed)
    level: Level = "problem" if share >= MOST_FAILURES else "warning" if share >= MANY_FAILURES else "info"
    kinds = Counter(t.kind for t in failed)
    number = largest[0][0].number
    advice = f"Read study.trials[{number}].traceback, or run the objective once with study.trials[{number}].params."
    if kinds.most_common(1)[0][0] == "timeout":
        advice = "Give trials more time, or bound what makes them slow."
    if where:
        advice += " Narrow the range there, or write it as a constraint of the space."
    yield Diagnosis(
        level,
        f"{percent(share)} of the trials failed",
        f"{len(failed)} of {len(ended)} ended trials failed: {listed}{more}.{where}",
        advice,
    )


def reason_of(trial: Trial) -> str:
    """Return a failure's message without what differs from trial to trial: numbers and addresses."""
    text = trial.error.splitlines()[0] if trial.error else trial.kind or "no reason given"
    text = re.sub(r"0x[0-9a-fA-F]+|\d+(\.\d+)?([eE][+-]?\d+)?", "…", text)
    return text if len(text) <= 120 else text[:119] + "…"


def _where(study: Study, fine: Sequence[Trial], failed: Sequence[Trial]) -> str:
    """Return in which values of one parameter failures are concentrated, or "".

    The best single cut of any parameter, if it makes out at least nine tenths of the failures and of what is fine.
    """
    if min(len(fine), len(failed)) < 5:
        return ""
    best, text = 0.9, ""
    for name in study.space.searched:
        parameter = study.space.parameters[name]
        good, bad = ([t.params[name] for t in group if name in t.params] for group in (fine, failed))
        if not good or not bad:
            continue
        if parameter.ordered:
            a, b = np.array([parameter.gene(v) for v in good]), np.array([parameter.gene(v) for v in bad])
            for u, v, side, least in ((a, b, "above", bad), (-a, -b, "below", bad)):
                cut = np.quantile(v, 0.05)
                apart = min(float((u < cut).sum()) / len(fine), float((v >= cut).sum()) / len(failed))
                if apart > best:
                    at = least[int(np.argmin(np.abs(v - cut)))]
                    best, text = apart, f" Most of them have {name} {side} {shown(at)}, and few others do."
        else:
            for choice in dict.fromkeys(bad):
                apart = min(sum(v != choice for v in good) / len(fine), bad.count(choice) / len(failed))
                if apart > best:
                    best, text = apart, f" Most of them have {name} = {choice!r}, and few others do."
    return text


def constraints(study: Study) -> Iterator[Diagnosis]:
    """Outcome constraints that no trial meets."""
    done = [t for t in study.trials if t.status is Status.COMPLETED and t.fitness is not None]
    if not study.goals.constraints or len(done) < 5 or any(t.feasible for t in study.trials):
        return
    closest = min(done, key=lambda t: t.violation)
    texts = []
    for constraint in study.goals.constraints:
        if all(name in t.metrics for t in done for name in constraint.names):
            met = sum(all(float(m) <= 0 for m in constraint.margins(t.metrics)) for t in done)
            texts.append(f"{constraint.text!r} is met by {met}")
    each = f" ({', '.join(texts)})" if texts else ""
    yield Diagnosis(
        "problem",
        "No trial meets the constraints",
        f"None of {len(done)} completed trials meets all outcome constraints{each}. The closest one, trial {closest.number}, "
        f"misses them by {closest.violation:.4g} of their bounds.",
        "Loosen the constraint that fewest meet, widen the space, or attach a configuration that is known to meet it.",
    )


def constants(study: Study) -> Iterator[Diagnosis]:
    """Objectives that never vary."""
    for metric in study.goals.metrics:
        trials, y = measured(study, metric)
        if len(y) >= 5 and len({t.metrics[metric] for t in trials}) == 1:
            yield Diagnosis(
                "problem",
                f"{metric} never varies",
                f"All {len(trials)} measured configurations have {metric} = {y[0]:.6g}.",
                "Check that the objective uses its parameters, and that the metric is measured, not preset.",
            )


def noise(study: Study) -> Iterator[Diagnosis]:
    """Equal configurations with different results."""
    for o in study.goals.objectives:
        trials, y = measured(study, o.metric)
        keys = [study.space.key(t.params) for t in trials]
        index = {key: i for i, key in enumerate(dict.fromkeys(keys))}
        code = np.array([index[key] for key in keys], np.int64)
        size = np.bincount(code, minlength=len(index))
        twice = size > 1
        if not twice.any():
            continue
        mean = np.bincount(code, y, len(index)) / size
        squares = np.bincount(code, (y - mean[code]) ** 2, len(index))
        noise = float(np.sqrt(squares[twice].sum() / (size[twice] - 1).sum()))
        if noise == 0:
            continue
        ordered = np.sort((-1 if o.maximize else 1) * mean)
        tenth = ordered[min(len(ordered) - 1, max(1, len(ordered) // 10))] - ordered[0]
        level: Level = "warning" if noise > tenth else "info"
        yield Diagnosis(
            level,
            f"{o.metric} is noisy",
            f"{count(int(twice.sum()), 'configuration')} measured more than once differ in {o.metric} by {noise:.3g} "
            f"(standard deviation). The best tenth of all configurations lies within {tenth:.3g}.",
            "Measure the best configurations several times before choosing one; average over seeds or folds in the objective."
            if level == "warning"
            else "Differences of this size between trials mean nothing.",
        )


def saturation(study: Study) -> Iterator[Diagnosis]:
    """Objectives whose best value is shared, or next to the largest there is."""
    for o in study.goals.objectives:
        trials, y = measured(study, o.metric)
        if len(y) < FEW or not varies(y):
            continue
        best = y.max() if o.maximize else y.min()
        tied = len({study.space.key(trials[i].params) for i in np.flatnonzero(y == best)})
        ceiling = o.maximize and y.min() >= 0 and 0.999 <= best <= 1
        shared = tied >= max(3, TIED * len(y))
        if shared or ceiling:
            text = f"The best {o.metric} is {best:.6g}"
            text += ", next to the largest value that a share can have" if ceiling else ""
            text += f"; {tied} configurations share it, and it cannot tell them apart" if shared else ""
            yield Diagnosis(
                "info",
                f"{o.metric} is saturated",
                f"{text}.",
                "Use a finer metric (a loss instead of a share of hits), a harder validation set, or a second objective "
                "such as time or size.",
            )


def explained(study: Study) -> Iterator[Diagnosis]:
    """Objectives that the parameters do not explain."""
    from evohpo.analysis.validation import cross_validation

    for metric in study.goals.metrics:
        _, y = measured(study, metric)
        if len(y) < max(FEW, ENOUGH * len(study.space.searched)) or not varies(y) or not study.space.searched:
            continue
        attrs = cross_validation(study, metric).attrs
        if attrs["r2"] < EXPLAINED and attrs["spearman"] < EXPLAINED**0.5:
            yield Diagnosis(
                "warning",
                f"The parameters do not explain {metric}",
                f"A surrogate of {len(y)} trials, asked about trials that it has not seen, explains "
                f"{percent(max(0.0, attrs['r2']))} of the variance of {metric}; the correlation of ranks is "
                f"{attrs['spearman']:.2f}.",
                "The metric may be mostly noise: measure one configuration several times. Or what matters is not in the space. "
                "Take importances and effects with care.",
            )


def count(n: int, what: str) -> str:
    """Return "1 trial", "2 trials"."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def percent(share: float) -> str:
    """Return a share in [0, 1] as text."""
    return f"{100 * share:.0f} %"


def shown(value: object) -> str:
    """Return a parameter's value as text."""
    return f"{value:.4g}" if isinstance(value, float) else repr(value)
