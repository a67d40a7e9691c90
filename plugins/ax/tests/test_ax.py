"""Clients of Ax in studies of evohpo."""

from __future__ import annotations

import logging
import random
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest

pytest.importorskip("ax")

import torch
from ax import ChoiceParameterConfig, Client, RangeParameterConfig
from ax.api.utils.generation_strategy_dispatch import choose_generation_strategy
from ax.api.utils.structs import GenerationStrategyDispatchStruct
from ax.core.trial_status import TrialStatus
from evohpo_ax import adapt

import evohpo as eh
from evohpo.errors import EvohpoWarning, OptimizerError, UsageError
from evohpo.optimizers.protocol import Problem, Results
from evohpo.space import Configs
from evohpo.testing import check_optimizer
from tests.conftest import loss, make_mixed_space, untimed

FAST = {"initialization_budget": 3}  # three trials, and the model takes over
SQUARE = eh.Space({"x": eh.Continuous(-1, 1), "y": eh.Continuous(-1, 1)})


def quasi_random():
    return eh.use(Client(), method="random_search")


def begun(space, client=None, n_objectives=1, n_constraints=0, **options):
    """The adapter's object for a space, as a study starts it."""
    codec = Configs().bind(space)
    problem = Problem(0, codec.genes, n_objectives, n_constraints, space=space, encoding=codec)
    return adapt(Client() if client is None else client).target(problem, np.random.default_rng(1), **options)


def told(configs, F, keys, violation=0.0, failed=False):
    k = len(configs)
    F = np.array(F, float).reshape(k, -1)
    numbers = np.array([-1 if key is None else i for i, key in enumerate(keys)])
    return Results(list(configs), F, np.full(k, violation), np.zeros(k, int), np.full(k, failed), numbers, keys)


def numpy_state():
    return repr(np.random.get_state())  # noqa: NPY002 - it is the legacy one that is watched


def trials(asking):
    return list(asking.client._experiment.trials.values())


def seen(asking):
    """What Ax knows: by trial, the mean of each metric."""
    frame = asking.client._experiment.lookup_data().df
    return {
        index: dict(zip(group["metric_name"], group["mean"], strict=True))
        for index, group in frame.groupby("trial_index")
    }


def own_client(**ranges):
    client = Client()
    client.configure_experiment(
        [
            RangeParameterConfig("x", ranges.get("x", (-1.0, 1.0)), "float"),
            ChoiceParameterConfig("kind", ["a", "b"], "str", is_ordered=False, dependent_parameters={"a": ["n"]}),
            RangeParameterConfig("n", (1, 5), "int"),
        ]
    )
    client.configure_optimization("-theirs")
    client.configure_generation_strategy(method="random_search")
    return client


OWN = eh.Space(
    {
        "x": eh.Continuous(-1, 1),
        "kind": eh.Categorical(["a", "b"]),
        "n": eh.Integer(1, 5, when={"kind": "a"}),
        "seed": 7,
    }
)


# ---- studies


@pytest.mark.slow
def test_a_client_keeps_the_promises_of_an_optimizer():
    check_optimizer(quasi_random())


def test_what_is_accepted_is_named():
    strategy = choose_generation_strategy(GenerationStrategyDispatchStruct(method="random_search"))
    assert [adapt(obj).name for obj in (Client(), Client, strategy)] == [
        "ax.Client",
        "ax.Client",
        "ax.GenerationStrategy",
    ]
    assert adapt(RangeParameterConfig("x", (0.0, 1.0), "float")) is None


def test_a_generation_strategy_of_its_own_is_kept():
    strategy = choose_generation_strategy(
        GenerationStrategyDispatchStruct(method="random_search", initialize_with_center=False)
    )
    study = eh.tune(loss, make_mixed_space(), minimize="loss", optimizer=strategy, trials=10, seed=1, progress=False)
    assert study.trials[0].params["layers"] != 4  # the centre, where a client of Ax begins otherwise
    assert len({study.space.key(t.params) for t in study.trials}) == 10


