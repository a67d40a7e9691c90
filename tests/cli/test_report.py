"""`evohpo report`: writes the file, or says in one line why not."""

from __future__ import annotations

import sys

import pytest

from tests.cli.conftest import RUN


@pytest.fixture
def store(evohpo, tmp_path):
    path = tmp_path / "study.db"
    evohpo(*RUN, "--trials", 8, "--optimizer", "random", "--store", path)
    return path


def one_line(result):
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    return result.stderr


def test_it_writes_beside_the_store_and_says_where(evohpo, store):
    before = store.read_bytes()
    result = evohpo("report", store)
    path = store.with_suffix(".html")
    assert (result.exit_code, result.stdout) == (0, f"Wrote {path}\n")
    assert "Best trial" in path.read_text("utf-8")
    assert store.read_bytes() == before


def test_out_says_where(evohpo, store, tmp_path):
    assert evohpo("report", store, "--out", tmp_path / "other.html").exit_code == 0
    assert (tmp_path / "other.html").is_file()
    assert not store.with_suffix(".html").exists()


def test_the_store_is_not_overwritten(evohpo, store, tmp_path):
    before = store.read_bytes()
    (tmp_path / "link.html").symlink_to(store)
    for out in (store, tmp_path / "link.html"):
        assert "overwritten" in one_line(evohpo("report", store, "--out", out))
    named = store.rename(tmp_path / "study.html")
    assert "overwritten" in one_line(evohpo("report", named))
    assert named.read_bytes() == before


@pytest.mark.parametrize("command", ["report", "dashboard"])
def test_what_is_no_store_is_said_in_one_line(command, evohpo, tmp_path):
    (tmp_path / "text.db").write_text("not a store" * 99)
    for path, word in ((tmp_path, "folder"), (tmp_path / "text.db", "not a study"), (tmp_path / "no" / "s.db", "s.db")):
        said = one_line(evohpo(command, path))
        assert word in said
        assert str(path) in said


def test_a_missing_store_is_said_in_one_line(evohpo, tmp_path):
    assert "there is no study there" in one_line(evohpo("report", tmp_path / "none.db"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("library", ["plotly", "jinja2"])
def test_a_missing_library_names_the_extra(library, evohpo, store, monkeypatch):
    from evohpo.analysis.report import pages

    pages.environment.cache_clear()
    monkeypatch.setitem(sys.modules, library, None)
    assert "evohpo[report]" in one_line(evohpo("report", store))
    assert not store.with_suffix(".html").exists()
