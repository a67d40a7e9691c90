"""The tree-structured Parzen estimator: its densities, what it counts as good, and what it finds."""

import itertools

import numpy as np
import pytest

import evohpo as eh
from evohpo.optimizers.parzen import Parzen
from evohpo.optimizers.protocol import Problem, Results
from evohpo.optimizers.tpe import TPE, at_level, best_first
from evohpo.trials.pareto import hypervolume
from tests.conftest import loss, untimed
from tests.optimizers.test_natives import Evaluations, evolve, genes, sphere, task, zdt1

MIXED = genes([0, 0, 4, 2, 3], ordered=[True, True, True, True, False])


def mixture(n, seed=0, everywhere=False):
    """A density of `n` observations of two continuous genes, four ordered bins, a switch and three choices."""
    rng = np.random.default_rng(seed)
    X = rng.random((n, 5))
    X[:, 2:] = (np.floor(X[:, 2:] * [4, 2, 3]) + 0.5) / [4, 2, 3]
    active = np.ones((n, 5), bool)
    active[:, 1] = everywhere or rng.random(n) < 0.5
    return Parzen(X, active, rng.random(n + 1), np.full(5, 0.15), np.array([0, 0, 0, 0.3, 0.4]), MIXED)


def results(F, violation=None, steps=None, final=None, trials=None):
    F = np.asarray(F, float).reshape(len(F), -1)
    n = len(F)
    V = np.zeros(n) if violation is None else np.asarray(violation, float)
    S = np.zeros(n, int) if steps is None else np.asarray(steps)
    trials = np.arange(n) if trials is None else np.asarray(trials)
    final = np.ones(n, bool) if final is None else np.asarray(final)
    X = np.linspace(0, 1, n)[:, None]
    return Results(X, F, V, S, np.zeros(n, bool), trials, trials=trials, final=final)


# Densities


@pytest.mark.parametrize("n", [0, 1, 12])
def test_a_density_has_a_mass_of_one_over_the_cube(n):
    """Relative to the uniform distribution: the mean over a fine grid is 1, of all genes and of those that apply."""
    ticks = (np.arange(60) + 0.5) / 60
    levels = [ticks, ticks, (np.arange(4) + 0.5) / 4, [0.25, 0.75], (np.arange(3) + 0.5) / 3]
    grid = np.array(list(itertools.product(*levels)))
    for without in (None, 1):
        active = np.ones(grid.shape, bool)
        if without is not None:
            active[:, without] = False
        mean = np.exp(mixture(n).log_density(grid, active)).mean()
        assert mean == pytest.approx(1.0, abs=2e-3)


def test_draws_follow_the_density():
    """The mean of 1 / density over draws is the volume of the cube."""
    density = mixture(12, everywhere=True)
    X = density.sample(20_000, np.random.default_rng(1))
    inverse = np.exp(-density.log_density(X, np.ones(X.shape, bool)))
    assert inverse.mean() == pytest.approx(1.0, abs=0.05)
    assert set(X[:, 4].round(6)) == {0.166667, 0.5, 0.833333}


def test_where_a_gene_does_not_apply_its_value_has_no_say():
    density, active = mixture(12), np.array([[True, False, True, True, True]])
    a, b = np.array([[0.3, 0.1, 0.625, 0.25, 0.5]]), np.array([[0.3, 0.9, 0.625, 0.25, 0.5]])
    assert density.log_density(a, active) == density.log_density(b, active)
    assert density.log_density(a, ~active | active) != density.log_density(b, ~active | active)


# What is good


def test_less_violation_is_better_before_fitness_counts():
    by = best_first(results([1.0, 0.0, 3.0, 2.0], violation=[0.5, 0.1, 0.0, 0.0]), 2)
    assert by.tolist() == [3, 2, 1, 0]


def test_of_a_front_that_does_not_fit_those_that_dominate_most_are_good():
    F = [[0.0, 1.0], [0.01, 0.99], [0.5, 0.5], [0.51, 0.495], [1.0, 0.0], [2.0, 2.0]]
    good = set(best_first(results(F), 3)[:3])
    assert [len(good & alike) for alike in ({0, 1}, {2, 3}, {4}, {5})] == [1, 1, 1, 0]
    assert best_first(results(F), 3)[-1] == 5


