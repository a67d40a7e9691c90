"""What a script's command line is, to the letter."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evohpo.errors import UsageError
from evohpo.evaluators.script.command import Command
from evohpo.reporting import RunningTrial

PARAMS = {"learning_rate": 1e-05, "layers": 3, "nesterov": True, "solver": "sgd", "units": [64, 32], "decay": None}
SHOWS = "import json, os, sys; print(json.dumps({'argv': sys.argv[1:], 'env': dict(os.environ)}))"
HOSTILE = [
    "a b", "'", '"', "$(touch pwned)", "`touch pwned`", "; touch pwned", "new\nline", "tab\t", "ünïcödé 漢字 🙂", "--help", "",
    "*", "~", "$HOME", "\\", "%s", "{number}", "{}", "a=b", "\u202e", "&&", "|", "> pwned",
]  # fmt: skip


def words(command, params=PARAMS, arguments="--{name} {value}", absent=()):
    trial = RunningTrial(12, params, 99, Path("/trials/12"), 4)
    return Command(command, arguments).line(trial, absent)[0]


def test_by_default_each_parameter_is_an_option_and_a_word():
    assert words("train --fast") == [
        "train", "--fast", "--learning_rate", "1e-05", "--layers", "3", "--nesterov", "true", "--solver", "sgd",
        "--units", "[64, 32]", "--decay", "null",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--{name}={value}", ["--solver=sgd", "--layers=3"]),
        ("-P {name} {value}", ["-P", "solver", "sgd", "-P", "layers", "3"]),
        ("hydra", ["solver=sgd", "layers=3"]),
        ("flags", ["--solver", "sgd", "--layers", "3"]),
        ("json", ['{"solver": "sgd", "layers": 3}']),
        ("file", ["/trials/12/params.json"]),
        (None, []),
        (lambda params: [f"/{name}:{value}" for name, value in params.items()], ["/solver:sgd", "/layers:3"]),
        (lambda params: (params["layers"], 0.5), ["3", "0.5"]),
    ],
)
def test_there_are_many_ways_to_give_parameters(arguments, expected):
    assert words(["train"], {"solver": "sgd", "layers": 3}, arguments) == ["train", *expected]


def test_hydra_gets_texts_in_its_own_quotes():
    texts = ["sgd", "path/to-x.y", "a b", "it's", "true", "1", "", "a\\", "$(x)", ["a,b", 1], {"k": None}]
    assert words(["train"], dict(zip("abcdefghijk", texts, strict=True)), "hydra")[1:] == [
        "a=sgd", "b=path/to-x.y", "c='a b'", "d='it\\'s'", "e='true'", "f='1'", "g=''", "h='a\\\\'", "i='$(x)'",
        "j=['a,b',1]", "k={k:null}",
    ]  # fmt: skip


def test_parameters_may_be_environment_variables():
    trial = RunningTrial(0, PARAMS)
    line, environment = Command(["train"], "environment").line(trial)
    assert line == ["train"]
    assert environment["learning_rate"] == "1e-05"
    assert environment["units"] == "[64, 32]"


def test_flags_are_there_or_not():
    assert words(["train"], {"a": True, "b": False, "c": None, "d": 0.1}, "flags") == [
        "train",
        "--a",
        "--no-b",
        "--d",
        "0.1",
    ]


def test_words_of_the_command_may_name_parameters_and_the_trial():
    line = words(["train", "--out={directory}/model", "-n", "{number}", "{seed}", "{step}", "--opt={solver}:{layers}"])
    assert line[:6] == ["train", "--out=/trials/12/model", "-n", "12", "99", "4"]
    assert line[6] == "--opt=sgd:3"
    assert "--solver" not in line
    assert "--learning_rate" in line


def test_a_parameter_goes_before_the_trials_own_names():
    assert words(["train", "{seed}"], {"seed": 100}) == ["train", "100"]


def test_other_braces_are_left_alone():
    assert words(["awk", "{print $1} {x}"], {}) == ["awk", "{print $1} {x}"]


def test_words_of_parameters_that_do_not_apply_are_left_out():
    command = ["train", "--momentum", "{momentum}", "--decay={decay}", "-v", "{solver}"]
    assert words(command, {"solver": "adam"}, absent={"momentum", "decay"}) == ["train", "-v", "adam"]


def test_a_text_is_split_as_a_shell_would_and_given_to_none():
    assert words("train 'a b' \"$(touch pwned)\" c\\ d", {}) == ["train", "a b", "$(touch pwned)", "c d"]


@given(st.floats())
def test_numbers_are_read_back_exactly(value):
    text = words(["train"], {"x": value})[-1]
    assert float(text) == value or value != value


@pytest.mark.parametrize("arguments", ["--{name} {value}", "--{name}={value}", "flags", "environment"])
def test_texts_arrive_verbatim_in_the_process(arguments, trial, tmp_path):
    params = {f"p{i}": text for i, text in enumerate(HOSTILE)}
    events = trial([sys.executable, "-c", SHOWS], {"x": "(x)"}, params, arguments=arguments)
    seen = json.loads((tmp_path / "trial" / "stdout.txt").read_text(), strict=False)
    if arguments == "environment":
        got = [seen["env"][name] for name in params]
    elif "=" in arguments:
        got = [word.split("=", 1)[1] for word in seen["argv"]]
    else:
        got = seen["argv"][1::2]
    assert got == HOSTILE, events
    assert not list(tmp_path.rglob("pwned"))


def test_params_and_command_line_are_kept_beside_the_output(trial, tmp_path):
    trial([sys.executable, "-c", SHOWS], {"x": "(x)"}, {"name": "a b", "rate": 0.1})
    assert json.loads((tmp_path / "trial" / "params.json").read_text()) == {"name": "a b", "rate": 0.1}
    kept = json.loads((tmp_path / "trial" / "command.json").read_text())
    assert kept["command"] == [sys.executable, "-c", SHOWS, "--name", "a b", "--rate", "0.1"]


@pytest.mark.parametrize("value", ["nul\0", "\udc80\ud800"])
def test_characters_that_no_process_can_be_given_fail_their_trial(value, trial):
    end = trial([sys.executable, "-c", SHOWS], {"x": "(x)"}, {"name": value})[-1]
    assert end.kind == "raised"
    assert "null byte" in end.reason or "surrogates" in end.reason


def test_arguments_too_long_for_the_system_fail_their_trial(trial):
    end = trial([sys.executable, "-c", SHOWS], {"x": "(x)"}, {"name": "x" * 10_000_000})[-1]
    assert "Argument list too long" in end.reason


def test_a_function_of_arguments_that_raises_fails_its_trial(trial):
    end = trial(["true"], {"x": "(x)"}, {}, arguments=lambda params: [params["nothing"]])[-1]
    assert end.reason == "KeyError: 'nothing'"
    assert "lambda" in end.traceback or "nothing" in end.traceback
    end = trial(["true"], {"x": "(x)"}, {}, arguments=lambda params: "--x 1")[-1]
    assert "must return a list of words" in end.reason


@pytest.mark.parametrize("arguments", ["--name", "{name}", 3, ""])
def test_arguments_that_make_no_sense_are_refused(arguments):
    with pytest.raises(UsageError, match="arguments="):
        Command(["train"], arguments)


# ---- what is started


def test_files_are_found_from_where_the_driver_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("train.py").touch()
    Path("data").mkdir()
    assert words(["python", "train.py", "data", "-train.py", "other.py"], {}) == [
        "python", str(tmp_path / "train.py"), "data", "-train.py", "other.py",
    ]  # fmt: skip
    assert words("train.py", {}) == [sys.executable, str(tmp_path / "train.py")]
    assert words(Path("train.py"), {}) == words(["train.py"], {}) == words("train.py", {})


def test_a_program_that_is_a_file_need_not_be_on_the_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my train.sh"
    path.write_text("#!/bin/sh\n")
    with pytest.raises(
        UsageError, match=r"my train.sh is not executable: .*chmod \+x.*\['sh'|\[\"sh\", 'my train.sh'\]"
    ):
        Command("my train.sh", None).check(os.environ["PATH"])
    path.chmod(0o755)
    Command("my train.sh", None).check(os.environ["PATH"])
    assert words(shlex.quote("./my train.sh"), {}) == [str(path)]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["no-such-program"], "there is no program 'no-such-program'"),
        (["/usr"], "/usr is a folder"),
        ([], "is no command"),
        ("", "is no command"),
    ],
)
def test_what_cannot_be_started_is_refused(command, says):
    with pytest.raises(UsageError, match=says):
        Command(command, None).check(os.environ["PATH"])


def test_a_python_that_is_not_there_is_told_of_this_one():
    with pytest.raises(UsageError, match=f"this Python is {sys.executable}"):
        Command(["python"], None).check("/nowhere")
