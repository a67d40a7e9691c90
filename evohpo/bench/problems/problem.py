"""What optimizers are compared on: an objective, its space and goals, and what is known of the best there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evohpo.space import Space
    from evohpo.trials.goals import Goals


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to be searched, as `tune` takes it, with a name and what is known of it.

    Attributes:
        name: for tables and files.
        objective: a function of a dict of hyperparameters.
        space: what is searched.
        goals: what is minimised and maximised, and the constraints: `Goals.of(minimize="loss")`.
        optimum: the best value there is of the objective; with several objectives, the hypervolume of the whole front up to
            `reference`. None if nobody knows.
        reference: with several objectives, the point from which hypervolume is measured, a value an objective in the order of
            the goals, as they are measured; None takes the worst that any run has found.
        solution: hyperparameters that have the optimum.
        truth: for a noisy objective: hyperparameters to the value without noise, by which what was found is judged.

    Example:
        >>> import evohpo as eh
        >>> Problem("parabola", lambda p: p["x"] ** 2, eh.Space({"x": eh.Continuous(-1, 1)}), eh.Goals.of(minimize="y"), 0.0)
        Problem('parabola', minimize y, 1 parameter)
    """

    name: str
    objective: Callable[..., Any]
    space: Space
    goals: Goals
    optimum: float | None = None
    reference: tuple[float, ...] | None = None
    solution: Mapping[str, Any] | None = None
    truth: Callable[[Mapping[str, Any]], float] | None = None

    @property
    def several(self) -> bool:
        """Whether it has several objectives, so that what counts is hypervolume."""
        return len(self.goals.objectives) > 1

    @property
    def maximize(self) -> bool:
        """Whether a larger measure is better: hypervolume is, and an objective that is maximised."""
        return self.several or self.goals.objectives[0].maximize

    @property
    def measure(self) -> str:
        """What it is judged by: the name of the one objective, or "hypervolume"."""
        return "hypervolume" if self.several else self.goals.objectives[0].metric

    def __repr__(self) -> str:
        n = len(self.space.searched)
        return f"Problem({self.name!r}, {self.goals}, {n} parameter{'' if n == 1 else 's'})"
