"""What stands at the top: how the study stands, and its best trial or its front."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evohpo.analysis.data import repeated
from evohpo.analysis.report.rows import exact, rounded
from evohpo.analysis.summary import method_of
from evohpo.pruners.naming import pruner_text
from evohpo.trials.trial import Status

if TYPE_CHECKING:
    from evohpo.study import Study
    from evohpo.trials import Trial

WORDS = {Status.STOPPED: "stopped early"}
ORDER = (Status.COMPLETED, Status.STOPPED, Status.FAILED, Status.RUNNING, Status.PAUSED, Status.WAITING)


@dataclass(frozen=True, slots=True)
class Headline:
    """How a study stands.

    Attributes:
        name: of the study.
        description: what it is about, with its owner.
        goals: what is optimized, in words.
        facts: pairs of a word and its value: optimizer, pruner, seed, size of the space.
        counts: trials by status, those with any; the words that name a status, its CSS class, how many.
        trials: how many there are.
        repeats: how many of them took over the result of an earlier one.
        state: "ended" or "not ended", and why.
    """

    name: str
    description: str
    goals: str
    facts: list[tuple[str, str]]
    counts: list[tuple[str, str, int]]
    trials: int
    repeats: int
    state: str


@dataclass(frozen=True, slots=True)
class Best:
    """One trial and what to know about it.

    Attributes:
        number: its number.
        metrics: names, values with seven digits, the same exactly, and "maximize", "minimize" or "".
        params: names and exact values.
        remark: what is wrong with it, "" if nothing is.
        method: where it came from.
    """

    number: int
    metrics: list[tuple[str, str, str, str]]
    params: list[tuple[str, str]]
    remark: str
    method: str


def headline_of(study: Study) -> Headline:
    """Return how the study stands."""
    settings, ledger = study.settings, study.ledger
    facts = [
        ("optimizer", study.optimizer),
        *([("strategy", study.strategy)] if study.strategy else []),
        *([("pruner", pruner_text(settings.pruner))] if settings.pruner else []),
        ("parameters", str(len(study.space.searched))),
        ("seed", str(study.seed)),
    ]
    counts = [(WORDS.get(s, str(s)), str(s), ledger.counts[s]) for s in ORDER if ledger.counts[s]]
    about = ", ".join(text for text in (settings.description, settings.owner and f"by {settings.owner}") if text)
    why = ", ".join(f"{name} = {value}" for name, value in study.stopped.items())
    return Headline(
        study.name, about, str(study.goals), facts, counts, len(study.trials),
        sum(map(repeated, study.trials)), f"ended ({why})" if why else "has not ended",
    )  # fmt: skip


def best_of(study: Study) -> Best | None:
    """Return the best trial of a study with one objective; None where there is none, or where there are several objectives."""
    trial = study.ledger.best
    return None if trial is None else portrait_of(study, trial)


def portrait_of(study: Study, trial: Trial) -> Best:
    """Return one trial, its objectives first."""
    aims = {o.metric: "maximize" if o.maximize else "minimize" for o in study.goals.objectives}
    names = [*(m for m in aims if m in trial.metrics), *(m for m in trial.metrics if m not in aims)]
    missed = trial.fitness is not None and trial.violation > 0
    remark = (
        f"It misses the constraints by {trial.violation:.4g} of their bounds: no trial meets them yet."
        if missed
        else ""
    )
    if trial.fitness is not None and study.estimate(trial).trials > 1:
        means = ", ".join(f"{name} {study.estimate(trial, name)}" for name in aims)
        remark = f"{remark} Measured more than once: {means}.".strip()
    return Best(
        trial.number,
        [(name, rounded(trial.metrics[name]), exact(trial.metrics[name]), aims.get(name, "")) for name in names],
        [(name, exact(value)) for name, value in trial.params.items()],
        remark,
        method_of(trial, study.optimizer),
    )
