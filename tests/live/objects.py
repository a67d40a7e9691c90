"""The live objects that evohpo accepts as they are, each made as its library's users make it."""

from __future__ import annotations

import functools
import random

import numpy as np

import evohpo as eh

DIM = 6  # genes of the mixed space, one a searched parameter


# ---- DEAP


def deap_toolbox(container=list):
    from deap import base, creator, tools

    name = f"Individual{container.__name__}"
    if not hasattr(creator, name):
        if not hasattr(creator, "FitnessMin"):
            creator.create("FitnessMin", base.Fitness, weights=(-1.0,))
        creator.create(name, container, fitness=creator.FitnessMin)
    toolbox = base.Toolbox()
    toolbox.register("attribute", random.random)
    toolbox.register("individual", tools.initRepeat, getattr(creator, name), toolbox.attribute, n=DIM)
    toolbox.register("population", tools.initRepeat, list, toolbox.individual)
    toolbox.register("mate", tools.cxSimulatedBinaryBounded, eta=15, low=0.0, up=1.0)
    toolbox.register("mutate", tools.mutPolynomialBounded, eta=15, low=0.0, up=1.0, indpb=0.3)
    toolbox.register("select", tools.selTournament, tournsize=3)
    return toolbox


def deap_simple():
    from deap import algorithms

    return eh.use(deap_toolbox(), algorithm=algorithms.eaSimple, cxpb=0.6, mutpb=0.3)


def deap_plus():
    from deap import algorithms

    return eh.use(deap_toolbox(), algorithm=algorithms.eaMuPlusLambda, mu=6, lambda_=8)


def deap_comma():
    from deap import algorithms

    return eh.use(deap_toolbox(), algorithm=algorithms.eaMuCommaLambda, mu=6, lambda_=8)


def deap_numpy():
    return deap_toolbox(np.ndarray)


def deap_nsga2():
    from deap import tools

    toolbox = deap_toolbox()
    toolbox.register("select", tools.selNSGA2)
    return toolbox


def deap_nsga3():
    from deap import tools

    toolbox = deap_toolbox()
    toolbox.register("select", tools.selNSGA3, ref_points=tools.uniform_reference_points(2, 6))
    return toolbox


def deap_cma():
    from deap import cma

    return cma.Strategy(centroid=[0.5] * DIM, sigma=0.3)


def deap_pso():
    """The particle swarm of DEAP's examples."""
    import operator

    from deap import base, creator, tools

    if not hasattr(creator, "FitnessMin"):
        creator.create("FitnessMin", base.Fitness, weights=(-1.0,))
    if not hasattr(creator, "Particle"):
        creator.create("Particle", list, fitness=creator.FitnessMin, speed=list, smin=None, smax=None, best=None)

    def generate(size, pmin, pmax, smin, smax):
        part = creator.Particle(random.uniform(pmin, pmax) for _ in range(size))
        part.speed = [random.uniform(smin, smax) for _ in range(size)]
        part.smin, part.smax = smin, smax
        return part

    def update_particle(part, best, phi1, phi2):
        u1 = (random.uniform(0, phi1) for _ in range(len(part)))
        u2 = (random.uniform(0, phi2) for _ in range(len(part)))
        v_u1 = map(operator.mul, u1, map(operator.sub, part.best, part))
        v_u2 = map(operator.mul, u2, map(operator.sub, best, part))
        part.speed = [
            min(max(s, part.smin), part.smax) for s in map(operator.add, part.speed, map(operator.add, v_u1, v_u2))
        ]
        part[:] = list(map(operator.add, part, part.speed))

    toolbox = base.Toolbox()
    toolbox.register("particle", generate, size=DIM, pmin=0, pmax=1, smin=-0.2, smax=0.2)
    toolbox.register("population", tools.initRepeat, list, toolbox.particle)
    toolbox.register("update", update_particle, phi1=2.0, phi2=2.0)
    return toolbox


# ---- pymoo


def pymoo_soo(module, name, **options):
    import importlib

    return getattr(importlib.import_module(f"pymoo.algorithms.soo.nonconvex.{module}"), name)(**options)


