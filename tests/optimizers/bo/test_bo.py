"""What `bo` does with a study: it learns from everything it is told, and spreads what runs at once."""

import math

import numpy as np
import pytest

import evohpo as eh
from evohpo.errors import UsageError
from evohpo.testing.problems import cube, mixed, sphere, valley
from tests.conftest import untimed


def tune(objective, space, optimizer="bo", *, trials=30, seed=1, minimize="loss", **more):
    return eh.tune(
        objective, space, optimizer=optimizer, trials=trials, seed=seed, minimize=minimize, progress=False, **more
    )


def best(study):
    return study.best.metrics["loss"]


def median(objective, space, optimizer, seeds=2, **more):
    return np.median([best(tune(objective, space, optimizer, seed=seed, **more)) for seed in range(seeds)])


@pytest.mark.parametrize(("objective", "space"), [(valley, mixed()), (sphere, cube(5))])
def test_thirty_trials_get_closer_than_three_hundred_random_ones(objective, space):
    assert median(objective, space, "bo") < median(objective, space, "random", trials=300)


def test_conditional_choices_are_told_apart():
    space = eh.Space(
        {"model": eh.Categorical(["a", "b", "c"])}
        | {f"x_{m}{i}": eh.Continuous(0, 1, when={"model": m}) for m in "abc" for i in range(2)}
    )
    floor = {"a": 0.2, "b": 0.1, "c": 0.0}

    def objective(params):
        m = params["model"]
        return floor[m] + sum((params[f"x_{m}{i}"] - 0.7) ** 2 for i in range(2))

    assert median(objective, space, "bo", seeds=5, trials=32) < 0.02


def test_the_first_is_the_default_and_the_next_are_scattered():
    space = eh.Space({"x": eh.Continuous(0, 1, default=0.9), "y": eh.Continuous(0, 1)})
    study = eh.Study(space, minimize="loss", optimizer="bo", seed=1)
    first, *others = study.ask(9)
    assert first.params == {"x": 0.9, "y": 0.5}
    assert {int(4 * t.params["x"]) for t in others} == {0, 1, 2, 3}
    assert [t.operator for t in (first, *others)] == ["default"] + ["sobol"] * 8


def test_no_configuration_is_proposed_twice_while_there_are_others():
    space = {"a": eh.Integer(1, 5), "b": eh.Categorical(["x", "y", "z"]), "c": eh.Integer(1, 100, scale="log")}
    study = tune(lambda p: p["a"] + p["c"] / 100, space, trials=60, duplicates="evaluate")
    assert len({tuple(t.params.values()) for t in study.trials}) == 60


def test_when_all_configurations_are_known_it_goes_on():
    study = tune(lambda p: p["a"], {"a": eh.Integer(1, 5), "b": eh.Integer(1, 2)}, trials=30, duplicates="evaluate")
    assert len(study.trials) == 30
    assert len({tuple(t.params.values()) for t in study.trials[:10]}) == 10


def test_what_is_proposed_at_once_is_spread_and_costs_little():
    def in_batches(seed, size, trials=40):
        study = eh.Study(cube(3), minimize="loss", optimizer="bo", seed=seed)
        study.begin(budget=trials, workers=size)
        while len(study.trials) < trials:
            asked = study.ask(size)
            if len(study.trials) > 16 and size > 1:
                X = np.array([t.x for t in asked])
                assert len(np.unique(X.round(4), axis=0)) == size
            for trial in asked:
                study.tell(trial, sphere(trial.params))
        return best(study)

    random = median(sphere, cube(3), "random", trials=40)
    assert np.median([in_batches(seed, 8) for seed in range(3)]) < random / 10


def test_it_learns_from_points_that_it_never_proposed():
    study = eh.Study(cube(3), minimize="loss", optimizer="bo", seed=1)
    rng = np.random.default_rng(0)
    for row in np.vstack([rng.uniform(-1, 1, (20, 3)), rng.uniform(0.2, 0.4, (10, 3))]):
        params = dict(zip(("x0", "x1", "x2"), row.tolist(), strict=True))
        study.attach(params, {"loss": sphere(params)})
    study.begin(budget=3, workers=1)
    for _ in range(3):
        (trial,) = study.ask(1)
        study.tell(trial, sphere(trial.params))
    assert min(sphere(t.params) for t in study.trials[-3:]) < 0.005, "no first points were needed"


def shifted(by):
    def loss(params):
        return sum((i + 1) * (v - 0.2 - 0.1 * i - by) ** 2 for i, v in enumerate(params.values()))

    return loss


def test_earlier_studies_of_related_tasks_bring_it_nearer():
    earlier = [tune(shifted(by), cube(6), "random", trials=80) for by in (-0.05, 0.05)]
    arguments = {"objective": shifted(0), "space": cube(6), "optimizer": "bo", "trials": 12}
    best_of_earlier = min(shifted(0)(study.best.params) for study in earlier)
    taught = median(**arguments, prior=earlier)
    assert taught < 0.7 * median(**arguments)
    assert taught < 0.8 * best_of_earlier, "it is more than the configurations that it begins with"


