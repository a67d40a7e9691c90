"""Optimizers that say how far a trial goes, and from whose checkpoint: DEHB and population based training."""

import json

import numpy as np
import pytest

import evohpo as eh
from evohpo.optimizers.pbt import explore
from evohpo.optimizers.protocol import Problem
from tests.conftest import make_mixed_space, untimed

CUBE = {f"x{i}": eh.Continuous(-1, 1) for i in range(4)}


def curve(params):
    for step in range(1, 10):
        yield {"loss": sum((v - 0.3) ** 2 for v in params.values()) + 1 / step}


def train(params, ctx):
    """A model whose best learning rate falls as it trains; its weights are in its folder."""
    path = ctx.directory / "weights.json"
    weights = json.loads(path.read_text()) if ctx.step else 0.0
    for step in range(ctx.step, 20):
        weights += 1 / (1 + abs(params["rate"] - (1 - step / 20)))
        path.write_text(json.dumps(weights))
        yield {"gain": weights}


def tune_dehb(trials=60, **more):
    dehb = eh.use("dehb", max_steps=9)
    return eh.tune(curve, CUBE, minimize="loss", optimizer=dehb, trials=trials, seed=1, progress=False, **more)


def test_dehb_runs_the_rungs_of_hyperband_one_generation_each():
    study = tune_dehb(trials=9 + 3 + 1 + 5 + 1 + 3 + 9)
    generations = [[t for t in study.trials if t.generation == g] for g in range(7)]
    assert [(len(g), {t.steps for t in g}) for g in generations] == [
        (9, {1}), (3, {3}), (1, {9}), (5, {3}), (1, {9}), (3, {9}), (9, {1})
    ]  # fmt: skip
    assert {str(t.status) for t in study.trials} == {"completed"}


def test_in_its_first_bracket_the_best_of_a_rung_go_on_from_their_checkpoints():
    first, second = ([t for t in tune_dehb().trials if t.generation == g] for g in (0, 1))
    best = sorted(first, key=lambda t: t.metrics["loss"])[:3]
    assert [t.heir for t in second] == [t.number for t in best]
    assert [t.params for t in second] == [t.params for t in best]
    assert {t.operator for t in second} == {"promotion"}


