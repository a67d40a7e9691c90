"""What the searches share: the study behind them, the column mask, and the manners of scikit-learn."""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection import check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import check_random_state, indexable
from sklearn.utils.validation import _check_method_params, _num_features

from evohpo.errors import EvohpoWarning
from evohpo.optimizers import use
from evohpo.sklearn.blocks import Part, resource_of, rows_of
from evohpo.sklearn.masks import ColumnMask, as_table
from evohpo.sklearn.spaces import Searched, columns
from evohpo.sklearn.training import Split, Training
from evohpo.study import Study

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from evohpo.trials import Trial

SEEDS = 2**31 - 1


class StudySearchCV(BaseSearchCV):  # type: ignore[misc]  # scikit-learn has no types
    """Base of the searches; see `EvolutionSearchCV` for what they have in common.

    A subclass has the parameters `estimator`, `optimizer`, `population`, `features`, `resource`, `chunk_size`,
    `random_state` and those of scikit-learn's base class.
    """

    _masked: int | None = None  # columns that the space has choices for

    def _given(self) -> Any:
        """Return the space as the user gave it."""
        raise NotImplementedError

    # ---- the study

    def _searched(self) -> Searched:
        searched = Searched.of(self._given())
        return searched if self._masked is None else searched.with_columns(self._masked)

    def _params(self, searched: Searched, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return a configuration as parameters of the estimator; the choices of columns become the mask."""
        params = searched.params(config)
        if self._masked is not None:
            params["support"] = tuple(params.pop(name) for name in columns(self._masked))
        return params

    def _study(self, searched: Searched, objectives: list[str], **arguments: Any) -> Study:
        optimizer = use("grid", resolution=searched.resolution()) if self.optimizer == "grid" else self.optimizer
        initial = [searched.config(config) for config in self.initial or ()]
        if self._masked is not None:
            initial = [{**dict.fromkeys(columns(self._masked), True), **config} for config in initial or [{}]]
        seed = int(check_random_state(self.random_state).randint(SEEDS))
        return Study(
            searched.space, maximize=objectives, optimizer=optimizer, population=self.population, initial=initial,
            seed=seed, **arguments,
        )  # fmt: skip

    def _objectives(self, scorers: Any) -> list[str]:
        """Return the metrics that are maximized: the one to refit for; of several without one, all."""
        if isinstance(self.refit, str):
            return [self.refit]
        return list(scorers._scorers) if isinstance(scorers, _MultimetricScorer) else ["score"]

    def _keep(self, study: Study, history: list[dict[str, Any]]) -> None:
        self.study_, self.trials_, self.history_ = study, study.table(), history
        self.model_history_: dict[int, list[dict[str, Any]]] = {}
        for entry in history:
            self.model_history_.setdefault(entry["model_id"], []).append(entry)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the study out, whose optimizer may be a generator; `trials_` has its table."""
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "study_"}

    # ---- columns

    def _fit_columns(self, X: Any, y: Any, params: Mapping[str, Any]) -> Self:
        """Fit a search of the same kind over the columns, too, and take over what it found."""
        X, y = indexable(as_table(X), y)
        search: Any = clone(self).set_params(estimator=ColumnMask(clone(self.estimator)), features=False)
        search._masked = _num_features(X)
        search.fit(X, y, **params)
        fitted = {name: value for name, value in vars(search).items() if name.endswith("_")}
        for name, value in fitted.items():
            setattr(self, name, value)
        if "best_params_" in fitted:
            self.support_ = np.array(self.best_params_["support"])
            names = getattr(X, "columns", None)
            self.best_features_ = (
                np.flatnonzero(self.support_) if names is None else np.asarray(names)[self.support_]
            ).tolist()
        return self

    # ---- training in steps

    def _fit_in_steps(
        self, X: Any, y: Any, params: Mapping[str, Any], run: Callable[[Searched, list[str], Any, Callable[..., Training]], Study]
    ) -> Self:  # fmt: skip
        """Do what scikit-learn's own `fit` does, with models that are trained step by step.

        `run` makes the study and runs it: it is given the space, the objectives, the resource, and a function that makes the
        objective of a last step and a schedule.
        """
        self._validate_params()
        scorers, refit_metric = self._get_scorers()
        X, y = indexable(X, y)
        params = _check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        searched, base = self._searched(), clone(self.estimator)
        resource = resource_of(self.resource, base, searched.space.names, self.chunk_size)
        cv = self._splitter(y)
        seed = int(check_random_state(self.random_state).randint(SEEDS))
        splits = [
            Split.of(Part(base, X, y, train, routed.estimator.fit, seed), test, routed.scorer.score)
            for train, test in cv.split(X, y, **routed.splitter.split)
        ]
        self.n_splits_ = len(splits)
        made: list[Training] = []

        def training(last: int, schedule: Callable[[int], Iterable[int]]) -> Training:
            made.append(Training(
                base, splits, scorers, resource, last, schedule, lambda config: self._params(searched, config),
                objectives, self.error_score, self.return_train_score,
            ))  # fmt: skip
            return made[0]

        objectives = self._objectives(scorers)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the first steps of a training have not converged
            warnings.filterwarnings(
                "ignore", "the first .* trials all failed", EvohpoWarning
            )  # the error below says so
            study = run(searched, objectives, resource, training)
        self._keep(study, made[0].history)
        self._results(made[0], study, refit_metric)
        if self.refit:
            self._refit(base, Part(base, X, y, rows_of(X), routed.estimator.fit, seed), made[0])
        self.scorer_ = scorers._scorers if isinstance(scorers, _MultimetricScorer) else scorers
        return self

    def _splitter(self, y: Any) -> Any:
        """Return the splitter of a search in steps."""
        return check_cv(self.cv, y, classifier=is_classifier(self.estimator))

    def _run(self, study: Study, training: Training, trials: int | None, generations: int | None) -> None:
        from evohpo.evaluators import Threads

        def ended(study: Study, trial: Trial) -> None:  # noqa: ARG001 - callbacks are given both
            training.over(trial.number)
            run = training.runs.get(trial.number)
            if run is not None and run.error is not None and self.error_score == "raise":
                raise run.error[0]

        evaluator = Threads(effective_n_jobs(self.n_jobs))
        study.run(
            training, trials=trials, generations=generations, evaluator=evaluator, callbacks=[ended], progress=False
        )
        if study.stopped.get("interrupted"):
            raise KeyboardInterrupt

    def _results(self, training: Training, study: Study, refit_metric: str) -> None:
        """Set `cv_results_` and the attributes of the best row."""
        n, runs = self.n_splits_, [(t, training.runs[t.number]) for t in study.trials if t.number in training.runs]
        errors = [run.error for _, run in runs if run.error is not None]
        good = next((run for _, run in runs if run.error is None and run.test), None)
        if good is None:
            told = errors[0][1] if errors else "; ".join(sorted({t.error for t in study.trials if t.error}))
            raise ValueError(
                f"All the {len(runs)} trials failed. Set error_score='raise' to stop at the first. It was:\n{told}"
            )
        if errors:
            warnings.warn(
                f"{len(errors)} of {len(runs)} trials failed and score {self.error_score}; the first one with:\n{errors[0][1]}",
                FitFailedWarning,
                stacklevel=4,
            )
        worst = dict.fromkeys(good.test[0], self.error_score) if isinstance(good.test[0], dict) else self.error_score
        out = [
            {
                "fit_time": run.fit_time[i],
                "score_time": run.score_time[i],
                "test_scores": worst if run.error or not run.test else run.test[i],
                **({"train_scores": worst if run.error or not run.train else run.train[i]} if self.return_train_score else {}),
            }
            for _, run in runs
            for i in range(n)
        ]  # fmt: skip
        more = {"model_id": [t.number for t, _ in runs], "partial_fit_calls": [run.step for _, run in runs]}
        results = self._format_results([run.params for _, run in runs], n, out, more)
        self.multimetric_ = isinstance(good.test[0], dict)
        if callable(self.scoring) and self.multimetric_:
            self._check_refit_for_multimetric(good.test[0])
            refit_metric = self.refit
        if self.refit or not self.multimetric_:
            self.best_index_ = self._select_best_index(self.refit, refit_metric, results)
            if not callable(self.refit):
                self.best_score_ = results[f"mean_test_{refit_metric}"][self.best_index_]
            self.best_params_ = results["params"][self.best_index_]
        self.cv_results_ = results

    def _refit(self, base: Any, part: Part, training: Training) -> None:
        """Train the best configuration on all data, with as many steps as it had."""
        began = time.perf_counter()
        model = clone(base).set_params(**clone(self.best_params_, safe=False))
        steps = int(self.cv_results_["partial_fit_calls"][self.best_index_])
        if training.resource.afresh:
            steps = training.last  # all data there are
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.best_estimator_ = training.resource.train(model, part, 0, steps, training.last)
        self.refit_time_ = time.perf_counter() - began
        self.n_iter_ = steps
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_
