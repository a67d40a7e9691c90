"""One island: an algorithm with a share of the task, told of its own individuals and of those that come to it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.optimizers.operators import order
from evohpo.optimizers.protocol import GENERATION, Population, Problem, Results
from evohpo.optimizers.signatures import parameters_of
from evohpo.space import Configs, Real
from evohpo.trials.fitness import Fitness, Told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evohpo.optimizers.registry import Resolved

LEAST = 4  # individuals of an island: fewer have nothing to recombine


@dataclass(frozen=True, slots=True)
class Row:
    """An individual that an island proposed.

    Attributes:
        serial: counts the island's individuals.
        x: the chromosome, or configuration, as the algorithm is told it.
        config: what it decodes to.
        key: what the algorithm attached to it.
        generation: of the island.
        parents: trial numbers.
        operator: how it was made.
        steps: where the trial is to end, 0 for its own end.
        heir: trial whose folder it goes on from, -1 for none.
    """

    serial: int
    x: Any
    config: dict[str, Any]
    key: Any
    generation: int
    parents: tuple[int, ...]
    operator: str
    steps: int
    heir: int


class Island:
    """Talks to one algorithm as a study would: in its encoding, with the fitness that its traits ask for.

    An algorithm that waits for its generation is told results in the order in which it proposed; one that proposes
    although results are out is told whatever has ended.

    Args:
        member: the algorithm.
        problem: the whole task, `problem.space` included.
        share: how many islands there are.
        rng: the source of all the algorithm's draws.
        levelled: results at rungs come too, so that those of trials that ended early are not moved yet.
        inherited: what it begins with, with configurations, where it takes over.

    Attributes:
        size: individuals that count as a generation where the algorithm does not count them itself.
        ended: whether the algorithm has nothing more to propose.
        visitors: trials of other islands that it was told of.
    """

    def __init__(
        self, member: Resolved, problem: Problem, share: int, rng: np.random.Generator, *, levelled: bool,
        inherited: Results | None = None,
    ) -> None:  # fmt: skip
        assert problem.space is not None
        encoding = member.traits.encoding or Real()
        self.codec, self._matrix = encoding.bind(problem.space), not isinstance(encoding, Configs)
        self.ended, self.visitors = False, set[int]()
        self._fidelity, self._repaired, self._levelled = member.traits.fidelity, member.repaired, levelled
        self._last = problem.max_steps if levelled and not self._fidelity else None  # what ends before it was ended
        single = member.traits.objectives == "single"
        weights, streams = rng.bit_generator.seed_seq.spawn(2)  # type: ignore[attr-defined]
        self._fitness = Fitness(
            problem.n_objectives, problem.n_constraints, single, member.traits.constraints, weights, self._fidelity
        )
        own = member.options.get("population", _population(member, problem, share))
        self.size = int(own or max(LEAST, -(-GENERATION // share)))
        rng = np.random.default_rng(streams)
        task = Problem(
            dim=self.codec.dim,
            genes=self.codec.genes,
            n_objectives=1 if single else problem.n_objectives,
            n_constraints=problem.n_constraints,
            population=own,
            workers=problem.workers,
            budget=None if problem.budget is None else -(-problem.budget // share),
            max_steps=problem.max_steps,
            seed=int(rng.integers(2**31)),
            space=problem.space,
            encoding=self.codec,
            prior=[(self.codec.encode(X), scores) for X, scores in problem.prior],
        )
        if inherited is not None and (k := len(inherited)):
            task.inherited = self._translated(
                inherited, self.codec.encode(inherited.X), np.full(k, -1), [None] * k, [0] * k
            )
        self._optimizer = member.start(task, rng)
        self._queue: deque[Row] = deque()
        self._out: dict[int, Row] = {}  # proposed and not told, by serial number
        self._held: dict[int, list[Results]] = {}  # results that wait for those of earlier rows
        self._serial = self._told = 0
        self._steady = False
        self._own: list[Results] = []  # what it achieved, as the study measures it

    @property
    def generations(self) -> int:
        """How many generations are over: by the algorithm's own count, else populations' worths of results."""
        own = getattr(self._optimizer, "generation", None)
        return own + (not self._out) if isinstance(own, int) else self._told // self.size

    # ---- proposals

    def next(self, n: int) -> Row | None:
        """Return the next individual of at best `n`; None while the algorithm waits, and when it has ended."""
        if not self._queue and not self.ended:
            generation, answer = self.generations, self._optimizer.ask(n)
            self.ended = answer is None
            population = (
                answer if isinstance(answer, Population) else Population(np.empty((0, 0)) if answer is None else answer)
            )
            if len(population.X):
                self._steady |= bool(self._out)
                self._enqueue(population, generation)
                self._release()
        return self._queue.popleft() if self._queue else None

    def _enqueue(self, given: Population, generation: int) -> None:
        X: Any = given.X
        configs, k = X, len(X)
        if self._matrix:
            X = self.codec.repair(X)[0]
            X = self.codec.snap(X) if self._repaired else X
            configs = self.codec.decode(X)
        parents = [()] * k if given.parents is None else np.asarray(given.parents).reshape(k, -1).tolist()
        operator = given.operator or ""
        for i in range(k):
            row = Row(
                self._serial, X[i], configs[i], None if given.keys is None else given.keys[i], generation,
                tuple(parents[i]), operator if isinstance(operator, str) else operator[i],
                0 if given.steps is None else int(given.steps[i]), -1 if given.heirs is None else int(given.heirs[i]),
            )  # fmt: skip
            self._serial += 1
            self._out[row.serial] = row
            self._queue.append(row)

    # ---- results

    def tell(self, serials: Sequence[int], results: Results) -> None:
        """Learn what became of some of its individuals.

        Args:
            serials: of the individuals.
            results: as the study told them, one row each, with configurations.
        """
        for i, serial in enumerate(serials):
            if results.final[i] or self._fidelity:
                self._held.setdefault(serial, []).append(results.take([i]))
        self._release()

    def _release(self) -> None:
        """Tell the algorithm the results that it can take now."""
        rows, parts = [], []
        for serial in list(self._held) if self._steady else list(self._out):
            if serial not in self._held:
                break
            for part in self._held.pop(serial):
                rows.append(self._out.pop(serial) if part.final[0] else self._out[serial])
                parts.append(part)
            if serial in self._out and not self._steady:
                break
        if not rows:
            return
        results = Results.concatenate(parts)
        X: Any = [row.x for row in rows]
        self._say(results, X, results.trials, [r.key for r in rows], [r.generation for r in rows])
        self._told += int(results.final.sum())
        self._remember(results)

    def _remember(self, results: Results) -> None:
        achieved = results.take(results.final & ~results.failed)
        if len(achieved):
            self._own.append(achieved)
            if len(self._own) > self.size:
                self.best()

    def receive(self, results: Results, *, own: bool = False) -> None:
        """Learn of individuals that it did not wait for.

        Args:
            results: as the study told them, with configurations.
            own: they are later results of individuals of its own.
        """
        if own:
            self._remember(results)
        if k := len(results):
            X = self.codec.encode(results.X)
            self._say(results, X, np.full(k, -1), [None] * k, [self.generations] * k)

    def _say(self, results: Results, X: Any, numbers: Any, keys: list[Any], generations: list[int]) -> None:
        self._optimizer.tell(self._translated(results, X, numbers, keys, generations))

    def _translated(self, results: Results, X: Any, numbers: Any, keys: list[Any], generations: list[int]) -> Results:
        told = [
            Told(None if failed else tuple(f), v, g, s, self._last is None or s >= self._last)
            for f, failed, v, g, s in zip(
                results.F.tolist(), results.failed.tolist(), results.violation.tolist(), generations,
                results.steps.tolist(), strict=True,
            )
        ]  # fmt: skip
        F, violation = self._fitness(told)
        X = np.array(X).reshape(len(keys), self.codec.dim) if self._matrix else list(X)
        return replace(results, X=X, F=F, violation=violation, numbers=numbers, keys=keys)

    def best(self) -> Results:
        """Return the best of its own individuals, best first, at most `size`; where steps tell, of those that came furthest."""
        if not self._own:
            return Results.none(0, 1)
        known = Results.concatenate(self._own)
        if self._levelled:
            known = known.take(known.steps == known.steps.max())
        self._own = [known.take(order(known)[: self.size])]
        return self._own[0]


def _population(member: Resolved, problem: Problem, share: int) -> int | None:
    """Return an island's share of the population: of the study's, else of the algorithm's own default."""
    whole = problem.population
    if whole is None and "population" in (parameters := parameters_of(member.target)):
        whole = parameters["population"].default
    return max(LEAST, -(-whole // share)) if isinstance(whole, int) else None
