"""Islands: several algorithms side by side, each with a share of the trials, whose best individuals migrate.

What waits for the end of one island's generation works for the others, so that a generational algorithm keeps all workers busy.

Reference: Whitley, Rana, Heckendorn (1999), The island model genetic algorithm: on separability, population size and
convergence; Cantú-Paz (2001), Migration policies, selection pressure, and parallel evolutionary algorithms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from evohpo.errors import UnknownName, UsageError
from evohpo.optimizers.island import Island, Row
from evohpo.optimizers.post import Post, population
from evohpo.optimizers.registry import Resolved, Use, optimizer, resolve, use
from evohpo.space import Configs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evohpo.optimizers.protocol import Population, Problem, Results, Traits

NAME = "islands"
COUNT = 4  # islands where nobody says how many
TOPOLOGIES = ("complete", "ring", "star", "random")
POLICIES = ("best", "random")


@optimizer(
    NAME, objectives="multi", constraints=True, encoding=Configs(),
    reference="Whitley, Rana, Heckendorn (1999), The island model genetic algorithm",
)  # fmt: skip
class Archipelago:
    """Islands that take turns: each proposes a generation, or a population's worth, and waits for its own results alone.

    Each island is an algorithm of its own, unmodified: with its own stream of draws, its own individuals and results, its own
    encoding, and a share of the population and the budget. After every `migrate_every` generations of an island it is
    told of the best of its neighbours, as points that it never asked: those of our own algorithms that keep a population
    let them compete for a place in it. With at least as many islands as workers no worker ever waits; with fewer, seldom.

    The study's population, or the algorithm's own default where none was given, is shared out: an island has at least 4
    individuals. `use("ga", population=20)` gives each island that many; `repaired=True` belongs to a member, too. A table
    names the island of each trial in its operator; a parent from another island is an immigrant.

    What to expect of four islands of ga beside one ga of as many individuals (20, in 1,000 trials on 8 genes, medians of 21
    seeds): on a sphere they end at 0.008, one ga at 0.016, islands that exchange nothing at 0.16; on Rastrigin's function at
    8.1, 7.7 and 18.5, since five individuals are few (`scripts/bench_islands.py quality`).

    Args:
        problem: the task.
        rng: the source of all draws; each island gets a child of it.
        optimizer: what runs on every island ("ga", or "nsga2" for several objectives, where not given), or a list of what
            runs on one island each, which is gone through again where `count` is larger. A member is whatever
            `evohpo.tune` accepts, or `{"name": ..., "options": {...}}`.
        count: islands; 4, or as many as there are in the list, where not given.
        migrate_every: generations of the receiving island between two migrations, 1 or more.
        topology: who sends to whom: all to all ("complete"), each to the next one ("ring"), the first to all others and
            all others to it ("star"), or to each some other one, drawn anew each time ("random"). The less they exchange,
            the longer islands differ, and the longer it takes until each has what another one found.
        migrants: how many individuals a neighbour sends; an individual comes to an island once.
        policy: which ones: the "best" it has found, or a "random" choice of a population's worth of these.

    Raises:
        UsageError: a number that makes no sense, an island that is made of islands, or copies of one live object.
        UnknownName: an unknown topology or policy, or an algorithm that nobody registered.
    """

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        *,
        optimizer: Any = None,
        count: int | None = None,
        migrate_every: int = 2,
        topology: Literal["complete", "ring", "star", "random"] = "complete",
        migrants: int = 1,
        policy: Literal["best", "random"] = "best",
    ) -> None:
        if problem.space is None:
            raise UsageError(f"optimizer {NAME!r} needs problem.space: its islands may differ in their encodings")
        check(count, migrate_every, topology, migrants, policy)
        plan = members(optimizer, count, problem.n_objectives)
        self.topology, self.every, self.migrants, self.policy = topology, migrate_every, migrants, policy
        self.rng, *streams = rng.spawn(1 + len(plan))
        self.levelled = any(member.traits.fidelity for member in plan)
        self.islands = [
            Island(member, problem, len(plan), stream, levelled=self.levelled)
            for member, stream in zip(plan, streams, strict=True)
        ]
        self.due = [migrate_every] * len(plan)  # generations after which immigrants come to each island
        self.turn, self.given = 0, 0  # whose turn it is, and what it has given in it
        self.post = Post(self.islands, levelled=self.levelled)

    @staticmethod
    def traits_with(declared: Traits, options: Mapping[str, Any]) -> Traits:
        """Return the traits of islands with these options: whatever one of the algorithms needs of a study."""
        check(options.get("count"), **{k: v for k, v in options.items() if k not in ("optimizer", "count")})
        plan = members(options.get("optimizer"), options.get("count"))
        return replace(
            declared,
            fidelity=any(member.traits.fidelity for member in plan),
            heirs=any(member.traits.heirs for member in plan),
            finite=all(member.traits.finite for member in plan),
        )

    def ask(self, n: int) -> Population | None:
        """Return up to `n` individuals of the islands in turn, none while all of them wait, None when all have ended."""
        rows: list[tuple[int, Row]] = []
        turn, given, stuck = self.turn, self.given, 0
        while len(rows) < n and stuck < len(self.islands):
            island = self.islands[turn]
            row = island.next(min(n - len(rows), island.size - given)) if given < island.size else None
            if row is not None:
                rows.append((turn, row))
                given += 1
                continue
            stuck = 0 if given else stuck + 1
            turn, given = (turn + 1) % len(self.islands), 0
        if rows:  # an ask that gives nothing is not repeated on resume, so it must leave no trace
            self.turn, self.given = turn, given
        elif all(island.ended for island in self.islands):
            return None
        return population([(number, f"island {number}", row) for number, row in rows])

    def tell(self, results: Results) -> None:
        """Hand each result to the island that it comes from, what nobody proposed to all of them; then let migrate."""
        rows = self.post.deliver(results)
        for number in sorted(rows):
            if (over := self.islands[number].generations) >= self.due[number]:
                self.due[number] = over + self.every
                self._migrate(number)

    def _migrate(self, number: int) -> None:
        """Tell an island of individuals of its neighbours that it does not know yet."""
        island = self.islands[number]
        for other in neighbours(self.topology, number, len(self.islands), self.rng):
            best = self.islands[other].best()
            chosen = np.arange(len(best)) if self.policy == "best" else self.rng.permutation(len(best))
            sent = best.take(chosen[: self.migrants])
            sent = sent.take([trial not in island.visitors for trial in sent.trials.tolist()])
            island.visitors.update(sent.trials.tolist())
            island.receive(sent)


def Islands(  # noqa: N802 - it is used like the pruners' classes
    optimizer: Any = None,
    count: int | None = None,
    migrate_every: int = 2,
    topology: str = "complete",
    *,
    migrants: int = 1,
    policy: str = "best",
) -> Use:
    """Return islands of any algorithm, or of several, for `optimizer=`; see `evohpo.optimizers.islands.Archipelago`.

    Example:
        >>> Islands(["ga", use("cmaes", sigma=0.3)], migrate_every=3).options["optimizer"]
        ['ga', {'name': 'cmaes', 'options': {'sigma': 0.3}, 'repaired': False}]
    """
    check(count, migrate_every, topology, migrants, policy)
    members(optimizer, count)
    given = [_plain(m) for m in optimizer] if isinstance(optimizer, list | tuple) else optimizer and _plain(optimizer)
    return use(
        NAME, optimizer=given, count=count, migrate_every=migrate_every, topology=topology, migrants=migrants,
        policy=policy,
    )  # fmt: skip


def check(
    count: int | None, migrate_every: int = 2, topology: str = "complete", migrants: int = 1, policy: str = "best"
) -> None:
    """Refuse options that make no sense.

    Raises:
        UsageError: a number below 1.
        UnknownName: an unknown topology or policy.
    """
    for name, value in (("count", count), ("migrate_every", migrate_every), ("migrants", migrants)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise UsageError(f"islands: {name}={value!r}: must be a whole number of at least 1")
    for kind, chosen, known in (("topology", topology, TOPOLOGIES), ("policy", policy, POLICIES)):
        if chosen not in known:
            raise UnknownName(kind, str(chosen), known)


def members(given: Any, count: int | None, n_objectives: int = 1) -> list[Resolved]:
    """Return the algorithm of each island: "ga", or "nsga2" for several objectives, where none is given.

    Raises:
        UsageError: see `Archipelago`.
    """
    if given is None:
        given = "nsga2" if n_objectives > 1 else "ga"
    listed: Sequence[Any] = given if isinstance(given, list | tuple) else [given]
    if not listed:
        raise UsageError("islands of no algorithm: give at least one")
    n = (len(listed) if isinstance(given, list | tuple) else COUNT) if count is None else count
    if n < len(listed):
        raise UsageError(f"islands: {len(listed)} algorithms on count={n} islands: each needs one, leave count out")
    plan = [resolve(_spec(listed[i % len(listed)])) for i in range(n)]
    for i, member in enumerate(plan):
        if member.name == NAME:
            raise UsageError("an island cannot be made of islands: list all algorithms in one evohpo.Islands([...])")
        if member.live and member.adapter is None and any(member.target is other.target for other in plan[:i]):
            raise UsageError(
                f"islands: {member.name!r} is one live object with one state, its copies would all propose the same: hand over "
                "its class, or a list of objects that were made with different seeds"
            )
    return plan


def neighbours(topology: str, number: int, count: int, rng: np.random.Generator) -> list[int]:
    """Return the islands that send individuals to island `number` of `count`.

    >>> [neighbours(topology, 2, 4, np.random.default_rng(0)) for topology in ("ring", "complete", "star")]
    [[1], [0, 1, 3], [0]]
    """
    others = [i for i in range(count) if i != number]
    if topology == "ring":
        return [(number - 1) % count] if others else []
    if topology == "star":
        return others if number == 0 else [0]
    if topology == "random":
        return [others[int(rng.integers(len(others)))]] if others else []
    return others


def _spec(member: Any) -> Any:
    """Return what `resolve` takes: a member as a store keeps it, a mapping, becomes what it was."""
    if not isinstance(member, Mapping):
        return member
    known = ("name", "options", "repaired")
    if "name" not in member or not set(member) <= set(known):
        raise UsageError(f"islands: {dict(member)!r}: give a name, or a mapping of {', '.join(known)}")
    return use(member["name"], repaired=member.get("repaired", False), **member.get("options", {}))


def _plain(member: Any) -> Any:
    """Return a member as a store can keep it, as far as its name is enough to find it again."""
    found = resolve(_spec(member))
    if not found.rebuildable:
        return member
    if not (found.options or found.repaired):
        return member if isinstance(member, str) else found.name
    return {"name": found.name, "options": dict(found.options), "repaired": found.repaired}