def test_of_earlier_studies_that_say_the_opposite_it_believes_nothing():
    earlier = tune(lambda p: -shifted(0)(p), cube(6), "random", trials=80)
    assert median(shifted(0), cube(6), "bo", seeds=3, trials=40, prior=[earlier]) < 0.1


def test_it_finds_the_edge_of_an_outcome_constraint():
    def objective(params):
        return {"loss": -params["x0"] - params["x1"], "size": params["x0"] ** 2 + params["x1"] ** 2}

    study = tune(objective, cube(2), trials=40, constraints=["size <= 0.5"])
    assert study.best.feasible
    assert best(study) < -0.97, "the optimum is -1, at the edge of what is feasible"


def test_a_feasible_region_is_found_from_outside():
    def objective(params):
        return {"loss": sphere(params), "size": sum((v + 0.8) ** 2 for v in params.values())}

    study = tune(objective, cube(4), trials=40, constraints=["size <= 0.1"])
    assert study.best.feasible, "one in 1,600 random points is"


def test_it_learns_where_trials_fail():
    def objective(params):
        if params["x0"] > 0.35:
            raise FloatingPointError("diverged")
        return sphere(params)

    studies = [tune(objective, cube(2), trials=40, seed=seed) for seed in range(3)]
    late = [sum(trial.failed for trial in study.trials[20:]) for study in studies]
    assert np.median(late) <= 4, "of random ones six or seven would fail"
    assert max(best(study) for study in studies) < 1e-3


def test_with_noise_its_trials_gather_at_the_optimum():
    rng = np.random.default_rng(0)
    study = tune(lambda p: sphere(p) + 0.1 * rng.standard_normal(), cube(2), trials=50)
    assert np.median([sphere(t.params) for t in study.trials[25:]]) < 0.15


def test_two_objectives_give_more_hypervolume_than_random_search():
    def objective(params):
        return {"a": sphere(params), "b": sum((v + 0.5) ** 2 for v in params.values())}

    volumes = {
        name: np.median([
            tune(objective, cube(3), name, minimize=["a", "b"], trials=trials, seed=seed).hypervolume([3, 3])
            for seed in range(1 + 4 * (name == "random"))
        ])
        for name, trials in (("bo", 25), ("random", 100))
    }  # fmt: skip
    assert volumes["bo"] > volumes["random"]


@pytest.mark.parametrize("pruner", [eh.ASHA(max_steps=9), eh.Hyperband(max_steps=9)])
def test_it_learns_from_every_rung(pruner):
    def objective(params):
        for step in range(1, 10):
            yield sphere(params) + 1 / step

    def last(name):
        studies = [tune(objective, cube(4), name, trials=40, seed=seed, pruner=pruner) for seed in range(3)]
        return np.median([best(study) for study in studies]) - 1 / 9

    assert last("bo") < last("random") / 4


def test_it_explores_as_much_as_it_exploits_until_there_is_a_second_rung():
    def objective(params):
        yield from (sphere(params) + 1 / step for step in range(1, 10))

    study = tune(objective, cube(4), trials=15, pruner=eh.SuccessiveHalving(12, max_steps=9))
    how = [trial.operator for trial in study.trials]
    assert how[:6] == ["default"] + ["sobol"] * 5
    assert sorted(how[6:12]) == ["expected improvement"] * 3 + ["sobol"] * 3
    assert how[12:] == ["expected improvement"] * 3


def test_the_same_seed_gives_the_same_study_and_a_wider_scale_changes_nothing():
    first, second = (tune(valley, mixed(), trials=20) for _ in range(2))
    assert untimed(first).equals(untimed(second))

    def thousandfold(params):
        return 1024 * valley(params)

    scaled = tune(thousandfold, mixed(), trials=20)
    for a, b in zip(first.trials, scaled.trials, strict=True):
        assert {k: v if isinstance(v, str) else pytest.approx(v) for k, v in a.params.items()} == b.params


@pytest.mark.parametrize("losses", [[1.0], [0.0, 1e300], [1.0, 1.0 + 1e-15], [-1e-300, 1e-300]])
def test_extreme_losses_do_no_harm(losses):
    trials = iter(range(10**6))
    study = tune(lambda p: losses[next(trials) % len(losses)], mixed(), trials=20)
    assert len(study.trials) == 20


def test_of_many_results_some_are_kept(monkeypatch):
    from evohpo.optimizers.bo import bo

    monkeypatch.setattr(bo, "MOST", 20)
    monkeypatch.setattr(bo, "SLACK", 5)
    study = tune(sphere, cube(3), trials=60)
    assert best(study) < 0.01


@pytest.mark.parametrize(
    "option", ["num_init_random", "opt_nstarts", "opt_maxiter", "opt_skip_period", "resource_acq_threshold"]
)
def test_an_option_of_zero_is_refused(option):
    study = eh.Study(cube(1), minimize="loss", optimizer=eh.use("bo", **{option: 0}), seed=1)
    with pytest.raises(UsageError, match=f"{option}=0"):
        study.ask()


def test_the_number_of_first_points_can_be_chosen():
    study = tune(sphere, cube(2), optimizer=eh.use("bo", num_init_random=3), trials=5)
    assert [t.operator for t in study.trials] == [
        "default",
        "sobol",
        "sobol",
        "expected improvement",
        "expected improvement",
    ]
    assert math.isfinite(best(study))
