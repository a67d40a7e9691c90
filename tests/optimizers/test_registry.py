"""Names, options, and what counts as an optimizer."""

from __future__ import annotations

import threading
from importlib import metadata

import numpy as np
import pytest

from evohpo.errors import UnknownName, UsageError
from evohpo.optimizers import available_adapters, available_optimizers, optimizer, registry, resolve, use
from tests.optimizers.hosting import Host


def walk(problem, rng, population=4, step=0.1):
    X = rng.random((population, problem.dim))
    while True:
        yield X
        X = np.clip(X + rng.normal(0, step, X.shape), 0, 1)


@pytest.fixture
def names():
    """The registry, from which the test's names are gone after the test."""
    yield registry
    for name in [name for name in registry._registered if name.startswith("test-")]:
        del registry._registered[name]


def pretend(monkeypatch, *points):
    def entry_points(group):
        return [metadata.EntryPoint(name, value, group) for g, name, value in points if g == group]

    monkeypatch.setattr(metadata, "entry_points", entry_points)


def test_the_decorator_registers_and_leaves_the_function_alone(names):
    before = dict(vars(walk))
    assert optimizer("test-walk", objectives="multi", reference="me")(walk) is walk
    assert vars(walk) == before
    entry = names.get("test-walk")
    assert (entry.target, entry.traits.objectives, entry.traits.reference) == (walk, "multi", "me")
    assert entry.origin == f"{__name__}:walk"


def test_defining_an_optimizer_again_as_a_notebook_does_replaces_it(names):
    def define(step):
        @optimizer("test-cell")
        def cell(problem, rng):
            yield np.full((1, problem.dim), step)

        return cell

    define(0.1)
    second = define(0.2)
    assert names.get("test-cell").target is second


def test_a_name_belongs_to_whoever_came_first(names):
    optimizer("test-mine")(walk)

    def other(problem, rng):
        yield

    with pytest.raises(UsageError, match=r"test-mine.*test_registry:walk.*other"):
        optimizer("test-mine")(other)


def test_a_built_in_name_is_taken_before_its_module_was_imported(monkeypatch):
    monkeypatch.delitem(registry._registered, "ga", raising=False)
    with pytest.raises(UsageError, match="'ga' is already registered by evohpo"):
        optimizer("ga")(walk)


def test_an_unknown_name_is_answered_with_the_nearest_ones():
    with pytest.raises(UnknownName, match=r"'inspyred\.pso'"):
        resolve("inspyred.psso")


def test_an_unknown_option_is_refused_before_anything_runs(names):
    ran = []

    @optimizer("test-options")
    def careful(problem, rng, weight=0.5, population=3):
        ran.append(1)
        yield np.zeros((population, problem.dim))

    with pytest.raises(UsageError, match=r"no option 'wieght': did you mean 'weight'"):
        resolve(use("test-options", wieght=1))
    with pytest.raises(UsageError, match=r"no option 'problem'"):
        resolve(use("test-options", problem=1))
    assert not ran
    assert Host(use("test-options", population=2)).run(1).shape == (2, 3)


def test_a_function_with_keyword_arguments_takes_any_option():
    def open_minded(problem, rng, **options):
        yield np.full((1, problem.dim), options["height"])

    assert Host(use(open_minded, height=0.25)).run(1).tolist() == [[0.25] * 3]


def test_a_parameter_that_nobody_gives_is_named():
    def needy(problem, rng, network):
        yield

    with pytest.raises(UsageError, match=r"'network' that nobody gives: attach it with evohpo.use\(..., network=...\)"):
        resolve(needy)


def test_the_users_population_reaches_whoever_has_such_a_parameter():
    assert Host(walk, population=6).run(1).shape == (6, 3)
    assert Host(use(walk, population=2), population=6).run(1).shape == (2, 3)
    assert Host(lambda problem, rng: iter_once(problem), population=6).run(1).shape == (1, 3)


def iter_once(problem):
    yield np.zeros((1, problem.dim))


def test_uses_add_up_and_the_later_one_wins():
    outer = use(use(use(walk, step=0.2, population=3), step=0.5), repaired=True)
    assert (outer.target, dict(outer.options), outer.repaired) == (walk, {"step": 0.5, "population": 3}, True)
    assert use(outer).repaired
    assert resolve(outer).repaired


@pytest.mark.parametrize("nothing", [3, None, dict, object(), iter_once(None), np.zeros((2, 2))])
def test_what_is_no_optimizer_is_told_what_is_accepted(nothing):
    with pytest.raises(UsageError, match=r"a generator function \(problem, rng, \*\*options\)"):
        resolve(nothing)


def test_a_factory_that_returns_no_optimizer_is_found_out_at_the_start():
    with pytest.raises(UsageError, match="returned int"):
        Host(lambda problem, rng: 3)


def test_only_what_has_a_registered_name_can_be_rebuilt_from_it(names):
    assert not resolve(walk).rebuildable
    assert resolve(walk).name == f"{__name__}:walk"
    optimizer("test-walk")(walk)
    assert (resolve(walk).name, resolve(walk).rebuildable) == ("test-walk", True)
    assert (resolve("random").name, resolve("random").rebuildable) == ("random", True)


