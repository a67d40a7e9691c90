"""The algorithms of inspyred under names of their own, with operators that work on real genes.

Reference: Garrett (2012), inspyred: Bio-inspired algorithms in Python, https://pypi.org/project/inspyred/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from evohpo.errors import UsageError
from evohpo.optimizers import inspyred_operators as operators
from evohpo.optimizers.inspyred_live import REFERENCE, STDEV, adapt, cooling, evolve, fresh, of_inspyred
from evohpo.optimizers.registry import optimizer

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from evohpo.optimizers.protocol import Array, Problem

__all__ = ["aco", "adapt", "dea", "eda", "es", "ga", "nsga2", "paes", "pso", "sa"]


@optimizer("inspyred.ga", reference=REFERENCE)
def ga(
    evaluate: Callable[[Any], Array], problem: Problem, rng: np.random.Generator, *, population: int = 20,
    tournament_size: int = 2, crossover_rate: float = 1.0, blx_alpha: float = 0.3, mutation_rate: float = 0.1,
    gaussian_stdev: float = STDEV, num_elites: int = 1,
) -> None:  # fmt: skip
    """Genetic algorithm: tournaments, blend crossover, Gaussian mutation, and elites that outlive their generation.

    Args:
        evaluate: gives the fitness of a population.
        problem: the task.
        rng: seeds inspyred's generator.
        population: individuals a generation.
        tournament_size: contestants for each parenthood.
        crossover_rate: probability of a pair to be crossed.
        blx_alpha: how far beyond its parents a child may lie, as a share of their distance.
        mutation_rate: probability of a gene to mutate.
        gaussian_stdev: standard deviation of a mutation, as a share of a gene's range.
        num_elites: the best of a generation that outlive it.
    """
    from inspyred.ec import selectors, variators

    ec = fresh("ec.GA")
    ec.selector = selectors.tournament_selection
    ec.variator = [variators.blend_crossover, variators.gaussian_mutation]
    evolve(
        ec, evaluate, problem, rng, population, num_selected=population, tournament_size=tournament_size,
        crossover_rate=crossover_rate, blx_alpha=blx_alpha, mutation_rate=mutation_rate, gaussian_stdev=gaussian_stdev,
        num_elites=num_elites,
    )  # fmt: skip


@optimizer("inspyred.es", reference=REFERENCE)
def es(
    evaluate: Callable[[Any], Array], problem: Problem, rng: np.random.Generator, *, population: int = 20,
    tau: float | None = None, tau_prime: float | None = None, epsilon: float = 1e-5,
) -> None:  # fmt: skip
    """Evolution strategy: each individual carries its own step sizes; the best of parents and children survive.

    Args:
        evaluate: gives the fitness of a population.
        problem: the task.
        rng: seeds inspyred's generator.
        population: parents, and children, a generation.
        tau: learning rate of each step size; 1 / sqrt(2 sqrt(dim)) if None.
        tau_prime: learning rate common to all of them; 1 / sqrt(2 dim) if None.
        epsilon: least step size, as a share of a gene's range.
    """
    evolve(fresh("ec.ES"), evaluate, problem, rng, population, tau=tau, tau_prime=tau_prime, epsilon=epsilon)


@optimizer("inspyred.sa", reference=REFERENCE)
def sa(
    evaluate: Callable[[Any], Array], problem: Problem, rng: np.random.Generator, *, temperature: float = 1.0,
    cooling_rate: float | None = None, mutation_rate: float | None = None, gaussian_stdev: float = STDEV,
) -> None:  # fmt: skip
    """Simulated annealing: one individual, a step at a time; nothing runs in parallel.

    Args:
        evaluate: gives the fitness of a population.
        problem: the task.
        rng: seeds inspyred's generator.
        temperature: at the start; 1 accepts a step as bad as the median one with probability 0.37.
        cooling_rate: the temperature's factor a step; if None, a hundredth is reached at the end of the budget.
        mutation_rate: probability of a gene to mutate; 1/dim if None, and always one gene at least.
        gaussian_stdev: standard deviation of a mutation, as a share of a gene's range.
    """
    ec = fresh("ec.SA")
    ec.variator, ec.replacer = operators.mutate, operators.anneal
    evolve(
        ec, evaluate, problem, rng, 1, temperature=temperature, cooling_rate=cooling_rate or cooling(problem, 1),
        mutation_rate=mutation_rate, gaussian_stdev=gaussian_stdev,
    )  # fmt: skip


@optimizer("inspyred.dea", reference=REFERENCE)
def dea(
    evaluate: Callable[[Any], Array], problem: Problem, rng: np.random.Generator, *, population: int = 20,
    tournament_size: int = 2, crossover_rate: float = 1.0, mutation_rate: float = 0.1, gaussian_stdev: float = STDEV,
) -> None:  # fmt: skip
    """What inspyred calls differential evolution: tournaments, heuristic crossover, Gaussian mutation.

    Other than in inspyred a generation has as many children as there are parents (not two), so that it can be evaluated
    in parallel, and the best of both survive.

    Args:
        evaluate: gives the fitness of a population.
        problem: the task.
        rng: seeds inspyred's generator.
        population: individuals, and children, a generation.
        tournament_size: contestants for each parenthood.
        crossover_rate: probability of a pair to be crossed.
        mutation_rate: probability of a gene to mutate.
        gaussian_stdev: standard deviation of a mutation, as a share of a gene's range.
    """
    from inspyred.ec import replacers

    ec = fresh("ec.DEA")
    ec.replacer = replacers.plus_replacement
    evolve(
        ec, evaluate, problem, rng, population, num_selected=population, tournament_size=tournament_size,
        crossover_rate=crossover_rate, mutation_rate=mutation_rate, gaussian_stdev=gaussian_stdev,
    )  # fmt: skip


@optimizer("inspyred.eda", reference=REFERENCE)
def eda(
    evaluate: Callable[[Any], Array], problem: Problem, rng: np.random.Generator, *, population: int = 20,
    num_selected: int | None = None, num_elites: int = 1,
) -> None:  # fmt: skip
    """Estimation of distribution: a normal distribution for each gene of the best, and a new generation drawn from it.

    Args:
        evaluate: gives the fitness of a population.
        problem: the task.
        rng: seeds inspyred's generator.
        population: individuals a generation.
        num_selected: the best that the model is taken from; half of them if None.
        num_elites: the best of a generation that outlive it.
    """
    ec = fresh("ec.EDA")
    ec.variator = operators.sample_model
    selected = num_selected or max(2, population // 2)
    evolve(ec, evaluate, problem, rng, population, num_selected=selected, num_elites=num_elites)


@optimizer("inspyred.pso", reference=REFERENCE)
def pso(
    evaluate: Callable[[Any], Array], problem: Problem, rng: np.random.Generator, *, population: int = 20,
    topology: Literal["star", "ring"] | None = None, neighborhood_size: int | None = None, inertia: float = 0.5,
    cognitive_rate: float = 2.1, social_rate: float = 2.1,
) -> None:  # fmt: skip
    """Particle swarm.

    Args:
        evaluate: gives the fitness of a population.
        problem: the task.
        rng: seeds inspyred's generator.
        population: particles.
        topology: who informs whom: all ("star") or neighbours ("ring"); "ring" if a neighborhood size is given.
        neighborhood_size: particles of a ring's neighbourhood, itself included; 3 if None.
        inertia: how much of its last step a particle keeps.
        cognitive_rate: pull towards its own best.
        social_rate: pull towards the best of its neighbourhood.

    Raises:
        UsageError: an unknown topology, or a neighbourhood in a star.
    """
    from inspyred.swarm import topologies

    chosen = topology or ("star" if neighborhood_size is None else "ring")
    if chosen not in ("star", "ring") or (chosen == "star" and neighborhood_size is not None):
        raise UsageError(
            f"optimizer 'inspyred.pso': {topology=} with {neighborhood_size=}: choose 'star', or 'ring' with a size"
        )
    ec = fresh("swarm.PSO")
    ec.topology = topologies.star_topology if chosen == "star" else topologies.ring_topology
    evolve(
        ec, evaluate, problem, rng, population, inertia=inertia, cognitive_rate=cognitive_rate, social_rate=social_rate,
        neighborhood_size=neighborhood_size or 3,
    )  # fmt: skip


@optimizer("inspyred.aco", reference=REFERENCE + "; Dorigo, Gambardella (1997), Ant colony system")
def aco(
    evaluate: Callable[[Any], Array], problem: Problem, rng: np.random.Generator, *, population: int = 20,
    resolution: int = 10, greed: float = 0.2, evaporation_rate: float = 0.1, learning_rate: float = 0.1,
    initial_pheromone: float = operators.LEAST,
) -> None:  # fmt: skip
    """Ant colony over the bins of discrete genes and equal bins of continuous ones, with a uniform place within.

    Args:
        evaluate: gives the fitness of a population.
        problem: the task.
        rng: seeds inspyred's generator.
        population: ants.
        resolution: bins of a continuous gene.
        greed: probability of an ant to take the strongest trail at a gene instead of drawing one.
        evaporation_rate: share of the way to `initial_pheromone` that every trail goes back in a generation.
        learning_rate: share of the way to 1 that the best trail is raised.
        initial_pheromone: where trails evaporate to.
    """
    ec = of_inspyred("swarm.ACS")(None, [])
    ec.evaporation_rate, ec.learning_rate, ec.initial_pheromone = evaporation_rate, learning_rate, initial_pheromone
    evolve(ec, evaluate, problem, rng, population, resolution=resolution, greed=greed)


@optimizer("inspyred.nsga2", objectives="multi", reference=REFERENCE + "; Deb et al. (2002)")
def nsga2(
    evaluate: Callable[[Any], Array], problem: Problem, rng: np.random.Generator, *, population: int = 20,
    tournament_size: int = 2, crossover_rate: float = 1.0, blx_alpha: float = 0.3, mutation_rate: float = 0.1,
    gaussian_stdev: float = STDEV,
) -> None:  # fmt: skip
    """NSGA-II with blend crossover and Gaussian mutation.

    Args:
        evaluate: gives the fitness of a population.
        problem: the task.
        rng: seeds inspyred's generator.
        population: individuals a generation.
        tournament_size: contestants for each parenthood.
        crossover_rate: probability of a pair to be crossed.
        blx_alpha: how far beyond its parents a child may lie, as a share of their distance.
        mutation_rate: probability of a gene to mutate.
        gaussian_stdev: standard deviation of a mutation, as a share of a gene's range.
    """
    from inspyred.ec import archivers, variators

    ec = fresh("ec.emo.NSGA2")
    ec.variator = [variators.blend_crossover, variators.gaussian_mutation]
    ec.replacer, ec.archiver = (
        operators.survive,
        archivers.default_archiver,
    )  # nobody reads its archive: the study has all
    evolve(
        ec, evaluate, problem, rng, population, num_selected=population, tournament_size=tournament_size,
        crossover_rate=crossover_rate, blx_alpha=blx_alpha, mutation_rate=mutation_rate, gaussian_stdev=gaussian_stdev,
    )  # fmt: skip


@optimizer("inspyred.paes", objectives="multi", reference=REFERENCE + "; Knowles, Corne (2000)")
def paes(
    evaluate: Callable[[Any], Array], problem: Problem, rng: np.random.Generator, *, population: int = 20,
    max_archive_size: int = 100, num_grid_divisions: int = 4, mutation_rate: float | None = None,
    gaussian_stdev: float = 0.2,
) -> None:  # fmt: skip
    """Pareto archived evolution strategy: `population` (1+1) strategies side by side that share an archive.

    Args:
        evaluate: gives the fitness of a population.
        problem: the task.
        rng: seeds inspyred's generator.
        population: strategies; 1 is the original algorithm, which has nothing to run in parallel.
        max_archive_size: non-dominated individuals that are remembered.
        num_grid_divisions: halvings of each objective's range, for telling crowded regions.
        mutation_rate: probability of a gene to mutate; 1/dim if None, and always one gene at least.
        gaussian_stdev: standard deviation of a mutation, as a share of a gene's range.
    """
    ec, grid = fresh("ec.emo.PAES"), operators.Grid()
    ec.variator, ec.archiver, ec.replacer = operators.mutate, grid.archive, grid.replace
    evolve(
        ec, evaluate, problem, rng, population, max_archive_size=max_archive_size,
        num_grid_divisions=num_grid_divisions, mutation_rate=mutation_rate, gaussian_stdev=gaussian_stdev,
    )  # fmt: skip
