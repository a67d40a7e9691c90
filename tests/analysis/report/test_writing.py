"""The report as a file."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

import evohpo as eh
from tests.analysis.planted import additive, planted


class Elements(HTMLParser):
    """The elements of a page with their attributes, and what stands in scripts of data."""

    def __init__(self, text):
        super().__init__()
        self.found, self.data, self.words, self._id = [], {}, [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self._id = dict(attributes).get("id", "") if tag == "script" else None

    def handle_data(self, data):
        if self._id:
            self.data[self._id] = self.data.get(self._id, "") + data
        elif self._id is None:
            self.words.append(data)


@pytest.mark.parametrize("name", ["stepwise", "with_front", "hostile"])
def test_it_names_nothing_outside_itself(written, name):
    text = written[name].read_text("utf-8")
    for tag, attributes in Elements(text).found:
        for key in ("src", "href", "action", "data", "poster", "srcset"):
            assert attributes.get(key, "#").startswith(("#", "data:")), (tag, attributes)
    assert "default-src 'none'" in text


@pytest.mark.parametrize("name", ["stepwise", "with_front", "hostile"])
def test_the_page_has_our_scripts_alone_and_its_data_are_json(written, name):
    page = Elements(written[name].read_text("utf-8"))
    scripts = [attributes for tag, attributes in page.found if tag == "script"]
    assert sum("type" not in attributes for attributes in scripts) == 4  # three of ours and plotly.js
    assert len(page.data) == len(scripts) - 4
    for text in page.data.values():
        json.loads(text)
    assert not any("hacked" in str(attributes) for _, attributes in page.found if "value" not in attributes)


def test_the_table_in_it_has_a_row_for_every_trial(written, with_front):
    page = Elements(written["with_front"].read_text("utf-8"))
    assert len(json.loads(page.data["table-data"])["rows"]) == len(with_front.trials)
    front = json.loads(page.data["front-data"])["rows"]
    assert sorted(row[0] for row in front) == [t.number for t in with_front.front()]


def test_what_matters_comes_first(written):
    ids = [a["id"] for tag, a in Elements(written["stepwise"].read_text("utf-8")).found if tag == "section"]
    assert ids == ["best", "trials", "learned", "trouble", "plots"]


def test_it_tells_what_went_wrong(written):
    words = re.sub(r"\s+", " ", " ".join(Elements(written["stepwise"].read_text("utf-8")).words))
    assert "of the trials failed" in words
    assert "3× raised ValueError: six layers" in words


def test_a_study_without_trials_has_a_report(tmp_path):
    study = eh.Study({"x": eh.Continuous(0, 1)}, minimize="loss", optimizer="random", seed=1)
    text = study.write_report(tmp_path / "report.html").read_text("utf-8")
    assert "No trial has a result yet" in text


def test_a_stored_study_has_the_same_report(tmp_path):
    store = tmp_path / "study.db"
    texts = []
    with planted(additive, n=6, store=store) as study:
        texts.append(study.write_report(tmp_path / "a.html").read_text("utf-8"))
    with eh.load(store) as study:
        texts.append(study.write_report(tmp_path / "b.html").read_text("utf-8"))
    bare = [re.sub(r'Written [^.]*\.|"timeline.*?</script>', "", text, flags=re.DOTALL) for text in texts]
    assert bare[0] == bare[1]


def test_an_older_report_is_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    planted(additive, n=3).write_report(path)
    assert path.read_text("utf-8").startswith("<!doctype html>")
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_where_it_cannot_be_written_is_named(tmp_path):
    study = planted(additive, n=3, store=tmp_path / "study.db")
    for path, word in (
        (tmp_path / "no" / "r.html", "does not exist"),
        (tmp_path, "folder"),
        (study.store, "overwritten"),
    ):
        with pytest.raises(eh.UsageError, match=word):
            study.write_report(path)
    study.close()
    assert eh.load(tmp_path / "study.db").trials
