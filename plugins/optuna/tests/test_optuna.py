"""Samplers and pruners of Optuna in studies of evohpo."""

from __future__ import annotations

import logging
import math
import subprocess
import sys
import threading
import time

import numpy as np
import optuna
import pytest
from evohpo_optuna import adapt, adapt_pruner
from optuna.samplers import (
    BruteForceSampler,
    CmaEsSampler,
    GPSampler,
    GridSampler,
    NSGAIIISampler,
    NSGAIISampler,
    PartialFixedSampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from optuna.trial import TrialState

import evohpo as eh
from evohpo.errors import IllegalValue, OptimizerError, UnknownName, UsageError
from evohpo.optimizers import resolve
from evohpo.optimizers.protocol import Problem, Results
from evohpo.space import Configs
from evohpo.testing import CHECKS, check_optimizer
from evohpo.testing.outcome import run_check
from tests.conftest import loss, make_mixed_space, untimed

pytestmark = pytest.mark.filterwarnings(
    "ignore::optuna.exceptions.ExperimentalWarning", "ignore::FutureWarning", "ignore::UserWarning"
)
COST = {"cost_of_asking": "it goes through all trials of the study each time, as samplers of Optuna do"}
RANDOM = {"better_than_nothing": "it is random search, or spread as evenly"}


class Own(optuna.samplers.BaseSampler):
    """A sampler as users write them: a step from the best trial, with a generator of its own."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng()

    def infer_relative_search_space(self, study, trial):
        return optuna.search_space.intersection_search_space(study.get_trials(deepcopy=False))

    def sample_relative(self, study, trial, search_space):
        done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len(done) < 5:
            return {}
        best = min(done, key=lambda t: t.value).params
        return {
            name: float(np.clip(best[name] + self.rng.normal(0, 0.1) * (d.high - d.low), d.low, d.high))
            for name, d in search_space.items()
            if isinstance(d, optuna.distributions.FloatDistribution) and not d.log
        }

    def sample_independent(self, study, trial, name, d):
        if isinstance(d, optuna.distributions.CategoricalDistribution):
            return d.choices[self.rng.integers(len(d.choices))]
        if isinstance(d, optuna.distributions.IntDistribution):
            return int(self.rng.integers(d.low, d.high, endpoint=True))
        return float(self.rng.uniform(d.low, d.high))


SAMPLERS = {
    "tpe": (TPESampler, {}),
    "tpe group": (lambda: TPESampler(multivariate=True, group=True, constant_liar=False), {}),
    "tpe class": (lambda: TPESampler, {}),
    "random": (RandomSampler, RANDOM),
    "cma-es": (CmaEsSampler, {}),
    "cma-es margin": (lambda: CmaEsSampler(with_margin=True), {}),
    "nsga2": (lambda: NSGAIISampler(population_size=10), {}),
    "nsga3": (lambda: NSGAIIISampler(population_size=10), {}),
    "sobol": (QMCSampler, RANDOM),
    "halton": (lambda: QMCSampler(qmc_type="halton", scramble=True), RANDOM),
    "fixed": (lambda: PartialFixedSampler({}, Own()), {}),
    "own": (Own, {}),
}
QUICK = ("random",)
HOURS = (
    "legal_proposals",
    "tiny_space",
    "better_than_nothing",
    "constant_fitness",
)  # there are no genes; the others are long


def begun(sampler, space, n_objectives=1, n_constraints=0):
    """The adapter's object for a space, as a study starts it."""
    codec = Configs().bind(space)
    problem = Problem(0, codec.genes, n_objectives, n_constraints, space=space, encoding=codec)
    return adapt(sampler).target(problem, np.random.default_rng(1))


def told(configs, F, keys, violation=0.0, failed=False):
    k = len(configs)
    F = np.array(F, float).reshape(k, -1)
    numbers = np.array([-1 if key is None else i for i, key in enumerate(keys)])
    violations = np.full(k, violation)
    return Results(list(configs), F, violations, np.zeros(k, int), np.full(k, failed), numbers, keys)


# ---- samplers


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in SAMPLERS])
def test_a_sampler_keeps_the_promises_of_an_optimizer(name):
    make, expected = SAMPLERS[name]
    check_optimizer(make(), expected=COST | expected)


@pytest.mark.slow
@pytest.mark.parametrize("check", [check for check in CHECKS if check.__name__ not in HOURS], ids=lambda c: c.__name__)
def test_the_gaussian_process_sampler_keeps_the_promises_of_an_optimizer(check):
    pytest.importorskip("torch")
    outcome = run_check(check, GPSampler())
    if outcome.status == "skipped":
        pytest.skip(outcome.reason)
    assert outcome.status == "ok", outcome.reason