def test_the_older_client_is_taken_too():
    from ax.service.ax_client import AxClient

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client = AxClient(random_seed=1, verbose_logging=False)
    assert adapt(client).name == adapt(AxClient).name == "ax.AxClient"
    study = eh.tune(loss, make_mixed_space(), minimize="loss", optimizer=client, trials=4, seed=1, progress=False)
    assert len(study.trials) == 4


def test_the_model_gets_close_where_chance_does_not():
    def paraboloid(params):
        return (params["x"] - 0.3) ** 2 + (params["y"] + 0.2) ** 2

    study = eh.tune(paraboloid, SQUARE, minimize="loss", optimizer=Client(), trials=14, seed=1, progress=False)
    assert study.best.metrics["loss"] < 1e-3  # 14 points at random: about 0.03


@pytest.mark.parametrize("method", ["random_search", pytest.param("fast", marks=pytest.mark.slow)])
def test_a_killed_study_with_two_workers_ends_with_the_same_table(method, tmp_path):
    optimizer = eh.use(Client(), method=method)
    arguments = {"minimize": "loss", "optimizer": optimizer, "seed": 1, "lookahead": 3}
    whole = eh.Study(make_mixed_space(), **arguments)
    whole.run(loss, trials=14, evaluator=eh.Threads(2), progress=False)
    part = eh.Study(make_mixed_space(), **arguments, store=tmp_path / "study.db")
    part.run(loss, trials=9, evaluator=eh.Threads(2), progress=False)
    part.close()
    with eh.Study(make_mixed_space(), **arguments, store=tmp_path / "study.db") as rest:
        rest.run(loss, trials=14, evaluator=eh.Threads(2), progress=False)
        assert untimed(rest).equals(untimed(whole))


@pytest.mark.slow
def test_another_process_with_other_hashes_and_threads_proposes_the_same():
    code = (
        "import sys, torch, ax, evohpo as eh; from tests.conftest import loss, make_mixed_space;"
        "torch.set_num_threads(int(sys.argv[1]));"
        "study = eh.tune(loss, make_mixed_space(), minimize='loss', optimizer=ax.Client(), trials=10, seed=1, progress=False);"
        "print([trial.params for trial in study.trials])"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code, n], env={"PYTHONHASHSEED": n, "PYTHONPATH": "."}, capture_output=True
        ).stdout
        for n in ("1", "2")
    ]
    assert runs[0]
    assert runs[0] == runs[1]


def test_proposals_of_one_batch_run_at_the_same_time():
    barrier = threading.Barrier(4, timeout=30)

    def objective(params):
        barrier.wait()  # passes only when four trials are running
        return loss(params)

    study = eh.Study(make_mixed_space(), minimize="loss", optimizer=quasi_random(), seed=1)
    study.run(objective, trials=12, evaluator=eh.Threads(4), progress=False)
    assert [t.status for t in study.trials] == 12 * ["completed"]


def test_it_waits_for_results_before_the_model_takes_over():
    study = eh.Study(make_mixed_space(), minimize="loss", optimizer=Client(), seed=1)
    first = study.ask(3) + study.ask(3)
    assert len(first) == 5
    assert study.ask(1) == []
    assert not study.done
    for trial in first:
        study.tell(trial, loss(trial.params))
    assert len(study.ask(2)) == 2


def test_an_ask_that_gave_nothing_leaves_no_trace():
    proposed = []
    for impatient in (False, True):
        study = eh.Study(SQUARE, minimize="loss", optimizer=Client(), seed=1)
        first = study.ask(3) + study.ask(2)
        if impatient:
            assert study.ask(2) == []
        for trial in first:
            study.tell(trial, trial.params["x"])
        proposed.append([t.params for t in study.ask(2)])
    assert proposed[0] == proposed[1]


def test_two_interleaved_studies_that_share_a_client_do_not_disturb_each_other():
    client = quasi_random()

    def step(study):
        for trial in study.ask(3):
            study.tell(trial, loss(trial.params))

    def studies():
        return [eh.Study(make_mixed_space(), minimize="loss", optimizer=client, seed=seed) for seed in (1, 2)]

    both, alone = studies(), studies()
    for _ in range(3):
        for study in both:
            step(study)
    for study in alone:
        for _ in range(3):
            step(study)
    assert [untimed(a).equals(untimed(b)) for a, b in zip(both, alone, strict=True)] == [True, True]


