"""The conformance kits of evaluators, encodings and pruners: sound ones pass, broken ones are caught by name."""

from __future__ import annotations

import numpy as np
import pytest

import evohpo as eh
from evohpo.evaluators.protocol import Finished
from evohpo.pruners import Decision
from evohpo.space.encodings import Codec
from evohpo.testing import CheckFailed, check_encoding, check_evaluator, check_pruner
from evohpo.testing.outcome import run_check

# ---- encodings


@pytest.mark.parametrize(
    "encoding",
    [eh.Real(), eh.OneHot(), eh.Binary(), eh.Binary(gray=False), eh.Index(), eh.Index(7), eh.Configs()],
    ids=str,
)
def test_our_encodings_keep_their_promises(encoding):
    check_encoding(encoding)


class Rounds(Codec):
    """Decodes the top of every gene as its bottom."""

    def to_unit(self, X):
        return np.where(X > 0.9, 0.0, X)


class Outside(Codec):
    def from_unit(self, U):
        return 2 * U

    def to_unit(self, X):
        return X / 2


def broken_encoding(codec):
    class Broken:
        def bind(self, space):
            genes = eh.Real().bind(space).genes
            return codec(space, genes)

    return Broken()


@pytest.mark.parametrize(("codec", "check"), [(Rounds, "snap_is_canonical"), (Outside, "genes_agree")])
def test_a_broken_encoding_is_caught(codec, check):
    with pytest.raises(CheckFailed) as caught:
        check_encoding(broken_encoding(codec))
    assert caught.value.check == check


# ---- evaluators


class LosesMetrics(eh.Inline):
    def wait(self, timeout):
        return [Finished(e.number, None, e.seconds) if isinstance(e, Finished) else e for e in super().wait(timeout)]


class EndsTwice(eh.Inline):
    def wait(self, timeout):
        events = super().wait(timeout)
        return events + [e for e in events if isinstance(e, Finished)]


class NeverStops(eh.Inline):
    def stop(self, number, pause=False):
        super().stop(number, pause)
        self.stopped_late = True

    def wait(self, timeout):
        events = super().wait(timeout)
        return [
            Finished(e.number, e.value, e.seconds, e.steps, stopped=False) if isinstance(e, Finished) else e
            for e in events
        ]


@pytest.mark.parametrize(
    ("kind", "check"), [(LosesMetrics, "metrics_arrive"), (EndsTwice, "ends_once"), (NeverStops, "stops_where_told")]
)
def test_a_broken_evaluator_is_caught(kind, check):
    from evohpo.testing.evaluators import CHECKS, Target

    outcome = run_check(next(c for c in CHECKS if c.__name__ == check), Target(kind))
    assert outcome.status == "failed"
    with pytest.raises(CheckFailed):
        check_evaluator(kind)


def test_an_expected_failure_of_an_evaluator_is_let_pass():
    every = [
        "metrics_arrive", "numbers_arrive", "steps_in_order", "stops_where_told", "context_is_given", "survives_crashes",
        "starts_lost_jobs_again", "same_table",
    ]  # fmt: skip
    check_evaluator(LosesMetrics, expected=dict.fromkeys(every, "it is broken"))


# ---- pruners


class Third:
    """Stops a trial that is not in the better third of those seen at its step."""

    def __init__(self):
        self.seen = {}

    def report(self, trial, step, value):
        others = self.seen.setdefault(step, [])
        others.append(value[0])
        keep = len(others) < 3 or value[0] <= sorted(others)[len(others) // 3]
        return Decision.CONTINUE if keep else Decision.STOP


class Answers(Third):
    def report(self, trial, step, value):
        return step < 5


class StopsTheBest(Third):
    def report(self, trial, step, value):
        return Decision.CONTINUE if super().report(trial, step, value) is Decision.STOP or step < 4 else Decision.STOP


class StopsAll(Third):
    def report(self, trial, step, value):
        return Decision.STOP if step > 3 else Decision.CONTINUE


class StopsNone(Third):
    def report(self, trial, step, value):
        return Decision.CONTINUE


class Rolls(Third):
    dice = np.random.default_rng(1)

    def report(self, trial, step, value):
        return Decision.STOP if value[0] > 0.3 and self.dice.random() < 0.3 and step > 2 else Decision.CONTINUE


def test_a_sound_pruner_passes():
    check_pruner(Third)


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        (Answers, "decides"), (StopsTheBest, "best_survives"), (StopsAll, "alone"), (StopsNone, "saves_steps"),
        (Rolls, "deterministic"),
    ],
)  # fmt: skip
def test_a_broken_pruner_is_caught(kind, check):
    from evohpo.testing.pruners import CHECKS

    outcome = run_check(next(c for c in CHECKS if c.__name__ == check), kind)
    assert outcome.status == "failed", outcome
