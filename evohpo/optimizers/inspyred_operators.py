"""Operators for inspyred's algorithms that do in the unit cube what inspyred's own ones are meant to do.

Each replaces one that, in inspyred 1.0.3, is silently wrong there; what is wrong is said beside it. They keep
inspyred's calling convention: lists of candidates, individuals that compare by quality, `args` as the state of a run.
"""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np

SMALLEST = 1e-3  # least standard deviation of the model of a population, so that it goes on looking
LEAST = 0.02  # pheromone that evaporation leaves where the colony says 0, so that no bin is lost for ever
RECENT = 50  # worsenings that the scale of a temperature is taken from

Candidates = list[list[float]]


def mutate(random: Any, candidates: Candidates, args: dict[str, Any]) -> Candidates:
    """Add Gaussian noise to each gene with probability `mutation_rate`, but to one gene at least.

    inspyred's `gaussian_mutation` leaves 43 % of the candidates with 8 genes as they are, which a sequential search
    pays for with an evaluation each, and its standard deviation of 1 throws most genes onto a bound.
    """
    mutants = []
    for candidate in candidates:
        rate = args.get("mutation_rate") or 1.0 / max(len(candidate), 1)
        sure = random.randrange(len(candidate)) if candidate else -1
        sigma = args.get("gaussian_stdev", 0.1)
        noise = [random.gauss(0, sigma) if random.random() < rate or i == sure else 0.0 for i in range(len(candidate))]
        mutants.append([x + e for x, e in zip(candidate, noise, strict=True)])
    return mutants


def sample_model(random: Any, candidates: Candidates, args: dict[str, Any]) -> Candidates:
    """Draw `num_offspring` from independent normal distributions with the candidates' means and deviations.

    inspyred's EDA draws with the variance as if it were the standard deviation.
    """
    X = np.array(candidates)
    mean, sigma = X.mean(0).tolist(), np.maximum(X.std(0), SMALLEST).tolist()
    return [
        [random.gauss(m, s) for m, s in zip(mean, sigma, strict=True)] for _ in range(args.get("num_offspring", len(X)))
    ]


def anneal(
    random: Any, population: list[Any], parents: list[Any], offspring: list[Any], args: dict[str, Any]  # noqa: ARG001
) -> list[Any]:  # fmt: skip
    """Accept what is no worse, and what is worse with probability exp(-worsening / (temperature * scale)).

    The scale is the median of the recent worsenings, so that units do not matter; the temperature starts at
    `temperature` (1 if not given) and is multiplied by `cooling_rate` each time. inspyred's own heats up when
    scheduled by generations, and compares fitness of any unit with a temperature that falls from 1.
    """
    seen = args.setdefault("_worsenings", [])
    temperature = args.setdefault("temperature", 1.0)
    args["temperature"] = temperature * args["cooling_rate"]
    survivors = []
    for parent, child in zip(parents, offspring, strict=True):
        worsening = child.fitness - parent.fitness
        if worsening > 0:
            seen.append(worsening)
            scale = temperature * statistics.median(seen[-RECENT:])
            accepted = random.random() < (math.exp(-worsening / scale) if scale > 0 else 0.0)
        else:
            accepted = True
        survivors.append(child if accepted else parent)
    return survivors


def survive(
    random: Any, population: list[Any], parents: list[Any], offspring: list[Any], args: dict[str, Any]  # noqa: ARG001
) -> list[Any]:  # fmt: skip
    """Keep the best by front and crowding, the population's size constant; doubles come behind all others.

    inspyred's NSGA-II drops doubles without filling up, so that its population dwindles, and lets the objective with
    the largest numbers decide the crowding.

    Reference: Deb, Pratap, Agarwal, Meyarivan (2002), A fast and elitist multiobjective genetic algorithm: NSGA-II.
    """
    from evohpo.trials.pareto import crowding, domination_ranks

    everybody = [*population, *offspring]
    F = np.array([list(individual.fitness) for individual in everybody], dtype=float)
    double = np.ones(len(everybody), bool)
    double[np.unique([individual.candidate for individual in everybody], axis=0, return_index=True)[1]] = False
    ranks = domination_ranks(F)
    best = np.lexsort((-crowding(F, ranks), ranks, double))[: len(population)]
    return [everybody[i] for i in best]