def test_a_space_that_has_been_gone_through_ends_the_study():
    space = eh.Space({"a": eh.Integer(1, 3), "b": eh.Categorical(["y", "z"])})
    study = eh.tune(lambda p: p["a"], space, minimize="loss", optimizer=quasi_random(), trials=50, progress=False)
    assert sorted(map(str, (t.params for t in study.trials))) == sorted(map(str, space.grid()))
    assert study.done


@pytest.mark.slow
def test_the_model_survives_failures_extremes_and_nothing_to_learn():
    def brittle(params):
        if params["x"] > 0.2:
            raise FloatingPointError("diverged")
        return 1e300 * params["y"]

    for objective in (brittle, lambda p: 1.0):
        study = eh.tune(
            objective, SQUARE, minimize="loss", optimizer=eh.use(Client(), **FAST), trials=12, seed=1, progress=False
        )
        assert all(t.ended for t in study.trials)
        assert len(study.trials) == 12


@pytest.mark.slow
def test_a_front_is_found_under_an_outcome_constraint():
    def two(params):
        x, y = params["x"], params["y"]
        return {"a": x**2 + y**2, "b": (x - 1) ** 2 + y**2, "size": x}

    study = eh.tune(
        two, SQUARE, minimize=["a", "b"], constraints=["size <= 0.5"], optimizer=eh.use(Client(), **FAST), trials=15,
        seed=1, progress=False,
    )  # fmt: skip
    front = np.array([list(t.params.values()) for t in study.front()])
    assert len(front) > 3
    assert front[:, 0].max() <= 0.5
    assert np.median(abs(front[:, 1])) < 0.2


@pytest.mark.slow
@pytest.mark.parametrize("bound", [-5.0, 5.0])  # nothing is feasible, and everything
@pytest.mark.parametrize("objectives", [["a"], ["a", "b"]])
def test_a_constraint_that_tells_nothing_apart_is_survived(bound, objectives):
    study = eh.tune(
        lambda p: {"a": p["x"] ** 2, "b": (p["x"] - 1) ** 2, "size": p["y"]}, SQUARE, minimize=objectives,
        constraints=[f"size <= {bound}"], optimizer=eh.use(Client(), **FAST), trials=5, seed=1, progress=False,
    )  # fmt: skip
    assert len(study.trials) == 5


# ---- what Ax is told


def test_every_kind_of_parameter_comes_back_as_it_was_proposed():
    space = eh.Space(
        {
            "log": eh.Continuous(1e-5, 1.0, scale="log"),
            "narrow": eh.Continuous(1e-9, 1e-6, scale="log"),
            "step": eh.Continuous(0.0, 1.0, step=0.1),
            "log_step": eh.Continuous(0.01, 1.0, scale="log", step=0.01),
            "logit": eh.Continuous(0.001, 0.999, scale="logit"),
            "reverse": eh.Integer(1, 1000, scale="reverse_log"),
            "units": eh.Integer(4, 256, scale="log"),
            "even": eh.Integer(0, 10, step=2),
            "large": eh.Integer(0, 10**15),
            "twins": eh.Categorical([1, 1.0, True, "1", None]),
            "ordinal": eh.Ordinal([32, 128, 64]),
            "only": eh.Categorical(["this"]),
            "list": eh.Static([1, 2]),
        }
    )
    asking = begun(space, method="random_search")
    asked = asking.ask(25)
    assert [space.validate(config) for config in asked.X] == asked.X
    asking.tell(told(asked.X, [c["log"] for c in asked.X], asked.keys))
    assert {t.status for t in trials(asking)} == {TrialStatus.COMPLETED}
    assert len(trials(asking)) == 25
    others = space.sample(25, np.random.default_rng(1))
    asking.tell(told(others, np.ones(25), [None] * 25))
    assert [asking._axes.decode(t.arm.parameters) for t in trials(asking)[25:]] == others


