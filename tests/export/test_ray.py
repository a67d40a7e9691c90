"""An optimizer of ours as a searcher of Ray Tune."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ray.tune", exc_type=ImportError)  # Ray may be there without it

import evohpo as eh
from tests.conftest import loss, make_mixed_space
from tests.export.conftest import OPTIMIZERS, at_home, target

TUNER = """
import ray
from ray import train, tune
import evohpo as eh
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
space = {"x": eh.Continuous(-1, 1), "k": eh.Integer(1, 5)}
def objective(config):
    return {"loss": config["x"] ** 2 + (config["k"] - config["best"]) ** 2}
searcher = eh.export.to_ray("random", space, metric="loss", mode="min", seed=5)
tuner = tune.Tuner(
    objective, param_space={"best": 3},
    tune_config=tune.TuneConfig(search_alg=searcher, num_samples=6, metric="loss", mode="min", reuse_actors=True),
)
results = tuner.fit()
home = eh.tune(lambda p: p["x"] ** 2 + (p["k"] - 3) ** 2, space, minimize="loss", optimizer="random", trials=6, seed=5,
               progress=False)
def key(config):
    return config["x"]
mine = sorted(({name: r.config[name] for name in space} for r in results), key=key)
assert mine == sorted((t.params for t in home.trials), key=key), mine
print("the same")
"""


def make(name, **more):
    usual = {"population": 6, "seed": 5, "metric": "loss"}
    return eh.export.to_ray(target(name), make_mixed_space(), **(usual | more))


def drive(searcher, first, last):
    configs = []
    for number in range(first, last):
        config = searcher.suggest(f"trial {number}")
        configs.append(config)
        searcher.on_trial_complete(f"trial {number}", {"loss": loss(config)})
    return configs


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_proposes_the_same_as_at_home(name):
    assert drive(make(name), 0, 40) == at_home(name)


def test_maximising_is_the_same_as_at_home():
    searcher = make("de", mode="max")
    configs = []
    for number in range(40):
        configs.append(searcher.suggest(str(number)))
        searcher.on_trial_complete(str(number), {"loss": -loss(configs[-1])})
    assert configs == at_home("de")


def test_it_waits_while_a_generation_is_out_and_finishes():
    searcher = make("de")
    assert all(searcher.suggest(str(i)) for i in range(6))
    assert searcher.suggest("6") is None
    grid = eh.export.to_ray("grid", {"x": eh.Integer(0, 2)}, metric="loss")
    assert [grid.suggest(str(i)) for i in range(4)] == [{"x": 0}, {"x": 1}, {"x": 2}, "FINISHED"]


def test_a_trial_without_a_result_has_failed():
    searcher = make("de")
    searcher.suggest("0")
    searcher.on_trial_complete("0", error=True)
    assert searcher._inside.study.trials[0].failed


def test_saved_and_restored_it_goes_on_where_it_was(tmp_path):
    searcher = make("de")
    drive(searcher, 0, 20)
    searcher.save(str(tmp_path / "state"))
    again = make("de")
    again.restore(str(tmp_path / "state"))
    assert drive(again, 20, 40) == at_home("de")[20:]


def test_a_search_space_of_rays_own_is_not_accepted():
    from ray import tune

    assert make("de").set_search_properties("loss", "min", {"constant": 3})
    assert not make("de").set_search_properties("loss", "min", {"x": tune.uniform(0, 1)})
    with pytest.raises(eh.UsageError, match="mode='least'"):
        make("de", mode="least")


@pytest.mark.slow
def test_rays_tuner_runs_it(tmp_path):
    environment = os.environ | {
        "RAY_AIR_NEW_OUTPUT": "0",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    done = subprocess.run(
        [sys.executable, "-c", TUNER], capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=300
    )
    assert "the same" in done.stdout, done.stdout[-2000:] + done.stderr[-4000:]
