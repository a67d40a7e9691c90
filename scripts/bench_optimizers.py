"""Individuals a second of our optimizers beside inspyred's, DEAP's and pymoo's: one run, one machine, one objective.

A vectorised sphere of 20 genes (for NSGA-II two spheres), population 1,000, the same operators where the libraries have
them. Peers that take one individual at a time are handed the fitness of the whole generation wherever they allow it, so
that the table shows the optimizer and not the objective.

    python scripts/bench_optimizers.py [seconds an entry, 3 by default]
"""

from __future__ import annotations

import random
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from evohpo.optimizers.protocol import Problem, Results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DIM, POPULATION = 20, 1_000
SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0


def sphere(X: np.ndarray) -> np.ndarray:
    """Return `(n, 1)`."""
    return ((X - 0.3) ** 2).sum(1, keepdims=True)


def spheres(X: np.ndarray) -> np.ndarray:
    """Return `(n, 2)`: squared distances to two points."""
    return np.column_stack([((X - 0.3) ** 2).sum(1), ((X - 0.6) ** 2).sum(1)])


class Clock:
    """Counts individuals until the time is up; the first generation warms up and is not counted."""

    def __init__(self) -> None:
        self.start, self.count, self.seconds = None, 0, 0.0

    def __call__(self, n: int) -> bool:
        """Count `n` more individuals; return whether the time is up."""
        now = time.perf_counter()
        if self.start is None:
            self.start = now
        else:
            self.count, self.seconds = self.count + n, now - self.start
        return self.seconds >= SECONDS

    @property
    def rate(self) -> float:
        """Individuals a second."""
        return self.count / self.seconds


def ours(name: str) -> float:
    """Drive one of our generators bare."""
    from importlib import import_module

    objective, m = (spheres, 2) if name == "nsga2" else (sphere, 1)
    genes = SimpleNamespace(cardinality=np.zeros(DIM, int), ordered=np.ones(DIM, bool))
    search = getattr(import_module(f"evohpo.optimizers.{name}"), name)
    generator = search(Problem(DIM, genes, n_objectives=m), np.random.default_rng(0), population=POPULATION)
    proposal, clock, zeros = next(generator), Clock(), np.zeros(POPULATION)
    numbers, failed = np.arange(POPULATION), np.zeros(POPULATION, bool)
    while not clock(POPULATION):
        proposal = generator.send(Results(proposal.X, objective(proposal.X), zeros, zeros.astype(int), failed, numbers))
    return clock.rate


def inspyred_(name: str) -> float:
    """Run inspyred with its own operators on reals."""
    from inspyred import ec, swarm

    prng, clock = random.Random(0), Clock()
    kind = {"ga": ec.GA, "de": ec.DEA, "pso": swarm.PSO, "nsga2": ec.emo.NSGA2}[name](prng)
    if name in ("ga", "nsga2"):
        kind.variator = [ec.variators.blend_crossover, ec.variators.gaussian_mutation]
    evaluated = [0]

    def finished(population: object, num_generations: int, num_evaluations: int, args: object) -> bool:  # noqa: ARG001
        new, evaluated[0] = num_evaluations - evaluated[0], num_evaluations
        return clock(new)

    kind.terminator = finished

    def evaluate(candidates: list[list[float]], args: object) -> list[object]:  # noqa: ARG001
        if name == "nsga2":
            return [ec.emo.Pareto(list(f)) for f in spheres(np.array(candidates))]
        return [float(f) for f in sphere(np.array(candidates))[:, 0]]

    kind.evolve(
        generator=lambda random, args: [random.random() for _ in range(DIM)],  # noqa: ARG005
        evaluator=evaluate,
        pop_size=POPULATION,
        maximize=False,
        bounder=ec.Bounder(0, 1),
        **({"num_selected": POPULATION} if name == "de" else {}),  # its default is two children a generation
    )
    return clock.rate


def deap_(name: str) -> float:
    """Run DEAP's tools in the loops of its own examples."""
    from deap import base, creator, tools

    m = 2 if name == "nsga2" else 1
    for made in ("FitnessMin", "Individual"):
        creator.__dict__.pop(made, None)
    creator.create("FitnessMin", base.Fitness, weights=(-1.0,) * m)
    creator.create("Individual", list, fitness=creator.FitnessMin, speed=list, best=None)
    random.seed(0)

    def evaluate(individuals: list) -> None:
        for individual, f in zip(individuals, (spheres if m == 2 else sphere)(np.array(individuals)), strict=True):
            individual.fitness.values = tuple(f)

    population = [creator.Individual([random.random() for _ in range(DIM)]) for _ in range(POPULATION)]
    evaluate(population)
    clock = Clock()
    loop = {"ga": _deap_ga, "de": _deap_de, "pso": _deap_pso, "nsga2": _deap_nsga2}[name]
    for _ in loop(population, evaluate, SimpleNamespace(base=base, creator=creator, tools=tools)):
        if clock(POPULATION):
            break
    return clock.rate


