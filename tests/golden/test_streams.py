"""Our own optimizers propose what they always proposed; see `tests.golden.record`."""

from __future__ import annotations

import pytest

from evohpo.errors import UnknownName
from tests.golden.record import FOLDER, SPACES, difference, own_optimizers, path, problems, propose, read


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in ("auto", "bo") else n for n in own_optimizers()]
)
def test_an_optimizer_proposes_what_it_always_proposed(name):
    recorded = read(name)
    assert list(recorded) == [str(problem) for problem in problems(name)]
    for problem in problems(name):
        found = difference(SPACES[problem.space], recorded[str(problem)], propose(name, problem))
        assert not found, (
            f"optimizer {name!r} left its recorded stream ({problem}) at {found}. If that is meant, renew the file with "
            f"`python -m tests.golden.record {name}` and say in the changelog that stored studies of {name!r} will not "
            "resume exactly"
        )


def test_every_optimizer_has_its_file_and_every_file_its_optimizer():
    assert {file.stem for file in FOLDER.glob("*.json")} == set(own_optimizers())


def test_files_stay_small_enough_to_be_read_in_review():
    assert max(path(name).stat().st_size for name in own_optimizers()) < 15_000


def test_some_trials_of_every_problem_fail_and_most_do_not():
    for problem in problems("random"):
        failed = 0
        for params in read("random")[str(problem)]:
            try:
                problem(params)
            except ValueError:
                failed += 1
        assert 2 <= failed <= 25


@pytest.mark.parametrize(
    ("trial", "change", "where"),
    [
        (17, {"x2": 2e-9}, "trial 17, x2: recorded "),
        (0, {"x0": 0.1}, "trial 0, x0: recorded "),
        (17, {"x2": 5e-10}, ""),
    ],
)
def test_a_gene_that_moved_by_more_than_the_tolerance_is_named(trial, change, where):
    recorded = read("ga")["cube, 1 objective"]
    now = [dict(params) for params in recorded]
    for name, by in change.items():
        now[trial][name] += by
    found = difference(SPACES["cube"], recorded, now)
    assert found.startswith(where)
    assert bool(found) == bool(where)


def test_another_choice_a_parameter_that_went_away_and_a_shorter_stream_are_named():
    recorded = read("ga")["mixed, 1 objective"]
    trial, params = next((i, p) for i, p in enumerate(recorded) if "momentum" in p)
    gone = {name: value for name, value in params.items() if name != "momentum"}
    for other, where in (
        ({**params, "solver": "adam"}, "solver: recorded 'sgd', now 'adam'"),
        (gone, "momentum: recorded"),
    ):
        found = difference(SPACES["mixed"], recorded, [*recorded[:trial], other, *recorded[trial + 1 :]])
        assert found.startswith(f"trial {trial}, {where}")
    assert difference(SPACES["mixed"], recorded, recorded[:-1]) == "trial 59: recorded 60 trials, now 59"


def test_an_unknown_name_is_refused():
    with pytest.raises(UnknownName, match="'gaa': did you mean 'ga'"):
        problems("gaa")
