"""The default optimizer: what it chooses and says, how it combines, and that nothing brings it down."""

from __future__ import annotations

import math

import numpy as np
import pytest

import evohpo as eh

CUBE = eh.Space({name: eh.Continuous(-1, 1) for name in "abc"})
MIXED = eh.Space(
    {
        "rate": eh.Continuous(1e-4, 1, scale="log"),
        "solver": eh.Categorical(["sgd", "adam", "rprop"]),
        "momentum": eh.Continuous(0, 1, when={"solver": "sgd"}),
    }
)


def sphere(params):
    return sum((value - 0.3) ** 2 for value in params.values())


def loss(params):
    return math.log(params["rate"]) ** 2 if "rate" in params else sphere(params)


def members(study):
    """Return whose each proposal was."""
    return [t.operator.partition(":")[0] for t in study.trials if t.operator]


def with_results(space, n, **arguments):
    """Return a study that begins with `n` random results."""
    study = eh.Study(space, minimize="loss", seed=3, **arguments)
    rng = np.random.default_rng(0)
    for _ in range(n):
        params = space.sample(1, rng)[0]
        study.attach(params, {"loss": loss(params)})
    return study


def go_on(study, trials):
    """Ask and tell one by one."""
    for _ in range(trials):
        (trial,) = study.ask(1)
        study.tell(trial, {"loss": loss(trial.params)})
    return study


@pytest.mark.parametrize(
    ("arguments", "run", "says"),
    [
        ({}, {"budget": 50}, "for 3 parameters, 1 objective, 50 trials: bo, since models make the most of so few trials"),
        ({}, {"budget": 2000}, "bo for the first 200 trials, since models make the most of few; then also cmaes and de-steady"),
        ({"space": MIXED}, {}, "then also cmaes and ga-steady, by what they achieve"),
        ({"minimize": ["f", "g"]}, {}, "for 3 parameters, 2 objectives: bo for the first 200 trials"),
        ({"minimize": ["f", "g"]}, {"budget": 900}, "then also nsga2"),
        ({"minimize": list("fghij")}, {}, "nsga3: so many objectives would make models dear"),
        ({"space": {f"x{i}": eh.Continuous(0, 1) for i in range(201)}}, {}, "so many parameters would make models dear"),
        ({"population": 8}, {"budget": 80}, "1 objective, 80 trials, generations of 8"),
        ({}, {"generations": 3}, "60 trials, generations of 20: bo, since models make the most of so few trials"),
        ({}, {"workers": 10_000}, "generations of 20"),
        ({"pruner": eh.ASHA(max_steps=9)}, {}, "learns from every step at which trials are compared"),
    ],
)  # fmt: skip
def test_it_says_in_one_line_what_it_chose_and_why(arguments, run, says):
    study = eh.Study(**({"space": CUBE, "minimize": "loss"} | arguments))
    study.begin(**run)
    assert study.optimizer == "auto"
    assert says in study.strategy
    assert "\n" not in study.strategy


def test_an_optimizer_that_does_not_choose_says_nothing():
    assert eh.Study(CUBE, minimize="loss", optimizer="ga").strategy == ""


def test_models_propose_alone_until_there_are_many_results():
    assert set(members(go_on(with_results(CUBE, 40), 3))) == {"bo"}
    assert set(members(go_on(with_results(CUBE, 200), 12))) == {"bo", "cmaes", "de-steady"}
    assert set(members(go_on(with_results(MIXED, 200), 12))) == {"bo", "cmaes", "ga-steady"}
    assert set(members(go_on(with_results(CUBE, 1000), 12))) == {"cmaes", "de-steady"}


def test_trials_go_to_whoever_gets_on():
    study = with_results(CUBE, 200)
    for _ in range(90):
        (trial,) = study.ask(1)
        study.tell(trial, {"loss": 99.0 if trial.operator.startswith("bo") else sphere(trial.params)})
    last = members(study)[-45:]
    assert 4 <= last.count("bo") <= 10, "who achieves nothing keeps a tenth"


@pytest.mark.parametrize("budget", [{"generations": 3, "population": 6}, {"generations": 1}])
def test_generations_give_the_same_table_for_any_number_of_workers(budget):
    tables = [
        eh.tune(sphere, CUBE, minimize="loss", seed=5, workers=workers, progress=False, **budget).table()
        for workers in (1, 3)
    ]
    columns = ["generation", "operator", *CUBE.names, "loss"]
    assert tables[0][columns].equals(tables[1][columns])


def test_a_batched_objective_gets_generations():
    sizes = []

    def losses(columns):
        sizes.append(len(columns["a"]))
        return sphere(columns)

    eh.tune(eh.Batched(losses), CUBE, minimize="loss", trials=60, seed=1, progress=False)
    assert sizes == [20, 20, 20]


def test_one_parameter_and_few_values():
    study = eh.tune(sphere, {"x": eh.Integer(0, 30)}, minimize="loss", trials=20, seed=1, progress=False)
    assert study.best.params == {"x": 0}


def test_nothing_but_categories():
    space = {name: eh.Categorical(list("uvwxyz")) for name in ("a", "b", "c")}
    study = eh.tune(
        lambda p: sum("zyxwvu".index(v) for v in p.values()), space, minimize="loss", trials=40, seed=1, progress=False
    )
    assert study.best.params == {"a": "z", "b": "z", "c": "z"}


def test_three_failures_in_ten():
    def breaks(params):
        if math.sin(1e4 * sum(params.values())) > 0.588:
            raise FloatingPointError("loss is nan")
        return sphere(params)

    study = eh.tune(breaks, CUBE, minimize="loss", trials=50, seed=2, progress=False)
    assert 5 <= sum(t.failed for t in study.trials) <= 25
    assert study.best.metrics["loss"] < 0.05


@pytest.mark.slow
def test_sixty_parameters():
    space = {f"x{i}": eh.Continuous(-1, 1) for i in range(60)}
    arguments = {"minimize": "loss", "trials": 80, "seed": 1, "progress": False}
    ours = eh.tune(sphere, space, **arguments).best.metrics["loss"]
    assert ours < 0.6 * eh.tune(sphere, space, optimizer="random", **arguments).best.metrics["loss"]


@pytest.mark.slow
def test_sixty_four_workers():
    study = eh.Study(CUBE, minimize="loss", seed=4)
    study.begin(budget=320, workers=64)
    running = study.ask(64)
    while len(study.trials) < 320:  # the oldest half ends at a time
        for trial in running[:32]:
            study.tell(trial, sphere(trial.params))
        running = [*running[32:], *study.ask(32)]
    assert study.best.metrics["loss"] < 1e-2


@pytest.mark.slow
def test_ten_thousand_trials():
    study = eh.tune(
        sphere, {f"x{i}": eh.Continuous(-1, 1) for i in range(8)}, minimize="loss", trials=10_000, seed=1, progress=False
    )  # fmt: skip
    assert len(study.trials) == 10_000
    assert study.best.metrics["loss"] < 1e-6
