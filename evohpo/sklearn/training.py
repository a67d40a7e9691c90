"""The objective of a search in steps: trains the models of a configuration, one a split, and scores them at steps."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection._validation import _score
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from evohpo.evaluators import Context
    from evohpo.sklearn.blocks import Part, PartialFit, Samples, WarmStart


@dataclass
class Split:
    """One split of the data: what models are trained on, and what they are scored on.

    Attributes:
        part: the training data.
        test: X and y to score on.
        weights: arguments of the scorer on test and training data.
    """

    part: Part
    test: tuple[Any, Any]
    weights: tuple[Mapping[str, Any], Mapping[str, Any]]

    @classmethod
    def of(cls, part: Part, test: Any, score_params: Mapping[str, Any]) -> Split:
        """Return the split with the rows `test` to score on."""
        weights = tuple(
            _check_method_params(part.X, params=dict(score_params), indices=rows) for rows in (test, part.rows)
        )
        return cls(part, _safe_split(part.estimator, part.X, part.y, test, part.rows), (weights[0], weights[1]))


@dataclass
class Run:
    """How far a trial is.

    Attributes:
        models: one a split; none when the trial is over.
        params: its parameters, as the estimator takes them.
        step: steps done.
        fit_time: `(n_splits,)` seconds of training.
        score_time: `(n_splits,)` seconds of the last scoring.
        test: scores of each split, numbers or dicts of them.
        train: likewise on the training data, if wanted.
        error: what its training raised, and the traceback.
    """

    models: list[Any]
    params: dict[str, Any]
    fit_time: list[float]
    score_time: list[float]
    step: int = 0
    test: list[Any] = field(default_factory=list)
    train: list[Any] = field(default_factory=list)
    error: tuple[Exception, str] | None = None


class Training:
    """Trains and scores trials in this process, where their models stay until they are over.

    Args:
        estimator: what is cloned.
        splits: the data.
        scorer: a scorer of scikit-learn, for one metric or several.
        resource: what a step is.
        last: the last step.
        schedule: gives, for a trial's number, the steps at which it is scored.
        params: gives the estimator's parameters for a configuration.
        objectives: names of the metrics that the study optimizes.
        error_score: what a failed score counts, or "raise".
        train_scores: whether to score on the training data, too.

    Attributes:
        runs: by the trial's number, how far each is.
        history: one dict a score, in the order in which they came.
    """

    def __init__(
        self, estimator: Any, splits: Sequence[Split], scorer: Any, resource: PartialFit | WarmStart | Samples, last: int,
        schedule: Callable[[int], Iterable[int]], params: Callable[[Mapping[str, Any]], dict[str, Any]],
        objectives: Sequence[str], error_score: Any, train_scores: bool,
    ) -> None:  # fmt: skip
        self.estimator, self.splits, self.scorer, self.resource, self.last = estimator, splits, scorer, resource, last
        self.schedule, self.params, self.objectives = schedule, params, objectives
        self.error_score, self.train_scores = error_score, train_scores
        self.runs: dict[int, Run] = {}
        self.history: list[dict[str, Any]] = []
        self._began = time.perf_counter()

    def __call__(self, config: Mapping[str, Any], ctx: Context) -> dict[str, float]:
        """Train one configuration until the study ends or pauses it; return its last metrics."""
        run = self.runs.get(ctx.number)
        if run is None:
            zeros = [0.0] * len(self.splits)
            run = self.runs[ctx.number] = Run([], self.params(config), zeros, list(zeros))
        metrics: dict[str, float] = {}
        try:
            if not run.models:
                run.models = [self._model(run.params) for _ in self.splits]
            done = ctx.step  # looked at, so that the study knows that the run goes on from here
            for step in self.schedule(ctx.number):
                if step <= done:
                    continue
                self._advance(run, step)
                metrics = told(run.test, self.objectives)
                self._note(ctx.number, run, metrics)
                ctx.report(step, **metrics)
        except Exception as error:
            run.error = error, traceback.format_exc()
            raise
        return metrics

    def over(self, number: int) -> None:
        """Let go of a trial's models."""
        if number in self.runs:
            self.runs[number].models = []

    def _model(self, params: Mapping[str, Any]) -> Any:
        return clone(self.estimator).set_params(**clone(dict(params), safe=False))

    def _advance(self, run: Run, step: int) -> None:
        run.test, run.train = [], []
        for i, split in enumerate(self.splits):
            began = time.perf_counter()
            run.models[i] = self.resource.train(run.models[i], split.part, run.step, step, self.last)
            trained = time.perf_counter()
            run.test.append(self._scores(run.models[i], *split.test, split.weights[0]))
            run.fit_time[i] += trained - began
            run.score_time[i] = time.perf_counter() - trained
            if self.train_scores:
                X, y, _ = split.part.whole
                run.train.append(self._scores(run.models[i], X, y, split.weights[1]))
        run.step = step

    def _scores(self, model: Any, X: Any, y: Any, score_params: Mapping[str, Any]) -> Any:
        return _score(model, X, y, self.scorer, score_params, self.error_score)

    def _note(self, number: int, run: Run, metrics: Mapping[str, float]) -> None:
        self.history.append({
            "model_id": number, "params": run.params, "partial_fit_calls": run.step, **metrics,
            "fit_time": float(np.mean(run.fit_time)), "score_time": float(np.mean(run.score_time)),
            "elapsed_wall_time": time.perf_counter() - self._began,
        })  # fmt: skip


def told(scores: Sequence[Any], objectives: Sequence[str]) -> dict[str, float]:
    """Return the metrics that the study is told: means over splits, by name.

    >>> told([0.5, 1.0], ["score"]), told([{"f1": 0.5, "auc": 1.0}], ["score"])
    ({'score': 0.75}, {'f1': 0.5, 'auc': 1.0, 'score': 0.5})
    """
    if not isinstance(scores[0], dict):
        return {objectives[0]: float(np.mean(scores))}
    means = {name: float(np.mean([score[name] for score in scores])) for name in scores[0]}
    if set(objectives) <= means.keys():
        return means
    return {**means, objectives[0]: next(iter(means.values()))}  # a function's names are known when it has been called
