"""`compare`: what it runs, how it goes on, and what it makes of the results."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import inspyred
import numpy as np
import pandas as pd
import pytest

import evohpo as eh
from evohpo.errors import EvohpoWarning, UsageError

LINE = {"x": eh.Continuous(-1, 1), "y": eh.Continuous(-1, 1)}


def bowl(params):
    return {"loss": params["x"] ** 2 + params["y"] ** 2, "size": abs(params["x"])}


def peak(params):
    return {"score": -bowl(params)["loss"]}


def two(params):
    return {"a": params["x"] ** 2 + params["y"] ** 2, "b": (params["x"] - 1) ** 2 + params["y"] ** 2}


def stepwise(params):
    for step in range(1, 10):
        yield {"loss": bowl(params)["loss"] + 1 / step}


def brittle(params):
    if params["x"] > 0:
        raise ValueError("too large")
    return bowl(params)


def walk(problem, rng):
    x = rng.random((1, problem.dim))
    f = yield x
    while True:
        new = np.clip(x + 0.1 * rng.standard_normal(x.shape), 0, 1)
        g = yield new
        if g[0] <= f[0]:
            x, f = new, g


def by_search(evaluate, problem, rng):
    while True:
        evaluate(rng.random((4, problem.dim)))


class AskTell:
    def __init__(self, problem, rng):
        self.problem, self.rng = problem, rng

    def ask(self, n):
        return self.rng.random((n, self.problem.dim))

    def tell(self, results):
        pass


def broken(problem, rng):
    yield rng.random((8, problem.dim))
    raise ValueError("a bug of mine")


def compare(objective=bowl, optimizers=("de", "random"), space=LINE, *, trials=20, seeds=3, progress=False, **more):
    goals = {} if {"minimize", "maximize"} & set(more) or space is None else {"minimize": "loss"}
    return eh.compare(objective, optimizers, space, trials=trials, seeds=seeds, progress=progress, **goals, **more)


def curves(comparison):
    return comparison.curves().set_index(["problem", "optimizer", "seed", "trial"])


def stored(folder) -> dict:
    return {path.name: eh.load(path) for path in Path(folder).glob("*.db")}


def test_all_optimizers_have_the_same_seeds_and_first_configurations(tmp_path):
    compare(optimizers=["de", "ga", "random"], initial=2, store=tmp_path)
    studies = stored(tmp_path).values()
    assert sorted(s.seed for s in studies) == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    first = {seed: [str([t.params for t in s.trials[:2]]) for s in studies if s.seed == seed] for seed in (1, 2, 3)}
    assert all(len(set(same)) == 1 for same in first.values())
    assert len({same[0] for same in first.values()}) == 3


def test_given_configurations_are_tried_first_by_all(tmp_path):
    compare(initial=[{"x": 0.5}], store=tmp_path)
    assert {str(s.trials[0].params) for s in stored(tmp_path).values()} == {"{'x': 0.5, 'y': 0.0}"}


def test_each_run_is_what_tune_does(tmp_path):
    comparison = compare(initial=0)
    study = eh.tune(bowl, LINE, minimize="loss", optimizer="de", trials=20, seed=2, progress=False)
    best = np.minimum.accumulate([t.metrics["loss"] for t in study.trials])
    np.testing.assert_array_equal(curves(comparison).loc["bowl", "de", 2]["best"], best)


def test_whatever_tune_takes_can_be_compared():
    forms = {
        "name": "ga", "use": eh.use("ga", population=5), "generator": walk, "search": by_search, "class": AskTell,
        "live": inspyred.swarm.PSO(random.Random(1)), "factory": lambda seed: inspyred.ec.DEA(random.Random(seed)),
        "factory with options": eh.use(lambda seed: inspyred.ec.ES(random.Random(seed)), tau=0.2),
    }  # fmt: skip
    comparison = compare(optimizers=forms, seeds=2)
    assert list(comparison.labels) == list(forms)
    assert comparison.curves().groupby("optimizer").size().eq(40).all()
    assert not any(run.error for run in comparison.runs.values())


def test_a_function_of_seed_makes_another_object_for_each():
    comparison = compare(optimizers=[lambda seed: inspyred.ec.DEA(random.Random(seed)), "random"], initial=0)
    label = comparison.labels[0]
    assert curves(comparison).loc["bowl", label].groupby("seed")["best"].first().nunique() == 3


def test_an_optimizer_that_does_the_same_for_every_seed_is_told_of():
    def stubborn(problem, rng):
        yield from walk(problem, np.random.default_rng(7))

    for shared in (0, 2):
        comparison = compare(optimizers=[stubborn, "random"], initial=shared)
        assert "stubborn begins the same with every seed" in comparison.verdict()
        assert "random begins" not in comparison.verdict()
    assert "the same with every seed" not in compare().verdict()


def test_the_same_optimizer_twice_gets_two_labels():
    assert list(compare(optimizers=["de", eh.use("de", weight=0.9), "de", walk]).labels) == [
        "de",
        "de(weight=0.9)",
        "de #2",
        "walk",
    ]


def test_two_workers_find_what_one_does():
    arguments = {"objective": ["sphere/2", "zdt1"], "space": None, "optimizers": ["de", walk]}
    pd.testing.assert_frame_equal(compare(**arguments).curves(), compare(**arguments, workers=2).curves())


def test_a_study_that_is_there_already_is_not_run_again(tmp_path):
    before = compare(store=tmp_path).curves()
    called = []

    def counting(params):
        called.append(1)
        return bowl(params)

    counting.__name__ = "bowl"
    comparison = compare(counting, store=tmp_path)
    pd.testing.assert_frame_equal(comparison.curves(), before)
    assert not called
    assert comparison.table()["cpu"].isna().all()


def test_more_trials_go_on_from_what_is_there(tmp_path):
    compare(store=tmp_path, optimizers=["random", walk])
    longer = compare(store=tmp_path, optimizers=["random", walk], trials=30)
    pd.testing.assert_frame_equal(longer.curves(), compare(optimizers=["random", walk], trials=30).curves())


KILLED = """
import sys, time
import evohpo as eh

