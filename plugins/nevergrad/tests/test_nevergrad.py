"""Optimizers of nevergrad in studies of evohpo."""

from __future__ import annotations

import gc
import threading
import warnings

import nevergrad as ng
import numpy as np
import pytest
from evohpo_nevergrad import adapt
from evohpo_nevergrad.parameters import Parameters
from nevergrad.common.errors import FinishedUnderlyingOptimizerWarning

import evohpo as eh
from evohpo.errors import EvohpoWarning, OptimizerError, UsageError
from evohpo.optimizers.protocol import Problem, Results
from evohpo.testing import check_optimizer
from tests.conftest import loss, make_mixed_space, untimed

ignore = "ignore::nevergrad.common.errors.NevergradRuntimeWarning"
pytestmark = [pytest.mark.filterwarnings(ignore), pytest.mark.filterwarnings("ignore::UserWarning")]
RANDOM = {"better_than_nothing": "it is random search"}
ONE_START = {"another_seed": "it starts in the middle and has nothing to draw"}
WAITS = "at times it waits for results, so that the check takes it for generational, at others batches matter"
BATCHES = dict.fromkeys(("resume", "resume_at_every_event", "same_for_any_workers", "any_request_size"), WAITS)
FLIES = "where values have bounds nevergrad's swarm gathers at them, without evohpo as well"
SWARM = {"better_than_nothing": FLIES, "right_way": FLIES}
OPTIMIZERS = {
    "OnePlusOne": (lambda: ng.optimizers.OnePlusOne, {}),
    "TwoPointsDE": (lambda: ng.optimizers.registry["TwoPointsDE"], {}),
    "DE by family": (lambda: ng.optimizers.DifferentialEvolution(crossover="twopoints", popsize=12), {}),
    "CMA": (lambda: ng.optimizers.CMA, {}),
    "instance": (lambda: ng.optimizers.DiscreteOnePlusOne(parametrization=3), {}),
    "Cobyla": (lambda: ng.optimizers.Cobyla, ONE_START),
    "PSO": (lambda: ng.optimizers.PSO, SWARM),
    "random": (lambda: ng.optimizers.RandomSearch, RANDOM),
    "TBPSA": (lambda: ng.optimizers.TBPSA, {"better_than_nothing": "it is made for noise, and slow"}),
    "EvolutionStrategy": (lambda: ng.families.EvolutionStrategy(popsize=10, offsprings=20), {}),
    "Portfolio": (lambda: ng.optimizers.Portfolio, BATCHES),
}
QUICK = ("instance",)


def begun(optimizer, space, n_objectives=1, trials=None, **options):
    """The adapter's object for a space, as a study starts it."""
    codec = eh.Real().bind(space)
    problem = Problem(codec.dim, codec.genes, n_objectives, space=space, encoding=codec, budget=trials)
    return adapt(optimizer).target(problem, np.random.default_rng(1), **options)


def told(X, F, keys, violation=0.0, failed=False):
    k = len(X)
    F = np.array(F, float).reshape(k, -1)
    numbers = np.array([-1 if key is None else i for i, key in enumerate(keys)])
    return Results(np.array(X), F, np.full(k, violation), np.zeros(k, int), np.full(k, failed), numbers, keys)


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in OPTIMIZERS])
def test_an_optimizer_keeps_the_promises_of_an_optimizer(name):
    make, expected = OPTIMIZERS[name]
    check_optimizer(make(), expected=expected)


@pytest.mark.slow
def test_ngopt_keeps_the_promises_of_an_optimizer_once_it_knows_its_budget():
    reason = "whether it takes a sequential algorithm depends on the number of genes, which the check does not expect"
    slow = "it asks its metamodels for minutes where cores are few"
    clock = "the pycma that it takes for few genes measures times of its own"
    expected = {"any_request_size": reason, "resume": WAITS, "hash_order": slow, "clock": clock}
    check_optimizer(ng.optimizers.NGOpt, expected=expected, budget=2000)


@pytest.mark.parametrize("name", ["NGOpt", "MetaModel"])
def test_metamodels_work_with_a_numpy_that_makes_no_numbers_of_arrays(name):
    space = eh.Space({"x": eh.Continuous(-1, 1), "y": eh.Continuous(-1, 1)})
    objective = lambda p: (p["x"] - 0.5) ** 2 + (p["y"] + 0.5) ** 2  # noqa: E731
    optimizer = ng.optimizers.registry[name]
    study = eh.tune(objective, space, minimize="loss", optimizer=optimizer, trials=80, seed=1, progress=False)
    assert study.best.metrics["loss"] < 1e-3


