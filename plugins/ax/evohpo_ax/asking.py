"""How a client of Ax proposes for a study, and learns what became of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from ax.exceptions.core import DataRequiredError, OptimizationComplete
from ax.exceptions.generation_strategy import MaxParallelismReachedException
from botorch.utils.multi_objective.hypervolume import infer_reference_point
from botorch.utils.multi_objective.pareto import is_non_dominated

from evohpo.optimizers.protocol import Population

from .slices import at_work

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ax.api.client import Client

    from evohpo.optimizers.protocol import Problem, Results

    from .axes import Axes

# A study says 0 wherever a trial is feasible, and a smooth model of that is above 0 there. As told to Ax, feasible trials are
# this share of the mean violation below 0. In 20 trials on two problems of 3 dimensions with 4 seeds each, the median distance
# to the optimum was 0.25 with 0, 0.04 with 0.1, 0.17 with 1.
SLACK = 0.1


class Asking:
    """A client at work for one study.

    What an ask draws depends on the seed and on how many trials the experiment has, so that an ask that gave nothing
    leaves no trace.

    Attributes:
        client: a client of its own, with metrics f0, f1, ... and violation.
    """

    def __init__(self, client: Client, axes: Axes, problem: Problem, seed: int) -> None:
        self.client = client
        self._axes, self._seed, self._constrained = axes, seed, problem.n_constraints > 0
        self._names = [f"f{i}" for i in range(problem.n_objectives)]
        self._size = math.prod(a.ax.cardinality() for a in axes.values())
        self._asked: dict[int, tuple[Mapping[str, Any], dict[str, Any]]] = {}  # by trial: Ax's arm, its configuration
        self._succeeded = False
        self._violations: list[float] = []  # of what was infeasible
        self._told: list[tuple[list[float], float]] = []  # fitness and violation of what succeeded
        self._configure([])

    def _configure(self, thresholds: list[str]) -> None:
        constraints = ["violation <= 0", *thresholds] if self._constrained else None
        self.client.configure_optimization(", ".join(f"-{name}" for name in self._names), constraints)

    # ---- asking

    def ask(self, n: int) -> Population | None:
        """Return up to `n` configurations, none while Ax waits for data; None if it has been through the space."""
        arms: dict[int, Any] = {}
        left = self._size - len(self.client._experiment.arms_by_signature)
        if left < 1:  # Ax would look for another one for minutes
            return None
        n = int(min(n, left))
        with at_work(self._seed + len(self.client._experiment.trials)):
            if self._constrained and len(self._names) > 1 and self._told:
                self._set_thresholds()
            try:
                arms = self._next(n)
            except OptimizationComplete:
                return None
            except (DataRequiredError, MaxParallelismReachedException):
                if not self._asked:  # what it waits for will never come
                    raise
        for index, arm in arms.items():
            self._asked[index] = arm, self._axes.decode(arm)
        configs: Any = [self._asked[index][1] for index in arms]
        return Population(configs, keys=list(arms))

    def _next(self, n: int) -> dict[int, Any]:
        """Return arms by trial; where a whole batch cannot be had, one."""
        try:
            return dict(self.client.get_next_trials(max_trials=n))
        except OptimizationComplete:
            if n == 1:
                raise
            return dict(self.client.get_next_trials(max_trials=1))

    def _set_thresholds(self) -> None:
        """Say which fitness counts, from the front of what is feasible; Ax fails where its model deems nothing feasible."""
        feasible = [F for F, violation in self._told if violation <= 0]
        Y = -torch.tensor(feasible or [F for F, _ in self._told], dtype=torch.double)
        worst = (-infer_reference_point(Y[is_non_dominated(Y)])).tolist()
        thresholds = [f"{name} <= {value!r}" for name, value in zip(self._names, worst, strict=True)]
        self._configure(thresholds)

    # ---- telling

    def tell(self, results: Results) -> None:
        """Tell Ax what was evaluated: the trials it was asked for, and all others as trials of their own."""
        keys = results.keys if len(results.keys) else [None] * len(results)
        with at_work():
            for params, F, violation, failed, key in zip(
                results.X, results.F.tolist(), results.violation.tolist(), results.failed.tolist(), keys, strict=True
            ):
                arm, config = ({}, None) if key is None else self._asked.pop(key)
                if failed and not self._succeeded:
                    # its fitness is on no scale yet, and the model would take it for one
                    if key is not None:
                        self.client.mark_trial_abandoned(key)
                    continue
                self._succeeded = True
                data = self._data(F, violation, failed)
                if config is not None and self._axes.space.key(params) == self._axes.space.key(config):
                    self.client.complete_trial(key, data)
                else:
                    if key is not None:
                        self.client.mark_trial_abandoned(key)
                    self._attach(self._axes.encode(params, arm), data)

    def _data(self, F: Sequence[float], violation: float, failed: bool) -> dict[str, Any]:
        data = dict(zip(self._names, F, strict=True))
        if self._constrained:
            if failed:
                violation = max([0.0, *self._violations]) + 1.0
            else:
                self._told.append((list(F), violation))
                if violation > 0:
                    self._violations.append(violation)
                elif self._violations:
                    violation = -SLACK * math.fsum(self._violations) / len(self._violations)
            data["violation"] = violation
        return data

    def _attach(self, arm: dict[str, Any], data: dict[str, Any]) -> None:
        """Add a trial for an arm that Ax did not propose, unless the user's own experiment leaves it out."""
        if self._axes.search_space.check_membership(arm):
            self.client.complete_trial(self.client.attach_trial(arm), data)