def test_the_ends_of_a_log_scale_are_legal_however_they_are_rounded():
    space = eh.Space({"rate": eh.Continuous(3e-5, 0.3, scale="log"), "units": eh.Integer(3, 700, scale="log")})
    axes = begun(space)._axes
    above = {"rate": float(np.nextafter(0.3, 1)), "units": 701}
    below = {"rate": float(np.nextafter(3e-5, 0)), "units": 2}
    assert [axes.decode(above), axes.decode(below)] == [{"rate": 0.3, "units": 700}, {"rate": 3e-5, "units": 3}]


def test_conditional_parameters_stay_in_the_arm_that_ax_knows():
    space = make_mixed_space()
    asking = begun(space, method="random_search")
    asked = asking.ask(20)
    adam = next(i for i, config in enumerate(asked.X) if config["solver"] != "sgd")
    assert "momentum" not in asked.X[adam]
    asking.tell(told([asked.X[adam]], [0.5], [asked.keys[adam]]))
    trial = trials(asking)[asked.keys[adam]]
    assert trial.status == TrialStatus.COMPLETED
    assert "momentum" in trial.arm.parameters
    assert len(trials(asking)) == 20


def test_ax_learns_what_was_evaluated_instead_of_what_it_proposed():
    space = make_mixed_space()
    asking = begun(space)
    asked = asking.ask(1)
    real = space.complete({"solver": "adam", "layers": 2, "batch_size": 128})
    asking.tell(told([real], [0.5], asked.keys))
    proposed, evaluated = trials(asking)
    assert (proposed.status, evaluated.status) == (TrialStatus.ABANDONED, TrialStatus.COMPLETED)
    assert evaluated.arm.parameters["layers"] == 2
    assert evaluated.arm.parameters["batch_size"] == 2  # the index of 128
    assert evaluated.arm.parameters["momentum"] == proposed.arm.parameters["momentum"]
    assert seen(asking) == {1: {"f0": 0.5}}


def test_baselines_are_trials_and_count_as_initial_ones():
    asking = begun(SQUARE)
    known = SQUARE.sample(5, np.random.default_rng(1))
    asking.tell(told(known, [c["x"] for c in known], [None] * 5))
    assert [t.status for t in trials(asking)] == 5 * [TrialStatus.COMPLETED]
    for node in ("Sobol", "MBM"):  # a strategy goes from node to node one ask at a time
        asking.ask(1)
        assert trials(asking)[-1].generator_runs[0]._generation_node_name == node


def test_failures_are_told_once_there_is_a_scale_for_them():
    asking = begun(SQUARE, n_constraints=1, method="random_search")
    asked = asking.ask(3)
    asking.tell(told(asked.X[:1], [1e30], asked.keys[:1], violation=1e30, failed=True))
    asking.tell(told(asked.X[1:2], [2.0], asked.keys[1:2], violation=0.7))
    asking.tell(told(asked.X[2:], [3.0], asked.keys[2:], violation=1e30, failed=True))
    assert trials(asking)[0].status == TrialStatus.ABANDONED
    assert seen(asking) == {1: {"f0": 2.0, "violation": 0.7}, 2: {"f0": 3.0, "violation": 1.7}}


def test_feasible_trials_are_told_a_little_below_the_bound():
    asking = begun(SQUARE, n_constraints=1, method="random_search")
    asked = asking.ask(3)
    for i, violation in enumerate((0.0, 5.0, 0.0)):
        asking.tell(told([asked.X[i]], [1.0], [asked.keys[i]], violation=violation))
    assert [metrics["violation"] for metrics in seen(asking).values()] == [0.0, 5.0, -0.5]


def test_results_come_in_any_order_and_portions():
    asking = begun(SQUARE, method="random_search")
    asked = asking.ask(3)
    for i in (2, 0, 1):
        asking.tell(told([asked.X[i]], [float(i)], [asked.keys[i]]))
    assert seen(asking) == {i: {"f0": float(i)} for i in range(3)}


# ---- experiments and strategies of the user's own


