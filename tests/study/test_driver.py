"""The loop: steps, pruning, batches, callbacks, optimizers that break, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import evohpo as eh

SPACE = {"x": eh.Continuous(-1, 1), "epochs": 9}


def curve(params):
    for epoch in range(params["epochs"]):
        yield {"loss": params["x"] ** 2 + 1 / (epoch + 1)}


class StopsTheWorse:
    """Stops every trial at step 3 whose value is worse than the best one seen there."""

    def __init__(self):
        self.best = np.inf

    def report(self, trial, step, value):
        if step != 3 or value[0] <= self.best:
            self.best = min(self.best, value[0]) if step == 3 else self.best
            return eh.Decision.CONTINUE
        return eh.Decision.STOP


@pytest.mark.parametrize("evaluator", [eh.Inline, eh.Threads, eh.Processes])
def test_a_generator_objective_is_stopped_between_its_steps(evaluator):
    study = eh.tune(
        curve,
        SPACE,
        minimize="loss",
        optimizer="random",
        trials=8,
        evaluator=evaluator(),
        pruner=StopsTheWorse(),
        seed=1,
        progress=False,
    )
    table = study.table()
    assert set(table["status"]) == {"completed", "stopped"}
    assert (table["steps"] == table["status"].map({"completed": 9, "stopped": 3})).all()
    curves = study.curves()
    assert curves.groupby("number").size().tolist() == table["steps"].tolist()
    assert list(curves.columns) == ["number", "step", "loss"]


def test_every_report_is_kept_also_of_a_trial_that_fails():
    def breaks(params):
        yield 3.0
        yield 2.0
        raise ValueError("diverged")

    study = eh.tune(breaks, SPACE, minimize="loss", optimizer="random", trials=1, seed=1, progress=False)
    assert study.curves()["loss"].tolist() == [3.0, 2.0]
    assert study.trials[0].status is eh.Status.FAILED
    assert study.trials[0].steps == 2


def test_a_report_that_is_no_result_ends_its_trial_with_the_reason():
    def nonsense(params):
        yield {"loss": 1.0}
        yield {"lss": 1.0}
        yield {"loss": 1.0}

    study = eh.tune(nonsense, SPACE, minimize="loss", optimizer="random", trials=1, seed=1, progress=False)
    assert "'lss'" in study.trials[0].error
    assert study.trials[0].status is eh.Status.FAILED


def test_the_context_tells_number_seed_and_a_directory_that_stays(tmp_path):
    def objective(params, ctx):
        (ctx.directory / "note.txt").write_text(str(ctx.number))
        return {"loss": float(ctx.seed % 1000)}

    def search(store):
        return eh.tune(
            objective, SPACE, minimize="loss", optimizer="random", trials=3, seed=1, store=store, progress=False
        )

    first, second = search(tmp_path / "a.db"), search(tmp_path / "b.db")
    assert [t.metrics for t in first.trials] == [t.metrics for t in second.trials]
    assert len({t.metrics["loss"] for t in first.trials}) == 3
    notes = sorted((tmp_path / "a.db.files").glob("*/note.txt"))
    assert [n.read_text() for n in notes] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("optimizer", "arguments", "sizes"),
    [
        ("pso", {"generations": 5, "population": 16}, [16] * 5),
        ("tpe", {"trials": 50}, [20, 20, 10]),  # it has no generations, and learns between the calls all the same
        ("tpe", {"trials": 50, "population": 8}, [8] * 6 + [2]),
    ],
)
def test_a_batched_objective_is_called_once_a_generation(optimizer, arguments, sizes):
    calls = []

    def squares(columns):
        calls.append(len(columns["x"]))
        return {"loss": columns["x"] ** 2}

    study = eh.tune(
        eh.Batched(squares), SPACE, minimize="loss", optimizer=optimizer, seed=1, progress=False, **arguments
    )
    assert calls == sizes
    assert study.table()["operator"].iloc[-2:].ne("sobol").all()
    assert study.best.metrics["loss"] == pytest.approx(study.best.params["x"] ** 2)


def test_callbacks_see_every_trial_that_ends():
    seen = []
    eh.tune(
        lambda p: p["x"], SPACE, minimize="loss", optimizer="ga", trials=12, seed=1, progress=False,
        callbacks=[lambda study, trial: seen.append((trial.number, study.best.number))],
    )  # fmt: skip
    assert [number for number, _ in seen] == list(range(12))


def test_an_optimizer_that_raises_is_named_and_nothing_is_lost(tmp_path):
    @eh.optimizer("test-breaks")
    def breaks(problem, rng):
        yield rng.random((5, problem.dim))
        raise ZeroDivisionError("no variance left")

    path = tmp_path / "study.db"
    with pytest.raises(eh.OptimizerError, match=r"test-breaks.*no variance left"):
        eh.tune(lambda p: p["x"], SPACE, minimize="loss", optimizer=breaks, trials=20, store=path, progress=False)
    assert [t.status for t in eh.load(path).trials] == [eh.Status.COMPLETED] * 5


def test_an_optimizer_with_nothing_to_propose_does_not_hang():
    class Silent:
        def __init__(self, problem, rng):
            self.dim = problem.dim

        def ask(self, n):
            return np.empty((0, self.dim))

        def tell(self, results):
            pass

    with pytest.raises(eh.OptimizerError, match="nothing to propose"):
        eh.tune(lambda p: p["x"], SPACE, minimize="loss", optimizer=Silent, trials=20, progress=False)


def test_control_c_stops_cleanly_and_says_how_to_go_on(tmp_path):
    script = tmp_path / "search.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys, time
            import evohpo as eh

            def slow(params):
                time.sleep(0.05)
                print("ended", flush=True)
                return params["x"] ** 2

            study = eh.tune(slow, {"x": eh.Continuous(-1, 1)}, minimize="loss", optimizer="ga", trials=400, workers=2,
                            seed=1, store="study.db")
            print("stopped:", study.stopped, flush=True)
            """
        )
    )
    process = subprocess.Popen(
        [sys.executable, script.name], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    for _ in range(6):
        assert "ended" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "stopped: {'interrupted': True}" in out
    assert "goes on from study.db" in errors
    assert "Traceback" not in errors
    study = eh.load(tmp_path / "study.db")
    assert study.ledger.ended >= 4
    assert all(t.status in (eh.Status.COMPLETED, eh.Status.RUNNING) for t in study.trials)
