"""Search functions turned inside out: hand-over, ends, errors, threads, and private global streams."""

# ruff: noqa: NPY002 - that the legacy global generator stays untouched is what is tested
from __future__ import annotations

import gc
import random
import threading
import traceback

import numpy as np
import pytest

from evohpo.errors import EvohpoWarning, OptimizerError, UsageError
from evohpo.optimizers import inverter as inverter_module
from evohpo.optimizers import use
from evohpo.optimizers.inverter import Inverter
from evohpo.optimizers.scope import GlobalStreams
from tests.optimizers.hosting import Host, sphere, two_spheres


def guests():
    return [thread for thread in threading.enumerate() if thread.name == "evohpo guest"]


@pytest.fixture(autouse=True)
def _no_guest_stays():
    assert not guests()
    yield
    gc.collect()
    assert not guests()


def endless(evaluate, problem, rng, population=4):
    while True:
        evaluate(rng.random((population, problem.dim)))


def test_evaluate_gives_the_fitness_in_the_order_of_its_rows():
    seen = []

    def search(evaluate, problem, rng):
        X = rng.random((5, problem.dim))
        seen.append((X, evaluate(X)))

    host = Host(search)
    host.shuffle = np.random.default_rng(2)
    host.run()
    (X, F) = seen[0]
    assert F.tolist() == sphere(X).tolist()
    assert host.done


def test_a_single_row_gives_a_single_number():
    seen = []

    def search(evaluate, problem, rng):
        seen.append(evaluate(np.full(problem.dim, 0.5)))
        seen.append(evaluate([0.25] * problem.dim))

    Host(search).run()
    assert seen == pytest.approx([0.12, 0.0075])
    assert all(type(f) is float for f in seen)


def test_a_search_that_returns_is_done():
    host = Host(lambda evaluate, problem, rng: evaluate(rng.random((2, 3))))
    assert host.step()
    assert not host.step()
    assert host.done
    assert host.optimizer.ask(1) is None


def test_closing_ends_the_thread_and_runs_its_finally_clauses():
    ended = []

    def search(evaluate, problem, rng):
        try:
            endless(evaluate, problem, rng)
        except Exception:  # swallows what it can: not the end
            ended.append("swallowed")
        finally:
            ended.append("finally")

    host = Host(search)
    host.run(2)
    assert len(guests()) == 1
    host.optimizer.close()
    assert not guests()
    assert ended == ["finally"]
    assert host.optimizer.ask(1) is None


def test_dropping_the_handle_without_closing_leaves_no_thread():
    hosts = [Host(endless) for _ in range(20)]
    for host in hosts:
        host.run(2)
    assert len(guests()) == 20
    del host, hosts
    gc.collect()
    assert not guests()


def test_closing_before_the_start_or_twice_is_fine():
    inverter = Inverter(lambda evaluate: evaluate([[0.0]]))
    assert inverter.close()
    assert inverter.close()
    with pytest.raises(StopIteration):
        inverter.send(None)


def test_a_guest_that_swallows_everything_is_reported(monkeypatch):
    monkeypatch.setattr(inverter_module, "GRACE", 0.1)
    release = threading.Event()

    def stubborn(evaluate, problem, rng):
        while not release.is_set():
            try:
                evaluate(rng.random((1, problem.dim)))
            except:  # noqa: E722
                release.wait(30)

    host = Host(stubborn)
    host.run(1)
    with pytest.warns(EvohpoWarning, match="swallows the signal to stop"):
        host.optimizer.close()
    release.set()
    for thread in guests():
        thread.join(30)


def test_an_error_of_the_guest_comes_out_with_its_traceback():
    def helper():
        raise KeyError("gene")

    def search(evaluate, problem, rng):
        evaluate(rng.random((2, problem.dim)))
        helper()

    host = Host(search)
    host.step()
    with pytest.raises(
        OptimizerError, match=r"test_inverter:.*search.*raised KeyError in generation 1: 'gene'"
    ) as caught:
        host.step()
    frames = [frame.name for frame in traceback.extract_tb(caught.value.__cause__.__traceback__)]
    assert frames[-2:] == ["search", "helper"]
    with pytest.raises(OptimizerError, match="cannot go on after"):
        host.step()


def test_a_guest_that_exits_the_process_does_not():
    def search(evaluate, problem, rng):
        raise SystemExit(3)

    with pytest.raises(OptimizerError, match="ended with SystemExit"):
        Host(search).step()


def test_evaluate_from_another_thread_is_refused():
    errors = []

    def search(evaluate, problem, rng):
        def work():
            try:
                evaluate(rng.random((1, problem.dim)))
            except UsageError as error:
                errors.append(str(error))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        evaluate(rng.random((1, problem.dim)))

    Host(search).run(1)
    assert "from another thread" in errors[0]


def test_the_guest_sees_the_context_of_whoever_starts_it():
    def search(evaluate, problem, rng):
        evaluate(np.full((1, problem.dim), float(np.geterr()["over"] == "raise")))

    with np.errstate(over="raise"):
        assert Host(search).run(1)[0, 0] == 1.0


def test_it_can_be_asked_from_any_thread():
    host = Host(endless)
    host.step()
    thread = threading.Thread(target=host.step)
    thread.start()
    thread.join()
    host.step()
    assert host.sizes == [4, 4, 4]


def careless(evaluate, problem, rng, population=3):
    """Draws from both global streams, as much old code does."""
    while True:
        evaluate(np.random.random((population, problem.dim)) * random.random() + np.random.randn() * 0)


def test_global_streams_stay_where_they_were():
    random.seed(5)
    np.random.seed(5)
    np.random.randn()  # leaves a cached second draw behind, a part of the state
    before, numpys = random.getstate(), np.random.get_state()
    Host(careless).run(5)
    assert random.getstate() == before
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), numpys, strict=True))


def test_a_guest_that_draws_globally_repeats_itself_whatever_else_draws():
    alone = Host(careless).run(5)
    other, host = Host(careless, seed=2), Host(careless)
    for i in range(5):
        np.random.seed(i)
        random.seed(i)
        other.step()
        host.step()
    assert np.array_equal(np.concatenate(host.X), alone)
    assert not np.array_equal(np.concatenate(other.X), alone)


def test_the_scope_does_not_move_the_generator_it_is_seeded_from():
    rng = np.random.default_rng(1)
    GlobalStreams(rng)
    assert rng.random() == np.random.default_rng(1).random()


def test_states_come_back_when_a_guest_raises():
    before = random.getstate()
    with pytest.raises(ZeroDivisionError), GlobalStreams(np.random.default_rng(1)):
        raise ZeroDivisionError(random.random())
    assert random.getstate() == before


def test_several_objectives_come_as_a_matrix(request):
    from evohpo.optimizers import optimizer, registry

    shapes = []

    @optimizer("test-multi-search", objectives="multi")
    def search(evaluate, problem, rng):
        shapes.append(evaluate(rng.random((4, problem.dim))).shape)
        shapes.append(evaluate(rng.random(problem.dim)).shape)

    request.addfinalizer(lambda: registry._registered.pop("test-multi-search"))
    Host(use("test-multi-search"), two_spheres, n_objectives=2).run()
    assert shapes == [(4, 2), (2,)]
