"""Bayesian optimization: Gaussian processes learn from all results, and evolution finds where they promise most.

Reference: Jones, Schonlau, Welch (1998), Efficient global optimization of expensive black-box functions; Snoek, Larochelle,
Adams (2012), Practical Bayesian optimization of machine learning algorithms; Klein et al. (2020), Model-based asynchronous
hyperparameter and neural architecture search (MOBSTER: with several rungs).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from evohpo.errors import UsageError
from evohpo.optimizers.bo.candidates import evolve
from evohpo.optimizers.bo.domain import Domain
from evohpo.optimizers.bo.progress import milestones
from evohpo.optimizers.bo.thinning import thinned
from evohpo.optimizers.operators import Integers, order
from evohpo.optimizers.protocol import Array, Population, Problem, Results
from evohpo.optimizers.registry import optimizer

if TYPE_CHECKING:
    from evohpo.optimizers.bo.belief import Belief

MOST = 300  # results that models are given: their cost grows with the third power
SLACK = 30  # more of them until they are thinned again
USUAL = 20  # first results, which say what differences are large
PENDING = 100  # trials without result that are thought of, the latest
FEWEST, MANY, TAUGHT = 6, 12, 4  # first points; where earlier studies tell
EVERY, AHEAD = 3, 3  # every third proposal is what would follow three others, where fewer are out
ELSEWHERE = 0.1  # how much better than the best that one has to be, in standard deviations of the results
CROWDED, MOST_CROWDED = 0.025, 0.25  # and any one, for each pending trial, and at most
PARENTS = 0.1  # share of the results that candidates descend from


@optimizer(
    "bo", objectives="multi", constraints=True, fidelity=True, told="results",
    reference="Jones, Schonlau, Welch (1998); Snoek, Larochelle, Adams (2012); Klein et al. (2020), MOBSTER",
)  # fmt: skip
class BayesianOptimization:
    """Proposes where the expected improvement is greatest: of the objective, or of the hypervolume behind a front.

    The models know numbers on their scales, choices, and which conditions hold. It never waits: trials without a result
    count as if they had given what is expected, and the more there are, the greater an improvement has to be. Every third
    proposal is made as if three were running, so that it does not only look where the best is. Outcome constraints and
    failures are learned as the probability that there are none. What earlier studies found (`prior=`) is where the mean
    begins; results say how much of it holds. Results at several rungs are learned together, without what a trial usually
    gains on its way and with the step as one more coordinate; of a trial that reports more often, a result for every
    doubling of steps. With `ASHA` this is MOBSTER; where one trial runs at a time, `Hyperband` finds more for the same
    steps.

    The first proposals are the space's default and scrambled Sobol points, of which every other one is until trials have
    come to a second rung. No configuration is proposed twice.

    Args:
        problem: the task.
        rng: the source of all draws.
        num_init_random: results to have before the models are asked, given points included; by default one more than there
            are parameters at once, 6 to 12, or 4 where there are earlier studies, and at most a third of the budget.
        opt_nstarts: starts of the search for the models' parameters: where it ended last time, and the priors' mean.
        opt_maxiter: steps from each start, at most.
        opt_skip_init_length: results up to which the parameters are learned again for every new one.
        opt_skip_period: beyond, how many new results it takes.
        resource_acq_threshold: results that it takes at a step until the models are asked about that one; before, they are
            asked about the one below.

    Raises:
        UsageError: an option that is not a whole number of 1 or more.
    """

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        *,
        num_init_random: int | None = None,
        opt_nstarts: int = 2,
        opt_maxiter: int = 40,
        opt_skip_init_length: int = 100,
        opt_skip_period: int = 4,
        resource_acq_threshold: int = 3,
    ) -> None:
        from scipy.stats import qmc
        from threadpoolctl import ThreadpoolController

        from evohpo.optimizers.bo.belief import Belief
        from evohpo.optimizers.bo.model import Fitting

        self.problem, self.rng, self.domain = problem, rng, Domain(problem)
        if num_init_random is None:
            num_init_random = int(np.clip(self.domain.active_genes + 1, FEWEST, MANY))
            num_init_random = TAUGHT if problem.prior else num_init_random
            num_init_random = min(num_init_random, max((problem.budget or 10**9) // 3, 2))
        given = {
            "num_init_random": num_init_random, "opt_nstarts": opt_nstarts, "opt_maxiter": opt_maxiter,
            "opt_skip_period": opt_skip_period, "resource_acq_threshold": resource_acq_threshold,
        }  # fmt: skip
        for name, value in given.items():
            if value < 1:
                raise UsageError(f"bo({name}={value!r}): must be 1 or more")
        self.first, self.threshold = num_init_random, resource_acq_threshold
        self.blas = ThreadpoolController()  # of all libraries that the models use, which are loaded by now
        fitting = Fitting(opt_nstarts, opt_maxiter, opt_skip_init_length, opt_skip_period)
        with self.blas.limit(limits=1):
            self.belief: Belief = Belief(self.domain, problem.n_objectives, fitting, problem.prior)
        self.sobol = qmc.Sobol(problem.dim, seed=rng)
        self.told = Results.none(problem.dim, problem.n_objectives)  # canonical rows, thinned
        self.usual = np.empty((0, problem.n_objectives))
        self.count = 0  # results told
        self.asked = 0
        self.strangers = 0
        self.exhausted = False  # no configuration is left that was not proposed
        self.pending: dict[int, Array] = {}  # canonical rows by key
        self.known: set[bytes] = set()  # bytes of all canonical rows told or proposed

    def ask(self, n: int) -> Population:
        """Return `n` rows."""
        rows, operators = [], []
        for _ in range(n):
            row, operator = self._propose(n)
            self.pending[self.asked] = row
            self.known.add(row.tobytes())
            self.asked += 1
            rows.append(row)
            operators.append(operator)
        X = np.array(rows).reshape(n, self.problem.dim)
        return Population(X, operator=operators, keys=range(self.asked - n, self.asked))

    def tell(self, results: Results) -> None:
        """Learn from all results, also of points that were never asked for."""
        for key in results.keys:
            self.pending.pop(key, None)
        X = self.domain.canonical(results.X)
        self.known.update(map(np.ndarray.tobytes, X))
        new = dataclasses.replace(results, X=X, keys=())
        self.told = Results.concatenate([self.told, new])
        self.told = self.told.take(milestones(self.told))
        if len(self.usual) < USUAL and (self.problem.max_steps or 0) <= 1:  # at the first rungs all are worse
            self.usual = np.concatenate([self.usual, new.F[~new.failed]])[:USUAL]
        self.count += len(new)
        self.strangers += int((results.numbers < 0).sum())
        if len(self.told) > MOST + SLACK:
            self.told = self.told.take(np.sort(thinned(order(self.told), MOST)))

    def _propose(self, n: int) -> tuple[Array, str]:
        """Return one of `n` rows, and how it came about."""
        if not self.asked and self.problem.space is not None:
            return self._default(), "default"
        early = self.asked + self.strangers < self.first or not len(self.told)
        if early or (self.asked % 2 and self._is_unsure()):
            row = self.domain.canonical(self.sobol.random(1))[0]
            if early or row.tobytes() not in self.known:
                return row, "sobol"
        if self.exhausted:
            return self.domain.canonical(self.rng.random((1, self.problem.dim)))[0], "random"
        pending = np.array([*self.pending.values()][-PENDING:]).reshape(-1, self.problem.dim)
        resource, there = self._level()
        parents = self.told.X[there[: max(4, round(PARENTS * len(there)))]]
        margins = [min(CROWDED * len(pending), MOST_CROWDED)]
        if self.asked % EVERY == 0:
            imagined = max(AHEAD - len(pending), 0) if n <= AHEAD else 0  # a batch spreads as it is
            margins = margins * imagined + [margins[0] + ELSEWHERE]
        # of matrices this small threads make nothing but heat: up to twenty times the cost
        with self.blas.limit(limits=1):
            for margin in margins:
                score = self.belief.acquisition(self.told, self.count, self.usual, pending, resource, margin, self.rng)
                row = evolve(score, parents, self.known, self.domain, self.rng)
                pending = np.concatenate([pending, row[None]])  # but for the last they are only imagined
        self.exhausted = row.tobytes() in self.known
        return row, "expected improvement"

    def _is_unsure(self) -> bool:
        """Return whether all results are from one rung before the last step: what leads there need not last."""
        steps = self.told.steps
        return bool(0 < steps.min() == steps.max() < (self.problem.max_steps or 0))

    def _default(self) -> Array:
        assert self.problem.space is not None
        genes = self.problem.encoding.encode([self.problem.space.default()])
        return np.asarray(self.domain.canonical(genes)[0])

    def _level(self) -> tuple[float, Integers]:
        """Return the resource to ask the models about, and the rows that came so far, best first."""
        at = self.domain.resource(self.told.steps)
        levels, counts = np.unique(at, return_counts=True)
        enough = levels[np.cumsum(counts[::-1])[::-1] >= self.threshold]
        level = float(enough[-1]) if len(enough) else float(levels[0])
        there = np.flatnonzero(at >= level)
        return level, there[order(self.told.take(there))]
