"""What was learned, in sentences: which parameters matter, where each one is good, how far to trust it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evohpo.analysis.report.rows import rounded
from evohpo.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from evohpo.study import Study

SENTENCES = 4  # parameters told of in words
SHOWN = 12  # parameters with a bar
GOOD, HINTS = 0.8, 0.4  # R² of predictions from which effects are worth building on, and telling
FLAT = 0.02  # share of the metric's own spread below which an effect is not worth a sentence


@dataclass(frozen=True, slots=True)
class Share:
    """How much one parameter matters, in percent, and what it does in a sentence ("" where not told)."""

    parameter: str
    percent: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Lesson:
    """What was learned of one metric.

    Attributes:
        metric: its name.
        shares: the parameters, the one that matters most first.
        trust: a sentence on how good the model is that this was read from.
        reason: why there is nothing to tell; "" where there is.
    """

    metric: str
    shares: list[Share]
    trust: str = ""
    reason: str = ""


def lessons_of(study: Study) -> list[Lesson]:
    """Return a lesson an objective."""
    return [_lesson(study, o.metric, o.maximize) for o in study.goals.objectives]


def _lesson(study: Study, metric: str, maximize: bool) -> Lesson:
    from evohpo.analysis.importance import importance

    try:
        table = importance(study, metric)
    except UsageError as error:
        return Lesson(metric, [], reason=str(error))
    r2 = _r2(study, metric)
    shares: list[Share] = []
    for name, share in zip(table["parameter"][:SHOWN], table["importance"][:SHOWN], strict=True):
        told = r2 >= HINTS and len(shares) < SENTENCES
        sentence = _sentence(study, str(name), metric, maximize) if told else ""
        shares.append(Share(str(name), round(100 * float(share), 1), sentence))
    return Lesson(metric, shares, _trust(metric, r2))


def _sentence(study: Study, name: str, metric: str, maximize: bool) -> str:
    from evohpo.analysis.effects import effect

    try:
        table = effect(study, name, metric)
    except UsageError:
        return ""
    values, mean = table["value"].tolist(), [float(m) for m in table["mean"]]
    high, low = mean.index(max(mean)), mean.index(min(mean))
    good, bad = (high, low) if maximize else (low, high)
    measured = [t.metrics[metric] for t in study.trials if t.fitness is not None]
    if mean[high] - mean[low] <= FLAT * (max(measured) - min(measured)):
        return f"It hardly changes {metric} on average."
    return (
        f"On average {metric} is best around {rounded(values[good], 3)} ({rounded(mean[good], 3)}) "
        f"and worst around {rounded(values[bad], 3)} ({rounded(mean[bad], 3)})."
    )


def _r2(study: Study, metric: str) -> float:
    """Return which share of the variance of unseen trials is explained; NaN where all are equal."""
    from evohpo.analysis.validation import cross_validation

    return float(cross_validation(study, metric).attrs["r2"])


def _trust(metric: str, r2: float) -> str:
    if r2 != r2:
        return f"All trials have the same {metric}: there is nothing to learn about it."
    verdict = (
        "its effects can be relied on" if r2 >= GOOD
        else "take its effects as hints" if r2 >= HINTS
        else "what it says of the parameters is not worth telling"
    )  # fmt: skip
    return f"A model of {metric} predicts trials that it has not seen with R² = {r2:.2f}: {verdict}."


def top_parameters(study: Study, n: int) -> list[str]:
    """Return the `n` parameters that matter most for the first objective.

    Raises:
        UsageError: too few results.
    """
    from evohpo.analysis.importance import importance

    table: pd.DataFrame = importance(study)
    return [str(name) for name in table["parameter"][:n]]
