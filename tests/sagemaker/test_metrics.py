"""Reading metrics out of what jobs print, and names that tell jobs apart."""

from __future__ import annotations

import math
import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

import evohpo as eh
from evohpo.evaluators.launchers.naming import Name, head_of
from evohpo.evaluators.metrics import Reader, check_pattern, number
from evohpo.evaluators.reductions import single
from evohpo.sagemaker import NUMBER
from evohpo.sagemaker.limits import NAME

LOSS = {"loss": rf"loss=\s*{NUMBER}"}


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**12), 10**12))
def test_every_number_that_python_prints_is_read_as_it_is(value):
    reader = Reader(LOSS)
    reader.feed(f"epoch 3: loss={value!r}, next")
    assert reader.values["loss"] == [value]


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.5", 0.5), ("9.5e-05", 9.5e-05), ("-1.5", -1.5), (".5", 0.5), ("3", 3.0), ("+1E3", 1000.0), ("0.98.", 0.98),
     ("inf", math.inf), ("-inf", -math.inf), ("0.5%", 0.5)],
)  # fmt: skip
def test_numbers_as_people_print_them(text, value):
    reader = Reader(LOSS)
    reader.feed(f"loss= {text} done")
    assert reader.values["loss"] == [value]
    assert number(text) == value


def test_nan_is_read_as_nan_and_words_as_nothing():
    reader = Reader({"loss": r"loss=(\S+)"})
    reader.feed("loss=nan")
    reader.feed("loss=none")
    assert len(reader.values["loss"]) == 1
    assert math.isnan(reader.values["loss"][0])


@given(st.integers(-999_999, 999_999), st.integers(-20, 20))
def test_what_was_kept_in_single_precision_comes_back_as_it_was_printed(digits, exponent):
    printed = float(f"{digits}e{exponent}")
    kept = struct.unpack("f", struct.pack("f", printed))[0]
    assert single(kept) == printed


def test_a_step_is_complete_when_every_metric_has_been_printed():
    reader = Reader({"loss": r"loss=(\S+)", "accuracy": r"accuracy=(\S+)"}, steps=True)
    said = [reader.feed(line) for line in ("loss=1", "accuracy=0.5", "noise", "loss=0.5 accuracy=0.75", "loss=0.1")]
    assert [s for s in said if s] == [(1, {"loss": 1.0, "accuracy": 0.5}), (2, {"loss": 0.5, "accuracy": 0.75})]


def test_the_number_of_a_step_may_stand_on_a_line_of_its_own():
    reader = Reader(LOSS, steps=r"epoch (\d+)")
    said = [reader.feed(line) for line in ("epoch 5", "loss=1", "epoch 10 loss=0.5", "epoch 11", "epoch 12 loss=2")]
    assert [s for s in said if s] == [(5, {"loss": 1.0}), (10, {"loss": 0.5}), (12, {"loss": 2.0})]


def test_steps_that_were_reported_before_are_not_reported_again():
    reader = Reader(LOSS, steps=r"epoch=(\d+)", first=2)
    said = [reader.feed(f"epoch={step} loss={step}") for step in (1, 2, 3)]
    assert [s for s in said if s] == [(3, {"loss": 3.0})]
    assert reader.again


@pytest.mark.parametrize(
    "regex", [r"loss=([0-9.]+)", r"loss=([0-9\.]+)", r"(?:loss|cost)=(\d+\.\d+)", r"[(]loss: (\d*\.?\d*)"]
)
def test_patterns_that_misread_numbers_are_found_out(regex):
    with pytest.warns(eh.EvohpoWarning, match=r"cannot read .*9\.5e-05"):
        check_pattern("loss", regex)


@pytest.mark.parametrize("regex", [NUMBER, r"loss=(\S+)", r"loss=(.*?);", rf"(?:loss|cost)={NUMBER}"])
def test_patterns_that_read_all_numbers_are_let_pass(regex):
    assert check_pattern("loss", regex) == regex


@given(
    st.text(max_size=90), st.text(max_size=90), st.integers(0, 99_999), st.integers(0, 99_999), st.integers(0, 99_999),
    st.integers(0, 99),
)  # fmt: skip
def test_names_are_legal_whatever_studies_are_called_and_can_be_read_back(
    prefix, study, generation, individual, step, attempt
):
    head = head_of(prefix, study, "0af319")
    name = Name(head, generation, individual, step, attempt)
    if len(str(generation)) <= 3:
        assert NAME.fullmatch(str(name)), str(name)
    assert Name.read(str(name), head) == name


def test_a_name_says_study_generation_and_individual():
    head = head_of("evohpo", "MNIST, second try", "0af319")
    assert str(Name(head, 2, 17)) == "evohpo-MNIST-second-try-0af319-g002-i017"
    assert str(Name(head, 2, 17, 9, 1)) == "evohpo-MNIST-second-try-0af319-g002-i017-s9-r1"
    assert Name.read("evohpo-MNIST-second-try-0af319-g002-i0170", head) == Name(head, 2, 170)
    assert Name.read("another-g000-i000", head) is None
    assert not re.search("--", head)