def _clip(individual: list[float]) -> None:
    individual[:] = [min(1.0, max(0.0, x)) for x in individual]


def _deap_ga(population: list, evaluate: Callable, library: SimpleNamespace) -> Iterator[None]:
    toolbox = library.base.Toolbox()
    while True:
        yield
        offspring = [toolbox.clone(i) for i in library.tools.selTournament(population, len(population), 2)]
        for a, b in zip(offspring[::2], offspring[1::2], strict=True):
            library.tools.cxSimulatedBinaryBounded(a, b, 5.0, 0.0, 1.0)
        for child in offspring:
            library.tools.mutPolynomialBounded(child, 20.0, 0.0, 1.0, 1 / DIM)
        evaluate(offspring)
        population = offspring


def _deap_de(population: list, evaluate: Callable, library: SimpleNamespace) -> Iterator[None]:
    toolbox = library.base.Toolbox()
    while True:
        yield
        children = [toolbox.clone(i) for i in population]
        for child in children:
            a, b, c = library.tools.selRandom(population, 3)
            lucky = random.randrange(DIM)
            for i in range(DIM):
                if i == lucky or random.random() < 0.9:
                    child[i] = a[i] + 0.5 * (b[i] - c[i])
            _clip(child)
        evaluate(children)
        population = [x if x.fitness >= p.fitness else p for x, p in zip(children, population, strict=True)]


def _deap_pso(population: list, evaluate: Callable, library: SimpleNamespace) -> Iterator[None]:
    for particle in population:
        particle.speed = [random.uniform(-0.1, 0.1) for _ in range(DIM)]
        particle.best = library.creator.Individual(particle)
        particle.best.fitness.values = particle.fitness.values
    while True:
        yield
        leader = max(population, key=lambda p: p.best.fitness).best
        for p in population:
            for i in range(DIM):
                pull = 1.49618 * random.random() * (p.best[i] - p[i]) + 1.49618 * random.random() * (leader[i] - p[i])
                p.speed[i] = min(0.2, max(-0.2, 0.7298 * p.speed[i] + pull))
                p[i] += p.speed[i]
            _clip(p)
        evaluate(population)
        for p in population:
            if p.fitness > p.best.fitness:
                p.best = library.creator.Individual(p)
                p.best.fitness.values = p.fitness.values


def _deap_nsga2(population: list, evaluate: Callable, library: SimpleNamespace) -> Iterator[None]:
    toolbox = library.base.Toolbox()
    population = library.tools.selNSGA2(population, len(population))
    while True:
        yield
        offspring = [toolbox.clone(i) for i in library.tools.selTournamentDCD(population, len(population))]
        for a, b in zip(offspring[::2], offspring[1::2], strict=True):
            library.tools.cxSimulatedBinaryBounded(a, b, 10.0, 0.0, 1.0)
        for child in offspring:
            library.tools.mutPolynomialBounded(child, 20.0, 0.0, 1.0, 1 / DIM)
        evaluate(offspring)
        population = library.tools.selNSGA2(population + offspring, len(population))


def pymoo_(name: str) -> float:
    """Run pymoo's ask and tell with its defaults."""
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.algorithms.soo.nonconvex.de import DE
    from pymoo.algorithms.soo.nonconvex.ga import GA
    from pymoo.algorithms.soo.nonconvex.pso import PSO
    from pymoo.core.evaluator import Evaluator
    from pymoo.core.problem import Problem as Task
    from pymoo.problems.static import StaticProblem

    objective = spheres if name == "nsga2" else sphere
    task = Task(n_var=DIM, n_obj=2 if name == "nsga2" else 1, xl=np.zeros(DIM), xu=np.ones(DIM))
    algorithm = {"ga": GA, "de": DE, "pso": PSO, "nsga2": NSGA2}[name](pop_size=POPULATION)
    algorithm.setup(task, termination=("n_gen", 10**9), seed=0, verbose=False)
    clock, n = Clock(), 0
    while not clock(n):
        proposal = algorithm.ask()
        Evaluator().eval(StaticProblem(task, F=objective(proposal.get("X"))), proposal)
        algorithm.tell(infills=proposal)
        n = len(proposal)
    return clock.rate


def main() -> None:
    """Print the table, a line as soon as its figures are there."""
    peers: dict[str, Callable[[str], float]] = {"inspyred": inspyred_, "DEAP": deap_, "pymoo": pymoo_}
    header = [f"{'':6}", f"{'evohpo':>11}", *(f"{p:>9} {'ratio':>6}" for p in peers)]
    print(f"individuals/s, {DIM} genes, population {POPULATION}, {SECONDS:g} s an entry")
    print("  ".join(header))
    for name in ("ga", "de", "pso", "nsga2"):
        own = ours(name)
        rates = [run(name) for run in peers.values()]
        print("  ".join([f"{name:6}", f"{own:11,.0f}", *(f"{r:9,.0f} {own / r:5.0f}x" for r in rates)]), flush=True)


if __name__ == "__main__":
    main()
