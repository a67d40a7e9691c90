"""How much of a front our optimizers find beside pymoo's, inspyred's and DEAP's, after equally many evaluations.

Each entry is the hypervolume of everything feasible that was evaluated, in percent of the known front's, in the median
of some seeds. Everybody has the settings that are the defaults of the library or, where there are none, those of its own
examples: 100 individuals for the others (pymoo's NSGA-III and MOEA/D as many as an even lattice has), 40 for ours (20 for
mo-cmaes, 10 for paes). With `--population` all have as many, but for inspyred's PAES, which has one. inspyred and DEAP
know no constraints: a point that breaks them is told as worse than the front in every objective, by as much as it
breaks them.

    python scripts/bench_fronts.py [--evaluations 10000] [--seeds 11] [--population 100] [--problems ZDT1,OSY]
        [--who evohpo,pymoo]
"""

from __future__ import annotations

import argparse
import random
import time
import warnings
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from evohpo.optimizers.directions import directions
from evohpo.optimizers.protocol import Problem, Results
from evohpo.optimizers.registry import get
from evohpo.testing.fronts import FRONTS, FrontProblem

if TYPE_CHECKING:
    from collections.abc import Callable

THEIRS = 100  # individuals, of the others


class Enough(Exception):
    """The evaluations are used up."""