def test_an_optimizer_that_remembers_where_it_was_works_on_mixed_spaces():
    optimizer = ng.optimizers.PortfolioDiscreteOnePlusOneT  # it hashes the values of the parametrization
    study = eh.tune(loss, make_mixed_space(), minimize="loss", optimizer=optimizer, trials=40, seed=1, progress=False)
    assert study.best.metrics["loss"] < 4


@pytest.mark.parametrize("name", ["OnePlusOne", "TwoPointsDE", "CMA", "Cobyla"])
def test_a_killed_study_with_two_workers_ends_with_the_same_table(name, tmp_path):
    make, _ = OPTIMIZERS[name]
    arguments = {"minimize": "loss", "optimizer": make(), "seed": 1, "lookahead": 3}
    whole = eh.Study(make_mixed_space(), **arguments)
    whole.run(loss, trials=60, evaluator=eh.Threads(2), progress=False)
    store = tmp_path / "study.db"
    part = eh.Study(make_mixed_space(), **arguments, store=store)
    part.begin(budget=60, workers=2)
    for trial in part.ask(2) + part.ask(2) + part.ask(2):
        part.tell(trial, loss(trial.params))
    part.close()
    with eh.Study(make_mixed_space(), **arguments, store=store) as rest:
        rest.run(loss, trials=60, evaluator=eh.Threads(2), progress=False)
        assert untimed(rest).equals(untimed(whole))


def test_proposals_of_one_batch_run_at_the_same_time():
    barrier = threading.Barrier(4, timeout=20)

    def objective(params):
        barrier.wait()  # passes only when four trials are running
        return loss(params)

    study = eh.Study(make_mixed_space(), minimize="loss", optimizer=ng.optimizers.TwoPointsDE)
    study.run(objective, trials=16, evaluator=eh.Threads(4), progress=False)
    assert [t.status for t in study.trials] == 16 * ["completed"]


def test_a_sequential_algorithm_takes_one_trial_at_a_time():
    cobyla = begun(ng.optimizers.Cobyla, make_mixed_space())
    asked = cobyla.ask(5)
    assert len(asked.X) == 1
    assert len(cobyla.ask(5).X) == 0
    cobyla.tell(told(asked.X, [1.0], asked.keys))
    assert len(cobyla.ask(5).X) == 1


def test_no_thread_stays_when_a_study_is_dropped():
    def guests():
        gc.collect()
        return [thread for thread in threading.enumerate() if type(thread).__name__ == "_MessagingThread"]

    for thread in guests():
        thread.join(10)
    study = eh.Study(make_mixed_space(), minimize="loss", optimizer=ng.optimizers.Powell, seed=1)
    study.tell(study.ask(1)[0], 1.0)
    (thread,) = guests()
    del study
    guests()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("optimizer", [ng.optimizers.NelderMead, ng.optimizers.LHSSearch])
def test_what_has_converged_or_used_up_its_design_begins_again(optimizer):
    space = eh.Space({"x": eh.Continuous(-1, 1), "y": eh.Continuous(-1, 1)})
    candidates = begun(optimizer, space, trials=30)
    first, seen = candidates.optimizer, []
    with warnings.catch_warnings():
        warnings.simplefilter("error", FinishedUnderlyingOptimizerWarning)
        for _ in range(100):
            asked = candidates.ask(1)
            seen += asked.X.tolist()
            candidates.tell(told(asked.X, [((asked.X - 0.6) ** 2).sum()], asked.keys))
    assert len(seen) == 100
    assert candidates.optimizer is not first


def test_two_interleaved_studies_do_not_disturb_each_other():
    optimizer = ng.optimizers.registry["DE"]

    def step(study):
        for trial in study.ask(4):
            study.tell(trial, loss(trial.params))

    def alone(seed):
        study = eh.Study(make_mixed_space(), minimize="loss", optimizer=optimizer, seed=seed)
        for _ in range(15):
            step(study)
        return untimed(study)

    both = [eh.Study(make_mixed_space(), minimize="loss", optimizer=optimizer, seed=seed) for seed in (1, 2)]
    for _ in range(15):
        for study in both:
            step(study)
    for study, seed in zip(both, (1, 2), strict=True):
        assert untimed(study).equals(alone(seed))


