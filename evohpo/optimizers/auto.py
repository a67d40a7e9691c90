"""What a study uses whose user names no optimizer: models while results are few, evolution as well once they are many.

Reference: Fialho, Da Costa, Schoenauer, Sebag (2010), Analyzing bandit-based adaptive operator selection mechanisms (moving
trials to what succeeds); Jin (2011), Surrogate-assisted evolutionary computation: recent advances and future challenges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.errors import UsageError
from evohpo.optimizers.island import Island, Row
from evohpo.optimizers.operators import Integers, order, unordered
from evohpo.optimizers.post import Post, population
from evohpo.optimizers.protocol import GENERATION, Population, Problem, Results
from evohpo.optimizers.registry import optimizer, resolve, use
from evohpo.space import Configs, Real

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evohpo.space import Space

MODEL = "bo"
ALONE = 200  # results up to which the model proposes alone: evolution would still be in its first generations
LONGEST = 1000  # results after which the model proposes no more: it would cost more than it finds
FRONTS, WIDEST = 4, 200  # objectives and parameters that the model can afford
CROWD = 100  # workers from which on there are generations: one proposal after the other would keep them waiting
KEPT = 100  # of the best results, for those who join
ELITE = 20  # results that a new one has to get among to count as a success
MEMORY = 40  # trials after which a success counts by a third
OPTIONS: dict[str, dict[str, Any]] = {"cmaes": {"sigma": 0.1}}  # it begins at the best there is
LEAST = 0.15  # of all trials what everyone has who takes part, before shares are made to add up


@dataclass(frozen=True, slots=True)
class Plan:
    """What `auto` does, by what it knows before the first trial.

    Attributes:
        first: who proposes alone to begin with; "" if everyone takes part at once.
        others: who joins it when there are `ALONE` results.
        generation: trials that are proposed together and awaited, or None to propose one whenever a worker is free.
        why: the choice in words.
    """

    first: str
    others: tuple[str, ...]
    generation: int | None
    why: str


def plan(problem: Problem) -> Plan:
    """Return what suits a problem: its space, objectives, budget, workers, population and steps."""
    space, m, budget, size = problem.space, problem.n_objectives, problem.budget, problem.population
    assert space is not None
    n = len(space.searched)
    if size is None and (problem.generations is not None or problem.workers > CROWD):
        size = GENERATION
    if budget is None and problem.generations is not None and size is not None:
        budget = problem.generations * size
    if m > 1:
        others: tuple[str, ...] = ("nsga2",) if m <= 3 else ("nsga3",)
    else:
        others = ("cmaes", "ga-steady" if _patchy(space) else "de-steady")
    named, first = " and ".join(others), MODEL
    if n > WIDEST or m > FRONTS:
        many = "so many parameters" if n > WIDEST else "so many objectives"
        why, first = f"{named}: {many} would make models dear", ""
    elif budget is not None and budget <= ALONE:
        why, others = "bo, since models make the most of so few trials", ()
    else:
        why = f"bo for the first {ALONE} trials, since models make the most of few; then also {named}, by what they achieve"
    if first and (problem.max_steps or 0) > 1:
        why += "; it learns from every step at which trials are compared"
    facts = [f"{n} parameter{'s' * (n != 1)}", f"{m} objective{'s' * (m != 1)}"]
    facts += [] if budget is None else [f"{budget} trials"]
    facts += [] if size is None else [f"generations of {size}"]
    return Plan(first, others, size, f"for {', '.join(facts)}: {why}")


def _patchy(space: Space) -> bool:
    """Return whether differences of chromosomes often mean little: there are conditions, or choices without order."""
    return bool(space.conditions) or bool(unordered(Real().bind(space).genes).any())


class Arm:
    """An algorithm that takes part, with what it lately achieved.

    Args:
        name: of the algorithm.
        problem: the task.
        rng: the source of its draws.
        best: results that it begins with, if any.
    """

    def __init__(self, name: str, problem: Problem, rng: np.random.Generator, best: Results) -> None:
        self.name, member = name, resolve(use(name, **OPTIONS.get(name, {})))
        self.island = Island(member, problem, 1, rng, levelled=True, inherited=best)
        self.tries = self.wins = 0.0
        self.due = 0.0  # trials that it should have had by now, less those it had

    @property
    def rate(self) -> float:
        """The share of its latest trials that were successes; one half of two to begin with."""
        return (self.wins + 1) / (self.tries + 2)

    def count(self, success: bool) -> None:
        """Remember one more trial."""
        fade = 1 - 1 / MEMORY
        self.tries, self.wins = fade * self.tries + 1, fade * self.wins + success


@optimizer(
    "auto", objectives="multi", constraints=True, encoding=Configs(), fidelity=True, told="results",
    reference="Fialho et al. (2010); Jones, Schonlau, Welch (1998), bo; Hansen (2016), cmaes; Storn, Price (1997), de",
)  # fmt: skip
class Auto:
    """Chooses and combines by what is known of the task; no option has to be set. `study.strategy` says what it chose, and why.

    Gaussian processes (`bo`) propose the first 200 trials: they make the most of each. Then evolution joins: `cmaes` and
    `de-steady` for one objective (`ga-steady` where there are choices or conditions), `nsga2` for several. They begin with
    the best there is, and all learn from each other's best. Whose trials get among the twenty best gets more of them, nobody
    less than a tenth. After 1,000 results models cost more than they find, and evolution goes on alone; it has the task to
    itself from the start where there are more than 200 parameters or 4 objectives. With a pruner the models learn from every
    rung (MOBSTER).

    Where the study has `population=` or `generations=`, whole generations are proposed and awaited, so that the table is the
    same for any number of workers, and likewise where there are more than a hundred of them. Otherwise nobody waits: each
    proposal knows all results so far, and counts what is running as if it had given what is expected. `lookahead=` makes that
    independent of timing, too.

    Args:
        problem: the task.
        rng: the source of all draws; each algorithm gets a child of it.

    Raises:
        UsageError: the problem has no space.
    """

    def __init__(self, problem: Problem, rng: np.random.Generator) -> None:
        if problem.space is None:
            raise UsageError("optimizer 'auto' needs problem.space: it combines algorithms of several encodings")
        self.problem, self.plan = problem, plan(problem)
        names = [*([self.plan.first] if self.plan.first else []), *self.plan.others]
        self.streams = dict(zip(names, rng.spawn(len(names)), strict=True))
        self.arms: list[Arm] = []
        self.post = Post([], levelled=True)
        self.best = Results.none(0, problem.n_objectives)  # best first, with configurations
        self.told = 0
        self.out = set[tuple[int, int]]()  # keys
        self.held: list[Results] = []  # of a generation that is out
        if self.plan.generation is not None:
            self.generation = -1
        self._join(names[:1] if self.plan.first else names)

    @staticmethod
    def strategy(problem: Problem) -> str:
        """Return what is chosen for a problem, and why, in one line."""
        return plan(problem).why

    # ---- proposals

    def ask(self, n: int) -> Population | None:
        """Return `n` individuals, or a generation; none while one is out."""
        size = self.plan.generation
        if size is not None and self.out:
            return population([])
        rows: list[tuple[int, str, Row]] = []
        while len(rows) < (size or n) and (row := self._next()) is not None:
            rows.append(row)
        self.out.update((number, row.serial) for number, _, row in rows)
        if rows and size is not None:
            self.generation += 1
        if not rows and all(arm.island.ended for arm in self.arms):
            return None
        return population(rows)

    def _next(self) -> tuple[int, str, Row] | None:
        """Return an individual of whoever has had least of its share and does not wait."""
        taking = [arm for arm in self.arms if arm.name != MODEL or not self._weary]
        share = np.array([arm.rate for arm in taking])
        share = np.maximum(share / share.sum(), LEAST)
        share /= share.sum()
        for i in np.argsort(-(np.array([arm.due for arm in taking]) + share), kind="stable").tolist():
            row = taking[i].island.next(1)
            if row is not None:  # only now something may change: an ask that gives nothing is not repeated on resume
                for arm, part in zip(taking, share.tolist(), strict=True):
                    arm.due = min(arm.due + part, ELITE)
                taking[i].due -= 1
                return self.arms.index(taking[i]), taking[i].name, row
        return None

    @property
    def _weary(self) -> bool:
        """Whether there are too many results for the model, and others to go on without it."""
        return self.told >= LONGEST and len(self.arms) > 1

    # ---- results

    def tell(self, results: Results) -> None:
        """Learn from results; in generations when the last one of them is there, so that no timing can matter."""
        self.out.difference_update(results.keys[i] for i in np.flatnonzero(results.final).tolist() if len(results.keys))
        self.held.append(results)
        if self.plan.generation is None or (self.generation >= 0 and not self.out):
            held, self.held = Results.concatenate(self.held), []
            self._learn(held)

    def _learn(self, results: Results) -> None:
        """Hand results to whom they belong, then to the others: all to the model, the best to evolution."""
        rows = self.post.deliver(results)
        over = np.flatnonzero(results.final)
        self.told += len(over)
        news = set(self._rank(results.take(over), over).tolist())
        for number, arm in enumerate(self.arms):
            for i in rows.get(number, []):
                if results.final[i]:
                    arm.count(i in news)
        for number, arm in enumerate(self.arms):
            if arm.name == MODEL and self._weary:
                continue
            foreign = [i for other, index in rows.items() if other != number for i in index if results.final[i]]
            arm.island.receive(results.take([i for i in sorted(foreign) if arm.name == MODEL or i in news]))
        if self.told >= ALONE and self.plan.first and len(self.arms) == 1:
            self._join(self.plan.others)

    def _rank(self, new: Results, index: Integers) -> Integers:
        """Let results compete with the best so far; return those of `index` that got among the first `ELITE`."""
        both = Results.concatenate([self.best, new])
        kept = np.flatnonzero(~both.failed)
        if not len(kept):
            return index[:0]
        kept = kept[both.steps[kept] == both.steps[kept].max()]  # where steps tell, those that came furthest
        kept = kept[order(both.take(kept))][:KEPT]
        old = len(self.best)
        self.best = both.take(kept)
        return np.asarray(index[kept[:ELITE][kept[:ELITE] >= old] - old])

    def _join(self, names: Iterable[str]) -> None:
        for name in names:
            arm = Arm(name, self.problem, self.streams[name], self.best)
            self.arms.append(arm)
            self.post.islands.append(arm.island)
