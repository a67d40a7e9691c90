"""`HyperbandSearchCV`: many configurations for a few steps, few for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import type_of_target

from evohpo.errors import UsageError
from evohpo.pruners import Decision, Hyperband, Plateau
from evohpo.sklearn.base import SEEDS, StudySearchCV

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evohpo.pruners.protocol import Setting
    from evohpo.sklearn.spaces import Searched
    from evohpo.sklearn.training import Training
    from evohpo.study import Study
    from evohpo.trials import Trial
    from evohpo.trials.brackets import Bracket


def suggest_hyperband(n_examples: int, n_params: int) -> dict[str, int]:
    """Return the rule of thumb for `HyperbandSearchCV`: how large a block is, and how many steps there are.

    Args:
        n_examples: rows, repeated ones included, that the best model is to see: about 50 times the training data.
        n_params: how many configurations are to be looked at, about.

    Returns:
        `max_iter` and `chunk_size`, by name.

    Raises:
        UsageError: numbers below 1, or fewer examples than configurations.

    Reference: Sievert, Augspurger, Rocklin (2019), Better and faster hyperparameter optimization with Dask.

    Example:
        >>> suggest_hyperband(n_examples=50 * 60_000, n_params=299)
        {'max_iter': 299, 'chunk_size': 10033}
    """
    for name, value in (("n_examples", n_examples), ("n_params", n_params)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise UsageError(f"{name}={value!r}: must be a whole number of at least 1")
    if n_examples < n_params:
        raise UsageError(f"n_examples={n_examples} is below n_params={n_params}: a block needs at least one row")
    return {"max_iter": int(n_params), "chunk_size": int(n_examples // n_params)}


class HyperbandSearchCV(StudySearchCV):
    """Searches an estimator's hyperparameters with Hyperband: what scores low is ended after few steps.

    Brackets of successive halving run one after the other, from many models of few steps to few models of all steps, so that
    nothing depends on how soon a score can be trusted. Within a bracket models with higher scores go on first. The plan is
    known before: `metadata`.

    Without `cv`, models are scored on one part of the data that is held out, as usual where training takes long. Parameters
    that are not told of here are those of `EvolutionSearchCV`.

    Args:
        estimator: what is tuned.
        distributions: lists, distributions, or an `evohpo.Space`.
        max_iter: steps of the models that are trained longest.
        aggressiveness: at each decision the best 1/aggressiveness go on, to that many times the steps.
        patience: ends a model whose score has not got better in so many steps; True takes `max_iter // aggressiveness`.
            Scores are then taken after each step, and not only where they are compared.
        tol: what counts as better, in units of the score.
        test_size: the share that is held out, if there is no `cv`.
        optimizer: proposes the configurations.
        population: configurations of a generation, for optimizers that have them.
        initial: configurations to try first.
        features: True also chooses the columns of X.
        resource: what a step is, see `EvolutionSearchCV`.
        chunk_size: rows of a block for `partial_fit`, see `suggest_hyperband`.
        scoring: one metric or several.
        n_jobs: models trained at once, on threads.
        refit: whether to train the best configuration on all data, with as many steps as it had.
        cv: folds or splitter; None holds out one part.
        verbose: has no effect; kept for scikit-learn's manners.
        random_state: seeds optimizer, held out part and the order of blocks.
        error_score: the score of a configuration that cannot be trained, or "raise".
        return_train_score: whether to score on the training data, too.

    Attributes:
        metadata_: what was done, in the terms of `metadata`.
        history_: one dict a score, with bracket and `partial_fit_calls`; other attributes are those of `EvolutionSearchCV`.

    Raises:
        UsageError: at fit, an argument that makes no sense.

    Reference: Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar (2018), Hyperband: A novel bandit-based approach to
    hyperparameter optimization; Sievert, Augspurger, Rocklin (2019), Better and faster hyperparameter optimization with Dask.

    Example:
        >>> from scipy.stats import loguniform
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import SGDClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> search = HyperbandSearchCV(SGDClassifier(), {"alpha": loguniform(1e-5, 1.0)}, max_iter=9, random_state=1)
        >>> search.metadata["n_models"], search.metadata["partial_fit_calls"]
        (17, 69)
        >>> search.fit(X, y).metadata_ == search.metadata
        True
    """

    def __init__(
        self, estimator: Any, distributions: Any, max_iter: int = 81, aggressiveness: int = 3, *,
        patience: bool | int = False, tol: float = 1e-3, test_size: float = 0.15, optimizer: Any = "random",
        population: int | None = None, initial: Any = None, features: bool = False, resource: str = "auto",
        chunk_size: int | None = None, scoring: Any = None, n_jobs: int | None = None, refit: Any = True, cv: Any = None,
        verbose: int = 0, random_state: Any = None, error_score: Any = np.nan, return_train_score: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            estimator, scoring=scoring, n_jobs=n_jobs, refit=refit, cv=cv, verbose=verbose, error_score=error_score,
            return_train_score=return_train_score,
        )  # fmt: skip
        self.distributions, self.max_iter, self.aggressiveness = distributions, max_iter, aggressiveness
        self.patience, self.tol, self.test_size = patience, tol, test_size
        self.optimizer, self.population, self.initial, self.features = optimizer, population, initial, features
        self.resource, self.chunk_size, self.random_state = resource, chunk_size, random_state

    @property
    def metadata(self) -> dict[str, Any]:
        """The plan: how many models there are, how many steps in all, and by bracket, with the steps of its decisions."""
        pruner = self._pruner()
        return _metadata([(bracket.n, bracket.steps, bracket.rungs) for bracket in pruner.brackets])

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Search, and train the best configuration on all data.

        Args:
            X: `(n_samples, n_features)` the data.
            y: the targets, if the estimator has any.
            **params: arguments of the estimator's `fit` or `partial_fit`, as `sample_weight`, and `groups` of the splitter.
        """
        if self.features:
            return self._fit_columns(X, y, params)
        return self._fit_in_steps(X, y, params, self._run_brackets)

    def _given(self) -> Any:
        return self.distributions

    def _pruner(self) -> PatientHyperband:
        patience = self.patience
        if patience is True:
            patience = max(1, self.max_iter // self.aggressiveness)
        return PatientHyperband(self.max_iter, eta=self.aggressiveness, patience=int(patience or 0), tol=self.tol)

    def _splitter(self, y: Any) -> Any:
        if self.cv is not None:
            return super()._splitter(y)
        seed = int(check_random_state(self.random_state).randint(SEEDS))
        classes = is_classifier(self.estimator) and type_of_target(y) in ("binary", "multiclass")
        counts = np.unique(np.asarray(y), return_counts=True)[1] if classes else np.array([0])
        held_out = self.test_size * counts.sum()
        stratify = counts.min() >= 2 and min(held_out, counts.sum() - held_out) >= len(counts)
        return (StratifiedShuffleSplit if stratify else ShuffleSplit)(1, test_size=self.test_size, random_state=seed)

    def _run_brackets(
        self, searched: Searched, objectives: list[str], resource: Any, training: Callable[..., Training]
    ) -> Study:
        pruner = self._pruner()
        study = self._study(searched, objectives, pruner=pruner, duplicates="evaluate")
        joined: dict[int, Bracket] = study.pruner.joined  # the study's own copy knows who is where
        every = bool(pruner.patience) and not resource.afresh

        def schedule(number: int) -> Sequence[int]:
            return range(1, self.max_iter + 1) if every else joined[number].rungs

        objective = training(self.max_iter, schedule)
        self._run(study, objective, sum(bracket.n for bracket in pruner.brackets), None)
        places = [bracket.rungs for bracket in pruner.brackets]
        for entry in objective.history:
            entry["bracket"] = len(places) - 1 - places.index(joined[entry["model_id"]].rungs)
        found = []
        for bracket in pruner.brackets:
            mine = [trial for trial in study.trials if joined.get(trial.number) == bracket]
            done = [run.step for trial in mine if (run := objective.runs.get(trial.number)) is not None]
            found.append((len(mine), sum(done), [step for step in bracket.rungs if step <= max(done, default=0)]))
        self.metadata_ = _metadata(found)
        return study


class PatientHyperband(Hyperband):
    """Hyperband that also ends trials that get no better.

    Args:
        max_steps: the step at which a trial is complete.
        eta: the share that goes on is 1/eta.
        patience: reports without progress after which a trial ends; 0 for never.
        tol: what counts as progress.

    Attributes:
        joined: by number, the bracket that a trial is in.
    """

    def __init__(self, max_steps: int, eta: int = 3, patience: int = 0, tol: float = 1e-3) -> None:
        super().__init__(max_steps, eta=eta)
        self.patience = patience
        self.plateau = Plateau(patience, tol) if patience else None
        self.joined: dict[int, Bracket] = {}

    def begin(self, setting: Setting) -> None:
        """Take from the study what was not given."""
        super().begin(setting)
        self.joined = {}

    def started(self, trial: Trial) -> None:
        """Give the trial a place, and remember it."""
        super().started(trial)
        self.joined[trial.number] = self._race[trial.number].bracket

    def report(self, trial: Trial, step: int, value: Sequence[float]) -> Decision:
        """Return STOP on a plateau, else what Hyperband decides."""
        flat = self.plateau is not None and self.plateau.report(trial, step, value) is Decision.STOP
        return Decision.STOP if flat else super().report(trial, step, value)

    def ended(self, trial: Trial) -> None:
        """Take it that the trial comes to no further rung."""
        super().ended(trial)
        if self.plateau is not None:
            self.plateau.ended(trial)

    def completes(self, trial: Trial) -> bool:
        """Return whether the trial has all its steps, or is on its plateau."""
        return super().completes(trial) or (self.plateau is not None and self.plateau.completes(trial))


def _metadata(brackets: Sequence[tuple[int, int, Sequence[int]]]) -> dict[str, Any]:
    """Return the sums and the brackets, numbered down to 0, the one whose models all have all steps."""
    return {
        "n_models": sum(n for n, _, _ in brackets),
        "partial_fit_calls": sum(calls for _, calls, _ in brackets),
        "brackets": [
            {"bracket": i, "n_models": n, "partial_fit_calls": calls, "decisions": list(rungs)}
            for i, (n, calls, rungs) in zip(range(len(brackets) - 1, -1, -1), brackets, strict=True)
        ],
    }


__all__ = ["HyperbandSearchCV", "PatientHyperband", "suggest_hyperband"]