def slow(params):
    time.sleep(0.02)
    return params["x"] ** 2

eh.compare(slow, ["de", "random"], {"x": eh.Continuous(-1, 1)}, minimize="loss", trials=12, seeds=3,
           store=sys.argv[1], progress=False)
"""


def test_a_killed_comparison_goes_on_where_it_was(tmp_path):
    folder = tmp_path / "runs"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(folder)])
    until = time.monotonic() + 60
    while len(list(folder.glob("*.db"))) < 3 and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 3 <= len(list(folder.glob("*.db"))) < 6

    def slow(params):
        return params["x"] ** 2

    arguments = {"objective": slow, "space": {"x": eh.Continuous(-1, 1)}, "trials": 12}
    pd.testing.assert_frame_equal(compare(**arguments, store=folder).curves(), compare(**arguments).curves())


def test_an_interrupted_comparison_goes_on(tmp_path):
    called = []

    def bowl_until_interrupted(params):
        called.append(1)
        if len(called) == 50:
            raise KeyboardInterrupt
        return bowl(params)

    bowl_until_interrupted.__name__ = "bowl"
    with pytest.raises(KeyboardInterrupt):
        compare(bowl_until_interrupted, store=tmp_path)
    assert len(called) == 50
    pd.testing.assert_frame_equal(compare(bowl_until_interrupted, store=tmp_path).curves(), compare().curves())
    assert len(called) == 121  # the one that was interrupted runs again


def test_a_folder_with_other_studies_is_refused(tmp_path):
    compare(store=tmp_path)
    with pytest.raises(UsageError, match="holds another study"):
        compare(store=tmp_path, space=LINE | {"x": eh.Continuous(-2, 2)})


def test_an_optimizer_that_raises_is_named_and_the_others_go_on():
    comparison = compare(optimizers=[broken, "random"], seeds=2)
    assert "broken ended early in 2 runs, first on bowl with seed 1" in comparison.verdict()
    assert "a bug of mine" in comparison.verdict()
    assert comparison.curves().groupby("optimizer").size().eq(40).all()


def test_trials_that_fail_are_counted():
    comparison = compare(brittle, seeds=2)
    table = comparison.table().set_index("optimizer")
    assert table.loc["random", "failed"] > 5
    assert comparison.curves()["best"].notna().any()


def test_an_objective_that_always_fails_is_no_crash():
    def hopeless(params):
        raise ValueError("no data")

    with pytest.warns(EvohpoWarning, match="all failed"):
        comparison = compare(hopeless, seeds=2)
    assert "the first 10 trials all failed: ValueError: no data" in comparison.verdict()
    assert comparison.table()["without"].eq(2).all()


def test_what_breaks_a_constraint_is_no_best():
    comparison = compare(constraints=["size >= 0.5"])
    best = comparison.curves()["best"]
    assert best.dropna().min() >= 0.25
    assert best.isna().any()
    assert comparison.table()["without"].sum() == np.isinf(comparison.values()[:, :, -1]).sum()


def test_to_maximize_is_to_minimize_the_negative():
    # the first configurations depend on the problem's name
    low, high = compare(initial=0), compare(peak, maximize="score", initial=0)
    renamed = high.curves().assign(problem="bowl", best=-high.curves()["best"])
    pd.testing.assert_frame_equal(renamed.astype({"problem": object}), low.curves())
    assert low.verdict().replace("bowl", "peak") == high.verdict()


def test_several_objectives_are_compared_by_hypervolume(tmp_path):
    problem = eh.problems.Problem("two", two, eh.Space(LINE), eh.Goals.of(minimize=["a", "b"]), reference=(1.5, 3.0))
    comparison = compare(problem, ["nsga2", "random"], None, store=tmp_path)
    for study in stored(tmp_path).values():
        label = "nsga2" if study.optimizer == "nsga2" else "random"
        found = curves(comparison).loc["two", label, study.seed]["best"].iloc[-1]
        assert found == pytest.approx(study.hypervolume({"a": 1.5, "b": 3.0}))


def test_without_a_reference_point_all_runs_share_the_worst(tmp_path):
    comparison = compare(two, ["nsga2", "random"], minimize=["a", "b"], store=tmp_path)
    every = np.array([t.fitness for s in stored(tmp_path).values() for t in s.trials])
    np.testing.assert_array_equal(comparison.reference(), every.max(0))


def test_a_noisy_problem_is_judged_by_the_truth(tmp_path):
    problem = eh.problems.noisy("sphere", 2, noise=0.5)
    comparison = compare(problem, ["de", "random"], None, store=tmp_path, seeds=2)
    for study in stored(tmp_path).values():
        label = "de" if study.optimizer == "de" else "random"
        found = curves(comparison).loc[problem.name, label, study.seed]["best"].iloc[-1]
        assert found == problem.truth(study.best.params)
        assert found != study.best.metrics["loss"]


def test_a_pruner_saves_steps():
    full, pruned = compare(stepwise), compare(stepwise, pruner=eh.ASHA(max_steps=9))
    steps = [c.curves().groupby(["optimizer", "seed"])["steps"].last() for c in (full, pruned)]
    assert (steps[0] == 180).all()
    assert (steps[1] < 150).all()


def test_a_pruner_with_a_memory_starts_anew_for_each_run():
    class Impatient:
        def __init__(self):
            self.seen = 0

        def report(self, trial, step, value):
            self.seen += 1
            return eh.Decision.STOP if self.seen > 40 else eh.Decision.CONTINUE

    steps = compare(stepwise, pruner=Impatient()).curves().groupby(["optimizer", "seed"])["steps"].last()
    assert steps.nunique() == 1


def test_recorded_and_batched_objectives_can_be_compared():
    table = pd.DataFrame({"x": np.linspace(0, 1, 50), "loss": np.linspace(0, 1, 50) ** 2})
    batched = eh.problems.Problem(
        "batched",
        eh.Batched(lambda c: {"loss": c["x"] ** 2}),
        eh.Space({"x": eh.Continuous(-1, 1)}),
        eh.Goals.of(minimize="loss"),
    )
    comparison = compare([eh.problems.recorded(table, minimize="loss"), batched], space=None)
    assert comparison.curves()["best"].notna().all()
    assert comparison.regrets.min() >= 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizers": ["de"]}, "takes two"),
        ({"optimizers": "de"}, "give several"),
        ({"optimizers": ["de", "no-such"]}, "unknown optimizer"),
        ({"optimizers": ["de", eh.use("de", wight=1)]}, "no option 'wight'"),
        ({"space": None, "minimize": "loss"}, "needs its space"),
        ({"objective": "sphere/2"}, "leave out space="),
        ({"objective": ["sphere/2", "sphere/2"], "space": None}, "different names"),
        ({"objective": [], "space": None}, "no problem"),
        ({"objective": [3], "space": None}, "not int"),
        ({"trials": 0}, "trials=0"),
        ({"workers": True}, "workers=True"),
        ({"seeds": 0}, "seeds=0"),
        ({"seeds": [1, 1]}, "different whole numbers"),
        ({"initial": 21}, "from 0 to the number of trials"),
        ({"initial": [{"z": 1}]}, "z"),
        ({"optimizers": {"a/b": "de", "A/B": "random"}, "store": "nowhere"}, None),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(change, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if message is None:
        compare(**change)  # other names, other files
        return
    with pytest.raises(UsageError, match=message):
        compare(**change)
