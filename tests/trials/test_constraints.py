"""Outcome constraints as text: what they can say, what they bound, and that bad ones say where and why."""

from __future__ import annotations

import pytest

import evohpo as eh
from evohpo.trials import Goals

METRICS = {"accuracy": 0.9, "seconds": 2.0, "size": 100.0, "val-acc": 0.8, "loss": -0.5, "train/f1": 0.7}
BASELINE = {"accuracy": 0.8, "seconds": 1.0, "size": 50.0}

GOOD = [  # with the violation of the metrics above, as a share of the bound where there is one
    ("accuracy >= 0.85", 0.0),
    ("accuracy >= 0.95", 0.05 / 0.95),
    ("accuracy > 0.9", 1e-12),
    ("accuracy == 0.9", 0.0),
    ("accuracy == 1", 0.1),
    ("seconds <= 1", 1.0),
    ("1 >= seconds", 1.0),
    ("seconds < 2.5", 0.0),
    ("  seconds\n<= 1.5 ", 0.5 / 1.5),
    ("seconds <= 1_000", 0.0),
    ("seconds <= 1.5e0", 0.5 / 1.5),
    ("0.95 <= accuracy <= 1", 0.05 / 0.95),
    ("0.85 <= accuracy < 0.8", 0.1 / 0.8),
    ("loss >= -1", 0.0),
    ("loss <= -0.75", 0.25 / 0.75),
    ("-loss <= 0.25", 0.25 / 0.25),
    ("accuracy + loss >= 0.5", 0.1 / 0.5),
    ("2 * seconds + 0.5 * size <= 50", 4.0 / 50),
    ("2 * seconds - size <= 0", 0.0),
    ("size / seconds <= 40", 10.0 / 40),
    ("(size - 20) / (2 * seconds) <= 15", 5.0 / 15),
    ("accuracy >= loss", 0.0),
    ("loss >= accuracy", 1.4),
    ("loss >= 0", 0.5),
    ("abs(loss) <= 0.25", 0.25 / 0.25),
    ("max(seconds, size) <= 90", 10.0 / 90),
    ("log(size) <= log(100)", 0.0),
    ("sqrt(size) ** 2 <= 90", 10.0 / 90),
    ("`val-acc` >= 0.9", 0.1 / 0.9),
    ("`train/f1` >= 0.5", 0.0),
    ("accuracy >= baseline", 0.0),
    ("accuracy >= 0.95 * baseline", 0.0),
    ("seconds <= 1.5 * baseline", 0.5 / 1.5),
    ("baseline - 10 <= size <= baseline + 10", 40.0 / 60),
    ("size / baseline <= 1.5", 0.5 / 1.5),
]

