"""Islands of any algorithm: each a run of its own, fed from its neighbours, and none that keeps workers waiting."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import evohpo as eh
from evohpo.optimizers import resolve
from evohpo.optimizers.islands import neighbours
from evohpo.testing import check_optimizer
from tests.conftest import loss, make_mixed_space, untimed
from tests.optimizers.hosting import Host, results

CUBE = {name: eh.Continuous(-1, 1) for name in "abcd"}
NEVER = 10**6


def sphere(params):
    return sum((value - 0.3) ** 2 for value in params.values())


def island_of(trial) -> int:
    return int(trial.operator.split(":")[0].removeprefix("island "))


def by_island(study) -> dict[int, list[dict]]:
    proposed = defaultdict(list)
    for trial in study.trials:
        proposed[island_of(trial)].append(trial.params)
    return proposed


class Listener:
    """Random generations of four that remember what they were told."""

    heard: list[Listener]

    def __init__(self, problem, rng):
        self.problem, self.rng, self.out, self.generation = problem, rng, 0, -1
        self.told, self.proposed = [], []
        self.heard.append(self)

    def ask(self, n):
        if self.out:
            return []
        self.out, self.generation = 4, self.generation + 1
        self.proposed += list(X := self.rng.random((4, self.problem.dim)))
        return X

    def tell(self, results):
        self.told.append(results)
        self.out -= int((results.numbers >= 0).sum())


@pytest.fixture
def listener():
    return type("Fresh", (Listener,), {"heard": []})


def hear(listener, objective=sphere, space=CUBE, *, trials=96, **options):
    """Run islands of listeners; return the study and, island by island, the results told of its own and of strangers."""
    goals = {"minimize": options.pop("minimize", "loss")}
    islands = eh.Islands(options.pop("members", listener), **options)
    study = eh.tune(objective, space, optimizer=islands, trials=trials, seed=4, progress=False, **goals)
    return study, listener.heard


# ---- each island is a run of its own


def test_without_migration_an_island_proposes_the_same_whatever_the_others_do():
    def jittery(params):
        time.sleep(random.SystemRandom().uniform(0, 0.003))
        if params["a"] > 0.8:
            raise ValueError("too much")
        return sphere(params)

    islands = eh.Islands(["ga", "pso", "cmaes"], migrate_every=NEVER)
    arguments = {"minimize": "loss", "optimizer": islands, "trials": 120, "seed": 2, "progress": False}
    alone, crowded = (
        by_island(eh.tune(jittery, CUBE, evaluator=eh.Threads(), workers=workers, **arguments)) for workers in (1, 8)
    )
    for number in range(3):
        common = min(len(alone[number]), len(crowded[number]))
        assert common > 20
        assert alone[number][:common] == crowded[number][:common]


def test_islands_of_one_algorithm_draw_from_streams_of_their_own(listener):
    hear(listener, count=3)
    first = [tuple(heard.proposed[0]) for heard in listener.heard]
    assert len(set(first)) == 3
    assert len({heard.problem.seed for heard in listener.heard}) == 3


@pytest.mark.parametrize(
    ("member", "population", "share"),
    [("ga", None, 5), ("ga", 40, 10), ("ga", 8, 4), ("nsga2", None, 10), (eh.use("ga", population=7), 40, 7)],
)
def test_population_and_budget_are_shared_out(member, population, share):
    study = eh.Study(CUBE, minimize="loss", optimizer=eh.Islands(member, 4), population=population, seed=1)
    study.begin(budget=200, workers=1)
    assert len(study.ask(1000)) == 4 * share, "a generation of each"


def test_an_island_sees_the_task_as_if_it_were_alone(listener):
    _, heard = hear(listener, count=3, trials=100)
    assert [(h.problem.budget, h.problem.dim, h.problem.n_objectives) for h in heard] == [(34, 4, 1)] * 3


def test_each_member_is_told_its_own_rows_in_its_own_encoding(listener):
    members = []
    for name, encoding in (("real", None), ("onehot", eh.OneHot()), ("binary", eh.Binary()), ("index", eh.Index(5))):
        members.append(type(name, (listener,), {}))
        eh.optimizer(f"test-islands-{name}", encoding=encoding)(members[-1])
    _, heard = hear(
        listener, loss, make_mixed_space(), members=members, migrate_every=1, topology="complete", trials=120
    )
    assert len({member.problem.dim for member in heard}) > 2
    repaired = 0
    for member in heard:
        own = [x for r in member.told for x in r.X[r.numbers >= 0]]
        strangers = [x for r in member.told for x in r.X[r.numbers < 0]]
        assert len(own) > 20
        assert len(strangers) > 3
        assert {len(x) for x in own + strangers} == {member.problem.dim}
        legal, changed = member.problem.encoding.repair(np.array(member.proposed[: len(own)]))
        repaired += int(changed.sum())
        np.testing.assert_array_equal(own, legal, "its own chromosomes, as they were evaluated")
    assert repaired, "the constraint of the space had a say"


def test_a_member_that_proposes_configurations_lives_beside_one_that_proposes_rows():
    class Naming:
        def __init__(self, problem, rng):
            self.space, self.rng = problem.space, rng

        def ask(self, n):
            return self.space.sample(n, self.rng)

        def tell(self, results):
            assert all(isinstance(config, dict) for config in results.X)

    eh.optimizer("test-islands-naming", encoding=eh.Configs())(Naming)
    study = eh.tune(
        loss, make_mixed_space(), minimize="loss", optimizer=eh.Islands([Naming, "de"], migrate_every=1), trials=60,
        seed=1, progress=False,
    )  # fmt: skip
    assert all(len(proposed) > 20 for proposed in by_island(study).values())


def test_a_single_objective_island_sees_a_scalarisation_of_its_own_and_nsga2_sees_all(listener):
    one, other, multi = (type(name, (listener,), {}) for name in ("One", "Other", "Multi"))
    eh.optimizer("test-islands-multi", objectives="multi")(multi)

    def two(params):
        return {"f": (params["a"] - 0.5) ** 2, "g": (params["a"] + 0.5) ** 2}

    study, heard = hear(listener, two, members=[one, other, multi], minimize=["f", "g"], migrate_every=1, trials=200)
    assert [h.told[0].F.shape[1] for h in heard] == [1, 1, 2]
    pairs = 0
    for h in heard[:2]:
        own = np.concatenate([r.numbers for r in h.told])
        told = np.concatenate([r.F[:, 0] for r in h.told])[own >= 0]
        F = np.array([study.trials[n].fitness for n in own if n >= 0])
        for g in range(24, len(F) - 3, 4):  # generations, once the span of the objectives is known
            for i in range(g, g + 4):
                for j in range(g, g + 4):
                    if (F[i] < F[j]).all():
                        pairs += 1
                        assert told[i] < told[j]
    assert pairs > 10


# ---- migration


@pytest.mark.parametrize("topology", ["ring", "complete", "star", "random"])
def test_an_island_is_told_of_the_best_of_its_neighbours_once_each(listener, topology):
    study, heard = hear(listener, count=4, migrate_every=2, topology=topology, migrants=1)
    senders = set()
    for number, island in enumerate(heard):
        strangers = [n for r in island.told for n in r.trials[r.numbers < 0].tolist()]
        assert len(strangers) == len(set(strangers)) >= 1
        allowed = neighbours(topology, number, 4, np.random.default_rng(0))
        for trial in strangers:
            sender = island_of(study.trials[trial])
            senders.add((sender, number))
            assert sender != number
            assert topology == "random" or sender in allowed
            own = [t for t in study.trials[:trial] if island_of(t) == sender]
            assert all(study.trials[trial].fitness <= t.fitness for t in own), "the best there was"
    expected = {"ring": 4, "complete": 12, "star": 6}
    assert len(senders) == expected.get(topology, len(senders))


def test_migration_comes_after_so_many_generations_of_the_receiver(listener):
    _, heard = hear(listener, count=3, migrate_every=3, trials=120)
    for island in heard:
        own = 0
        for told in island.told:
            if (told.numbers < 0).any():
                assert own
                assert own % (3 * 4) == 0
            own += int((told.numbers >= 0).sum())


def test_more_migrants_and_a_random_choice_of_good_ones(listener):
    study, heard = hear(listener, count=2, migrate_every=1, migrants=3, policy="random", trials=120)
    strangers = [n for r in heard[0].told for n in r.trials[r.numbers < 0].tolist()]
    assert len(strangers) > 20
    best_first = [t for t in study.trials if island_of(t) == 1]
    assert any(
        study.trials[n].fitness > min(t.fitness for t in best_first if t.number < n)
        for n in strangers
        if n > best_first[0].number
    )


@pytest.mark.parametrize("name", ["ga", "de", "pso", "sa", "nsga2", "nsga3", "moead", "paes"])
def test_newcomers_in_the_middle_of_a_run_become_parents(name):
    host = Host(eh.use(name, population=6), dim=3)
    host.run(4)
    stranger = results(np.full((1, 3), 0.3), [0.0], [None], [-1])  # as a study tells what was never asked
    host.optimizer.tell(replace(stranger, trials=np.array([777])))
    host.step()  # the generation that was told before the stranger came
    parents = set()
    for _ in range(3):
        population = host.ask()
        parents |= set(np.asarray(population.parents).ravel().tolist())
        F = host.objective(population.X)
        first = 1000 + len(parents)
        host.optimizer.tell(results(population.X, F, list(population.keys), np.arange(first, first + len(F))))
    assert 777 in parents


def test_descendants_of_immigrants_are_seen_in_the_lineage():
    islands = eh.Islands("ga", 3, migrate_every=1)
    study = eh.tune(sphere, CUBE, minimize="loss", optimizer=islands, trials=150, seed=1, progress=False)
    mixed = [t for t in study.trials if {island_of(study.trials[p]) for p in t.parents} - {island_of(t)}]
    assert len(mixed) > 5
    assert not [t for t in study.trials if any(p >= t.number for p in t.parents)]
    family = study.lineage(mixed[-1])
    assert family["operator"].str.extract(r"island (\d)")[0].nunique() > 1
    assert set(study.operators()["operator"]) >= {"island 2: sbx+polynomial", "island 0: latin hypercube"}


def test_migration_helps_islands_of_a_genetic_algorithm():
    def rastrigin(params):
        x = 5.12 * np.array(list(params.values())) - 1.3
        return float((x * x - 10 * np.cos(2 * np.pi * x) + 10).sum())

    def median(migrate_every):
        islands = eh.Islands("ga", 4, migrate_every)
        runs = [
            eh.tune(rastrigin, CUBE, minimize="loss", optimizer=islands, trials=240, seed=seed, progress=False)
            for seed in range(5)
        ]
        return np.median([study.best.fitness[0] for study in runs])

    assert median(2) < median(NEVER)


# ---- workers


def test_with_as_many_islands_as_workers_no_worker_ever_waits():
    dice = random.Random(3)
    study = eh.Study(CUBE, minimize="loss", optimizer=eh.Islands("ga", 6), seed=1)
    study.begin(budget=400, workers=6)
    running = study.ask(6)
    for _ in range(400):
        trial = running.pop(dice.randrange(6))
        study.tell(trial, sphere(trial.params))
        running += study.ask(1)
        assert len(running) == 6


@pytest.mark.parametrize(
    "islands",
    [
        eh.Islands("ga", 3, migrate_every=1),
        eh.Islands(["ga", "de-steady", "inspyred.pso", "cmaes"], migrate_every=1, topology="random"),
        eh.Islands(["dehb", "nsga2"], migrate_every=1),
    ],
    ids=["ga", "mixed", "dehb"],
)
def test_lookahead_makes_islands_independent_of_workers(islands):
    def jittery(params):
        time.sleep(random.SystemRandom().uniform(0, 0.003))
        if params["layers"] == 5:
            raise ValueError("five layers do not fit")
        return loss(params)

    arguments = {"minimize": "loss", "optimizer": islands, "trials": 60, "lookahead": 8, "seed": 3, "progress": False}
    tables = [
        untimed(eh.tune(jittery, make_mixed_space(), evaluator=eh.Threads(), workers=workers, **arguments))
        for workers in (1, 2, 8)
    ]
    for other in tables[1:]:
        pd.testing.assert_frame_equal(other, tables[0])


# ---- the rest of a study


def steps(params):
    for step in range(1, 10):
        yield {"loss": loss(params) + 1 / step}


@pytest.mark.parametrize(
    "pruner", [eh.ASHA(max_steps=9), eh.ASHA(max_steps=9, kind="promotion"), eh.Hyperband(9), eh.Median()], ids=repr
)
@pytest.mark.parametrize("members", ["ga", ["dehb", "pso"], ["de-steady", "random"]], ids=str)
def test_islands_work_with_pruners(pruner, members):
    islands = eh.Islands(members, migrate_every=1)
    study = eh.tune(
        steps, make_mixed_space(), minimize="loss", optimizer=islands, pruner=pruner, trials=80, seed=1, progress=False
    )
    assert len(study.trials) == 80
    assert all(t.ended for t in study.trials)
    assert not [t.error for t in study.trials if t.failed]


def test_a_paused_trial_counts_as_it_stands_and_its_later_result_comes_to_its_own_island(listener):
    islands = eh.Islands(listener, 3, migrate_every=NEVER)
    pruner = eh.ASHA(max_steps=9, kind="promotion")
    study = eh.tune(
        steps, make_mixed_space(), minimize="loss", optimizer=islands, pruner=pruner, trials=60, seed=1, progress=False
    )
    again = 0
    for number, island in enumerate(listener.heard):
        for told in island.told:
            assert told.final.all()
            assert {island_of(study.trials[n]) for n in told.trials} == {number}
            again += int((told.numbers < 0).sum())
    assert again > 5


def test_population_based_training_runs_on_islands_and_goes_on_from_checkpoints():
    def train(params, ctx):
        state = ctx.directory / "state"
        value = float(state.read_text()) if state.exists() else 0.0
        for _ in range(ctx.step, 20):
            value += params["rate"]
            state.write_text(repr(value))
            yield {"gain": value}

    pbt = eh.PBT(interval=5, max_steps=20, population=4)
    study = eh.tune(
        train, {"rate": eh.Continuous(0, 1)}, maximize="gain", optimizer=eh.Islands(pbt, 2), seed=1, progress=False
    )
    assert study.stopped == {"optimizer": "has nothing more to propose"}
    assert len(study.trials) == 2 * 4 * 4
    assert max(t.steps for t in study.trials) == 20


def test_outcome_constraints_and_failures_reach_every_island():
    def constrained(params):
        if params["d"] > 0.9:
            raise ValueError("too far")
        return {"loss": sphere(params), "seconds": params["a"] + params["b"]}

    study = eh.tune(
        constrained, CUBE, minimize="loss", constraints=["seconds <= -0.2"], optimizer=eh.Islands(["ga", "cmaes", "pso"]),
        trials=240, seed=1, progress=False,
    )  # fmt: skip
    assert study.best.feasible
    last = [t for t in study.trials[-60:] if t.fitness is not None]
    assert np.mean([t.feasible for t in last]) > 0.5


def test_a_baseline_is_told_to_every_island(listener):
    study = eh.Study(CUBE, minimize="loss", optimizer=eh.Islands(listener, 3), seed=1)
    study.attach(dict.fromkeys(CUBE, 0.3), 0.0, label="baseline")
    study.ask(1)
    for island in listener.heard:
        assert [r.trials.tolist() for r in island.told] == [[0]]
        assert island.told[0].numbers.tolist() == [-1]


def test_a_finite_member_ends_its_island_alone():
    space = {"x": eh.Integer(0, 5), "y": eh.Integer(0, 1)}
    study = eh.tune(
        sphere, space, minimize="loss", optimizer=eh.Islands(["grid", "ga"]), trials=100, seed=1, duplicates="evaluate",
        progress=False,
    )  # fmt: skip
    counts = {number: len(proposed) for number, proposed in by_island(study).items()}
    assert counts == {0: 12, 1: 88}


def test_islands_of_finite_members_need_no_budget():
    study = eh.tune(
        sphere, {"x": eh.Integer(0, 5)}, minimize="loss", optimizer=eh.Islands("grid", 2), seed=1, progress=False
    )
    assert len(study.trials) == 12
    assert study.stopped == {"optimizer": "has nothing more to propose"}


def test_a_stored_study_goes_on_by_name_alone(tmp_path):
    islands = eh.Islands(["ga", eh.use("cmaes", sigma=0.2), eh.use("pso", repaired=True)], migrate_every=1)
    arguments = {"minimize": "loss", "optimizer": islands, "seed": 5, "progress": False}
    expected = eh.tune(loss, make_mixed_space(), trials=60, **arguments)
    eh.tune(loss, make_mixed_space(), trials=23, store=tmp_path / "study.db", **arguments)
    for trials in (24, 41, 60):
        eh.load(tmp_path / "study.db").run(loss, trials=trials, progress=False)
    pd.testing.assert_frame_equal(untimed(eh.load(tmp_path / "study.db")), untimed(expected))


def test_users_own_algorithms_are_named_in_the_store_and_have_to_be_given_again(listener, tmp_path):
    store = tmp_path / "study.db"
    islands = eh.Islands(["ga", listener], migrate_every=1)
    arguments = {"minimize": "loss", "seed": 5, "progress": False, "store": store}
    eh.tune(sphere, CUBE, optimizer=islands, trials=20, **arguments)
    study = eh.load(store)
    assert study.settings.optimizer["options"]["optimizer"] == ["ga", "<type>"]
    with pytest.raises(eh.UsageError, match="your own code"):
        study.run(sphere, trials=40, progress=False)
    assert len(eh.tune(sphere, CUBE, optimizer=islands, trials=40, **arguments).trials) == 40
    with pytest.raises(eh.UsageError, match="another study"):
        eh.tune(sphere, CUBE, optimizer=eh.Islands(["de", listener], migrate_every=1), trials=60, **arguments)


def test_a_name_with_options_is_the_same_as_the_function():
    arguments = {"minimize": "loss", "trials": 60, "seed": 5, "progress": False}
    one = eh.tune(sphere, CUBE, optimizer=eh.use("islands", optimizer="de", count=3, migrate_every=1), **arguments)
    other = eh.tune(sphere, CUBE, optimizer=eh.Islands("de", 3, 1), **arguments)
    assert [t.params for t in one.trials] == [t.params for t in other.trials]


def test_islands_of_no_name_are_of_ga_or_of_nsga2_for_several_objectives():
    arguments = {"optimizer": "islands", "trials": 60, "seed": 5, "progress": False}
    several = eh.tune(lambda p: {"f": p["a"], "g": -p["a"] + p["b"]}, CUBE, minimize=["f", "g"], **arguments)
    single = eh.tune(sphere, CUBE, minimize="loss", **arguments)
    assert len(by_island(several)[0]) > len(by_island(single)[0]) >= 10, "populations of 10 and of 5"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"count": 0}, "count=0: must be a whole number of at least 1"),
        ({"migrate_every": 0}, "migrate_every=0"),
        ({"migrants": 1.5}, "migrants=1.5"),
        ({"topology": "rings"}, "unknown topology 'rings': did you mean 'ring'"),
        ({"policy": "bets"}, "unknown policy 'bets': did you mean 'best'"),
        ({"optimizer": "gaa"}, "unknown optimizer 'gaa': did you mean 'ga'"),
        ({"optimizer": []}, "no algorithm"),
        ({"optimizer": ["ga", "de", "pso"], "count": 2}, "3 algorithms on count=2 islands"),
        ({"optimizer": eh.Islands("ga")}, "cannot be made of islands"),
        ({"optimizer": {"nome": "ga"}}, "give a name, or a mapping of name, options, repaired"),
        ({"optimizer": eh.use("ga", pop=3)}, "optimizer 'ga' has no option 'pop'"),
    ],
)
def test_islands_that_make_no_sense_are_refused(arguments, says):
    with pytest.raises(eh.UsageError, match=says):
        eh.Islands(**arguments)
    with pytest.raises(eh.UsageError, match=says):
        resolve(eh.use("islands", **arguments))


def test_copies_of_one_live_object_are_refused(listener):
    live = listener(None, np.random.default_rng(1))
    with pytest.raises(eh.UsageError, match="would all propose the same"):
        eh.Islands(live, 2)
    eh.Islands([live, listener(None, np.random.default_rng(2))])


@pytest.mark.parametrize(
    "islands",
    [
        pytest.param(eh.Islands("ga", 3, migrate_every=1), marks=pytest.mark.slow),
        pytest.param(eh.Islands(["de", "pso", "cmaes"], migrate_every=1, topology="ring"), marks=pytest.mark.slow),
        pytest.param(eh.Islands(["inspyred.pso", "nsga2"], policy="random"), marks=pytest.mark.slow),
        pytest.param(eh.Islands(["dehb", "ga-steady"], topology="star"), marks=pytest.mark.slow),
        pytest.param(eh.Islands("pbt", 2), marks=pytest.mark.slow),
    ],
    ids=["ga", "mixed", "inspyred", "dehb", "pbt"],
)
def test_islands_keep_the_promises_of_an_optimizer(islands):
    check_optimizer(islands)