def pymoo_mixed():
    from pymoo.core.mixed import MixedVariableGA

    return MixedVariableGA(pop_size=8)


def pymoo_nsga2():
    from pymoo.algorithms.moo.nsga2 import NSGA2

    return NSGA2(pop_size=8)


def pymoo_nsga3():
    from pymoo.algorithms.moo.nsga3 import NSGA3
    from pymoo.util.ref_dirs import get_reference_directions

    return NSGA3(ref_dirs=get_reference_directions("das-dennis", 2, n_partitions=7))


# ---- cma and cmaes


def pycma():
    import cma

    return cma.CMAEvolutionStrategy(DIM * [0.5], 0.3, {"verbose": -9, "popsize": 8})


def cmaes_cma():
    import cmaes

    return cmaes.CMA(mean=np.full(DIM, 0.5), sigma=0.3, bounds=np.tile([0.0, 1.0], (DIM, 1)))


def cmaes_margin():
    import cmaes

    return cmaes.CMAwM  # made from the genes: steps where they are discrete


def cmaes_mixed():
    import cmaes

    return cmaes.CatCMAwM  # made from the genes: continuous, integer, categorical


# ---- Optuna, nevergrad, Ax


def optuna_sampler(name, **options):
    import optuna

    return getattr(optuna.samplers, name)(**options)


def nevergrad_class(name):
    import nevergrad

    return nevergrad.optimizers.registry[name]


def nevergrad_family():
    import nevergrad

    return nevergrad.optimizers.DifferentialEvolution(crossover="twopoints", popsize=8)


def nevergrad_instance():
    import nevergrad

    return nevergrad.optimizers.OnePlusOne(parametrization=DIM, budget=40)


def ax_client():
    from ax.api.client import Client

    return Client(random_seed=1)


# ---- functions of scipy, pygad, Bayesian optimizers


def scipy_function(name, **options):
    import scipy.optimize

    return eh.use(getattr(scipy.optimize, name), **options) if options else getattr(scipy.optimize, name)


def scipy_partial():
    from scipy.optimize import differential_evolution

    return functools.partial(differential_evolution, mutation=(0.3, 0.9))


def pygad_ga():
    import pygad

    return pygad.GA(
        num_generations=50, num_parents_mating=4, fitness_func=lambda ga, solution, index: 0.0, sol_per_pop=8,
        num_genes=DIM, gene_space={"low": 0.0, "high": 1.0},
    )  # fmt: skip


def skopt_optimizer():
    import skopt

    return skopt.Optimizer([(0.0, 1.0)] * DIM, base_estimator="RF", n_initial_points=6)


def bayes_opt_object():
    from bayes_opt import BayesianOptimization

    return BayesianOptimization(f=None, pbounds={f"x{i}": (0.0, 1.0) for i in range(DIM)}, verbose=0)


def ray_search():
    from ray.tune.search.optuna import OptunaSearch

    return OptunaSearch()


def inspyred_pso():
    import inspyred

    return inspyred.swarm.PSO(random.Random(1))


# ---- a user's own


class RandomSearcher:
    """Shaped as a Searcher of Ray Tune."""

    def __init__(self):
        self.running = {}

    def set_search_properties(self, metric, mode, config, **spec):
        return True

    def suggest(self, trial_id):
        self.running[trial_id] = config = {
            "learning_rate": 10 ** random.uniform(-4, -1), "layers": random.randint(1, 6),
            "units": random.randint(4, 256), "batch_size": random.choice([32, 64, 128, 256]),
            "solver": random.choice(["sgd", "adam", "lbfgs"]), "momentum": random.uniform(0, 0.99),
        }  # fmt: skip
        return config

    def on_trial_complete(self, trial_id, result=None, error=False):
        del self.running[trial_id]