def test_results_are_compared_at_the_largest_step_that_enough_trials_came_to():
    trials = [*range(6), 0, 1, 2, 0]
    steps, final = [1] * 6 + [3] * 3 + [9], [False] * 9 + [True]
    told = results(np.arange(10.0), steps=steps, final=final, trials=trials)
    for enough, step, n in ((1, 9, 1), (2, 3, 3), (3, 3, 3), (4, 1, 6), (100, 1, 6)):
        level = at_level(told, enough, 9)
        assert set(level.steps) == {step}
        assert len(level) == n


def test_trials_that_run_to_their_own_ends_are_compared_with_each_other():
    assert len(at_level(results(np.arange(9.0), steps=np.arange(9) + 3), 2, None)) == 9


def test_of_a_trial_told_twice_at_a_step_the_later_result_counts():
    told = results([1.0, 2.0, 3.0], steps=[3, 3, 3], final=[False, False, True], trials=[0, 1, 0])
    assert at_level(told, 1, 9).F[:, 0].tolist() == [2.0, 3.0]


# Proposals


def test_the_default_comes_first_and_sobol_points_until_there_is_something_to_learn_from():
    space = eh.Space({"x": eh.Continuous(0, 1, default=0.123), "c": eh.Categorical(["a", "b"], default="b")})
    study = eh.tune(lambda p: p["x"], space, minimize="x", optimizer="tpe", trials=12, seed=0, progress=False)
    assert study.trials[0].params == {"x": 0.123, "c": "b"}
    assert [t.operator for t in study.trials] == ["default"] + ["sobol"] * 5 + ["tpe"] * 6


def test_given_points_spare_the_first_proposals_and_are_learned_from():
    rng = np.random.default_rng(0)
    study = eh.Study({"x": eh.Continuous(0, 1), "y": eh.Continuous(0, 1)}, minimize="f", optimizer="tpe", seed=0)
    for x, y in rng.random((30, 2)):
        study.attach({"x": x, "y": y}, {"f": (x - 0.2) ** 2 + (y - 0.7) ** 2})
    trials = study.ask(10)
    assert {t.operator for t in trials} == {"tpe"}
    assert np.median([abs(t.params["x"] - 0.2) + abs(t.params["y"] - 0.7) for t in trials]) < 0.35


def test_what_is_running_is_kept_away_from():
    """Ten proposals at once are farther apart than ten that know nothing of each other."""

    def spread(together):
        distances = []
        for seed in range(10):
            optimizer, evaluate = TPE(task(2), np.random.default_rng(seed)), Evaluations(sphere(0.4))
            for _ in range(5):
                optimizer.tell(evaluate(optimizer.ask(8)))
            X = []
            for _ in range(10):
                X.append(optimizer.ask(1).X[0])
                if not together:
                    optimizer.running.clear()
            distances.append(np.std(X, axis=0).mean())
        return np.mean(distances)

    assert spread(together=True) > 1.1 * spread(together=False)


@pytest.mark.parametrize("sizes", [[1] * 12, [5, 7], [3, 1, 8]])
def test_proposals_do_not_depend_on_how_many_are_asked_for_at_once(sizes):
    def stream(sizes):
        optimizer = TPE(task(3), np.random.default_rng(5))
        optimizer.tell(Evaluations(sphere(0.3))(optimizer.ask(30)))
        return np.concatenate([optimizer.ask(n).X for n in sizes])

    assert np.array_equal(stream(sizes), stream([12]))


def test_no_configuration_is_proposed_twice_while_most_are_untried():
    space = {name: eh.Integer(0, 3) for name in "abc"}
    study = eh.tune(
        lambda p: sum(p.values()), space, minimize="sum", optimizer="tpe", trials=40, seed=1, progress=False
    )
    assert len({tuple(t.params.values()) for t in study.trials}) == 40


@pytest.mark.parametrize("dim", [0, 1, 60])
def test_any_number_of_genes_works(dim):
    assert evolve("tpe", lambda X: X.sum(1), task(dim), 40).X.shape == (40, dim)


@pytest.mark.parametrize("m", [1, 2])
def test_constant_fitness_and_bins_of_every_cardinality_are_survived(m):
    kind = genes([1, 2, 3, 4, 100_000, 0, 1, 2, 3, 4], ordered=[True] * 6 + [False] * 4)
    assert len(evolve("tpe", lambda X: np.zeros((len(X), m)), task(10, m=m, kind=kind), 60)) == 60


