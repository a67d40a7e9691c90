"""The notebook on Hyperband runs, and shows what its text says."""

from __future__ import annotations

import pytest

from tests.test_notebooks import execute


@pytest.mark.slow
def test_the_page_on_hyperband_keeps_to_its_plan_and_finds_the_noise(tmp_path):
    page = execute(
        "05_hyperband",
        tmp_path,
        plan="[plan['n_models'], plan['partial_fit_calls']]",
        done="search.metadata_ == plan",
        calls="[int(len(lines)) for lines in curves.values()]",
        medians="final.median().to_dict()",
        saved="int(saved)",
        columns="chosen.best_features_",
    )
    assert page["plan"] == [49, 357]
    assert page["done"] is True
    assert page["calls"] == [357, 357]
    assert page["medians"]["Hyperband"] > page["medians"]["random search"]
    assert page["saved"] > 0
    assert page["columns"] == [0, 1]