def test_the_gaussian_process_sampler_searches_a_conditional_space_and_repeats_itself():
    pytest.importorskip("torch")
    sampler, space = GPSampler(n_startup_trials=6), make_mixed_space()
    tables = [
        untimed(eh.tune(loss, space, minimize="loss", optimizer=sampler, trials=12, seed=3, progress=False))
        for _ in range(2)
    ]
    assert tables[0].equals(tables[1])


@pytest.mark.parametrize("name", ["tpe", "tpe group", "cma-es", "nsga2", "sobol", "own"])
def test_a_killed_study_with_two_workers_ends_with_the_same_table(name, tmp_path):
    make, _ = SAMPLERS[name]
    arguments = {"minimize": "loss", "optimizer": make(), "seed": 1, "lookahead": 3}
    whole = eh.Study(make_mixed_space(), **arguments)
    whole.run(loss, trials=40, evaluator=eh.Threads(2), progress=False)
    store = tmp_path / "study.db"
    part = eh.Study(make_mixed_space(), **arguments, store=store)
    part.run(loss, trials=17, evaluator=eh.Threads(2), progress=False)
    part.close()
    with eh.Study(make_mixed_space(), **arguments, store=store) as rest:
        rest.run(loss, trials=40, evaluator=eh.Threads(2), progress=False)
        assert untimed(rest).equals(untimed(whole))


def test_another_process_with_other_hashes_proposes_the_same():
    code = (
        "import optuna, evohpo as eh, warnings; warnings.simplefilter('ignore');"
        "from tests.conftest import loss, make_mixed_space;"
        "sampler = optuna.samplers.TPESampler(multivariate=True, group=True);"
        "study = eh.tune(loss, make_mixed_space(), minimize='loss', optimizer=sampler, trials=30, seed=1, progress=False);"
        "print([trial.params for trial in study.trials])"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": h, "PYTHONPATH": "."}, capture_output=True)
        for h in ("1", "2")
    ]
    assert runs[0].stdout
    assert runs[0].stdout == runs[1].stdout


def test_proposals_of_one_batch_run_at_the_same_time():
    barrier = threading.Barrier(4, timeout=20)

    def objective(params):
        barrier.wait()  # passes only when four trials are running
        return loss(params)

    study = eh.Study(make_mixed_space(), minimize="loss", optimizer=TPESampler())
    study.run(objective, trials=16, evaluator=eh.Threads(4), progress=False)
    assert [t.status for t in study.trials] == 16 * ["completed"]


def test_two_interleaved_studies_that_share_a_sampler_do_not_disturb_each_other():
    sampler = NSGAIISampler(population_size=6, seed=5)

    def alone(seed):
        study = eh.Study(make_mixed_space(), minimize="loss", optimizer=sampler, seed=seed)
        for _ in range(5):
            step(study)
        return untimed(study)

    def step(study):
        for trial in study.ask(4):
            study.tell(trial, loss(trial.params))

    both = [eh.Study(make_mixed_space(), minimize="loss", optimizer=sampler, seed=seed) for seed in (1, 2)]
    for _ in range(5):
        for study in both:
            step(study)
    for study, seed in zip(both, (1, 2), strict=True):
        assert untimed(study).equals(alone(seed))


def test_a_sampler_that_was_used_elsewhere_is_neither_changed_nor_confused():
    sampler = TPESampler(seed=1)
    with_history = optuna.create_study(sampler=sampler)
    with_history.optimize(lambda trial: trial.suggest_float("learning_rate", 5.0, 6.0), n_trials=15)
    state = sampler._rng.rng.get_state()[1].copy()
    tables = [
        untimed(eh.tune(loss, make_mixed_space(), minimize="loss", optimizer=used, trials=30, seed=1, progress=False))
        for used in (sampler, TPESampler())
    ]
    assert tables[0].equals(tables[1])
    assert (sampler._rng.rng.get_state()[1] == state).all()


