"""`EvolutionSearchCV`: any optimizer as a search of scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from joblib import effective_n_jobs

from evohpo.errors import UsageError
from evohpo.sklearn.base import StudySearchCV
from evohpo.trials import Status
from evohpo.trials.brackets import levels

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evohpo.sklearn.spaces import Searched
    from evohpo.sklearn.training import Training
    from evohpo.study import Study
    from evohpo.trials import Trial

N_TRIALS = 60  # where no budget is given
HOPELESS = 10  # failures without a success after which the search gives up
ETA = 3  # between the shares of the data at which trials are scored, where the pruner has no rungs


class EvolutionSearchCV(StudySearchCV):
    """Searches an estimator's hyperparameters by cross-validation, with any optimizer that a study takes.

    It has the manners of `GridSearchCV` and `RandomizedSearchCV`: pipelines with `step__parameter`, several metrics, fit
    parameters, callables for `scoring` and `refit`, and all their attributes and methods.

    With a pruner models are trained in steps, and what does not promise is ended early. What a step is says `resource`.
    Trials then run on threads of this process, else on the backend of joblib.

    Args:
        estimator: what is tuned; a classifier, regressor, clusterer, pipeline ...
        space: an `evohpo.Space`, or a dict of its parameters, of lists (of any objects) or of SciPy's bounded distributions.
        optimizer: whatever `evohpo.tune` takes: a registered name such as "de", "cma-es", "grid", a class, a live object.
        pruner: `evohpo.ASHA(...)`, `evohpo.Hyperband(...)`, `evohpo.Median(...)`; None trains every trial to its end.
        n_trials: configurations in all, repeated ones included; 60 if neither this nor `generations` is given.
        generations: at most so many generations.
        population: configurations of a generation; None leaves it to the optimizer.
        initial: configurations to try first; partial ones are completed.
        features: True also chooses the columns of X, one gene a column; all of them are tried first.
        max_steps: the steps of a trial that is not ended, if the pruner does not say. Without a pruner, too, it has models
            trained in steps, all of them.
        resource: what a step is: "partial_fit", a call with a block; the name of a parameter that is raised with `warm_start`
            ("n_estimators", "clf__max_iter"); "n_samples", a larger share of the data; or "auto", the first that there is.
        chunk_size: rows of a block for `partial_fit`; None gives each call all.
        scoring: a metric, a list or dict of several, or a function; with several and no `refit` all are objectives.
        n_jobs: fits at once; None is 1, -1 all cores. An optimizer that never waits learns from `n_jobs` trials at a time.
        refit: whether to fit the best configuration on all data; the metric's name with several metrics.
        cv: folds or splitter.
        verbose: how much is printed.
        pre_dispatch: as in `GridSearchCV`.
        random_state: seeds optimizer, pruner and the order of blocks.
        error_score: the score of a configuration that cannot be fitted, or "raise".
        return_train_score: whether to score on the training data, too.

    Attributes:
        best_estimator_: refitted on all data; likewise `best_params_`, `best_score_`, `best_index_`, `cv_results_`, `scorer_`,
            `n_splits_`, `refit_time_`, `multimetric_`, `classes_`, `n_features_in_` and `feature_names_in_`.
        n_iter_: steps of the best configuration, where trials are trained in steps.
        study_: the study; it is not pickled.
        trials_: its table, with one row a trial.
        history_: one dict a score: model_id, params, the scores; in the order in which they came.
        model_history_: the same by model_id.
        support_: `(n_features,)` the columns of the best configuration, with `features=True`.
        best_features_: their names, or numbers.

    Raises:
        UsageError: at fit, an argument that makes no sense.

    Example:
        >>> from scipy.stats import loguniform
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.svm import SVC
        >>> X, y = load_iris(return_X_y=True)
        >>> search = EvolutionSearchCV(
        ...     SVC(), {"C": loguniform(1e-2, 1e2), "kernel": ["linear", "rbf"]}, optimizer="de", generations=2, population=5,
        ...     random_state=1)
        >>> bool(search.fit(X, y).best_score_ > 0.95)
        True
    """

    def __init__(
        self, estimator: Any, space: Any, *, optimizer: Any = "auto", pruner: Any = None, n_trials: int | None = None,
        generations: int | None = None, population: int | None = None, initial: Any = None, features: bool = False,
        max_steps: int | None = None, resource: str = "auto", chunk_size: int | None = None, scoring: Any = None,
        n_jobs: int | None = None, refit: Any = True, cv: Any = None, verbose: int = 0, pre_dispatch: Any = "2*n_jobs",
        random_state: Any = None, error_score: Any = np.nan, return_train_score: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            estimator, scoring=scoring, n_jobs=n_jobs, refit=refit, cv=cv, verbose=verbose, pre_dispatch=pre_dispatch,
            error_score=error_score, return_train_score=return_train_score,
        )  # fmt: skip
        self.space, self.optimizer, self.pruner = space, optimizer, pruner
        self.n_trials, self.generations, self.population, self.initial = n_trials, generations, population, initial
        self.features, self.max_steps, self.resource, self.chunk_size = features, max_steps, resource, chunk_size
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Search, and fit the best configuration on all data.

        Args:
            X: `(n_samples, n_features)` the data.
            y: the targets, if the estimator has any.
            **params: arguments of the estimator's `fit`, as `sample_weight`, and `groups` of the splitter.
        """
        from evohpo.driver import check_run

        check_run(None, 1, self.n_trials, self.generations, None)
        if self.features:
            return self._fit_columns(X, y, params)
        if self.pruner is not None or self.max_steps is not None:
            return self._fit_in_steps(X, y, params, self._run_in_steps)
        super().fit(X, y, **params)
        return self

    def _given(self) -> Any:
        return self.space

    def _budget(self, study: Study) -> int | None:
        return N_TRIALS if self.n_trials is None and self.generations is None and not study.finite else self.n_trials

    # ---- whole fits, by scikit-learn's own machinery

    def _run_search(self, evaluate_candidates: Callable[..., Mapping[str, Any]]) -> None:
        searched, history = self._searched(), []
        study = self._study(searched, self._objectives(self._get_scorers()[0]))
        budget, n_jobs = self._budget(study), effective_n_jobs(self.n_jobs)
        study.begin(workers=n_jobs, budget=budget)
        size = 2**31 - 1 if study.finite else self.population or n_jobs
        splits, done, failure = _SameSplits(self._checked_cv_orig), 0, None
        while batch := self._batch(study, size, budget):
            params = [self._params(searched, trial.params) for trial in batch]
            try:
                results = evaluate_candidates(params, cv=splits)
            except ValueError as error:  # scikit-learn's word for: all of these failed
                if splits.splits is None or self.error_score == "raise":
                    raise
                failure = failure or error
                for trial in batch:
                    study.tell(trial, error=error)
                if not done and len(study.trials) >= HOPELESS:
                    raise
                continue
            for row, trial in enumerate(batch, done):
                metrics = {k[10:]: float(v[row]) for k, v in results.items() if k.startswith("mean_test_")}
                if missing := set(study.goals.metrics) - metrics.keys():
                    metrics[missing.pop()] = next(iter(metrics.values()))
                study.tell(trial, metrics, seconds=float(results["mean_fit_time"][row]) * self.n_splits_)
                history.append({"model_id": trial.number, "params": params[row - done], **metrics})
            done += len(batch)
        if not done and failure is not None:
            raise failure
        study.end({"trials": len(study.trials)})
        self._keep(study, history)

    def _batch(self, study: Study, size: int, budget: int | None) -> list[Trial]:
        """Return the trials to be evaluated together; none when the search is over."""
        batch: list[Trial] = []
        while len(batch) < size and (budget is None or len(study.trials) < budget):
            trial = study.take(min(size - len(batch), budget or size), self.generations)
            if trial is None or study.exhausted:
                break
            if trial.status is Status.RUNNING:
                batch.append(trial)
        study.commit()
        return batch

    # ---- in steps

    def _run_in_steps(
        self, searched: Searched, objectives: list[str], resource: Any, training: Callable[..., Training]
    ) -> Study:
        study = self._study(searched, objectives, pruner=self.pruner)
        last = study.max_steps or self.max_steps
        if last is None:
            raise UsageError(f"pruner={self.pruner!r} says no last step: give max_steps, here or to the pruner")
        rungs = getattr(study.pruner, "rungs", None)
        if rungs is None:
            rungs = levels(1, last, ETA) if resource.afresh else range(1, last + 1)
        schedule = [step for step in rungs if step < last] + [last]
        self._run(study, training(last, lambda number: schedule), self._budget(study), self.generations)  # noqa: ARG005
        return study


class _SameSplits:
    """A splitter that splits once, so that all candidates are compared on the same splits."""

    def __init__(self, cv: Any) -> None:
        self.cv = cv
        self.splits: list[Any] | None = None

    def split(self, *data: Any, **groups: Any) -> list[Any]:
        """Return the splits."""
        if self.splits is None:
            self.splits = list(self.cv.split(*data, **groups))
        return self.splits
