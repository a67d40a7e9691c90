"""The conformance kit of optimizers: it catches what is broken, and names it; what is sound passes."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

import evohpo as eh
from evohpo.optimizers import resolve
from evohpo.testing import CHECKS, CheckFailed, capability_card, check_optimizer, parametrize_with_checks
from evohpo.testing.outcome import run_check
from tests.testing import broken
from tests.testing.broken import BROKEN, de, only_random

BY_NAME = {check.__name__: check for check in CHECKS}


@pytest.mark.parametrize(
    ("optimizer", "check", "reason"), BROKEN, ids=[f"{target.__name__}-{check}" for target, check, _ in BROKEN]
)
def test_a_broken_optimizer_is_caught_by_the_check_that_names_its_fault(optimizer, check, reason):
    outcome = run_check(BY_NAME[check], optimizer)
    assert outcome.status == "failed", outcome
    assert reason in outcome.reason


def test_at_least_twenty_faults_are_caught():
    assert len({target for target, _, _ in BROKEN}) >= 20


def test_the_first_failure_is_raised_with_its_claim_and_its_smallest_case():
    with pytest.raises(CheckFailed) as caught:
        check_optimizer(broken.leaves_the_cube)
    assert caught.value.check == "legal_proposals"
    assert "every gene is a number in [0, 1]" in str(caught.value)
    assert "smallest case: 1 gene, 1 trials, seed 1" in str(caught.value)


def test_a_smaller_case_is_looked_for():
    def from_the_fourth_generation(problem, rng):
        for _ in range(3):
            yield rng.random((4, problem.dim))
        while True:
            yield rng.random((4, problem.dim)) + (problem.dim > 1)

    outcome = run_check(BY_NAME["legal_proposals"], from_the_fourth_generation)
    assert outcome.smallest == "2 genes, 20 trials, seed 1"


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        (eh.use(de, population=6), {}),
        pytest.param(de, {}, marks=pytest.mark.slow),
        pytest.param(de, {"population": 6}, marks=pytest.mark.slow),
        pytest.param(broken.AskTell, {}, marks=pytest.mark.slow),
        ("pso", {"topology": "ring", "expected": {"better_than_nothing": "slow and thorough"}}),
    ],
    ids=["used with options", "plain", "options beside it", "class", "name"],
)
def test_a_sound_optimizer_passes_in_each_form(optimizer, options):
    check_optimizer(optimizer, **options)


OURS = sorted(i.name for i in eh.available_optimizers().values() if i.origin == "evohpo")
LONG = {"auto", "bo", *(name for name in OURS if name.startswith("inspyred.") and name != "inspyred.ga")}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in OURS])
def test_our_own_optimizers_keep_their_promises(name):
    check_optimizer(name)


@parametrize_with_checks(["de", de])
def test_each_check_can_be_a_test(target, check):
    check(target)


def test_what_does_not_apply_is_skipped_and_what_is_known_to_fail_is_expected():
    runs = parametrize_with_checks(["random"], {"one_gene": "not tried"}).args[1]
    by_name = {param.id: param.values[1] for param in runs}
    with pytest.raises(pytest.skip.Exception):
        by_name["random-identity"]("random")
    with pytest.raises(pytest.xfail.Exception, match="random search"):
        by_name["random-better_than_nothing"]("random")
    by_name["random-one_gene"]("random")


def test_a_live_object_can_be_checked():
    inspyred = pytest.importorskip("inspyred")
    check_optimizer(inspyred.swarm.PSO(random.Random(1)), expected={"better_than_nothing": "depends on its settings"})


def test_the_card_says_what_an_optimizer_is_and_can():
    card = capability_card("de-steady")
    assert card.traits is resolve("de-steady").traits, "the driver reads the same"
    assert (card.name, card.steady, card.passed) == ("de-steady", True, True)
    assert card.abilities["goes on after a kill"] == "yes"
    text = card.text()
    assert max(map(len, text.splitlines())) <= 100
    assert "whenever asked" in text
    parsed = json.loads(card.to_json())
    assert [check["check"] for check in parsed["checks"]] == [outcome.check for outcome in card]
    assert parsed["passed"] is True


def test_the_card_of_a_broken_one_shows_what_it_did_and_the_smallest_case():
    card = capability_card(broken.ignores_its_seed)
    text = card.text()
    assert not card.passed
    assert "> seeds 1 and 2 give the same proposals" in text
    card = capability_card(broken.entropy)
    assert "> smallest case: 1 gene, 1 trials, seed 1" in card.text()
    assert card.abilities["repeats itself"] == "no"


def test_an_expected_failure_has_its_reason_on_the_card():
    card = capability_card(only_random, expected={"better_than_nothing": "it draws blindly"})
    outcome = next(o for o in card if o.check == "better_than_nothing")
    assert outcome.status == "expected"
    assert "it draws blindly" in outcome.reason
    check_optimizer(only_random, expected={"better_than_nothing": "it draws blindly"})


def test_an_expected_failure_of_a_check_that_is_not_there_is_refused():
    with pytest.raises(eh.UnknownName, match="one_gene"):
        capability_card("de", expected={"one_gen": "why not"})


def test_what_is_no_optimizer_is_refused():
    with pytest.raises(eh.UsageError, match="an optimizer is one of"):
        check_optimizer(3)


def test_checking_leaves_the_global_generators_alone():
    random.seed(4)
    np.random.seed(4)  # noqa: NPY002
    before = random.getstate(), repr(np.random.get_state())  # noqa: NPY002
    capability_card(broken.DrawsFromTheModuleRandom)
    check_optimizer("inspyred.ga")
    assert random.getstate() == before[0]
    assert repr(np.random.get_state()) == before[1]  # noqa: NPY002


def test_every_check_has_a_name_of_its_own_and_a_claim_of_one_line():
    assert len(BY_NAME) == len(CHECKS) >= 30
    for check in CHECKS:
        assert check.__doc__
        assert len(check.__doc__.strip().splitlines()) == 1
        assert check.__doc__.endswith(".")