def test_every_kind_of_parameter_comes_back_as_it_was_suggested():
    space = eh.Space(
        {
            "log": eh.Continuous(1e-5, 1.0, scale="log"),
            "step": eh.Continuous(0.0, 1.0, step=0.1),
            "log_step": eh.Continuous(0.01, 1.0, scale="log", step=0.01),
            "logit": eh.Continuous(0.001, 0.999, scale="logit"),
            "reverse": eh.Integer(1, 1000, scale="reverse_log"),
            "even": eh.Integer(0, 10, step=2),
            "large": eh.Integer(0, 10**15),
            "twins": eh.Categorical([1, 1.0, True, "1", None]),
            "ordinal": eh.Ordinal(["small", "medium", "large"]),
            "list": eh.Static([1, 2]),
        }
    )
    sampling = begun(NSGAIISampler(population_size=5), space)
    for _ in range(20):
        asked = sampling.ask(5)
        assert [space.validate(config) for config in asked.X] == asked.X
        sampling.tell(told(asked.X, [c["log"] for c in asked.X], asked.keys))
    assert {t.state for t in sampling.study.trials} == {TrialState.COMPLETE}
    sampling.tell(told(space.sample(50, np.random.default_rng(1)), np.ones(50), [None] * 50))
    assert len(sampling.study.trials) == 150


def test_only_parameters_that_apply_are_suggested():
    space = make_mixed_space()
    sampling = begun(RandomSampler(), space)
    sampling.ask(30)
    for trial in sampling.study.trials:
        assert ("momentum" in trial.params) == (trial.params["solver"] == "sgd")
        assert "seed" not in trial.params


def test_optuna_learns_what_was_evaluated_instead_of_what_it_suggested():
    space = make_mixed_space()
    sampling = begun(NSGAIISampler(population_size=4), space)
    asked = sampling.ask(1)
    real = space.complete({"solver": "adam", "layers": 2, "batch_size": 128})
    sampling.tell(told([real], [0.5], asked.keys))
    suggested, evaluated = sampling.study.trials
    assert suggested.state == TrialState.FAIL
    assert evaluated.state == TrialState.COMPLETE
    assert evaluated.params["layers"] == 2
    assert evaluated.params["batch_size"] == 2  # the index of 128
    assert evaluated.value == 0.5
    assert evaluated.system_attrs == suggested.system_attrs != {}  # its generation


def test_a_space_with_constraints_does_not_starve_a_population():
    space = eh.Space({"x": eh.Continuous(0, 1), "y": eh.Continuous(0, 1)}, constraints=["x + y <= 0.5"])
    study = eh.tune(
        lambda p: -p["x"] - 2 * p["y"], space, minimize="loss", optimizer=CmaEsSampler(), trials=150, seed=1,
        progress=False,
    )  # fmt: skip
    assert study.best.metrics["loss"] < -0.9


def test_baselines_are_added():
    space = eh.Space({"x": eh.Continuous(-1, 1)})
    study = eh.Study(space, minimize="loss", optimizer=TPESampler(n_startup_trials=20), seed=1)
    for x in np.linspace(-1, 1, 21).tolist():
        study.attach({"x": x}, {"loss": (x - 0.3) ** 2})
    near = [abs(trial.params["x"] - 0.3) for trial in study.ask(10)]
    assert np.median(near) < 0.15


@pytest.mark.parametrize("make", [TPESampler, NSGAIISampler, NSGAIIISampler])
def test_violations_are_handed_through_to_samplers_that_know_constraints(make):
    assert adapt(make()).traits.constraints
    space = eh.Space({"x": eh.Continuous(-1, 1)})
    sampling = begun(make(), space, n_constraints=1)
    asked = sampling.ask(3)
    sampling.tell(told(asked.X[:2], [1.0, 2.0], asked.keys[:2], violation=0.7))
    sampling.tell(told(asked.X[2:], [9.0], asked.keys[2:], violation=1e30, failed=True))
    assert [t.constraints for t in sampling.study.trials] == [{"violation": v} for v in (0.7, 0.7, 1.7)]


def test_which_samplers_take_several_objectives():
    taken = {s: adapt(s()).traits.objectives for s in (TPESampler, NSGAIISampler, QMCSampler, CmaEsSampler, Own)}
    assert taken == {
        TPESampler: "multi", NSGAIISampler: "multi", QMCSampler: "multi", CmaEsSampler: "single", Own: "single",
    }  # fmt: skip
    study = eh.tune(
        lambda p: {"a": p["x"] ** 2, "b": (p["x"] - 1) ** 2}, eh.Space({"x": eh.Continuous(-2, 2)}),
        minimize=["a", "b"], optimizer=NSGAIISampler(population_size=10), trials=100, seed=1, progress=False,
    )  # fmt: skip
    assert len(study.front()) > 20