class AsynchronousDE:
    """Eighteen lines as their author has them: keys, points in the unit cube, no idea of evohpo."""

    def __init__(self, dim, rng, pop=10, F=0.6, CR=0.9):
        self.dim, self.rng, self.pop, self.F, self.CR = dim, rng, pop, F, CR
        self.X, self.f, self.key = {}, {}, -1

    def ask(self):
        self.key += 1
        i = self.key % self.pop
        if len(self.f) < self.pop:
            return (i, self.rng.random(self.dim))
        a, b, c = (self.X[j] for j in self.rng.choice(list(self.X), 3, replace=False))
        cross = self.rng.random(self.dim) < self.CR
        return (i, np.where(cross, np.clip(a + self.F * (b - c), 0, 1), self.X[i]))

    def tell(self, i, x, f):
        if i not in self.f or f <= self.f[i]:
            self.X[i], self.f[i] = np.asarray(x), f


def nine_lines(problem, rng, population=10, weight=0.8, crossover=0.9):
    X = rng.random((population, problem.dim))
    F = yield X
    while True:
        a, b, c = (X[rng.permutation(population)] for _ in range(3))
        children = np.where(rng.random(X.shape) < crossover, np.clip(a + weight * (b - c), 0, 1), X)
        G = yield children
        better = G < F
        X, F = np.where(better[:, None], children, X), np.where(better, G, F)


LIVE = {
    "deap.eaSimple": deap_simple,
    "deap.eaMuPlusLambda": deap_plus,
    "deap.eaMuCommaLambda": deap_comma,
    "deap.numpy": deap_numpy,
    "deap.nsga2": deap_nsga2,
    "deap.nsga3": deap_nsga3,
    "deap.cma": deap_cma,
    "deap.pso": deap_pso,
    "pymoo.GA": lambda: pymoo_soo("ga", "GA", pop_size=8),
    "pymoo.DE": lambda: pymoo_soo("de", "DE", pop_size=8),
    "pymoo.PSO": lambda: pymoo_soo("pso", "PSO", pop_size=8),
    "pymoo.CMAES": lambda: pymoo_soo("cmaes", "CMAES"),
    "pymoo.NelderMead": lambda: pymoo_soo("nelder", "NelderMead"),
    "pymoo.MixedVariableGA": pymoo_mixed,
    "pymoo.NSGA2": pymoo_nsga2,
    "pymoo.NSGA3": pymoo_nsga3,
    "cma": pycma,
    "cmaes.CMA": cmaes_cma,
    "cmaes.CMAwM": cmaes_margin,
    "cmaes.CatCMAwM": cmaes_mixed,
    "optuna.TPE": lambda: optuna_sampler("TPESampler", multivariate=True, n_startup_trials=8),
    "optuna.CmaEs": lambda: optuna_sampler("CmaEsSampler"),
    "optuna.NSGAII": lambda: optuna_sampler("NSGAIISampler", population_size=8),
    "optuna.QMC": lambda: optuna_sampler("QMCSampler"),
    "nevergrad.OnePlusOne": lambda: nevergrad_class("OnePlusOne"),
    "nevergrad.TwoPointsDE": lambda: nevergrad_class("TwoPointsDE"),
    "nevergrad.DifferentialEvolution": nevergrad_family,
    "nevergrad.instance": nevergrad_instance,
    "scipy.differential_evolution": lambda: scipy_function("differential_evolution"),
    "scipy.differential_evolution.partial": scipy_partial,
    "scipy.dual_annealing": lambda: scipy_function("dual_annealing"),
    "scipy.shgo": lambda: scipy_function("shgo"),
    "scipy.direct": lambda: scipy_function("direct"),
    "pygad.GA": pygad_ga,
    "ax.Client": ax_client,
    "skopt.Optimizer": skopt_optimizer,
    "bayes_opt.BayesianOptimization": bayes_opt_object,
    "ray.OptunaSearch": ray_search,
    "inspyred.PSO": inspyred_pso,
    "searcher": RandomSearcher,
    "asynchronous class": lambda: AsynchronousDE,
    "nine lines": lambda: nine_lines,
}
"""By name, a function that makes the object."""

NOT_REPEATABLE: dict[str, str] = {}
"""By name, why a live object does not repeat itself."""
