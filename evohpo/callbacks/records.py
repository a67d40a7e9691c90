"""A study and its trials as tracking services take them: numbers, texts, and names that they allow."""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from evohpo.errors import UsageError
from evohpo.trials import pareto

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evohpo.study import Study
    from evohpo.trials import Goals
    from evohpo.trials.trial import Trial

Kind: TypeAlias = Literal["number", "flag", "text"]
FACTS = ("generation", "label", "job", "error", "kind", "operator", "resumed")  # of a trial, where there is something


class Names:
    r"""Names that a service allows: other characters become underscores, and what then is taken gets a number.

    >>> names = Names(r"[^\w/]")
    >>> names("f1/macro"), names("acc@1"), names("acc@1"), names("acc#1")
    ('f1/macro', 'acc_1', 'acc_1', 'acc_1_2')
    """

    def __init__(self, forbidden: str, longest: int = 250) -> None:
        self._forbidden, self._longest = re.compile(forbidden), longest
        self._known: dict[str, str] = {}
        self._taken: set[str] = set()

    def __call__(self, name: str) -> str:
        """Return what `name` is called there, always the same."""
        if name not in self._known:
            allowed = base = self._forbidden.sub("_", name)[: self._longest]
            number = 2
            while allowed in self._taken:
                allowed, number = f"{base[: self._longest - 5]}_{number}", number + 1
            self._known[name] = allowed
            self._taken.add(allowed)
        return self._known[name]


@dataclass(frozen=True, slots=True)
class Head:
    """A study as a whole.

    Attributes:
        id: tells it from every other study; the same when it is resumed.
        name: its name.
        facts: goals, optimizer, seed and the like, as texts.
        kinds: by parameter, what its values are; mixed ones are texts.
        metrics: names of the metrics that its goals are about.
    """

    id: str
    name: str
    facts: dict[str, str]
    kinds: dict[str, Kind]
    metrics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """A trial as it stands.

    Attributes:
        number: its number.
        params: those that apply.
        status: see `evohpo.Status`.
        ended: whether it has come to its end.
        facts: what else there is to say of it, as texts; metrics that are texts among them.
        step: the last one.
        last: what was reported there.
        metrics: the numbers it ended with.
        fitness: see `evohpo.Trial`; None unless it is feasible.
    """

    number: int
    params: dict[str, float | bool | str]
    status: str
    ended: bool
    facts: dict[str, str]
    step: int
    last: dict[str, float]
    metrics: dict[str, float]
    fitness: tuple[float, ...] | None

    @property
    def final(self) -> dict[str, float]:
        """The numbers it ended with, as far as they were not reported at its last step already."""
        return {m: v for m, v in self.metrics.items() if m not in self.last or repr(self.last[m]) != repr(v)}


def head_of(study: Study, names: Names) -> Head:
    """Return what services are told of a study."""
    settings = study.settings
    given = {
        "goals": str(study.goals), "optimizer": study.optimizer, "options": settings.optimizer.get("options"),
        "pruner": settings.pruner, "seed": study.seed, "population": settings.population, "owner": settings.owner,
        "description": settings.description, "store": study.store,
    }  # fmt: skip
    facts = {name: _text(value) for name, value in given.items() if value not in (None, "", {})}
    kinds = {names(name): _kind(parameter) for name, parameter in study.space.parameters.items()}
    return Head(settings.id or settings.name, settings.name, facts, kinds, tuple(map(names, study.goals.required)))


def record_of(trial: Trial, head: Head, names: Names) -> Record:
    """Return what services are told of a trial."""
    params = {names(name): value for name, value in trial.params.items()}
    facts = {"status": str(trial.status)} | {
        name: str(value) for name in FACTS if (value := getattr(trial, name)) != ""
    }
    facts |= {names(name): value for name, value in trial.metrics.items() if isinstance(value, str)}
    if trial.parents:
        facts["parents"] = " ".join(map(str, trial.parents))
    return Record(
        trial.number, {name: _text(v) if head.kinds.get(name) == "text" else v for name, v in params.items()},
        str(trial.status), trial.ended, facts, trial.steps, numbers(trial.reports[-1][1], names) if trial.reports else {},
        numbers(trial.metrics, names) | ({"seconds": trial.seconds} if trial.seconds else {}),
        trial.fitness if trial.feasible else None,
    )  # fmt: skip


def numbers(metrics: Mapping[str, Any], names: Names) -> dict[str, float]:
    """Return the metrics that are numbers."""
    return {names(name): float(value) for name, value in metrics.items() if not isinstance(value, str)}


class BestSoFar:
    """What a study has achieved after each trial that ended: the best value, or the hypervolume that the front dominates.

    The hypervolume is that of `study.hypervolume()` at the time; where no thresholds say what it is measured from, it also
    grows when something worse comes than all before.

    Attributes:
        ended: how many trials have ended.
    """

    def __init__(self, goals: Goals, names: Names) -> None:
        self.ended = 0
        self._goals = goals
        single = len(goals.objectives) == 1
        self._name = names(f"best/{goals.metrics[0]}") if single else "hypervolume"
        self._front = self._worst = np.empty((0, len(goals.objectives)))
        self._value: float | None = None

    def add(self, fitness: tuple[float, ...] | None) -> dict[str, float]:
        """Take in a trial's fitness, None if it has none or is infeasible; return the name and value, if there is one."""
        self.ended += 1
        if fitness is not None and not self._known(row := np.array([fitness])):
            rows = np.vstack([self._front, row])
            self._front = rows[pareto.front(rows)]
            self._worst = np.vstack([self._worst, row]).max(0, keepdims=True)
            if len(fitness) > 1:
                self._value = float(pareto.hypervolume(self._front, self._reference()))
            else:
                self._value = float(-self._front[0, 0] if self._goals.objectives[0].maximize else self._front[0, 0])
        return {} if self._value is None else {self._name: self._value}

    def _reference(self) -> list[float]:
        thresholds = self._goals.thresholds
        return [
            worst if o.metric not in thresholds else -thresholds[o.metric] if o.maximize else thresholds[o.metric]
            for o, worst in zip(self._goals.objectives, self._worst[0].tolist(), strict=True)
        ]

    def _known(self, row: Any) -> bool:
        """Return whether a row changes nothing: it is within the worst values, and something is at least as good."""
        return bool(len(self._front)) and bool((row <= self._worst).all() and (self._front <= row).all(1).any())


def require(module: str, extra: str, what: str) -> None:
    """Refuse to go on without a library.

    Raises:
        UsageError: it is not installed; says how to install it.
    """
    if importlib.util.find_spec(module) is None:
        raise UsageError(f"{what} needs {module}: pip install 'evohpo[{extra}]'")


def slug(name: str) -> str:
    """Return a name for files and addresses.

    >>> slug("digits, with a net")
    'digits-with-a-net'
    """
    return re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-.") or "study"


def _kind(parameter: Any) -> Kind:
    values = getattr(parameter, "options", None) or ([parameter.value] if hasattr(parameter, "value") else [0.0])
    if all(isinstance(value, bool) for value in values):
        return "flag"
    return "number" if all(type(value) in (int, float) for value in values) else "text"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, dict | list | tuple | bool | None) else str(value)