def test_a_grid_is_gone_through_once_in_an_order_of_the_study():
    space = eh.Space(
        {
            "batch": eh.Ordinal([32, 64, 128]),
            "kind": eh.Categorical(["a", "b"]),
            "rate": eh.Continuous(0.01, 0.99, scale="logit", when={"kind": "a"}),
        }
    )
    grid = GridSampler({"batch": [32, 128], "kind": ["a", "b"], "rate": [0.1, 0.5, 0.9]})
    tables = []
    for seed in (1, 2):
        study = eh.tune(
            lambda p: p["batch"], space, minimize="loss", optimizer=grid, workers=2, seed=seed, progress=False
        )
        assert len(study.trials) == 2 * (3 + 1)
        tables.append([tuple(t.params.values()) for t in study.trials])
    assert tables[0] != tables[1]
    assert set(tables[0]) == set(tables[1])


def test_brute_force_goes_through_all_configurations_once():
    space = eh.Space({"a": eh.Integer(1, 3), "b": eh.Categorical(["y", "z"]), "c": eh.Integer(1, 4, when={"b": "z"})})
    study = eh.tune(lambda p: p["a"], space, minimize="loss", optimizer=BruteForceSampler(), workers=2, progress=False)
    assert sorted(map(str, (t.params for t in study.trials))) == sorted(map(str, space.grid()))


def test_fixed_values_are_the_spaces_own():
    space = make_mixed_space()
    sampler = PartialFixedSampler({"batch_size": 128, "solver": "sgd"}, TPESampler())
    study = eh.tune(loss, space, minimize="loss", optimizer=sampler, trials=15, progress=False)
    assert {(t.params["batch_size"], t.params["solver"]) for t in study.trials} == {(128, "sgd")}


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: PartialFixedSampler({"layers": 9}, TPESampler()), IllegalValue, "layers = 9: outside"),
        (lambda: PartialFixedSampler({"layer": 2}, TPESampler()), UnknownName, "did you mean 'layers'"),
        (lambda: GridSampler({"layers": [1]}), UsageError, "no values for learning_rate"),
        (lambda: GridSampler, UsageError, "hand over an object"),
        (BruteForceSampler, UsageError, "all values of learning_rate"),
        (optuna.create_study, UsageError, "study.sampler"),
        (lambda: eh.use(TPESampler(), population=8), UsageError, "no option 'population'"),
        (lambda: TPESampler(constraints_func=lambda t: (t.user_attrs["c"],)), UsageError, "constraints_func failed"),
    ],
)
def test_what_cannot_work_gives_one_clear_line(make, error, says):
    with pytest.raises(error, match=says):
        eh.tune(loss, make_mixed_space(), minimize="loss", optimizer=make(), trials=10, progress=False)


def test_a_sampler_that_leaves_the_space_is_named():
    class Wild(Own):
        def sample_independent(self, study, trial, name, d):
            return 7.0

    with pytest.raises((OptimizerError, IllegalValue), match=r"x = 7.0: what the sampler suggested is outside"):
        eh.tune(lambda p: 1.0, eh.Space({"x": eh.Continuous(0, 1)}), minimize="loss", optimizer=Wild(), trials=3)


def test_objects_that_are_no_samplers_are_left_to_others():
    assert adapt(optuna.pruners.MedianPruner()) is None
    assert adapt_pruner(TPESampler()) is None


def test_the_log_is_silent_and_the_users_own_studies_are_heard():
    class Heard(logging.Handler):
        def emit(self, record):
            lines.append(record.getMessage())

    optuna.logging.set_verbosity(optuna.logging.INFO)
    lines, level, handler = [], optuna.logging.get_verbosity(), Heard()
    logging.getLogger("optuna").addHandler(handler)
    try:
        eh.tune(loss, make_mixed_space(), minimize="loss", optimizer=QMCSampler, trials=20, progress=False)
        assert lines == []
        assert optuna.logging.get_verbosity() == level
        optuna.create_study()
        assert len(lines) == 1
    finally:
        logging.getLogger("optuna").removeHandler(handler)


def test_asking_stays_quick_as_the_study_grows():
    space = eh.Space({f"x{i}": eh.Continuous(-1, 1) for i in range(5)})
    sampling = begun(TPESampler(), space)
    sampling.tell(told(space.sample(600, np.random.default_rng(1)), np.arange(600.0), [None] * 600))
    began = time.perf_counter()
    sampling.ask(5)
    assert time.perf_counter() - began < 2.0


# ---- pruners


SPACE = eh.Space({"slope": eh.Continuous(0.0, 1.0)})


def learning(params):
    """Nine steps of a loss that falls for five of them; the best is slope 0."""
    for step in range(1, 10):
        yield {"loss": params["slope"] + 0.1 * abs(step - 5)}