BAD = [  # with what the message says
    ("", "an expression is text such as"),
    ("   ", "an expression is text such as"),
    (5, "an expression is text such as"),
    ("accuracy", r"compares nothing \(at character 1\)"),
    ("accuracy >=", "not understood at character 12"),
    (">= 0.85", "not understood at character 1 "),
    ("accuracy => 0.85", r"at character 10 \(write >= or <=\)"),
    ("accuracy ≥ 0.85", r"at character 10 \(write >= or <=\)"),
    ("accuracy = 0.85", r"at character 10 \(write ==, or <= or >=\)"),
    ("accuracy >= 0,85", r"a comma \(of a number, write a point\) is not allowed here \(at character 1\)"),
    ("accuracy >= 85%", "not understood at character 16"),
    ("accuracy >= 95% baseline", r"% is no percentage \(at character 15\); write 0.95 \*"),
    ("accuracy >= 0.85 and seconds <= 1", "joins comparisons: give each of them by itself"),
    ("not accuracy >= 0.85", "turns a comparison round: write the opposite one"),
    ("accuracy != 0.85", r"only <, <=, >, >= and == say how far a number is off \(at character 13\)"),
    ("accuracy in (0.85, 0.9)", "only <, <=, >, >= and =="),
    ("accuracy is 0.85", r"'is' is not a comparison of values; write == \(at character 13\)"),
    ("accuracy >= '0.85'", r"'0.85' is no number \(at character 13\)"),
    ("accuracy >= None", r"None is no number \(at character 13\)"),
    ("(accuracy >= 0.5) >= 1", r"compares the outcome of a comparison \(at character 2\)"),
    ("accuracy >= 1e400", r"too large a number \(at character 13\)"),
    ("accuracy ** size >= 1", r"a power must be a number up to 16 \(at character 1\)"),
    ("(accuracy >= 0.85", "not understood at character 1 "),
    ("accuracy >= 0.85)", "not understood at character 17"),
    ("val acc >= 0.85", "at character 5 .*`batch-size` goes in backquotes"),
    ("val-acc] >= 0.85", "not understood at character 8"),
    ("score() >= 0.85", r"a function other than abs, .* is not allowed here \(at character 1\)"),
    ("size >= metrics['accuracy']", r"\[...\] is not allowed here \(at character 9\)"),
    ("size + run.loss <= 1", r"a dot is not allowed here \(at character 8\)"),
    ("__import__('os').system('ls') >= 0", "is not allowed here"),
    ("abs(a, b) <= 1", r"abs takes one value \(at character 1\)"),
    ("a @ b <= 1", r"this operator is not allowed here \(at character 1\)"),
    ("3 >= 2", "names no metric"),
    ("baseline <= 3", "names no metric"),
    ("seconds + size <= baseline", "here are 2: seconds, size; write a constraint a metric"),
    ("accuracy" * 200 + " >= 1", "longer than 1000 characters"),
]


@pytest.mark.parametrize(("text", "violation"), GOOD, ids=[text for text, _ in GOOD])
def test_a_constraint_is_missed_by_as_much_as_it_says(text, violation):
    goals = Goals.of("accuracy", constraints=[text])
    goals.baseline.update(BASELINE)
    assert goals.violation(METRICS) == pytest.approx(violation)


@pytest.mark.parametrize("text", [text for text, _ in GOOD])
def test_a_constraint_is_stored_as_the_text_that_it_was(text):
    goals = Goals.of("accuracy", constraints=[text])
    assert Goals.of(**goals.to_dict()) == goals


@pytest.mark.parametrize(("text", "message"), BAD, ids=[str(text)[:40] for text, _ in BAD])
def test_a_bad_constraint_says_where_and_why(text, message):
    with pytest.raises(eh.IllegalDefinition, match=message):
        eh.Study({"x": eh.Continuous(0, 1)}, maximize="accuracy", constraints=[text])


@pytest.mark.parametrize(
    ("text", "thresholds"),
    [
        ("accuracy >= 0.85", {"accuracy": 0.85}),
        ("0.85 < accuracy", {"accuracy": 0.85}),
        ("accuracy <= 0.99", {}),  # not its good side
        ("0.85 <= accuracy <= 0.99", {"accuracy": 0.85}),
        ("size <= 2 ** 10", {"size": 1024.0}),
        ("accuracy >= 0.95 * baseline", {"accuracy": 0.76}),
        ("size <= baseline", {"size": 50.0}),
        ("2 * accuracy >= 1", {}),  # not of the metric alone
        ("accuracy == 0.9", {}),
        ("accuracy + size >= 1", {}),
        ("seconds <= 1", {}),  # no objective
    ],
)
def test_what_bounds_an_objective_on_its_good_side_is_its_threshold(text, thresholds):
    goals = Goals.of("accuracy", "size", constraints=[text])
    goals.baseline.update(BASELINE)
    assert goals.thresholds == pytest.approx(thresholds)


def test_of_several_thresholds_the_strictest_counts():
    goals = Goals.of("accuracy", "size", constraints=["accuracy >= 0.8", "accuracy >= 0.9", "size <= 9", "size <= 8"])
    assert goals.thresholds == {"accuracy": 0.9, "size": 8.0}


def test_a_threshold_relative_to_a_baseline_is_known_when_that_is_measured():
    goals = Goals.of("accuracy", constraints=["accuracy >= 0.95 * baseline"])
    assert goals.thresholds == {}
