"""What an optimizer depends on: its seed and the results, nothing else."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np

import evohpo as eh
from evohpo.errors import UsageError
from evohpo.optimizers.protocol import Population, Problem, Results
from evohpo.optimizers.registry import Use, resolve
from evohpo.testing.optimizers.helpers import in_step, is_steady, same
from evohpo.testing.outcome import USUAL, Case, Check, Inapplicable, set_global_generators
from evohpo.testing.problems import cube, drive, measure, proposals, search, sphere

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def same_seed(optimizer: Any, case: Case = USUAL) -> None:
    """The same seed gives the same proposals, whatever the global generators are at."""
    runs = []
    for state in (1, 2):
        with set_global_generators(state):
            runs.append(proposals(search(optimizer, sphere, cube(case.dim), case.trials, case.seed)))
    same(runs[0], runs[1], "the same seed")


def another_seed(optimizer: Any) -> None:
    """Another seed gives other proposals."""
    first, second = (proposals(search(optimizer, sphere, cube(4), seed=seed)) for seed in (1, 2))
    assert first != second, "seeds 1 and 2 give the same proposals: draw from rng, or from problem.seed"


def global_generators(optimizer: Any, case: Case = USUAL) -> None:
    """The global generators of random and numpy.random are left as they were."""
    with set_global_generators(3):
        before = random.getstate(), repr(np.random.get_state())  # noqa: NPY002
        search(optimizer, sphere, cube(case.dim), case.trials, case.seed)
        after = random.getstate(), repr(np.random.get_state())  # noqa: NPY002
    assert before[0] == after[0], "it drew from, or seeded, the module random: draw from rng"
    assert before[1] == after[1], "it drew from, or seeded, numpy.random: draw from rng"


def clock(optimizer: Any, case: Case = USUAL) -> None:
    """With clocks that run a thousand times faster, and on another day, it proposes the same."""
    first = proposals(search(optimizer, sphere, cube(case.dim), case.trials, case.seed))
    with _fast_clocks():
        second = proposals(search(optimizer, sphere, cube(case.dim), case.trials, case.seed))
    same(first, second, "now and with fast clocks")


@contextlib.contextmanager
def _fast_clocks() -> Iterator[None]:
    def fast(real: Callable[[], float]) -> Callable[[], float]:
        start, calls = real(), itertools.count()
        second = 10**9 if isinstance(start, int) else 1
        return lambda: type(start)(start + 1e7 * second + 1000 * (real() - start) + 10 * second * next(calls))

    names = ("time", "monotonic", "perf_counter", "process_time", "time_ns", "monotonic_ns", "perf_counter_ns")
    with contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(mock.patch.object(time, name, fast(getattr(time, name))))
        yield


def independent_instances(optimizer: Any, case: Case = USUAL) -> None:
    """Two studies that take turns propose what each proposes alone: nothing is shared through a class or module."""
    alone = [proposals(search(optimizer, sphere, cube(case.dim), case.trials, seed)) for seed in (1, 2)]
    studies = [eh.Study(cube(case.dim), minimize="loss", optimizer=optimizer, seed=seed) for seed in (1, 2)]
    for study in studies:
        study.begin(budget=case.trials, workers=1)
    while any(len(s.trials) < case.trials and not s.done for s in studies):
        before = [len(s.trials) for s in studies]
        for study in studies:
            drive(study, sphere, min(len(study.trials) + 8, case.trials))
        if before == [len(s.trials) for s in studies]:
            break
    for study, expected in zip(studies, alone, strict=True):
        n = min(len(expected), len(study.trials))  # what is repeated comes in batches of another size
        same(expected[:n], proposals(study)[:n], "alone and taking turns with another study")


def after_an_abort(optimizer: Any) -> None:
    """A study that was dropped in the middle leaves nothing behind for the next one, of another shape."""
    expected = proposals(search(optimizer, sphere, cube(2), 30))
    aborted = eh.Study(cube(5), minimize="loss", optimizer=optimizer, seed=3)
    measure(aborted, sphere, aborted.ask(7)[:3])
    aborted.ask(2)
    del aborted
    same(expected, proposals(search(optimizer, sphere, cube(2), 30)), "before and after an aborted study")


def hash_order(optimizer: Any) -> None:
    """In processes with different hash seeds it proposes the same: no order of a set decides; importable ones only."""
    spec, options = (optimizer.target, dict(optimizer.options)) if isinstance(optimizer, Use) else (optimizer, {})
    named = isinstance(spec, str)
    path = spec if named else f"{getattr(spec, '__module__', '')}:{getattr(spec, '__qualname__', '')}"
    try:
        text = json.dumps([path, named, options])
        known = named or eval_path(path) is spec
    except (TypeError, ImportError, AttributeError, ValueError):
        known = False
    if not known or path.startswith("__main__"):
        raise Inapplicable("another process could not import it")
    if named and resolve(spec).origin.partition(" ")[0] != "evohpo":
        raise Inapplicable("it is registered by this process")
    runs = []
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        done = subprocess.run(  # noqa: S603 - this interpreter, and a name
            [sys.executable, "-m", "evohpo.testing.optimizers.elsewhere", text], capture_output=True, text=True, timeout=120,
            env=environment, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"in another process it fails: {done.stderr.strip().splitlines()[-1:]}"
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    same(runs[0], runs[1], "hash seeds 1 and 2")


def eval_path(path: str) -> Any:
    """Return what "<module>:<qualified name>" stands for."""
    import importlib
    from functools import reduce

    module, _, name = path.partition(":")
    return reduce(getattr, name.split("."), importlib.import_module(module))


def any_request_size(optimizer: Any, case: Case = USUAL) -> None:
    """A generation is the same whether it is asked for one by one or all at once; a steady-state optimizer is skipped."""
    if is_steady(optimizer):
        raise Inapplicable("it proposes whenever it is asked")
    tables = []
    for n in (1, 1000):
        study = eh.Study(cube(case.dim), minimize="loss", optimizer=optimizer, seed=case.seed, duplicates="evaluate")
        study.begin(budget=case.trials, workers=1)
        while len(study.trials) < case.trials and (asked := study.ask(n)):
            measure(study, sphere, asked)
        tables.append(proposals(study)[: case.trials])
    assert tables[0] == tables[1], "asked for one by one it proposes other points than asked for all at once"


def identity(optimizer: Any) -> None:
    """Results of a generation are matched by their keys: told in another order and in portions, it goes on the same."""
    if is_steady(optimizer):
        raise Inapplicable("it learns from each result at once, so that their order counts")
    same(_told_by_hand(optimizer, np.arange), _told_by_hand(optimizer, _shuffled), "told in order and out of order")


def _shuffled(k: int) -> Any:
    return np.random.default_rng(k).permutation(k)


def _told_by_hand(optimizer: Any, order: Callable[[int], Any]) -> list[dict[str, Any]]:
    """Return what it proposes in a few generations whose results are told in that order, in three portions."""
    resolved = resolve(optimizer)
    encoding = resolved.traits.encoding or eh.Real()
    if isinstance(encoding, eh.Configs):
        raise Inapplicable("it proposes configurations")
    codec = encoding.bind(cube(3))
    problem = Problem(codec.dim, codec.genes, seed=1, space=codec.space, encoding=codec, budget=60)
    started = resolved.start(problem, np.random.default_rng(1))
    seen: list[dict[str, Any]] = []
    while len(seen) < 60:
        answer = started.ask(100)
        if answer is None:
            break
        population = answer if isinstance(answer, Population) else Population(answer)
        X, k = population.X, len(population.X)
        assert k, "with all results told it proposes nothing more"
        configs = codec.decode(X)
        numbers = np.arange(len(seen), len(seen) + k)
        seen += configs
        F = np.array([[sphere(c)] for c in configs])
        zero = np.zeros(k)
        keys = list(population.keys) if population.keys is not None else [None] * k
        told = Results(X, F, zero, zero.astype(int), zero > 0, numbers, keys)
        for portion in np.array_split(order(k), min(3, k)):
            started.tell(told.take(portion))
    return seen


def same_for_any_workers(optimizer: Any) -> None:
    """One worker and three give the same table; a steady-state optimizer with lookahead."""
    more = in_step(optimizer)
    tables = []
    for workers in (1, 3):
        study = eh.Study(cube(4), minimize="loss", optimizer=optimizer, seed=1, **more)
        study.run(sphere, trials=40, evaluator=eh.Threads(workers), progress=False)
        tables.append(proposals(study))
    same(tables[0], tables[1], "1 and 3 workers")


def resume(optimizer: Any) -> None:
    """A study that was killed goes on exactly as one that was not; a steady-state optimizer with lookahead."""
    more = in_step(optimizer)  # else the batches of asks matter, as they may
    whole = proposals(search(optimizer, sphere, cube(3), trials=50, **more))
    for at in (1, 13, 27):
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder) / "study.db"
            search(optimizer, sphere, cube(3), trials=at, budget=50, store=store, **more).close()
            with eh.Study(cube(3), minimize="loss", optimizer=optimizer, seed=1, store=store, **more) as study:
                goes_on = proposals(drive(study, sphere, 50))
                same(whole[:50], goes_on[:50], f"a study killed after {at} trials and one in one go")


def resume_at_every_event(optimizer: Any) -> None:
    """Killed after any event of its journal, a short study goes on exactly as one that was not killed."""
    more = in_step(optimizer)
    with tempfile.TemporaryDirectory() as folder:
        full, cut = Path(folder) / "full.db", Path(folder) / "cut.db"
        study = search(optimizer, sphere, cube(2), trials=14, store=full, **more)
        whole = proposals(study)
        study.close()
        with contextlib.closing(sqlite3.connect(full)) as db:
            last = db.execute("SELECT MAX(id) FROM events").fetchone()[0]
        for event in range(2, last, max(1, last // 20)):
            shutil.copy(full, cut)
            with contextlib.closing(sqlite3.connect(cut)) as db, db:
                db.execute("DELETE FROM events WHERE id > ?", (event,))
            try:
                again = eh.Study(cube(2), minimize="loss", optimizer=optimizer, seed=1, store=cut, **more)
            except UsageError as error:
                raise AssertionError(f"a study killed after event {event} cannot be opened: {error}") from error
            with again:
                again.resume()
                measure(again, sphere, [t for t in again.trials if not t.ended])
                goes_on = proposals(drive(again, sphere, 14))  # the last batch may bring repetitions beyond that
                same(whole[:14], goes_on[:14], f"a study killed after event {event} and one in one go")


def maximize_is_minimize(optimizer: Any, case: Case = USUAL) -> None:
    """Maximizing the negative proposes what minimizing does."""
    down = search(optimizer, sphere, cube(case.dim), case.trials, case.seed)
    up = search(optimizer, lambda params: -sphere(params), cube(case.dim), case.trials, case.seed, maximize="gain")
    same(proposals(down), proposals(up), "minimizing and maximizing the negative")


CHECKS: list[Check] = [
    global_generators, same_seed, another_seed, clock, hash_order, independent_instances, after_an_abort, any_request_size,
    identity, maximize_is_minimize, resume, resume_at_every_event, same_for_any_workers,
]  # fmt: skip
