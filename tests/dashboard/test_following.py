"""Following a store that somebody else writes, whatever happens to it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading

import pandas as pd
import pytest

import evohpo as eh
from evohpo.dashboard.following import Followed
from tests.conftest import loss, make_mixed_space, untimed
from tests.dashboard.conftest import go

pytestmark = pytest.mark.usefixtures("impatient")


def numbers(trials):
    return sorted(t.number for t in trials)


def check_same(followed, store):
    """What is followed is what a reader of the file sees."""
    with eh.load(store) as study:
        pd.testing.assert_frame_equal(untimed(followed.study), untimed(study))
        pd.testing.assert_frame_equal(followed.study.curves(), study.curves())
        assert followed.study.stopped == study.stopped
        assert followed.study.ledger.counts == study.ledger.counts


def test_every_event_is_seen_once_while_the_study_goes_on(store, make):
    study, followed = make(), Followed(store)
    taken = []
    for _ in range(12):
        (trial,) = study.ask(1)
        study.report(trial, 1, {"loss": 2.0})
        followed.refresh()
        taken.append(followed.seen)
        study.tell(trial, {"loss": trial.params["x"], "extra": 1})
        followed.refresh()
        check_same(followed, store)
    with sqlite3.connect(store) as db:
        assert followed.seen == db.execute("SELECT COUNT(*) FROM events").fetchone()[0]
    db.close()
    assert taken == sorted(set(taken))
    assert followed.results == 12
    assert followed.metrics == ["loss", "extra"]
    assert followed.problem == ""


def test_only_trials_that_changed_are_told(store, make):
    study, followed = make(), Followed(store)
    go(study, 5)
    followed.refresh()
    before = followed.version
    first, second = study.ask(2)
    study.tell(second, {"loss": 0.0})
    followed.refresh()
    assert numbers(followed.changed_since(before)) == [first.number, second.number]
    middle = followed.version
    study.tell(first, {"loss": 0.0})
    followed.refresh()
    assert numbers(followed.changed_since(middle)) == [first.number]
    assert followed.changed_since(followed.version) == []
    for unknown in ("", "nonsense", "abcd.3", f"{followed.epoch}.", f"{followed.epoch}.²"):
        assert followed.changed_since(unknown) is None


def test_a_duplicate_that_shares_a_result_is_told_with_it(tmp_path):
    store = tmp_path / "study.db"
    with eh.Study({"c": eh.Categorical([1])}, minimize="loss", optimizer="random", seed=1, store=store) as study:
        followed = Followed(store)
        (trial,) = study.ask(1)
        study.ask(1)
        followed.refresh()
        before = followed.version
        study.tell(trial, 1.0)
        followed.refresh()
        assert numbers(followed.changed_since(before)) == [t.number for t in study.trials if t.ended]
        assert sum(t.job.startswith("reused") for t in followed.study.trials) >= 1


def test_a_pruned_study_of_several_workers_is_followed_to_its_end(store):
    def train(params):
        for step in range(1, 10):
            yield {"loss": loss(params) + 1 / step}

    followed, done = Followed(store), threading.Event()

    def follow():
        while not done.is_set():
            followed.refresh()

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        eh.tune(
            train, make_mixed_space(), minimize="loss", optimizer="de", pruner=eh.Hyperband(9), generations=4,
            population=9, workers=2, seed=1, store=store, progress=False,
        ).close()  # fmt: skip
    finally:
        done.set()
        thread.join()
    followed.refresh()
    assert followed.problem == ""
    check_same(followed, store)


def test_a_store_may_come_later(store, make):
    followed = Followed(store)
    followed.refresh()
    assert (followed.study, "no such file yet" in followed.problem) == (None, True)
    store.touch()
    followed.refresh()
    assert (followed.study, "no study in it yet" in followed.problem) == (None, True)
    store.unlink()
    go(make(), 2)
    followed.refresh()
    assert followed.problem == ""
    check_same(followed, store)


def test_a_study_without_events_stays_the_same_one(store, make):
    make()
    followed = Followed(store)
    followed.refresh()
    before = followed.version
    followed.refresh()
    assert followed.study.trials == []
    assert followed.version == before


def test_another_store_in_its_place_is_noticed(store, make, tmp_path):
    go(make(), 4)
    followed = Followed(store)
    followed.refresh()
    before = followed.version
    other = make(tmp_path / "other.db", seed=2)
    go(other, 9)
    other.close()
    (tmp_path / "other.db").replace(store)
    for suffix in ("-wal", "-shm"):
        store.with_name(store.name + suffix).unlink(missing_ok=True)
    followed.refresh()
    check_same(followed, store)
    assert followed.changed_since(before) is None
    assert followed.study.seed == 2


def test_another_store_copied_over_it_is_noticed(store, make, tmp_path):
    """The same file by its number, and a store with fewer events."""
    study = make()
    go(study, 9)
    study.close()
    followed = Followed(store)
    followed.refresh()
    other = make(tmp_path / "other.db", seed=2)
    go(other, 4)
    other.close()
    for suffix in ("-wal", "-shm"):
        store.with_name(store.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(tmp_path / "other.db", store)
    followed.refresh()
    check_same(followed, store)
    assert followed.study.seed == 2


def test_a_store_that_is_gone_is_said_and_what_was_read_stays(store, make):
    study = make()
    go(study, 3)
    study.close()
    followed = Followed(store)
    followed.refresh()
    store.unlink()
    followed.refresh()
    assert "gone" in followed.problem
    assert len(followed.study.trials) == 3


@pytest.mark.parametrize(
    "content", [b"not a store at all" * 999, b"SQLite format 3\x00" + b"\x00" * 5000, b"\x00" * 8192]
)
def test_rubbish_is_said_before_and_after_there_was_a_study(content, store, make, tmp_path):
    rubbish = tmp_path / "rubbish.db"
    rubbish.write_bytes(content)
    fresh = Followed(rubbish)
    fresh.refresh()
    assert fresh.study is None
    assert "rubbish.db" in fresh.problem
    study = make()
    go(study, 3)
    study.close()
    followed = Followed(store)
    followed.refresh()
    for suffix in ("-wal", "-shm"):
        store.with_name(store.name + suffix).unlink(missing_ok=True)
    store.write_bytes(content)
    followed.refresh()
    assert "study.db" in followed.problem
    assert len(followed.study.trials) == 3


def test_a_folder_and_another_database_are_said(tmp_path):
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE events (id)")
    db.close()
    for path in (other, tmp_path):
        followed = Followed(path)
        followed.refresh()
        assert followed.study is None
        assert str(path) in followed.problem


def edit(store, sql, *values):
    with sqlite3.connect(store) as db:
        db.execute(sql, values)
    db.close()


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("DELETE FROM events WHERE id = 10", "event 10 is missing"),
        ("UPDATE events SET data = '{not json' WHERE id = 10", "damaged after event 9"),
        ("UPDATE events SET kind = 'tomorrow' WHERE id = 10", "event 10 makes no sense (unknown event 'tomorrow'"),
        ("UPDATE events SET kind = 'end', number = 999, data = '{}' WHERE id = 10", "event 10 makes no sense"),
        ("UPDATE events SET kind = 'ask', data = '[]', rows = x'00' WHERE id = 10", "event 10 makes no sense"),
        ("DELETE FROM header", "cannot be read"),
        ("UPDATE header SET value = '7'", "cannot be read"),
    ],
)
def test_damage_is_said_and_what_comes_before_it_is_shown(sql, said, store, make):
    study = make()
    go(study, 9)
    study.close()
    edit(store, sql)
    followed = Followed(store)
    for _ in range(2):
        followed.refresh()
        assert said in followed.problem
    if "header" in sql:
        assert followed.study is None
    else:
        assert followed.seen == 9
        assert all(name == "loss" for name in followed.metrics)


@pytest.mark.parametrize("share", [0.1, 0.4, 0.7, 0.95])
def test_a_truncated_store_never_raises(share, store):
    eh.tune(
        lambda p: loss(p), make_mixed_space(), minimize="loss", optimizer="ga", trials=300, seed=1, store=store,
        progress=False,
    ).close()  # fmt: skip
    os.truncate(store, int(store.stat().st_size * share))
    followed = Followed(store)
    followed.refresh()
    assert "study.db" in followed.problem


def test_what_is_followed_cannot_be_written(store, make):
    go(make(), 2)
    followed = Followed(store)
    followed.refresh()
    with pytest.raises(eh.StoreError, match="never written"):
        followed.study.ask(1)


def test_no_file_stays_open_between_looks(store, make):
    """So that the writer puts the file in order when it ends, and leaves one file."""
    study = make()
    followed = Followed(store)
    for _ in range(3):
        go(study, 3)
        followed.refresh()
    study.close()
    assert sorted(p.name for p in store.parent.iterdir()) == ["study.db", "study.db.lock"]