def test_later_its_trials_are_children_of_the_rung_below():
    study = tune_dehb(trials=120)
    children = [t for t in study.trials if t.operator == "rand/1/bin"]
    assert {t.steps for t in children} == {1, 3, 9}
    for child in children:
        assert {study.trials[p].steps for p in child.parents} <= {child.steps, child.steps // 3}
    assert study.best.metrics["loss"] - 1 / 9 < 0.1


def test_dehb_finds_more_with_the_same_steps_than_random_search_does():
    def best(optimizer, pruner, seed):
        study = eh.Study(CUBE, minimize="loss", optimizer=optimizer, pruner=pruner, seed=seed)
        study.run(curve, stop=lambda s: s.ledger.steps >= 500, progress=False)
        return study.best.metrics["loss"]

    medians = [
        np.median([best(optimizer, pruner, seed) for seed in range(5)])
        for optimizer, pruner in ((eh.use("dehb", max_steps=9), None), ("random", eh.Hyperband(9)), ("random", None))
    ]
    assert medians[0] < medians[1] < medians[2]


@pytest.mark.parametrize("options", [{"eta": 1}, {"min_steps": 10}, {"min_steps": 0}])
def test_steps_that_make_no_rungs_are_refused(options):
    with pytest.raises(eh.UsageError, match="dehb"):
        eh.tune(
            curve, CUBE, minimize="loss", optimizer=eh.use("dehb", max_steps=9, **options), trials=5, progress=False
        )


def test_population_based_training_finds_a_schedule_that_no_constant_can_match():
    constant = max(
        sum(1 / (1 + abs(rate - (1 - step / 20))) for step in range(20)) for rate in np.linspace(0, 1, 101)
    )  # fmt: skip
    pbt = eh.PBT(interval=2, max_steps=20, population=10)
    study = eh.tune(train, {"rate": eh.Continuous(0, 1)}, maximize="gain", optimizer=pbt, seed=1, progress=False)
    assert study.stopped == {"optimizer": "has nothing more to propose"}
    assert [len([t for t in study.trials if t.steps == step]) for step in range(2, 21, 2)] == [10] * 10
    assert study.best.steps == 20
    assert study.best.metrics["gain"] > constant + 1
    schedule = study.lineage(study.best)["number"].tolist()
    rates = [study.trials[n].params["rate"] for n in reversed(schedule)]
    assert len(rates) == 10
    assert rates[0] > rates[-1]


def test_the_worst_take_over_the_checkpoints_of_the_best():
    pbt = eh.PBT(interval=10, max_steps=20, population=10, truncation=0.2)
    study = eh.tune(train, {"rate": eh.Continuous(0, 1)}, maximize="gain", optimizer=pbt, seed=1, progress=False)
    first, second = study.trials[:10], study.trials[10:]
    ranked = sorted(first, key=lambda t: -t.metrics["gain"])
    changed = {t.number - 10: t for t in second if t.operator == "exploit and explore"}
    assert set(changed) == {t.number for t in ranked[-2:]}
    for trial in second:
        parent = study.trials[trial.heir]
        assert trial.parents == (trial.heir,)
        assert trial.resumed == "checkpoint"
        assert study.curves().query(f"number == {trial.number}")["gain"].iloc[0] > parent.metrics["gain"]
        assert (trial.params == parent.params) == (trial.number - 10 not in changed)
    assert {t.heir for t in changed.values()} <= {t.number for t in ranked[:2]}


@pytest.mark.parametrize("workers", [1, 2])
def test_folders_are_kept_in_the_store_or_gone_at_the_end(tmp_path, workers):
    arguments = {"maximize": "gain", "optimizer": eh.PBT(max_steps=20, population=4), "seed": 1, "progress": False}
    stored = eh.tune(train, {"rate": eh.Continuous(0, 1)}, store=tmp_path / "pbt.db", workers=workers, **arguments)
    assert len(list((tmp_path / "pbt.db.files").iterdir())) == 40
    plain = eh.tune(train, {"rate": eh.Continuous(0, 1)}, **arguments)
    assert untimed(stored).equals(untimed(plain))


def test_a_killed_population_goes_on_from_its_checkpoints(tmp_path):
    calls = []

    def killed(params, ctx):
        for metrics in train(params, ctx):
            calls.append(1)
            if len(calls) in (13, 50):
                raise KeyboardInterrupt
            yield metrics

    arguments = {"maximize": "gain", "optimizer": eh.PBT(max_steps=20, population=4), "seed": 1, "progress": False}
    for _ in range(3):
        study = eh.tune(killed, {"rate": eh.Continuous(0, 1)}, store=tmp_path / "pbt.db", **arguments)
    whole = eh.tune(train, {"rate": eh.Continuous(0, 1)}, **arguments)
    assert study.table()["number"].tolist() == list(range(40))
    assert study.table()["rate"].equals(whole.table()["rate"])


def test_it_explores_mixed_genes_and_stays_inside():
    space = make_mixed_space()
    codec = eh.Real().bind(space)
    problem = Problem(codec.dim, codec.genes)
    X = np.random.default_rng(0).random((400, codec.dim))
    Y = explore(X, problem, np.random.default_rng(1), resample=0.0, perturb=0.1)
    moved = np.abs(X - Y)
    free = ~((codec.genes.cardinality > 0) & ~codec.genes.ordered)
    assert (moved[:, ~free] == 0).all()
    assert (moved[:, free] > 0).all()
    assert ((Y >= 0) & (Y <= 1)).all()


@pytest.mark.parametrize(
    ("options", "says"),
    [({"interval": 5}, "last step"), ({"population": 1}, "population=1"), ({"truncation": 0.9}, "truncation=0.9")],
)
def test_options_of_pbt_that_make_no_sense_are_refused(options, says):
    with pytest.raises(eh.UsageError, match=says):
        eh.tune(curve, CUBE, minimize="loss", optimizer=eh.PBT(**options), progress=False)
