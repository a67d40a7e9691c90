"""`evohpo show`, `optimizers`, `check`, `demo` and the help: what they print."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pandas as pd
import pytest

import evohpo as eh
from tests.cli.conftest import RUN


@pytest.fixture
def store(tmp_path):
    """A study with a failure, a NaN among its metrics and a label."""
    path = tmp_path / "study.db"
    space = {"x": eh.Continuous(-1, 1), "units": eh.Integer(1, 9)}
    with eh.Study(
        space, maximize="accuracy", optimizer="random", seed=1, store=path, owner="Ada", description="a test"
    ) as study:
        for number, trial in enumerate(study.ask(6)):
            if number == 2:
                study.tell(trial, error=ValueError("no data"))
            else:
                study.tell(trial, {"accuracy": number / 10, "ratio": float("nan") if number == 1 else 1.0})
    return path


def test_show_prints_settings_counts_and_the_best(evohpo, store):
    out = evohpo("show", store).stdout
    for text in (
        "study of Ada",
        "a test",
        "maximize accuracy",
        "random",
        "seed",
        "5 completed, 1 failed",
        "trial 5: accuracy=0.5",
        "ValueError: no data",
    ):
        assert text in out


def test_the_table_fits_the_terminal_and_says_what_it_left_out(evohpo, store, monkeypatch):
    monkeypatch.setenv("COLUMNS", "44")
    out = evohpo("show", store).stdout
    table = out.split("\n\n")[1].splitlines()
    assert max(map(len, table[:-1])) <= 44
    assert "not shown for width:" in out.replace("\n", " ")


def test_json_is_one_object_with_settings_best_and_trials_and_no_nan(evohpo, store):
    text = evohpo("show", store, "--output", "json").stdout
    content = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert content["settings"]["seed"] == 1
    assert content["best"]["number"] == 5
    assert content["counts"]["failed"] == 1
    assert content["trials"][1]["metrics"] == {"accuracy": 0.1, "ratio": None}
    assert content["trials"][2]["error"] == "ValueError: no data"


def test_best_sort_and_top_choose_and_order(evohpo, store):
    def numbers(*arguments):
        return [t["number"] for t in json.loads(evohpo("show", store, "--output", "json", *arguments).stdout)["trials"]]

    assert numbers() == [0, 1, 2, 3, 4, 5]
    assert numbers("--best") == numbers("--front") == [5]
    assert numbers("--top", 2) == [5, 4]
    assert numbers("--sort", "accuracy") == [5, 4, 3, 1, 0, 2]
    with eh.load(store) as study:
        assert numbers("--sort", "x") == [t.number for t in sorted(study.trials, key=lambda t: t.params["x"])]


def test_the_front_of_two_objectives_is_shown(evohpo, tmp_path):
    store = tmp_path / "study.db"
    evohpo(
        "run",
        "cli_task.py:two",
        "--space",
        "space.toml",
        "--minimize",
        "loss",
        "--minimize",
        "size",
        "--trials",
        20,
        "--seed",
        1,
        "--store",
        store,
    )
    content = json.loads(evohpo("show", store, "--front", "--output", "json").stdout)
    assert content["best"] is None
    assert [t["number"] for t in content["trials"]] == content["front"]
    with eh.load(store) as study:
        assert content["front"] == [t.number for t in study.front()]


def test_csv_has_the_columns_of_the_table(evohpo, store, tmp_path):
    evohpo("show", store, "--output", "csv", "--out", tmp_path / "t.csv")
    with eh.load(store) as study:
        assert list(pd.read_csv(tmp_path / "t.csv").columns) == list(study.table().columns)


@pytest.mark.parametrize("output", ["table", "csv", "json"])
def test_texts_that_are_no_utf8_are_shown_escaped(evohpo, tmp_path, output):
    half = "half \ud800 of a pair"
    with eh.Study({"x": eh.Continuous(0, 1)}, minimize="loss", optimizer="random", store=tmp_path / "half.db") as study:
        study.attach({"x": 0.5}, {"loss": 1.0, "note": half}, label=half)
    printed = evohpo("show", tmp_path / "half.db", "--output", output)
    written = evohpo("show", tmp_path / "half.db", "--output", output, "--out", tmp_path / "half.txt")
    assert (printed.exit_code, written.exit_code) == (0, 0)
    for text in (printed.stdout, (tmp_path / "half.txt").read_text("utf-8")):
        assert r"half \ud800 of a pair" in text


def test_a_study_that_is_not_finished_says_how_to_go_on(evohpo, store):
    assert f"evohpo resume {store}" in evohpo("show", store).stdout


def test_show_changes_nothing(evohpo, store):
    before = store.read_bytes()
    evohpo("show", store, "--output", "json")
    assert store.read_bytes() == before


def test_optimizers_lists_all_with_traits(evohpo):
    out = evohpo("optimizers").stdout
    for info in eh.available_optimizers().values():
        assert info.name in out
    assert "Hansen" in out


def test_optimizers_shows_the_options_of_one(evohpo):
    out = evohpo("optimizers", "pso").stdout
    assert "neighborhood_size = 3" in out
    assert "Every particle is drawn" in out
    assert "Kennedy" in out


def test_check_prints_a_card_and_exits_with_1_where_a_check_fails(evohpo, tmp_path, monkeypatch):
    good = evohpo("check", "de")
    assert good.exit_code == 0
    assert "better_than_nothing" in good.stdout
    bad = evohpo("check", "cli_task.py:blind")
    assert bad.exit_code == 1
    assert "failed   better_than_nothing" in bad.stdout
    expected = evohpo("check", "cli_task.py:blind", "--expect", "better_than_nothing=it draws blindly")
    assert expected.exit_code == 0
    card = json.loads(evohpo("check", "cli_task.py:blind", "--json").stdout)
    assert not card["passed"]
    assert [c["check"] for c in card["checks"] if c["status"] == "failed"] == ["better_than_nothing"]


def test_help_answers_at_once_and_imports_nothing_heavy():
    code = "import sys; from evohpo.cli import main\ntry: main(['--help'])\n"
    code += "except SystemExit: print(sorted({m.split('.')[0] for m in sys.modules} & set(sys.argv[1:])))"
    heavy = ["numpy", "scipy", "pandas", "inspyred", "rich", "sklearn", "moocore"]
    took = []
    for _ in range(3):  # the machine may be busy; the quickest counts
        began = time.perf_counter()
        out = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True).stdout
        took.append(time.perf_counter() - began)
    assert out.splitlines()[-1] == "[]"
    assert "resume" in out
    assert min(took) < 0.5


def test_the_table_can_be_piped_into_head(in_process, evohpo, tmp_path):
    store = tmp_path / "study.db"
    evohpo(*RUN, "--trials", 300, "--optimizer", "random", "--store", store)
    process = in_process("show", store)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) in (0, 1)
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
