"""The talk between a study and its optimizer: what was asked, what was told, in which order, and the same again on resume."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from evohpo.errors import EvohpoError, EvohpoWarning, IllegalValue, OptimizerError, UsageError
from evohpo.optimizers.protocol import GENERATION, Array, Optimizer, Population, Problem, Results, Traits
from evohpo.space import Configs, Real
from evohpo.study.untold import END, Entry, Untold
from evohpo.trials.fitness import Fitness, Told
from evohpo.trials.trial import Status

if TYPE_CHECKING:
    from evohpo.optimizers.registry import Resolved
    from evohpo.study.ledger import Ledger
    from evohpo.study.prior import Lesson
    from evohpo.study.seeds import Seeds
    from evohpo.study.settings import Settings
    from evohpo.trials.trial import Trial

TOLERANCE = 1e-9  # linear algebra differs in the last bits between machines

Write: TypeAlias = Callable[..., None]
Rows: TypeAlias = (
    "Array | list[dict[str, Any]]"  # chromosomes, or configurations of an optimizer with a space of its own
)
Call: TypeAlias = "tuple[int, Rows] | list[Entry]"  # an ask (n, what it gave) or a tell


class ReplayMismatch(EvohpoWarning):
    """On resume an optimizer proposed something else than it had; it was started afresh and told all that is known."""


@dataclass(slots=True)
class Proposal:
    """One row an optimizer gave, decoded and repaired, not yet a trial."""

    x: Array | None
    params: dict[str, Any]
    generation: int
    parents: tuple[int, ...] = ()
    operator: str = ""
    key: Any = None
    limit: int = 0
    heir: int = -1


class Conversation:
    """Asks an optimizer for proposals, queues them, and tells it what became of them.

    Order of telling: results are told in the order of their numbers while the optimizer waits for a generation, so that
    the table does not depend on which worker was quicker. An optimizer that proposes although results are out is told
    whatever has ended. With `lookahead=L`, trial k is proposed when exactly the trials up to k - L have been told.
    """

    def __init__(
        self, resolved: Resolved | None, settings: Settings, seeds: Seeds, ledger: Ledger, write: Write
    ) -> None:
        self.resolved, self.settings, self.ledger = resolved, settings, ledger
        self.lookahead = settings.lookahead
        self.queue: deque[Proposal] = deque()
        self.done = False
        self.lessons: list[Lesson] = []  # of earlier studies
        self.facts: dict[str, Any] = {}  # budget, workers, max_steps: what the optimizer is started with
        self._seeds, self._write = seeds, write
        encoding = (resolved.traits.encoding or Real()) if resolved is not None else None
        self.codec = None if encoding is None else encoding.bind(settings.space)  # None: opened for reading only
        self._fitness = self._new_fitness()
        self._optimizer: Optimizer | None = None
        self.untold = Untold(ledger, self.levelled)
        self._keys: dict[int, Any] = {}
        self._calls: list[Call] = []  # recorded by an earlier process, not yet replayed
        self._restarts = 0
        self._own_from = 0  # first trial since the optimizer was last started afresh
        self._generations_before = 0
        self._forget()

    def _forget(self) -> None:
        """Start counting afresh, as a fresh optimizer does."""
        self._rows = 0  # asked
        self._outstanding = 0  # own rows asked and not yet told
        self.steady = False  # whether it has proposed although results were out

    # ---- proposals

    def peek(self, n: int) -> Proposal | None:
        """Return the next proposal without taking it, asking for up to `n` if there is none; None if there is none now."""
        if not self.queue and not self._propose(n):
            return None
        return self.queue[0]

    def take(self, trial: Trial) -> None:
        """The first proposal has become `trial`."""
        proposal = self.queue.popleft()
        if proposal.key is not None:
            self._keys[trial.number] = proposal.key

    @property
    def levelled(self) -> bool:
        """Whether the optimizer wants to know of every rung."""
        return self.resolved is not None and self.resolved.traits.fidelity

    def _propose(self, n: int) -> bool:
        if self.done:
            return False
        optimizer = self._started()
        if self.lookahead is not None:
            return self._propose_in_lockstep(optimizer, self.lookahead)
        self._tell(self.untold.below(None if self.steady else self.untold.frontier()))
        return self._ask(optimizer, n)

    def _propose_in_lockstep(self, optimizer: Optimizer, lookahead: int) -> bool:
        due, frontier = len(self.ledger.trials) - lookahead, self.untold.frontier()
        if due >= frontier:
            return False
        while (entry := self.untold.next_below(due + 1)) is not None:
            self._tell([entry])
        while not self._ask(optimizer, 1):  # it wants more: one at a time, so that timing cannot matter
            if self.done or (entry := self.untold.next_below(frontier)) is None:
                return False
            self._tell([entry])
        return True

    def _ask(self, optimizer: Optimizer, n: int) -> bool:
        answer = self._guard("ask", optimizer.ask, n)
        if answer is None:
            self.done = True
            return False
        population = answer if isinstance(answer, Population) else Population(answer)
        if not len(population.X):
            return False
        matrix = isinstance(population.X, np.ndarray)
        rows: Rows = np.ascontiguousarray(population.X, dtype=np.float64) if matrix else list(population.X)
        generation, size = self._generation(optimizer, len(population.X))
        first = len(self.queue)
        self.enqueue(rows, None, generation, size, population)
        data: dict[str, Any] = {"n": n, "generation": generation, "size": size}
        new = [self.queue[i] for i in range(first, len(self.queue))]
        data["params"] = [p.params for p in new]
        if population.parents is not None:
            data["parents"] = population.parents.tolist()
        for name in ("steps", "heirs"):
            if (column := getattr(population, name)) is not None:
                data[name] = np.asarray(column).tolist()
        if population.operator is not None:
            data["operator"] = (
                population.operator if isinstance(population.operator, str) else list(population.operator)
            )
        self._write("ask", None, data, rows.tobytes() if isinstance(rows, np.ndarray) else None)
        return True

    def enqueue(
        self,
        rows: Rows,
        configs: list[dict[str, Any]] | None,
        generation: int,
        size: int,
        population: Population,
    ) -> None:
        """Put proposals into the queue: rows are repaired and decoded, unless their configurations are given."""
        if self._outstanding:
            self.steady = True
        X: Any = rows
        if self.codec is not None and self.resolved is not None:
            X = self._repaired(rows)
            X = self.codec.snap(X) if self.resolved.repaired else X
            configs = self.codec.decode(X) if configs is None else configs
        assert configs is not None
        k = len(configs)
        chromosomes = X if isinstance(X, np.ndarray) else [None] * k
        parents = population.parents.tolist() if population.parents is not None else [()] * k
        operator = (
            [population.operator] * k if isinstance(population.operator, str) else population.operator or [""] * k
        )
        keys = population.keys if population.keys is not None else [None] * k
        limits = np.asarray(population.steps).tolist() if population.steps is not None else [0] * k
        heirs = np.asarray(population.heirs).tolist() if population.heirs is not None else [-1] * k
        explicit = size > 0
        for i in range(k):
            g = generation if explicit else (self._rows + i) // self.generation_size + self._generations_before
            if not explicit:
                self.ledger.open_generation(g, self.generation_size)
            lineage = tuple(p for p in parents[i] if p >= 0)
            self.queue.append(
                Proposal(chromosomes[i], configs[i], g, lineage, operator[i], keys[i], limits[i], heirs[i])
            )
        if explicit:
            self.ledger.open_generation(generation, size)
        self._rows += k
        self._outstanding += k

    def _repaired(self, rows: Rows) -> Any:
        assert self.codec is not None
        try:
            return self.codec.repair(rows)[0]
        except IllegalValue as error:
            name = self.settings.optimizer["name"]
            raise OptimizerError(f"optimizer {name!r} proposed an illegal configuration: {error}") from error

    @property
    def generation_size(self) -> int:
        """How many trials count as one generation, where the optimizer does not say."""
        return self.settings.population or GENERATION

    def _generation(self, optimizer: Optimizer, k: int) -> tuple[int, int]:
        """Return the generation of the rows just given and its size; size 0 where the optimizer doesn't count generations."""
        own = getattr(optimizer, "generation", None)
        return (self._generations_before + own, k) if isinstance(own, int) else (0, 0)

    # ---- results

    def _tell(self, entries: list[Entry]) -> None:
        if entries:
            assert self._optimizer is not None
            self._write("tell", None, [n if step == END else [n, step] for n, step in entries])
            self._guard("tell", self._optimizer.tell, self._results(entries))

    def _results(self, entries: list[Entry]) -> Results:
        trials = [self.ledger.trials[n] for n, _ in entries]
        told = [self._told_of(t, step) for t, (_, step) in zip(trials, entries, strict=True)]
        F, violation = self._fitness(told)
        first = [self._is_first(t, entry) for t, entry in zip(trials, entries, strict=True)]
        self._outstanding -= sum(first)
        own = np.array([f or (self.levelled and self._is_own(t)) for f, t in zip(first, trials, strict=True)])
        numbers = [n for n, _ in entries]
        X: Any
        if self._proposes_configs:
            X = [dict(t.params) for t in trials]
        else:
            assert self.codec is not None
            X = np.array([self._chromosome(t) for t in trials]).reshape(len(trials), self.codec.dim)
        arrays = (
            X, F, violation, np.array([t.steps for t in told]), np.array([t.fitness is None for t in told]),
            np.where(own, np.array(numbers), -1), np.array(numbers), np.array([self._is_final(*e) for e in entries]),
        )  # fmt: skip
        for array in arrays:
            if isinstance(array, np.ndarray):
                array.setflags(write=False)
        keys = [self._key(n, step) for n, step in entries]
        return Results(*arrays[:-2], keys, *arrays[-2:])

    def _is_own(self, trial: Trial) -> bool:
        return trial.asked and trial.number >= self._own_from

    def _is_final(self, number: int, step: int) -> bool:
        """Return whether a result counts as the trial's: that of its end, or of a trial that nobody waits for."""
        return step == END or self.untold.passes(self.ledger.trials[number])

    def _is_first(self, trial: Trial, entry: Entry) -> bool:
        """Return whether this is the first that the optimizer hears of one of its own trials."""
        return self.untold.is_news(entry) and self._is_own(trial)

    def _key(self, number: int, step: int) -> Any:
        """Return what the optimizer attached to a trial, which a later result of it needs again if that is wanted."""
        return self._keys.get(number) if self.levelled and step != END else self._keys.pop(number, None)

    def _told_of(self, trial: Trial, step: int) -> Told:
        """Return a trial's result at its end, or at a step before."""
        if step == 0:  # passed over before its first report
            return Told(None, 0.0, trial.generation, 0, False)
        if step == END or trial.reports is None:
            complete = trial.status not in (Status.STOPPED, Status.PAUSED)
            return Told(trial.fitness, trial.violation, trial.generation, trial.steps, complete)
        goals = self.settings.goals
        metrics = next(metrics for at, metrics in trial.reports if at == step)
        violation = goals.violation(metrics) if goals.constraints else 0.0
        return Told(goals.fitness(metrics), violation, trial.generation, step, False)

    @property
    def _proposes_configs(self) -> bool:
        return self.resolved is not None and isinstance(self.resolved.traits.encoding, Configs)

    def _chromosome(self, trial: Trial) -> Array:
        if trial.x is None:
            assert self.codec is not None
            trial.x = self.codec.encode([trial.params])[0]
        assert trial.x is not None
        return trial.x

    def _new_fitness(self) -> Fitness:
        traits, goals = self.resolved.traits if self.resolved is not None else Traits(), self.settings.goals
        counts, single = (len(goals.objectives), len(goals.constraints)), traits.objectives == "single"
        return Fitness(*counts, single, traits.constraints, self._seeds.weights, traits.fidelity)

    def _guard(self, call: str, function: Callable[..., Any], argument: Any) -> Any:
        try:
            return function(argument)
        except EvohpoError:
            raise
        except Exception as error:
            message = f"optimizer {self.settings.optimizer['name']!r} raised {type(error).__name__} in {call}: {error}"
            raise OptimizerError(message) from error

    # ---- replay

    def recorded(self, call: Call) -> None:
        """Remember a call that an earlier process made; it is replayed before the next new one."""
        self._calls.append(call)
        if isinstance(call, list):
            self.untold.told(call)
            trials = self.ledger.trials
            self._outstanding -= sum(self._is_first(trials[entry[0]], entry) for entry in call)

    def restarted(self) -> None:
        """Start afresh: nothing is outstanding, everything that ended is untold."""
        self._restarts += 1
        self._own_from = len(self.ledger.trials)
        self._generations_before = 1 + max((t.generation for t in self.ledger.trials), default=-1)
        self._fitness = self._new_fitness()
        self._calls, self._keys, self._optimizer, self.done = [], {}, None, False
        self.queue.clear()
        self.untold.begin_again()
        self._forget()

    def _started(self) -> Optimizer:
        """Return the optimizer, started and brought to where the study stands."""
        if self._optimizer is not None:
            return self._optimizer
        name = self.settings.optimizer["name"]
        if self.resolved is None:
            raise UsageError(
                f"this study's optimizer {name!r} is your own code: open it with load(path, optimizer=...) to go on"
            )
        for note in self.resolved.notes if not self._calls else ():
            warnings.warn(note, EvohpoWarning, stacklevel=6)
        self._optimizer = self._guard("its start", lambda problem: self._start(problem), self._new_problem())
        if self._calls and (mismatch := self._replay(self._optimizer)):
            warnings.warn(f"{mismatch}; a fresh optimizer goes on with all results known", ReplayMismatch, stacklevel=6)
            self.restarted()
            self._write("restart", None, self._restarts)
            return self._started()
        return self._optimizer

    @property
    def strategy(self) -> str:
        """What the optimizer says it does for this problem, and why; "" if it does not."""
        target = self.resolved.target if self.resolved is not None else None
        if not isinstance(target, type) or not hasattr(target, "strategy"):
            return ""
        return str(target.strategy(self._new_problem()))

    def _start(self, problem: Problem) -> Optimizer:
        assert self.resolved is not None
        return self.resolved.start(problem, self._seeds.optimizer(self._restarts))

    def _new_problem(self) -> Problem:
        assert self.resolved is not None
        goals, codec = self.settings.goals, self.codec
        assert codec is not None
        single = self.resolved.traits.objectives == "single"
        return Problem(
            dim=codec.dim,
            genes=codec.genes,
            n_objectives=1 if single else len(goals.objectives),
            n_constraints=len(goals.constraints),
            population=self.settings.population,
            seed=self.settings.seed,
            space=self.settings.space,
            encoding=codec,
            prior=[(codec.encode(lesson.params), lesson.scores) for lesson in self.lessons],
            **self.facts,
        )

    def _replay(self, optimizer: Optimizer) -> str:
        """Make the recorded calls; return where a proposal differs, or ""."""
        calls, self._calls = self._calls, []
        outstanding, told = self._outstanding, self.untold.memory()
        own = [t for t in self.ledger.trials[self._own_from :] if t.asked]
        waiting = list(self.queue)
        row = 0
        for call in calls:
            if isinstance(call, list):
                self._guard("tell", optimizer.tell, self._results(call))
                continue
            n, recorded = call
            answer = self._guard("ask", optimizer.ask, n)
            population = (
                answer if isinstance(answer, Population) else Population(np.empty((0, 0)) if answer is None else answer)
            )
            where = f"optimizer {self.settings.optimizer['name']!r} does not repeat itself: "
            if at := _difference(*self._comparable(population.X, recorded)):
                number = own[row + at[0]].number if row + at[0] < len(own) else len(self.ledger.trials)
                return f"{where}trial {number} differs in {self._gene(at[1])}"
            for key in population.keys if population.keys is not None else [None] * len(population.X):
                if row < len(own):
                    if key is not None:
                        self._keys[own[row].number] = key
                else:
                    waiting[row - len(own)].key = key
                row += 1
        self._outstanding = outstanding
        self.untold.remember(told)
        return ""

    def _comparable(self, X: Any, recorded: Rows) -> tuple[Any, Any]:
        """Return both as chromosomes: what an optimizer proposes now, and what the same call gave before."""
        assert self.codec is not None
        if isinstance(recorded, np.ndarray):
            return X, recorded
        configs, _ = self.codec.repair(X)
        return self.settings.space.encode(configs), self.settings.space.encode(recorded)

    def _gene(self, at: int) -> str:
        assert self.codec is not None
        names = self.settings.space.searched if self._proposes_configs else self.codec.genes.parameter
        return f"the gene of {names[at]!r}" if at >= 0 else "size of population"


def _difference(X: Any, recorded: Array) -> tuple[int, int] | None:
    """Return row and gene of the first difference, gene -1 for another number of rows; None if there is none."""
    X = np.asarray(X, float).reshape(len(X), -1)
    if X.shape != recorded.shape:
        return min(len(X), len(recorded)), -1
    far = np.argwhere(np.abs(X - recorded) > TOLERANCE)
    return (int(far[0][0]), int(far[0][1])) if len(far) else None
