"""How algorithms of inspyred are run, and how live objects of it become optimizers.

inspyred evaluates a generation by calling a function, so its algorithms are search functions here. The study's seed
decides: the object's own generator is replaced. Fitness is minimised. What is silently wrong in inspyred's operators is
replaced by `inspyred_operators` where an object still has these defaults; the user's own stay.
"""

from __future__ import annotations

import functools
import random
from typing import TYPE_CHECKING, Any

import numpy as np

from evohpo.errors import UsageError
from evohpo.optimizers import inspyred_operators as operators
from evohpo.optimizers.protocol import Traits
from evohpo.optimizers.registry import Registered

if TYPE_CHECKING:
    from collections.abc import Callable

    from evohpo.optimizers.protocol import Array, Problem

REFERENCE = "Garrett (2012), inspyred: Bio-inspired algorithms in Python"
SIGMA = 0.2  # largest first step of an evolution strategy, as a share of a gene's range
STDEV = 0.1  # default of gaussian_stdev, as a share of a gene's range
OURS = ("generator", "evaluator", "pop_size", "seeds", "maximize", "bounder")  # arguments of evolve the study sets


# ---- running


def evolve(
    ec: Any, evaluate: Callable[[Any], Array], problem: Problem, rng: np.random.Generator, population: int, **args: Any
) -> None:
    """Run `ec.evolve` for ever on the unit cube."""
    from inspyred.ec import ES, Bounder, EvolutionaryComputation
    from inspyred.ec.emo import Pareto

    dim = problem.dim
    ec._random = random.Random(int(rng.integers(2**63)))  # noqa: S311 - inspyred takes no other kind
    ec.terminator = _never
    multi = _is_multi(ec, ec.replacer)

    def generator(random: Any, args: dict[str, Any]) -> list[float]:  # noqa: ARG001
        return [random.random() for _ in range(dim)]

    def evaluator(candidates: Any, args: dict[str, Any]) -> list[Any]:  # noqa: ARG001
        F = evaluate(np.clip(np.array([list(c) for c in candidates], dtype=float).reshape(-1, dim), 0.0, 1.0))
        return [Pareto(f) for f in F.reshape(len(F), -1).tolist()] if multi else F.reshape(-1).tolist()

    def legal(random: Any, candidates: Any, args: dict[str, Any]) -> list[list[float]]:  # noqa: ARG001
        # an ES carries its step sizes behind the genes
        return [[min(max(x, 0.0), 1.0) for x in c[:dim]] + list(c[dim:]) for c in candidates]

    def strategized(random: Any, args: dict[str, Any]) -> list[float]:
        return generator(random, args) + [SIGMA * random.random() for _ in range(dim)]

    box = Bounder([0.0] * dim, [1.0] * dim)
    own = ec.variator if isinstance(ec.variator, list | tuple) else [ec.variator]
    if isinstance(ec, of_inspyred("swarm.ACS")):
        trails = operators.Trails(ec, problem.genes.cardinality, args.pop("resolution", 10), args.pop("greed", 0.2))
        ec.archiver, generator = trails.lay, trails.follow
    else:
        ec.variator = [_in_pairs(v) if _crosses(v) else v for v in own] + [legal]
    if isinstance(ec, ES):
        # not ES.evolve: its first step sizes are up to 1, the whole range of a gene
        stripped = ec._internal_evaluator(evaluator)
        EvolutionaryComputation.evolve(ec, strategized, stripped, population, maximize=False, bounder=box, **args)
    else:
        ec.evolve(generator, evaluator, pop_size=population, maximize=False, bounder=box, **args)


def _never(population: Any, num_generations: int, num_evaluations: int, args: dict[str, Any]) -> bool:  # noqa: ARG001
    return False


def of_inspyred(name: str) -> Any:
    """Return what inspyred has under a dotted name."""
    import inspyred

    return functools.reduce(getattr, name.split("."), inspyred)


def fresh(name: str) -> Any:
    """Return a new object of the class `name` of inspyred; its generator is set when it runs."""
    return of_inspyred(name)(None)


def _is_multi(ec: Any, replacer: Any) -> bool:
    pareto = replacer is operators.survive or isinstance(getattr(replacer, "__self__", None), operators.Grid)
    return pareto or isinstance(ec, (of_inspyred("ec.emo.NSGA2"), of_inspyred("ec.emo.PAES")))


def _crosses(variator: Any) -> bool:
    from inspyred.ec.variators import heuristic_crossover

    return hasattr(variator, "single_crossover") or variator is heuristic_crossover


def _in_pairs(crossover: Any) -> Any:
    """Return the crossover with a partner for the last of an odd number, whom inspyred's leave without children."""

    @functools.wraps(crossover)
    def paired(random: Any, candidates: list[Any], args: dict[str, Any]) -> Any:
        partner = [list(random.choice(candidates))] if len(candidates) % 2 else []
        return crossover(random, [*candidates, *partner], args)[: len(candidates)]

    return paired


def cooling(problem: Problem, population: int) -> float:
    """Return the factor that brings a temperature down to a hundredth within the budget, or within 200 steps."""
    steps = problem.budget / population if problem.budget else 200.0
    return float(0.01 ** (1.0 / max(steps, 1.0)))


