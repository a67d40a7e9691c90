"""What earlier studies of related tasks teach a new one: configurations to begin with, and ranked results to learn from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.errors import IllegalValue, UsageError
from evohpo.space import OneHot
from evohpo.trials import pareto

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from evohpo.space import Space
    from evohpo.study.study import Study
    from evohpo.trials.goals import Goals
    from evohpo.trials.trial import Trial

FIRST = 5  # configurations to begin with
MOST = 200  # results of one study that are kept
CANDIDATES = 20  # of each study's best that may be begun with
NEIGHBOURS = 5  # results of another study from which it is judged how good a configuration would be there


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one earlier study found.

    Attributes:
        params: configurations of the new space, the best first.
        scores: `(n,)` the share of that study's results that were better, 0 for the best.
    """

    params: list[dict[str, Any]]
    scores: NDArray[np.float64]


def lessons_of(prior: Iterable[Any], space: Space, goals: Goals) -> list[Lesson]:
    """Return what each of the earlier studies found, in terms of the new one.

    Their parameters may differ: values beyond a bound count as the bound, what the new space does not have is left out, what
    it has beyond theirs is the default. Their results are ranked by the new study's goals, or where its metrics were not
    measured, by their own.

    Args:
        prior: studies, or the paths of stored ones.
        space: the new study's.
        goals: likewise.

    Raises:
        UsageError: something that is no study, or one without results.
        StoreError: there is no study at a path.
    """
    if isinstance(prior, str | Path) or hasattr(prior, "trials"):
        prior = [prior]
    return [_lesson(_opened(one), space, goals) for one in prior]


def first_of(lessons: Sequence[Lesson], space: Space) -> list[dict[str, Any]]:
    """Return configurations to begin with, each chosen for the studies that those before it do least for.

    How good a configuration would have been in a study that did not try it is judged by its nearest results there.

    Reference: Wistuba, Schilling, Schmidt-Thieme (2015), Sequential model-free hyperparameter tuning; Pfisterer, van Rijn,
    Probst, Müller, Bischl (2021), Learning multiple defaults for machine learning algorithms.
    """
    if not lessons:
        return []
    codec = OneHot().bind(space)
    known = [codec.encode(lesson.params) for lesson in lessons]
    candidates = [config for lesson in lessons for config in lesson.params[:CANDIDATES]]
    X = codec.encode(candidates)
    scores = np.stack([_judged(X, K, lesson.scores) for K, lesson in zip(known, lessons, strict=True)])
    reached, chosen = np.ones(len(lessons)), dict[tuple[Any, ...], dict[str, Any]]()
    for _ in range(len(candidates)):
        if len(chosen) == FIRST:
            break
        gains = np.minimum(reached[:, None], scores).mean(0)
        best = int(np.lexsort((scores.mean(0), gains))[0])
        reached = np.minimum(reached, scores[:, best])
        chosen.setdefault(space.key(candidates[best]), candidates[best])
        scores[:, best] = np.inf
    return list(chosen.values())


def _opened(one: Any) -> Study:
    if isinstance(one, str | Path):
        from evohpo.study.opening import load

        return load(one)
    if not hasattr(one, "trials") or not hasattr(one, "goals"):
        raise UsageError(f"prior={type(one).__name__}: must be studies, or the paths of stored ones")
    study: Study = one
    return study


def _lesson(study: Study, space: Space, goals: Goals) -> Lesson:
    trials = [t for t in study.trials if t.fitness is not None]
    if not trials:
        raise UsageError(f"study {study.name!r} has no results to learn from; leave it out of prior=")
    order = _order(trials, goals)
    scores = np.arange(len(trials)) / len(trials)
    kept = np.unique(
        np.r_[np.arange(min(MOST // 2, len(trials))), np.linspace(0, len(trials) - 1, MOST // 2).astype(int)]
    )
    params, found = [], []
    for k in kept:
        config = _fitted(trials[order[k]].params, space)
        if config is not None:
            params.append(config)
            found.append(scores[k])
    if not params:
        raise UsageError(f"study {study.name!r} has no configuration that fits this space; leave it out of prior=")
    return Lesson(params, np.array(found))


def _order(trials: list[Trial], goals: Goals) -> NDArray[np.intp]:
    """Return the trials' positions, best first."""
    measured = all(set(goals.required) <= t.metrics.keys() for t in trials) and not goals.relative
    if measured:
        F = np.array([goals.fitness(t.metrics) for t in trials])
        violation = np.array([goals.violation(t.metrics) if goals.constraints else 0.0 for t in trials])
    else:
        F = np.array([t.fitness for t in trials])
        violation = np.array([t.violation for t in trials])
    if F.shape[1] == 1:
        return np.lexsort((F[:, 0], violation))
    return np.argsort(pareto.domination_ranks(F, violation), kind="stable")


def _fitted(params: Mapping[str, Any], space: Space) -> dict[str, Any] | None:
    """Return a configuration of the space that is as near as may be to one of another space; None where there is none."""
    given: dict[str, Any] = {}
    for name in space.searched:
        if name not in params:
            continue
        parameter: Any = space.parameters[name]
        value = params[name]
        if isinstance(value, int | float) and hasattr(parameter, "low"):
            value = min(max(value, parameter.low), parameter.high)
        try:
            given[name] = parameter.canonical(value)
        except ValueError:
            continue
    for _ in range(len(given) + 1):
        try:
            return space.complete(given)
        except IllegalValue as error:  # it does not apply here, or breaks a constraint
            if given.pop(error.name, None) is None:
                return None
    return None


def _judged(X: NDArray[np.float64], known: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `(n,)` scores of configurations by the nearest ones known; exactly known ones have their own."""
    far = np.sqrt(((X[:, None] - known[None]) ** 2).sum(-1))
    nearest = np.argsort(far, axis=1, kind="stable")[:, :NEIGHBOURS]
    weights = 1.0 / (np.take_along_axis(far, nearest, 1) + 1e-9)
    return np.asarray((weights * scores[nearest]).sum(1) / weights.sum(1))
