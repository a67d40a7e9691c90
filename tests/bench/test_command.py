"""`evohpo compare` and `evohpo problems`."""

from __future__ import annotations

import pandas as pd
import pytest
from click.testing import CliRunner

import evohpo as eh
from evohpo.cli import main

TASK = """
import evohpo as eh

space = eh.Space({"x": eh.Continuous(-1, 1)})

def train(params):
    print("a line of the objective's own")
    return {"loss": params["x"] ** 2, "size": abs(params["x"])}

mine = eh.problems.Problem("mine", train, space, eh.Goals.of(minimize="loss"), 0.0)

def blind(problem, rng, population=5):
    while True:
        yield rng.random((population, problem.dim))
"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Made once: a file is imported once a process."""
    folder = tmp_path_factory.mktemp("comparing")
    (folder / "compare_task.py").write_text(TASK)
    return folder


@pytest.fixture
def evohpo(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "80")
    return lambda *arguments: CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


FUNCTION = ("compare", "compare_task.py:train", "--space", "compare_task.py:space", "--minimize", "loss")
BOTH = ("--optimizer", "de", "--optimizer", "random", "--trials", 20, "--seeds", 3)


def test_a_function_is_compared_as_in_python(evohpo):
    result = evohpo(*FUNCTION, *BOTH, "--quiet")
    assert result.exit_code == 0
    comparison = eh.compare(lambda p: p["x"] ** 2, ["de", "random"], {"x": eh.Continuous(-1, 1)}, minimize="loss", trials=20,
                            seeds=3, initial=0, progress=False)  # fmt: skip
    assert comparison.labels == ["de", "random"]
    assert "best loss" in result.stdout
    assert "No difference between" in result.stdout
    assert "a line of the objective's own" not in result.stdout


def test_the_table_fits_80_columns(evohpo):
    names = ["sphere/2", "rastrigin/2", "zdt1", "noisy-ackley/2", "constrained-sphere/2"]
    label = "de weight=0.7 crossover=0.5 strategy=best/1/bin"
    for problems in (names, names[:1]):
        result = evohpo("compare", *problems, "--optimizer", label, *BOTH)
        assert result.exit_code == 0
        assert max(map(len, result.stdout.splitlines())) <= 80
        assert "random" in result.stdout
    assert "regret" in result.stdout


def test_options_of_an_optimizer_stand_behind_its_name(evohpo, tmp_path):
    result = evohpo("compare", "sphere/2", "--optimizer", "ga population=4", "--optimizer", "compare_task.py:blind population=3",
                    "--trials", 12, "--seeds", 2, "--store", tmp_path / "runs")  # fmt: skip
    assert result.exit_code == 0
    assert "ga population=4" in result.stdout
    options = {str(eh.load(p).settings.optimizer["options"]) for p in (tmp_path / "runs").glob("*.db")}
    assert options == {"{'population': 4}", "{'population': 3}"}


def test_a_problem_of_a_module_brings_its_space(evohpo):
    result = evohpo("compare", "compare_task.py:mine", "sphere/2", *BOTH)
    assert result.exit_code == 0
    assert "mine" in result.stdout


def test_a_report_and_curves_are_written(evohpo, tmp_path):
    result = evohpo("compare", "sphere/2", *BOTH, "--report", tmp_path / "c.html", "--curves", tmp_path / "c.csv")
    assert result.exit_code == 0
    assert "Verdict" in (tmp_path / "c.html").read_text()
    assert len(pd.read_csv(tmp_path / "c.csv")) == 2 * 3 * 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compare", "sphere/2", "--optimizer", "de", "--trials", 9), "takes two optimizers"),
        (("compare", "sphre/2", *BOTH), "did you mean 'sphere'"),
        (("compare", "compare_task.py:train", *BOTH), "--space"),
        (("compare", "sphere/2", "--minimize", "loss", *BOTH), "are for functions"),
        (("compare", "sphere/2", "--optimizer", "de", *BOTH), "named twice"),
        (("compare", "sphere/2", "--optimizer", "de 'weight", *BOTH), "write a name"),
        (("compare", "sphere/2", *BOTH, "--report", "nowhere/c.html"), "does not exist"),
        (("compare", "sphere/2", "--optimizer", "de", "--optimizer", "random"), "--trials"),
    ],
)
def test_what_makes_no_sense_is_one_line(evohpo, arguments, message):
    result = evohpo(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_all_problems_are_listed(evohpo):
    result = evohpo("problems")
    assert result.exit_code == 0
    for word in ("rastrigin", "mixed-", "constrained-", "zdt1", "digits-svm"):
        assert word in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