def test_the_fingerprint_names_distributions_and_versions():
    import evohpo

    assert resolve("random").origin == f"evohpo {evohpo.__version__}"
    assert resolve("inspyred.ga").origin == f"evohpo {evohpo.__version__}, inspyred {metadata.version('inspyred')}"
    assert resolve(walk).origin == f"{__name__}:walk"


def test_a_plugin_that_fails_to_import_is_listed_with_its_error_and_hides_nobody(names, monkeypatch):
    group = "evohpo.optimizers"
    pretend(
        monkeypatch, (group, "test-broken", "no.such.module:thing"), (group, "test-plugged", f"{__name__}:walk")
    )  # fmt: skip
    listed = available_optimizers()
    assert "No module named 'no'" in listed["test-broken"].error
    assert (listed["test-plugged"].form, listed["test-plugged"].error) == ("generator", "")
    assert listed["random"].form == "class"
    assert Host("test-plugged").run(2).shape == (8, 3)
    with pytest.raises(UsageError, match=r"test-broken.*failed to import, ModuleNotFoundError"):
        resolve("test-broken")


def test_the_list_covers_every_built_in_name():
    listed = available_optimizers()
    assert set(registry.BUILT_IN) <= set(listed)
    assert {listed[name].error for name in registry.BUILT_IN} == {""}
    assert {listed[name].origin for name in registry.BUILT_IN} == {"evohpo"}
    assert (listed["nsga2"].objectives, listed["cmaes"].encoding, listed["random"].encoding) == (
        "multi",
        "OneHot",
        "Real",
    )


class Alien:
    """A live object of a library with an adapter."""

    def __init__(self):
        self.at = 0.25


def adapt_alien(obj):
    if not isinstance(obj, Alien):
        return None

    def search(evaluate, problem, rng, height=0.0):
        while True:
            evaluate(np.full((1, problem.dim), obj.at + height))
            obj.at += 0.25

    return registry.Registered("alien", search, registry.Traits(), "tests")


def test_a_live_object_is_adapted_by_the_package_it_comes_from(monkeypatch):
    pretend(monkeypatch, ("evohpo.adapters", "tests", f"{__name__}:adapt_alien"))
    alien = Alien()
    assert Host(use(alien, height=0.1)).run(2)[:, 0].tolist() == [0.35, 0.6]
    assert Host(alien).run(2)[:, 0].tolist() == [0.25, 0.5]  # each start has a copy
    assert alien.at == 0.25
    with pytest.raises(UsageError, match="'hieght'"):
        resolve(use(alien, hieght=1))


class Counter:
    """A live object with a state."""

    def __init__(self):
        self.count = 0

    def ask(self, n):
        self.count += 1
        return np.full((1, 3), self.count / 10)

    def tell(self, results):
        pass


def test_a_live_object_serves_two_studies_as_two_copies():
    counter = Counter()
    assert Host(counter).run(2)[:, 0].tolist() == Host(counter).run(2)[:, 0].tolist() == [0.1, 0.2]
    assert counter.count == 0


def test_a_live_object_that_cannot_be_copied_serves_one_study_only():
    counter = Counter()
    counter.lock = threading.Lock()
    assert len(Host(counter).run(2)) == 2
    with pytest.raises(UsageError, match="in use by another study and cannot be copied"):
        Host(counter)


def test_a_live_object_takes_no_options():
    with pytest.raises(UsageError, match=r"takes no options \(step\)"):
        resolve(use(Counter(), step=1))


def test_two_plugins_with_one_name_are_an_error_that_shows_both(names, monkeypatch):
    group = "evohpo.optimizers"
    pretend(monkeypatch, (group, "test-twice", f"{__name__}:walk"), (group, "test-twice", f"{__name__}:Counter"))
    with pytest.raises(UsageError, match=r"test-twice.*:walk.* and .*:Counter.*uninstall one"):
        resolve("test-twice")
    assert "uninstall one" in available_optimizers()["test-twice"].error
    assert available_optimizers()["random"].error == ""


def test_the_same_plugin_twice_on_the_path_is_one(names, monkeypatch):
    group = "evohpo.optimizers"
    pretend(monkeypatch, (group, "test-once", f"{__name__}:walk"), (group, "test-once", f"{__name__}:walk"))
    assert resolve("test-once").target is walk


def test_a_plugin_cannot_take_the_name_of_a_built_in_one(monkeypatch):
    pretend(monkeypatch, ("evohpo.optimizers", "de", f"{__name__}:walk"))
    assert resolve("de").origin.startswith("evohpo")
    assert "choose another" in available_optimizers()[f"de ({__name__}:walk)"].error


def test_a_broken_adapter_is_listed_with_its_error_and_disturbs_only_its_own_library(monkeypatch):
    pretend(monkeypatch, ("evohpo.adapters", "tests", "no.such.module:adapt"))
    assert "No module named 'no'" in available_adapters()["tests"].error
    assert available_adapters()["inspyred"].error == ""
    with pytest.raises(UsageError, match=r"the adapter for 'tests'.*failed to import"):
        resolve(Alien())
    assert resolve("de").name == "de"


def test_a_live_object_of_a_library_without_its_plugin_says_what_to_install(monkeypatch):
    pretend(monkeypatch)
    monkeypatch.setattr(Counter, "__module__", "pymoo.algorithms.soo.nonconvex.ga")
    with pytest.raises(UsageError, match=r"pip install 'evohpo\[pymoo\]'"):
        resolve(Counter())