class Recorder:
    """Evaluates chromosomes and remembers what came of them, up to a number of evaluations.

    Attributes:
        population: how many individuals were asked for, None for everybody's default.
        size: how many those have that leave it to us.
    """

    def __init__(self, problem: FrontProblem, evaluations: int, population: int | None) -> None:
        self.problem, self.left = problem, evaluations
        self.population, self.size = population, population or THEIRS
        self.F: list[np.ndarray] = []
        self.V: list[np.ndarray] = []

    def __call__(self, U: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return fitness and violation of chromosomes `U`."""
        if self.left <= 0:
            raise Enough
        F, V = self.problem.evaluate(U)
        self.F.append(F[: self.left])
        self.V.append(V[: self.left])
        self.left -= len(F)
        return F, V

    def native(self, candidates: list) -> np.ndarray:
        """Return fitness of points in the problem's own units, with a penalty where constraints are broken."""
        p = self.problem
        F, V = self((np.array(candidates, float) - p.low) / (p.high - p.low))
        worst = p.nadir + (p.nadir - p.ideal) * (1 + V[:, None])
        return np.where(V[:, None] > 0, worst, F)

    def share(self) -> float:
        """Return the hypervolume found, in percent of the front's."""
        found = self.problem.hypervolume(np.concatenate(self.F), np.concatenate(self.V))
        return 100 * found / self.problem.volume


def evohpo_(name: str, problem: FrontProblem, evaluate: Recorder, seed: int) -> None:
    """Drive one of our generators bare."""
    genes = SimpleNamespace(cardinality=np.zeros(problem.dim, int), ordered=np.ones(problem.dim, bool))
    task = Problem(problem.dim, genes, n_objectives=problem.m)
    options = {} if evaluate.population is None else {"population": evaluate.population}
    generator = get(name).target(task, np.random.default_rng(seed), **options)
    proposal, first = next(generator), 0
    while True:
        F, V = evaluate(proposal.X)
        k = len(F)
        numbers = np.arange(first, first + k)
        results = Results(proposal.X, F, V, np.zeros(k, np.int64), np.zeros(k, bool), numbers)
        proposal, first = generator.send(results), first + k


def pymoo_(name: str, problem: FrontProblem, evaluate: Recorder, seed: int) -> None:
    """Run one of pymoo's algorithms with its defaults."""
    from pymoo.algorithms.moo.moead import MOEAD
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.algorithms.moo.nsga3 import NSGA3
    from pymoo.core.problem import Problem as Task
    from pymoo.optimize import minimize

    limited = problem.constraints is not None

    class Front(Task):
        def __init__(self) -> None:
            super().__init__(problem.dim, problem.m, int(limited), xl=0.0, xu=1.0)

        def _evaluate(self, X: np.ndarray, out: dict, *args: object, **more: object) -> None:  # noqa: ARG002
            out["F"], V = evaluate(X)
            if limited:
                out["G"] = V[:, None]

    if name == "nsga2":
        algorithm = NSGA2(pop_size=evaluate.size)
    else:
        lattice = directions(evaluate.size, problem.m)
        algorithm = (NSGA3 if name == "nsga3" else MOEAD)(ref_dirs=lattice)
    minimize(Front(), algorithm, ("n_eval", 10**9), seed=seed)


def inspyred_(name: str, problem: FrontProblem, evaluate: Recorder, seed: int) -> None:
    """Run one of inspyred's algorithms as in its examples."""
    from inspyred import ec

    kind = {"nsga2": ec.emo.NSGA2, "paes": ec.emo.PAES}[name](random.Random(seed))
    kind.terminator = lambda **_: False
    vars(ec.archivers.adaptive_grid_archiver).clear()  # it keeps the grid of the run before, and of its objectives
    if name == "nsga2":
        kind.variator = [ec.variators.blend_crossover, ec.variators.gaussian_mutation]
    kind.evolve(
        generator=lambda random, args: [random.uniform(a, b) for a, b in zip(problem.low, problem.high, strict=True)],  # noqa: ARG005
        evaluator=lambda candidates, args: [ec.emo.Pareto(list(f)) for f in evaluate.native(candidates)],  # noqa: ARG005
        bounder=ec.Bounder(list(problem.low), list(problem.high)),
        maximize=False,
        **({"pop_size": evaluate.size} if name == "nsga2" else {"max_archive_size": 100, "num_grid_divisions": 4}),
    )


def deap_(name: str, problem: FrontProblem, evaluate: Recorder, seed: int) -> None:  # noqa: ARG001
    """Run DEAP's example examples/ga/nsga2.py."""
    from deap import base, creator, tools

    for made in ("Fitness", "Individual"):
        creator.__dict__.pop(made, None)
    creator.create("Fitness", base.Fitness, weights=(-1.0,) * problem.m)
    creator.create("Individual", list, fitness=creator.Fitness)
    random.seed(seed)
    low, high = list(problem.low), list(problem.high)

    def measure(individuals: list) -> None:
        for individual, f in zip(individuals, evaluate.native(individuals), strict=True):
            individual.fitness.values = tuple(f)

    population = [creator.Individual(map(random.uniform, low, high)) for _ in range(evaluate.size)]
    measure(population)
    population = tools.selNSGA2(population, evaluate.size)
    toolbox = base.Toolbox()
    while True:
        children = [toolbox.clone(i) for i in tools.selTournamentDCD(population, evaluate.size)]
        for a, b in zip(children[::2], children[1::2], strict=True):
            if random.random() <= 0.9:
                tools.cxSimulatedBinaryBounded(a, b, 20.0, low, high)
            tools.mutPolynomialBounded(a, 20.0, low, high, 1 / problem.dim)
            tools.mutPolynomialBounded(b, 20.0, low, high, 1 / problem.dim)
        measure(children)
        population = tools.selNSGA2(population + children, evaluate.size)


WHO: dict[str, tuple[Callable[..., None], tuple[str, ...]]] = {
    "evohpo": (evohpo_, ("nsga2", "nsga3", "moead", "mo-cmaes", "paes")),
    "pymoo": (pymoo_, ("nsga2", "nsga3", "moead")),
    "inspyred": (inspyred_, ("nsga2", "paes")),
    "DEAP": (deap_, ("nsga2",)),
}


def entry(run: Callable[..., None], problem: FrontProblem, chosen: argparse.Namespace) -> str:
    """Return one median, or a dash where the algorithm takes no constraints."""
    shares = []
    for seed in range(chosen.seeds):
        evaluate = Recorder(problem, chosen.evaluations, chosen.population)
        try:
            run(problem, evaluate, seed)
        except Enough:
            shares.append(evaluate.share())
        except AssertionError:
            return "-"
    return f"{np.median(shares):.1f}"


def main() -> None:
    """Print the table, a line as soon as its figures are there."""
    arguments = argparse.ArgumentParser(
        description="Hypervolume at equal budget, ours beside pymoo, inspyred and DEAP."
    )
    arguments.add_argument("--evaluations", type=int, default=10_000)
    arguments.add_argument("--seeds", type=int, default=11)
    arguments.add_argument("--population", type=int)
    arguments.add_argument("--problems", default=",".join(FRONTS))
    arguments.add_argument("--who", default=",".join(WHO))
    chosen = arguments.parse_args()
    warnings.filterwarnings("ignore")

    columns = [(who, name) for who in chosen.who.split(",") for name in WHO[who][1]]
    print(
        f"% of the front's hypervolume, {chosen.evaluations} evaluations, median of {chosen.seeds} seeds, "
        f"{chosen.population or 'default'} individuals"
    )
    libraries = "".join(f"{who:<{8 * len(WHO[who][1])}}" for who in chosen.who.split(","))
    print(f"{'':9} {libraries}".rstrip())
    print(f"{'':9} " + "".join(f"{name.replace('mo-cmaes', 'mo-cma'):<8}" for _, name in columns))
    for problem in map(FRONTS.__getitem__, chosen.problems.split(",")):
        began = time.perf_counter()
        print(f"{problem.name:9} ", end="", flush=True)
        for who, name in columns:
            run = partial(WHO[who][0], name)
            print(f"{entry(run, problem, chosen):<8}", end="", flush=True)
        print(f" {time.perf_counter() - began:5.0f} s", flush=True)


if __name__ == "__main__":
    main()