def test_an_experiment_of_its_own_is_searched_flat_within_its_bounds():
    client = own_client(x=(0.0, 0.5))
    study = eh.tune(
        lambda p: p["x"],
        OWN,
        minimize="loss",
        optimizer=client,
        trials=20,
        seed=1,
        duplicates="evaluate",
        progress=False,
    )
    assert all(0 <= t.params["x"] <= 0.5 for t in study.trials)
    assert all(("n" in t.params) == (t.params["kind"] == "a") for t in study.trials)
    assert client._experiment.trials == {}


def test_a_baseline_outside_its_bounds_is_left_out():
    asking = begun(OWN, own_client(x=(0.0, 0.5)))
    outside, inside = ({"x": x, "kind": "b", "seed": 7} for x in (-1.0, 0.25))
    asking.tell(told([outside, inside], [1.0, 2.0], [None, None]))
    assert seen(asking) == {0: {"f0": 2.0}}


def test_trials_that_a_client_has_already_are_left_out_and_that_is_said():
    client = own_client()
    client.complete_trial(client.attach_trial({"x": 0.1, "kind": "b"}), {"theirs": 1.0})
    with pytest.warns(EvohpoWarning, match="its 1 trials are left out"):
        study = eh.tune(lambda p: p["x"], OWN, minimize="loss", optimizer=client, trials=3, seed=1, progress=False)
    assert len(study.trials) == 3


@pytest.mark.parametrize(
    ("make", "space", "says"),
    [
        (
            lambda: own_client(x=(-2.0, 1.0)),
            OWN,
            r"'x' of the Ax experiment can be -2.0, and in the space that is outside",
        ),
        (own_client, SQUARE, "kind, n, y must be in both"),
        (lambda: eh.use(own_client(), method="fast"), OWN, "has a generation strategy of its own"),
        (lambda: eh.use(Client(), initialisation_budget=3), SQUARE, "did you mean 'initialization_budget'"),
    ],
)
def test_what_cannot_work_gives_one_clear_line(make, space, says):
    with pytest.raises(UsageError, match=says):
        eh.tune(lambda p: 1.0, space, minimize="loss", optimizer=make(), trials=3, progress=False)


def test_a_model_that_is_not_installed_is_missed_at_once(monkeypatch):
    monkeypatch.setattr("evohpo_ax.clients.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"botorch\[fully_bayesian\]"):
        begun(SQUARE, method="quality")


def test_a_method_there_is_not_is_named():
    with pytest.raises(OptimizerError, match="Unsupported generation method: swift"):
        eh.tune(loss, make_mixed_space(), minimize="loss", optimizer=eh.use(Client(), method="swift"), trials=3)


# ---- manners


def test_nothing_of_the_users_own_is_touched():
    lines = []

    class Heard(logging.Handler):
        def emit(self, record):
            lines.append(record.getMessage())

    handler, logger = Heard(), logging.getLogger("ax")
    logger.addHandler(handler)
    torch.manual_seed(5)
    states = torch.get_rng_state(), random.getstate(), numpy_state(), torch.get_num_threads()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            eh.tune(lambda p: p["x"], SQUARE, minimize="loss", optimizer=Client(), trials=8, seed=1, progress=False)
            assert lines == []
            assert caught == []
        own_client().get_next_trials(max_trials=1)
        assert any("Generated new trial" in line for line in lines)
    finally:
        logger.removeHandler(handler)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert numpy_state() == states[2]
    assert torch.get_num_threads() == states[3]
    assert handler.filters == []


def test_the_seed_of_the_client_does_not_matter_and_the_studys_does():
    def first(client, seed):
        study = eh.Study(SQUARE, minimize="loss", optimizer=eh.use(client, method="random_search"), seed=seed)
        return [t.params for t in study.ask(4)]

    assert first(Client(random_seed=1), 3) == first(Client(random_seed=2), 3)
    assert first(Client(random_seed=1), 3)[1:] != first(Client(random_seed=1), 4)[1:]


def test_the_adapter_is_found_without_importing_ax():
    code = "import sys, evohpo_ax; assert not {'ax', 'torch', 'botorch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
