"""What the report is made of: rows, headline, lessons, failures."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import evohpo as eh
from evohpo.analysis import importance, summary
from evohpo.analysis.report import pages
from evohpo.analysis.report.failures import failures_of
from evohpo.analysis.report.figures import Plot, draw, plots_of
from evohpo.analysis.report.headline import best_of, headline_of
from evohpo.analysis.report.learned import lessons_of
from evohpo.analysis.report.rows import columns_of, metric_names, rows_of
from tests.analysis.planted import additive, planted


def table_of(study):
    columns = columns_of(study, metric_names(study.trials))
    return [c.title for c in columns], rows_of(study, study.trials, columns)


def test_the_table_says_what_the_summary_says(stepwise):
    titles, rows = table_of(stepwise)
    frame = summary(stepwise)
    for name in ("trial", "status", "method", "loss", "accuracy", "learning_rate", "solver", "momentum"):
        cells, wanted = [row[titles.index(name)] for row in rows], frame[name].tolist()
        for cell, value in zip(cells, wanted, strict=True):
            if value is None or value != value:
                assert cell is None
            elif isinstance(value, float):
                assert cell == pytest.approx(value, rel=1e-6)
            else:
                assert cell == value


def test_a_row_begins_with_its_trials_number_and_ends_with_its_error(stepwise):
    titles, rows = table_of(stepwise)
    assert [row[0] for row in rows] == list(range(len(stepwise.trials)))
    failed = [t for t in stepwise.trials if t.failed]
    assert [rows[t.number][titles.index("note")] for t in failed] == [t.error for t in failed]


def test_what_json_does_not_know_becomes_text_and_long_texts_are_cut(hostile):
    study = planted(lambda p: {"loss": p["a"], "odd": math.inf, "text": "x" * 900}, n=3)
    titles, rows = table_of(study)
    json.dumps(rows, allow_nan=False)
    assert rows[0][titles.index("odd")] == "inf"
    assert len(rows[0][titles.index("text")]) == 300
    json.dumps(table_of(hostile)[1], allow_nan=False)


def test_the_headline_counts_what_became_of_trials(stepwise):
    head = headline_of(stepwise)
    assert {status: n for _, status, n in head.counts} == {str(s): n for s, n in stepwise.ledger.counts.items() if n}
    assert head.state == "ended (generations = 6)"
    assert head.description == "a test, by Ada"
    assert ("pruner", "asha max_steps=9") in head.facts


def test_a_study_that_goes_on_is_not_said_to_have_ended():
    study = eh.Study({"x": eh.Continuous(0, 1)}, minimize="loss", optimizer="random", seed=1)
    study.ask(2)
    head = headline_of(study)
    assert (head.state, head.counts) == ("has not ended", [("running", "running", 2)])


def test_the_best_trial_is_shown_exactly(stepwise):
    best = best_of(stepwise)
    assert best.number == stepwise.best.number
    assert [float(exact) for name, _, exact, aim in best.metrics if aim == "minimize"] == [
        stepwise.best.metrics["loss"]
    ]
    assert dict(best.params) == {k: str(v) for k, v in stepwise.best.params.items()}


def test_a_best_trial_that_misses_the_constraints_says_so():
    study = planted(additive, n=10, constraints=["loss <= -1"])
    assert "misses the constraints" in best_of(study).remark


def test_failures_are_grouped_by_reason_whatever_numbers_they_mention(stepwise):
    groups = failures_of(stepwise.trials)
    assert sum(g.count for g in groups) == sum(t.failed for t in stepwise.trials)
    assert {g.error.partition(":")[0]: g.count for g in groups} == {"ValueError": 3, "RuntimeError": 1}
    assert "six layers" in groups[0].error
    assert "Traceback" in groups[0].traceback
    assert [stepwise.trials[n].error.startswith("ValueError") for n in groups[0].trials] == [True] * 3


def test_lessons_name_what_matters_most_first_and_where_it_is_good():
    study = planted(additive)
    (lesson,) = lessons_of(study)
    assert [s.parameter for s in lesson.shares] == importance(study)["parameter"].tolist()
    assert lesson.shares[0].parameter == "a"
    assert "best around 0 " in lesson.shares[0].sentence
    assert "worst around 1 " in lesson.shares[0].sentence
    assert "can be relied on" in lesson.trust
    assert next(s for s in lesson.shares if s.parameter == "idle").sentence == "It hardly changes loss on average."


def test_of_a_maximized_metric_the_largest_is_the_best():
    (lesson,) = lessons_of(planted(additive, n=30, maximize="loss"))
    assert "best around 1 " in lesson.shares[0].sentence


def test_of_what_cannot_be_predicted_no_effects_are_told():
    rng = np.random.default_rng(1)
    (lesson,) = lessons_of(planted(lambda p: rng.normal(), n=40))
    assert "not worth telling" in lesson.trust
    assert not any(share.sentence for share in lesson.shares)


def test_of_what_never_varies_nothing_is_told():
    (lesson,) = lessons_of(planted(lambda p: 1.0, n=12))
    assert "nothing to learn" in lesson.trust
    assert not any(share.sentence for share in lesson.shares)


def test_with_too_few_trials_the_reason_stands_instead():
    (lesson,) = lessons_of(planted(additive, n=2))
    assert (lesson.shares, lesson.trust) == ([], "")
    assert "at least" in lesson.reason


def test_every_plot_of_a_page_is_drawn_or_tells_why_not(stepwise, with_front):
    for study, keys in ((stepwise, {"curves", "lineage"}), (with_front, {"front", "hypervolume"})):
        reasons = {}
        for plot in plots_of(study):
            for i in range(len(plot.variants)):
                drawn = draw(study, plot, i)
                assert bool(drawn.reason) != bool(drawn.json), plot.key
                assert "Please report it" not in drawn.reason, (plot.key, drawn.reason)
                reasons[plot.key] = drawn.reason
        assert not any(reasons[key] for key in {"history", "importance", "slices", "contour"} | keys)


def test_a_plot_that_breaks_costs_itself_alone(stepwise):
    drawn = draw(stepwise, Plot("no_such_plot", "None"))
    assert (drawn.json, "could not be drawn" in drawn.reason) == ("", True)


@pytest.mark.parametrize("study", ["stepwise", "with_front", "hostile"])
def test_fragments_escape_whatever_a_study_says(study, request):
    study = request.getfixturevalue(study)
    html = "".join(fragment(study) for fragment in (pages.head, pages.best, pages.learned, pages.trouble))
    assert "<script" not in html
    assert "<img" not in html
    assert "1337" not in html
    html.encode()