class Grid:
    """The bounded archive of PAES and the survival that consults it.

    inspyred's `adaptive_grid_archiver` archives the last member once more instead of the newcomer (a loop variable
    shadows it), and keeps its grid in attributes of the function, so that all PAES of a process share one.

    Args in `args`: `max_archive_size` (100), `num_grid_divisions` (4, halvings of each objective's range).

    Reference: Knowles, Corne (2000), Approximating the nondominated front using the Pareto archived evolution strategy.
    """

    def archive(self, random: Any, population: list[Any], archive: list[Any], args: dict[str, Any]) -> list[Any]:
        """Return the archive after all of `population` asked for entry."""
        size, divisions = args.get("max_archive_size", 100), args.get("num_grid_divisions", 4)
        for one in population:
            if any(other.fitness == one.fitness or other > one for other in archive):
                continue
            archive = [other for other in archive if not one > other] + [one]
            if len(archive) > size:
                crowd = self.crowd(archive, divisions)
                most = np.flatnonzero(crowd == crowd.max())
                # whoever enters the fullest cell is turned away, everybody else pushes one out of it
                archive.pop(int(most[-1] if most[-1] == size else most[random.randrange(len(most))]))
        return archive

    def crowd(self, individuals: list[Any], divisions: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return `(n,)` how many of the individuals share each one's cell of the grid that spans them."""
        F = np.array([list(individual.fitness) for individual in individuals], dtype=float)
        low, span = F.min(0), np.ptp(F, axis=0)
        cells = 2**divisions
        cell = np.minimum((F - low) / np.where(span > 0, span, 1.0) * cells, cells - 1).astype(np.int64)
        _, which, counts = np.unique(cell, axis=0, return_inverse=True, return_counts=True)
        return np.asarray(counts[which.reshape(-1)])

    def replace(
        self, random: Any, population: list[Any], parents: list[Any], offspring: list[Any], args: dict[str, Any]  # noqa: ARG002
    ) -> list[Any]:  # fmt: skip
        """Return, for each parent and its child, which goes on: the one that dominates, or lives in the emptier cell.

        Whoever the archive dominates gives way to a member of it, the one in the emptier cell of two: so several
        strategies side by side do not linger where another is ahead. A single one is never dominated by its archive.
        """
        ec, divisions = args["_ec"], args.get("num_grid_divisions", 4)
        survivors = []
        for parent, child in zip(parents, offspring, strict=True):
            ec.archive = self.archive(random, [child], ec.archive, args)
            if child > parent:
                survivors.append(child)
            elif child < parent or not any(child is one for one in ec.archive):
                survivors.append(parent)
            else:
                crowd = self.crowd([*ec.archive, parent, child], divisions)
                survivors.append(child if crowd[-1] <= crowd[-2] else parent)
        crowd = self.crowd(ec.archive, divisions)
        for i, survivor in enumerate(survivors):
            if any(one > survivor for one in ec.archive):
                pair = [random.randrange(len(crowd)) for _ in range(2)]
                survivors[i] = ec.archive[min(pair, key=crowd.__getitem__)]
        return survivors


class Trails:
    """The pheromones of an ant colony over bins of the genes: who lays them, and who follows them.

    inspyred's colony lays the best fitness itself as pheromone, which attracts ants to bad trails when fitness is
    minimised. Here the best trail so far gets 1, as all trails have it at first.

    Reference: Dorigo, Gambardella (1997), Ant colony system: a cooperative learning approach to the traveling salesman
    problem.

    Args:
        ec: an `inspyred.swarm.ACS` without components; it gets one for each bin of each gene.
        cardinality: `(dim,)` bins a gene, 0 for a continuous one.
        resolution: bins of a continuous gene.
        greed: probability of an ant to take the strongest trail at a gene instead of drawing one.
    """

    def __init__(self, ec: Any, cardinality: Any, resolution: int, greed: float) -> None:
        from inspyred.swarm import TrailComponent

        self.ec, self.greed = ec, greed
        self.base = ec.initial_pheromone or LEAST
        self.bins = [int(k) or resolution for k in cardinality]
        self.trails = [[TrailComponent((gene, i), 1.0) for i in range(k)] for gene, k in enumerate(self.bins)]
        ec.components = [component for trail in self.trails for component in trail]
        for component in ec.components:
            component.pheromone = 1.0

    def follow(self, random: Any, args: dict[str, Any]) -> list[float]:  # noqa: ARG002
        """Return one candidate: a bin for each gene by its pheromone, and a uniform place within."""
        candidate = []
        for k, trail in zip(self.bins, self.trails, strict=True):
            strength = [component.pheromone for component in trail]
            if random.random() < self.greed:
                strength = [float(s == max(strength)) for s in strength]
            chosen = random.choices(range(k), strength)[0]
            candidate.append((chosen + random.random()) / k)
        return candidate

    def lay(self, random: Any, population: list[Any], archive: list[Any], args: dict[str, Any]) -> list[Any]:  # noqa: ARG002
        """Let all trails evaporate, lay pheromone on that of the best so far, and return it as the archive."""
        best = max([*archive, *population])
        for component in self.ec.components:
            component.pheromone += self.ec.evaporation_rate * (self.base - component.pheromone)
        for u, k, trail in zip(best.candidate, self.bins, self.trails, strict=True):
            component = trail[min(int(u * k), k - 1)]
            component.pheromone += self.ec.learning_rate * (1.0 - component.pheromone)
        return [best]
