"""What is believed of a quantity: two Gaussian processes, on the scales as they are and on stretched ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evohpo.optimizers.bo.gp import GaussianProcess, Parameters, fit

if TYPE_CHECKING:
    from evohpo.optimizers.bo.domain import Domain
    from evohpo.optimizers.protocol import Array

STRETCHED = (False, True)
SELDOM = 25  # among many results, one in so many more changes little


@dataclass(frozen=True, slots=True)
class Fitting:
    """How much is spent on a model's parameters.

    Attributes:
        starts: of the search: where it ended last time, and the priors' mean.
        steps: of the search from each start, at most.
        always: results up to which they are learned again whenever there are more.
        period: how many more there must be beyond, at least.
    """

    starts: int
    steps: int
    always: int
    period: int


class Learner:
    """Learns a quantity again and again, each time from more results."""

    def __init__(self, domain: Domain, fitting: Fitting, lessons: int = 0) -> None:
        self._fitting, self._at = fitting, 0
        self._layouts = [Parameters(domain, stretched, lessons) for stretched in STRETCHED]
        self._thetas: list[Array] = []

    def learn(self, features: Array, z: Array, count: int) -> list[GaussianProcess]:
        """Return the processes that saw `z` `(n,)` at `features` `(n, f)`, thinned from `count` results."""
        more = count - self._at
        due = 1 if count <= self._fitting.always else max(self._fitting.period, count // SELDOM)
        if not self._thetas or more >= due:
            found = []
            for i, layout in enumerate(self._layouts):
                starts = [*self._thetas[i : i + 1], layout.prior.mean][: max(self._fitting.starts, 1)]
                found.append(fit(layout, features, z, starts, self._fitting.steps))
            self._thetas, self._at = found, count
        pairs = zip(self._layouts, self._thetas, strict=True)
        return [GaussianProcess(layout, theta, features, z) for layout, theta in pairs]