def pruned(pruner, objective=learning, trials=60, **goal):
    return eh.tune(
        objective, SPACE, **(goal or {"minimize": "loss"}), optimizer="random", pruner=pruner, trials=trials, seed=1,
        progress=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "make",
    [
        optuna.pruners.MedianPruner,
        lambda: optuna.pruners.PercentilePruner(25.0, n_startup_trials=3),
        lambda: optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
        lambda: optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9),
        lambda: optuna.pruners.PatientPruner(optuna.pruners.MedianPruner(), patience=1),
        lambda: optuna.pruners.WilcoxonPruner(p_threshold=0.2),
    ],
)
def test_a_pruner_stops_some_bad_trials_and_spares_the_best(make):
    study = pruned(make())
    stopped = [t for t in study.trials if t.status == "stopped"]
    assert 5 < len(stopped) < 60
    finished = [t.params["slope"] for t in study.trials if t.status == "completed"]
    assert np.mean(finished) < np.mean([t.params["slope"] for t in stopped])
    assert untimed(study).equals(untimed(pruned(make())))  # the brackets of Hyperband too


def test_a_pruner_works_for_what_is_maximized_as_for_the_negative():
    up = pruned(optuna.pruners.MedianPruner(), lambda p: ({"gain": -m["loss"]} for m in learning(p)), maximize="gain")
    down = pruned(optuna.pruners.MedianPruner())
    assert [(t.status, t.steps) for t in up.trials] == [(t.status, t.steps) for t in down.trials]


@pytest.mark.parametrize(
    "make",
    [
        lambda: optuna.pruners.ThresholdPruner(lower=0.5),
        lambda: optuna.pruners.PatientPruner(optuna.pruners.ThresholdPruner(lower=0.5), 0),
    ],
)
def test_a_threshold_is_compared_with_the_metric_as_it_was_measured(make):
    study = pruned(
        make(), lambda p: ({"accuracy": 1 - p["slope"] - 0.001 * step} for step in range(4)), maximize="accuracy"
    )  # fmt: skip
    for trial in study.trials:
        assert (trial.status == "stopped") == (1 - trial.params["slope"] - 0.003 < 0.5)


def test_the_median_is_that_of_optuna():
    """The same reports make the same decisions as in a study of Optuna's own."""
    study = pruned(optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=2), trials=40)
    own = optuna.create_study(pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=2))
    for trial in study.trials:
        theirs, last = own.ask(), 0
        for step, metrics in enumerate(learning(trial.params), 1):
            theirs.report(metrics["loss"], step)
            last = step
            if theirs.should_prune():
                own.tell(theirs, state=TrialState.PRUNED)
                break
        else:
            own.tell(theirs, metrics["loss"])
        assert last == trial.steps


def test_a_pruner_and_several_objectives_give_one_clear_line():
    study = eh.Study(SPACE, minimize=["a", "b"], optimizer="random", pruner=optuna.pruners.MedianPruner())
    (trial,) = study.ask(1)
    with pytest.raises(UsageError, match="judges one objective, and this study has 2"):
        study.report(trial, 1, {"a": 1.0, "b": 2.0})


def test_a_pruner_is_copied():
    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9)
    pruned(pruner)
    assert pruner._pruners == []


def test_failed_trials_do_not_stop_a_pruner():
    def objective(params):
        for step in range(1, 6):
            if params["slope"] > 0.5 and step == 3:
                raise ArithmeticError("diverged")
            yield {"loss": params["slope"] + 1 / step}

    study = pruned(optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=3), objective)
    statuses = {t.status for t in study.trials}
    assert statuses == {"failed", "stopped", "completed"}
    assert all(math.isfinite(t.metrics["loss"]) for t in study.trials if t.status == "completed")


def test_the_adapter_is_found_without_importing_optuna():
    assert resolve(TPESampler()).name == "optuna.TPESampler"
    assert resolve(Own()).name.endswith(":Own")


@pytest.mark.parametrize(
    "make",
    [
        lambda: optuna.pruners.MedianPruner(n_startup_trials=3),
        lambda: optuna.pruners.SuccessiveHalvingPruner(),
        lambda: optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9),
    ],
)
def test_a_pruner_remembers_all_reports_when_a_study_goes_on(make, tmp_path):
    arguments = {"minimize": "loss", "optimizer": "random", "seed": 1}
    whole = eh.Study(SPACE, pruner=make(), **arguments).run(learning, trials=30, progress=False)
    for trials in (7, 15, 30):
        rest = eh.Study(SPACE, pruner=make(), store=tmp_path / "study.db", **arguments)
        rest.run(learning, trials=trials, progress=False)
    assert untimed(rest).equals(untimed(whole))
    with pytest.raises(UsageError, match="another study: pruner"):
        eh.Study(SPACE, pruner=optuna.pruners.NopPruner(), store=tmp_path / "study.db", **arguments)