# ---- live objects


def adapt(obj: Any) -> Registered | None:
    """Return the search function that runs a live object of inspyred; None for what is no such object.

    Options are those of its `evolve`, `population` among them. Defaults that do nothing or something wrong in the unit
    cube are replaced in the run, never in `obj`; the notes say which. An `inspyred.swarm.ACS` must come without
    components: they are made from the genes, one for each bin.

    Args:
        obj: any `EvolutionaryComputation`, or a class of them.

    Raises:
        UsageError: an ant colony with components of its own.

    Example:
        >>> import inspyred
        >>> adapted = adapt(inspyred.ec.emo.PAES(random.Random(1)))
        >>> adapted.name, adapted.traits.objectives
        ('inspyred.PAES', 'multi')
        >>> print(adapted.notes[0])
        inspyred.PAES: its archiver archives the wrong individual and shares its grid between studies; replaced
    """
    from inspyred.ec import EvolutionaryComputation

    kind = obj if isinstance(obj, type) else type(obj)
    if not issubclass(kind, EvolutionaryComputation):
        return None
    if issubclass(kind, of_inspyred("swarm.ACS")) and (isinstance(obj, type) or obj.components):
        raise UsageError("inspyred.swarm.ACS: hand it over as ACS(prng, components=[]), they are made from the genes")
    ec = obj(None) if isinstance(obj, type) else obj
    changes, notes = _repairs(ec)
    name = (
        f"inspyred.{kind.__name__}" if kind.__module__.startswith("inspyred.") else f"{kind.__module__}:{kind.__name__}"
    )

    def search(
        evaluate: Callable[[Any], Array],
        problem: Problem,
        rng: np.random.Generator,
        *,
        population: int = 20,
        **args: Any,
    ) -> None:
        if taken := [arg for arg in OURS if arg in args]:
            raise UsageError(f"optimizer {name!r}: {taken[0]!r} is set by the study (pop_size by `population`)")
        scheduled = {"temperature", "cooling_rate"} <= set(args) or "max_evaluations" in args
        for attribute, operator in changes.items():
            if operator is not operators.anneal or not scheduled:
                setattr(ec, attribute, operator)
        args = {"gaussian_stdev": STDEV} | _defaults(ec, problem, population) | args
        evolve(ec, evaluate, problem, rng, population, **args)

    multi = _is_multi(ec, changes.get("replacer", ec.replacer))
    return Registered(
        name, search, Traits("multi" if multi else "single", reference=REFERENCE),
        f"{kind.__module__}:{kind.__qualname__}", tuple(f"{name}: {note}" for note in notes),
    )  # fmt: skip


def _defaults(ec: Any, problem: Problem, population: int) -> dict[str, Any]:
    """Return arguments where inspyred's defaults do not fit: a pair to model at least, a schedule to cool by."""
    from inspyred.ec import EDA

    if isinstance(ec, EDA):
        return {"num_selected": max(2, population // 2)}
    return {"cooling_rate": cooling(problem, 1)} if ec.replacer is operators.anneal else {}


def _repairs(ec: Any) -> tuple[dict[str, Any], list[str]]:
    """Return which attributes of `ec` to replace by what, and why."""
    from inspyred.ec import EDA, archivers, replacers, variators

    changes: dict[str, Any] = {}
    notes = []
    own = list(ec.variator) if isinstance(ec.variator, list | tuple) else [ec.variator]
    if isinstance(ec, of_inspyred("swarm.ACS")):
        return changes, ["bins of the genes are its components, and the best trail lays 1 instead of its fitness"]
    if own in ([variators.default_variation], [variators.n_point_crossover, variators.bit_flip_mutation]):
        changes["variator"] = [variators.blend_crossover, variators.gaussian_mutation]
        notes.append("its default variator makes no new values of real genes; blend crossover and Gaussian mutation do")
    elif variators.bit_flip_mutation in own:
        changes["variator"] = [variators.gaussian_mutation if v is variators.bit_flip_mutation else v for v in own]
        notes.append("bit-flip mutation leaves real genes alone; replaced by Gaussian mutation")
    elif isinstance(ec, EDA) and own == [ec._internal_variation]:
        changes["variator"] = operators.sample_model
        notes.append("its model draws with the variance as standard deviation; replaced")
    if ec.replacer is replacers.default_replacement:
        changes["replacer"] = replacers.truncation_replacement
        notes.append("its default replacer never lets a child live; replaced by truncation")
    elif ec.replacer is replacers.nsga_replacement:
        changes["replacer"] = operators.survive
        notes.append("its replacer loses individuals where there are doubles; replaced")
    elif ec.replacer is replacers.simulated_annealing_replacement:
        changes["replacer"] = operators.anneal
        notes.append(
            "it cools by the fitness's own scale, unless temperature and cooling_rate or max_evaluations are given"
        )
    if ec.archiver is archivers.adaptive_grid_archiver:
        grid = operators.Grid()
        changes["archiver"] = grid.archive
        if ec.replacer is replacers.paes_replacement:
            changes["replacer"] = grid.replace
        notes.insert(0, "its archiver archives the wrong individual and shares its grid between studies; replaced")
    return changes, notes