def test_every_kind_of_gene_has_its_kind_of_parameter():
    genes = eh.Real().bind(make_mixed_space()).genes
    kinds = dict(zip(genes.parameter, Parameters(genes).root, strict=True))
    assert {name: type(part).__name__ for name, part in kinds.items()} == {
        "learning_rate": "Scalar", "layers": "TransitionChoice", "units": "Scalar", "batch_size": "TransitionChoice",
        "solver": "Choice", "momentum": "Scalar",
    }  # fmt: skip
    wide = Parameters(eh.Real().bind(eh.Space({"a": eh.Integer(0, 99)})).genes).root[0]
    assert wide.integer
    flat = Parameters(eh.Real().bind(eh.Space({"x": eh.Continuous(0, 1), "y": eh.Continuous(0, 1)})).genes).root
    assert isinstance(flat, ng.p.Array)


def test_chromosomes_come_back_as_they_were():
    space = eh.Space(
        {
            "x": eh.Continuous(-1, 1),
            "few": eh.Integer(1, 5),
            "many": eh.Integer(0, 10**15),
            "kind": eh.Categorical(["a", "b", "c"]),
        }
    )
    parameters = Parameters(eh.Real().bind(space).genes)
    parameters.root.random_state = np.random.RandomState(1)
    for config in space.sample(50, np.random.default_rng(1)):
        x = space.encode([config])[0]
        child = parameters.root.spawn_child(new_value=parameters.value(x))
        assert parameters.same(parameters.chromosome(child.value), x)


def test_first_and_last_values_are_as_frequent_as_others():
    parameters = Parameters(eh.Real().bind(eh.Space({"many": eh.Integer(1, 20)})).genes)
    parameters.root.random_state = np.random.RandomState(1)
    values = [parameters.root.sample().value[0] for _ in range(4000)]
    counts = np.bincount(values, minlength=20)
    assert len(counts) == 20
    assert counts.min() > 140  # 200 on average


def test_what_was_evaluated_takes_the_place_of_what_was_asked():
    space = make_mixed_space()
    optimizer = begun(ng.optimizers.DE, space)
    asked = optimizer.ask(1)
    real = space.encode([space.complete({"solver": "adam", "layers": 2})])
    optimizer.tell(told(real, [0.5], asked.keys))
    assert optimizer.optimizer.num_tell_not_asked == 0
    known = optimizer.optimizer.current_bests["minimum"].parameter
    assert known.value[1] == 1  # 2 layers, the second of six values
    assert known.value[4] == 1


def test_known_results_are_told_where_an_optimizer_takes_them():
    space = eh.Space({"x": eh.Continuous(-1, 1), "y": eh.Continuous(-1, 1)})
    for optimizer, taken in ((ng.optimizers.OnePlusOne, 1), (ng.optimizers.PymooNSGA2, 0)):
        candidates = begun(optimizer, space)
        candidates.tell(told([[0.7, 0.2]], [0.5], [None]))
        assert candidates.optimizer.num_tell_not_asked == taken


def test_infeasible_trials_are_bad_even_if_losses_are_negative():
    space = eh.Space({"x": eh.Continuous(-1, 1), "y": eh.Continuous(-1, 1)})
    study = eh.tune(
        lambda p: {"loss": -10 + (p["x"] - 1) ** 2 + p["y"] ** 2, "cost": p["x"]}, space, minimize="loss",
        constraints=["cost <= 0"], optimizer=ng.optimizers.OnePlusOne, trials=200, seed=1, progress=False,
    )  # fmt: skip
    assert study.best.metrics["loss"] < -8.9
    assert sum(trial.feasible for trial in study.trials[150:]) > 15  # by nevergrad's own penalty about 20 of 50 in 200


def test_losses_stay_within_what_nevergrad_tells_apart(recwarn):
    optimizer = begun(ng.optimizers.OnePlusOne, eh.Space({"x": eh.Continuous(-1, 1), "y": eh.Continuous(-1, 1)}))
    asked = optimizer.ask(2)
    optimizer.tell(told(asked.X, [1e30, 1e30], asked.keys, violation=1e30, failed=True))
    assert not [w for w in recwarn if "Clipping" in str(w.message)]