@pytest.mark.parametrize("options", [{"gamma": 0}, {"gamma": 1}, {"prior_weight": 0}, {"candidates": 0}])
def test_an_option_out_of_range_is_refused_by_name(options):
    name, value = next(iter(options.items()))
    with pytest.raises(eh.UsageError, match=f"{name}={value}"):
        TPE(Problem(2, genes([0, 0])), np.random.default_rng(0), **options)


# What it finds


def test_it_gets_closer_than_random_search_with_a_fifth_of_its_trials(mixed_space):
    def best(optimizer, trials):
        runs = (
            eh.tune(loss, mixed_space, minimize="loss", optimizer=optimizer, trials=trials, seed=s, progress=False)
            for s in range(5)
        )
        return np.median([study.best.metrics["loss"] for study in runs])

    assert best("tpe", 60) < best("random", 300)


def test_parameters_that_are_active_together_are_modelled_together():
    """In each branch the good lie on a diagonal of its own, which no parameter shows alone."""
    space = eh.Space(
        {
            "branch": eh.Categorical(["rising", "falling"]),
            "x": eh.Continuous(0, 1),
            "y": eh.Continuous(0, 1, when={"branch": "rising"}),
            "z": eh.Continuous(0, 1, when={"branch": "falling"}),
        }
    )

    def objective(params):
        other = params["y"] if params["branch"] == "rising" else 1 - params["z"]
        return abs(params["x"] - other) + 0.1 * (params["branch"] == "falling")

    study = eh.tune(objective, space, minimize="f", optimizer="tpe", trials=150, seed=3, progress=False)
    late = [objective(t.params) for t in study.trials[-50:]]
    assert np.median(late) < 0.1
    assert np.ptp([t.params["x"] for t in study.trials[-50:]]) > 0.3


def test_outcome_constraints_are_met_before_fitness_counts():
    def outcome(X):
        return np.maximum(0, 2.4 - X.sum(1))

    found = evolve("tpe", lambda X: X.sum(1), task(4), 200, violation=outcome, batch=1)
    assert found.F[found.violation == 0].min() < 2.55


def test_it_covers_a_front_better_than_random_search():
    volumes = [
        np.mean([hypervolume(evolve(name, zdt1, task(4, m=2), 150, s, batch=1).F, [1.1, 3.0]) for s in range(3)])
        for name in ("tpe", "random")
    ]
    assert volumes[0] > 1.3 * volumes[1]


def test_places_where_trials_fail_are_avoided():
    def objective(params):
        if params["x"] < 0.5:
            raise FloatingPointError("diverged")
        return abs(params["x"] - 0.8) + params["y"]

    space = {"x": eh.Continuous(0, 1), "y": eh.Continuous(0, 1)}
    study = eh.tune(objective, space, minimize="f", optimizer="tpe", trials=80, seed=0, progress=False)
    assert sum(t.status == eh.Status.FAILED for t in study.trials[-40:]) < 10
    assert study.best.metrics["f"] < 0.1


def curve(params):
    far = (params["x"] - 0.3) ** 2 + (params["y"] - 0.6) ** 2 + 0.2 * (params["solver"] != "adam")
    for step in range(1, 28):
        yield {"loss": far + 1 / step}


FEW_STEPS = {"x": eh.Continuous(0, 1), "y": eh.Continuous(0, 1), "solver": eh.Categorical(["sgd", "adam", "lbfgs"])}


def test_with_hyperband_it_is_bohb_and_finds_more_than_hyperband_alone():
    def best(optimizer, seed):
        study = eh.Study(FEW_STEPS, minimize="loss", optimizer=optimizer, pruner=eh.Hyperband(27), seed=seed)
        study.run(curve, stop=lambda s: s.ledger.steps >= 600, progress=False)
        return study.best.metrics["loss"] - 1 / 27

    assert np.median([best("tpe", s) for s in range(12)]) < 0.7 * np.median([best("random", s) for s in range(12)])


def test_a_study_that_goes_on_from_its_journal_ends_as_one_that_was_never_closed(tmp_path, mixed_space):
    def run(path, *budgets):
        for trials in budgets:
            study = eh.tune(
                loss, mixed_space, minimize="loss", optimizer="tpe", trials=trials, seed=7, store=path, progress=False
            )
            table = untimed(study)
            study.close()
        return table

    assert run(tmp_path / "a.db", 40).equals(run(tmp_path / "b.db", 13, 40))
