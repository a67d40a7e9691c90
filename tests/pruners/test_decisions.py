"""Decisions by hand: what each pruner answers to which results."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import evohpo as eh
from evohpo.pruners import Setting
from evohpo.testing import check_pruner
from evohpo.trials import Goals, Trial
from tests.pruners.conftest import curve

GO, STOP, PAUSE = "continue", "stop", "pause"


def answers(pruner, values, step=1):
    """What one trial after the other is answered that reports its value at a step."""
    return [str(report(pruner, number, step, value)) for number, value in enumerate(values)]


def report(pruner, number, step, value):
    fitness = value if isinstance(value, tuple) else (value,)
    trial = Trial(number, {}, steps=step, reports=[(step, {"loss": fitness[0]})])
    return pruner.report(trial, step, fitness)


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("stopping", [3, 2], [GO, GO]),  # fewer than eta results
        ("stopping", [1, 2, 3], [GO, GO, STOP]),
        ("stopping", [3, 2, 1], [GO, GO, GO]),
        ("stopping", [1, 1, 1, 1], [GO, GO, GO, GO]),  # equal ones share the best place
        ("stopping", [1, 2, 2, 2], [GO, GO, STOP, GO]),  # the 2nd of four is within the best third of them: 1 < 4/3
        ("stopping", [2, 1, 3, 1, 1, 2], [GO, GO, STOP, GO, GO, STOP]),
        ("promotion", [3, 2], [PAUSE, PAUSE]),
        ("promotion", [3, 2, 1], [PAUSE, PAUSE, GO]),
        ("promotion", [1, 2, 3], [PAUSE, PAUSE, PAUSE]),
        ("promotion", [1, 1, 1], [PAUSE, PAUSE, GO]),
    ],
)
def test_asha_lets_the_best_third_pass(kind, values, expected):
    assert answers(eh.ASHA(max_steps=9, eta=3, kind=kind), values) == expected


def test_between_rungs_trials_go_on_and_the_last_rung_ends_them():
    pruner = eh.ASHA(max_steps=9, eta=3)
    assert answers(pruner, [1, 2, 3, 4], step=2) == [GO, GO, STOP, STOP]  # the first report from rung 1 on counts
    assert answers(eh.ASHA(max_steps=9, eta=3), [5], step=9) == [STOP]
    assert [report(pruner, 0, step, 1.0).value for step in (3, 4, 8, 9)] == [GO, GO, GO, STOP]


@pytest.mark.parametrize("maximize", [True, False])
def test_maximising_is_minimising_the_negative(maximize):
    sign = -1 if maximize else 1
    goal = {"maximize": "score"} if maximize else {"minimize": "score"}
    study = eh.Study({"x": eh.Continuous(0, 1)}, **goal, pruner=eh.ASHA(max_steps=9), optimizer="random", seed=1)
    trials = study.ask(5)
    decisions = [str(study.report(t, 1, sign * v)) for t, v in zip(trials, [2, 1, 3, 1.5, 0.5], strict=True)]
    assert decisions == [GO, GO, STOP, GO, GO]
    assert [str(t.status) for t in trials] == ["running", "running", "stopped", "running", "running"]


def test_explicit_rungs_have_the_ratio_to_the_next_one_for_eta():
    """From 2 to 4 the best half passes, from 4 to 40 the best tenth; fewer results than that pass."""
    assert answers(eh.ASHA(rungs=[2, 4, 40]), [1, 2, 0, 3], step=2) == [GO, STOP, GO, STOP]
    assert answers(eh.ASHA(rungs=[2, 4, 40]), range(12), step=4) == [GO] * 9 + [STOP, STOP, STOP]
    assert answers(eh.ASHA(rungs=[2, 4, 40]), [1.0], step=40) == [STOP]


def test_promotion_resumes_the_best_of_the_highest_rung_first():
    pruner = eh.ASHA(max_steps=27, eta=3, kind="promotion")
    answers_at_1 = answers(pruner, [5, 4, 3, 6, 7, 8], step=1)
    assert answers_at_1 == [PAUSE, PAUSE, GO, PAUSE, PAUSE, PAUSE]  # the best of three passes at once
    assert pruner.decide() == (1, eh.Decision.CONTINUE)  # of six, the two best may pass
    pruner.resumed(Trial(1, {}))
    assert pruner.decide() is None
    assert [report(pruner, number, 3, loss).value for number, loss in [(1, 2.0), (2, 1.0), (10, 3.0)]] == [PAUSE] * 3
    for number in (20, 21, 22):
        report(pruner, number, 1, 9.0)  # of nine the three best may pass, trial 0 too
    assert pruner.decide() == (2, eh.Decision.CONTINUE)  # but rung 3 goes first
    pruner.resumed(Trial(2, {}))
    assert pruner.decide() == (0, eh.Decision.CONTINUE)


def reference_stopping(results, eta):
    """The rule of Syne Tune's stopping scheduler, in exact arithmetic: at most the 1/eta quantile of all values so far."""
    seen, answers = [], []
    for value in results:
        seen.append(Fraction(value))
        ordered = sorted(seen)
        at = Fraction(len(seen) - 1, eta)
        low = ordered[at.numerator // at.denominator]
        high = ordered[min(at.numerator // at.denominator + 1, len(seen) - 1)]
        quantile = low + (high - low) * (at - at.numerator // at.denominator)
        answers.append(GO if len(seen) < eta or value <= quantile else STOP)
    return answers


@given(st.lists(st.integers(-20, 20), max_size=40), st.integers(2, 5))
def test_stopping_is_the_quantile_rule(results, eta):
    assert answers(eh.ASHA(max_steps=eta, eta=eta), results) == reference_stopping(results, eta)


def reference_promotion(losses, eta, rungs):
    """The rule of Syne Tune's promotion scheduler, with one worker: who is run up to which rung, in order."""
    results = {rung: {} for rung in rungs}
    paused = {rung: [] for rung in rungs}
    log, new = [], 0

    def go(trial, rung):
        n, better = len(results[rung]), sum(v < results[rung][trial] for v in results[rung].values())
        return n >= eta and Fraction(better) < Fraction(n, eta)

    while True:
        for rung in reversed(rungs[:-1]):
            able = [t for t in paused[rung] if go(t, rung)]
            if able:
                trial = min(able, key=lambda t: (results[rung][t], t))
                paused[rung].remove(trial)
                level = rungs.index(rung) + 1
                break
        else:
            if new == len(losses):
                return log
            trial, level, new = new, 0, new + 1
        while True:
            rung = rungs[level]
            log.append((trial, rung))
            results[rung][trial] = losses[trial][level]
            if rung == rungs[-1]:
                break
            if not go(trial, rung):
                paused[rung].append(trial)
                break
            level += 1


@given(st.lists(st.lists(st.integers(0, 30), min_size=3, max_size=3), min_size=1, max_size=30), st.integers(2, 4))
def test_promotion_runs_the_same_trials_in_the_same_order_as_the_reference(losses, eta):
    rungs = [1, eta, eta * eta]
    log = []

    def objective(params):
        for step in range(1, rungs[-1] + 1):
            if step in rungs:
                log.append((params["row"], step))
            yield {"loss": losses[params["row"]][sum(r <= step for r in rungs) - 1]}

    space = {"row": eh.Ordinal(list(range(len(losses)))), "one": 1}
    eh.tune(
        objective, space, minimize="loss", optimizer=in_order, pruner=eh.ASHA(max_steps=rungs[-1], eta=eta, kind="promotion"),
        trials=len(losses), progress=False,
    )  # fmt: skip
    assert log == reference_promotion(losses, eta, rungs)


class in_order:  # noqa: N801 - used like an optimizer's name
    """Proposes the rows of a table one after the other, and never waits."""

    def __init__(self, problem):
        self.n, self.k = 0, max(1, int(problem.genes.cardinality[0]))

    def ask(self, n):
        self.n += 1
        return None if self.n > self.k else [[(self.n - 0.5) / self.k]]

    def tell(self, results):
        pass


def test_brackets_give_a_head_start_and_are_drawn_as_often_as_hyperband_has_trials():
    pruner = eh.ASHA(max_steps=27, eta=3, brackets=3)
    pruner.begin(Setting(seed=1))
    brackets = [pruner.bracket(number) for number in range(3000)]
    shares = [brackets.count(b) / 3000 for b in range(3)]
    expected = [27, 12, 6]
    assert shares == pytest.approx([n / sum(expected) for n in expected], abs=0.03)
    late = brackets.index(2)
    assert [report(pruner, late, step, 99.0).value for step in (1, 3, 8)] == [GO, GO, GO]
    again = eh.ASHA(max_steps=27, eta=3, brackets=3)
    again.begin(Setting(seed=1))
    assert [again.bracket(number) for number in range(100)] == brackets[:100]


@pytest.mark.parametrize("per_bracket", [True, False])
def test_brackets_compete_with_each_other_unless_they_are_kept_apart(per_bracket):
    pruner = eh.ASHA(max_steps=27, eta=3, brackets=2, per_bracket=per_bracket)
    pruner.begin(Setting(seed=1))
    of = {b: [n for n in range(100) if pruner.bracket(n) == b] for b in (0, 1)}
    for number in of[0][:3]:
        report(pruner, number, 3, 1.0)
    assert str(report(pruner, of[1][0], 3, 2.0)) == (GO if per_bracket else STOP)


def test_several_objectives_are_compared_by_fronts_and_within_a_front_by_crowding():
    pruner = eh.ASHA(max_steps=9, eta=2)
    values = [(1.0, 4.0), (4.0, 1.0), (5.0, 5.0), (2.0, 2.0), (0.5, 0.5), (1.0, 1.0)]
    assert answers(pruner, values) == [GO, GO, STOP, STOP, GO, GO]  # (2, 2) has two lonelier ones in its front


def test_trials_that_miss_the_outcome_constraints_are_behind_all_others():
    pruner = eh.ASHA(max_steps=9, eta=2)
    pruner.begin(Setting(goals=Goals.of(minimize="loss", constraints=["loss >= 2"])))
    assert answers(pruner, [3.0, 4.0, 1.0, 2.5]) == [GO, STOP, STOP, GO]


def test_percentile_stops_the_worst_share():
    assert answers(eh.Percentile(25, min_trials=4), [1, 2, 3, 4, 5, 0.5, 4.5]) == [GO, GO, GO, STOP, STOP, GO, GO]
    assert answers(eh.Percentile(25, min_trials=4), [1, 1, 1, 1, 1]) == [GO] * 5
    assert answers(eh.Percentile(50, min_steps=3, min_trials=1), [1, 2, 3], step=2) == [GO, GO, GO]


def test_the_median_rule_compares_means_of_what_was_reported():
    pruner = eh.Median(min_trials=3)
    curves = [[1, 1], [2, 2], [3, 0], [9, 0]]
    assert [[str(report(pruner, n, s, v)) for s, v in enumerate(c, 1)] for n, c in enumerate(curves)] == [
        [GO, GO],
        [GO, GO],
        [STOP, GO],
        [STOP, STOP],  # its mean is 4.5, although its last result is the best of all
    ]


def test_plateau_counts_reports_without_progress():
    pruner = eh.Plateau(patience=2, tol=0.1)
    losses = [1.0, 0.95, 0.85, 0.8, 0.9, 0.5]
    assert [str(report(pruner, 0, s, v)) for s, v in enumerate(losses, 1)] == [GO, GO, GO, GO, STOP, GO]
    assert str(report(eh.Plateau(patience=1), 0, 1, (1.0, 1.0))) == GO


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: eh.ASHA(27), {}),
        (lambda: eh.ASHA(27, brackets=3), {}),
        (lambda: eh.ASHA(27, kind="promotion", brackets=2, per_bracket=True), {}),
        (lambda: eh.PASHA(27), {}),
        (lambda: eh.Hyperband(27), {}),
        (lambda: eh.SuccessiveHalving(9, 27), {}),
        (lambda: eh.Median(), {}),
        (lambda: eh.Percentile(30), {}),
        (lambda: eh.Plateau(), {"saves_steps": "the curves of the check never stop to fall"}),
        (lambda: eh.Median() & eh.Percentile(30), {}),
        (lambda: eh.ASHA(27) | eh.Plateau(), {}),
    ],
)
def test_each_keeps_the_promises_of_a_pruner(make, expected):
    check_pruner(make, expected=expected)


def test_both_and_either():
    harsh, mild = eh.Percentile(75, min_trials=1), eh.Percentile(25, min_trials=1)
    values = [2, 1, 3, 4, 2.5]
    assert answers(eh.Percentile(75, min_trials=1) & eh.Percentile(25, min_trials=1), values) == answers(mild, values)
    assert answers(eh.Percentile(75, min_trials=1) | eh.Percentile(25, min_trials=1), values) == answers(harsh, values)


def test_pasha_stays_at_a_low_rung_while_the_order_of_trials_is_stable(space):
    study = eh.tune(curve, space, minimize="loss", optimizer="random", pruner=eh.PASHA(max_steps=27), trials=60, seed=1,
                    progress=False)  # fmt: skip
    assert study.pruner.limit == 3
    assert max(t.steps for t in study.trials) == 3


def test_pasha_goes_on_to_the_last_rung_while_curves_cross(space):
    def crossing(params):
        for step in range(1, 28):  # what is good early is bad late
            yield {"loss": params["x"] * (1 if step in (1, 9) else -1)}

    study = eh.tune(crossing, space, minimize="loss", optimizer="random", pruner=eh.PASHA(max_steps=27), trials=60, seed=1,
                    progress=False)  # fmt: skip
    assert study.pruner.limit == 27
    assert max(t.steps for t in study.trials) == 27


def test_pasha_takes_differences_for_noise_between_curves_that_cross_and_cross_back(space):
    def noisy(params):
        for step in range(1, 28):
            wobble = 1e-3 * (-1) ** step * (1 if params["y"] > 0 else -1)
            yield {"loss": round(params["x"], 1) + wobble}

    study = eh.tune(noisy, space, minimize="loss", optimizer="random", pruner=eh.PASHA(max_steps=27), trials=80, seed=1,
                    progress=False)  # fmt: skip
    assert study.pruner.limit < 27