def test_which_optimizers_take_several_objectives():
    de, es, one = ng.optimizers.DifferentialEvolution, ng.families.EvolutionStrategy, ng.families.ParametrizedOnePlusOne
    multi = [ng.optimizers.DE, de, de(), es(offsprings=20), one(use_pareto=True)]
    single = [de(multiobjective_adaptation=False), es(), ng.optimizers.OnePlusOne, ng.optimizers.CMA]
    assert [adapt(optimizer).traits.objectives for optimizer in multi] == ["multi"] * len(multi)
    assert [adapt(optimizer).traits.objectives for optimizer in single] == ["single"] * len(single)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ng.optimizers.DE,
        lambda: ng.families.EvolutionStrategy(popsize=10, offsprings=10),
        lambda: ng.optimizers.ParametrizedOnePlusOne(use_pareto=True),
    ],
)
def test_optimizers_of_several_objectives_find_a_front(make):
    def objectives(p):
        return {"a": p["x"] ** 2 + p["y"] ** 2, "b": (p["x"] - 1) ** 2 + p["y"] ** 2}

    space = eh.Space({"x": eh.Continuous(-4, 4), "y": eh.Continuous(-4, 4)})
    volumes = [
        eh.tune(
            objectives, space, minimize=["a", "b"], optimizer=optimizer, trials=150, seed=1, progress=False
        ).hypervolume([2.0, 2.0])
        for optimizer in (make(), "random")
    ]
    assert volumes[0] > volumes[1]


def test_settings_of_an_optimizer_are_kept():
    seen = []
    optimizer = ng.optimizers.DifferentialEvolution(popsize=7)(parametrization=6, budget=30, num_workers=3)
    optimizer.register_callback("tell", lambda o, candidate, value: seen.append(value))
    assert adapt(optimizer).traits.finite
    study = eh.tune(loss, make_mixed_space(), minimize="loss", optimizer=optimizer, progress=False, seed=1)
    assert len(study.trials) == 30  # its own budget
    assert len(seen) == 30
    begin = begun(optimizer, make_mixed_space())
    assert (begin.optimizer.llambda, begin.optimizer.num_workers, begin.optimizer.budget) == (7, 3, 30)
    assert optimizer.num_ask == 0


def test_number_of_workers_is_that_of_the_option_or_of_the_population():
    space = make_mixed_space()
    numbers = [
        begun(ng.optimizers.DE, space, **o).optimizer.num_workers for o in ({}, {"population": 8}, {"num_workers": 5})
    ]
    assert numbers == [1, 8, 5]


def test_a_study_says_what_it_cannot_use():
    optimizer = ng.optimizers.OnePlusOne(ng.p.Tuple(ng.p.Log(lower=0.1, upper=1.0), ng.p.Choice(3)), budget=20)
    optimizer.tell(optimizer.ask(), 1.0)
    with pytest.warns(EvohpoWarning) as notes:
        eh.tune(loss, make_mixed_space(), minimize="loss", optimizer=optimizer, trials=5, progress=False)
    texts = [str(note.message) for note in notes]
    assert any("the 1 evaluations it knows are not used" in text for text in texts)
    assert any("its parametrization is replaced" in text for text in texts)


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: eh.use(ng.optimizers.DE, workers=3), UsageError, "did you mean 'num_workers'"),
        (lambda: ng.optimizers.NGOpt, UsageError, r"has to know its budget: .*budget=200"),
        (lambda: ng.families.NonObjectOptimizer(method="NLOPT"), OptimizerError, "No module named 'nlopt'"),
    ],
)
def test_what_cannot_work_gives_one_clear_line(make, error, says):
    def run():
        study = eh.Study(eh.Space({"x": eh.Continuous(-1, 1)}), minimize="loss", optimizer=make(), seed=1)
        for _ in range(50):
            for trial in study.ask(1):
                study.tell(trial, trial.params["x"] ** 2)

    with pytest.raises(error, match=says):
        run()


def test_other_objects_are_left_to_others():
    assert adapt(ng.p.Scalar()) is None
    assert adapt(ng.callbacks.ProgressBar) is None
