"""Tables hold texts as they were told, whatever pandas keeps texts in; with pyarrow installed that is Arrow, else Python."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import evohpo as eh
from evohpo.analysis import cross_validation, effect, importance, interactions, summary

HALF = "half \ud800 of a pair"  # a Python text and a JSON text, but no UTF-8
LOSS = f"loss, {HALF}"
SPACE = {HALF: eh.Continuous(0, 1), "kind": eh.Categorical([HALF, "whole"])}
TABLES = {
    "trials": lambda study: study.table(),
    "curves": lambda study: study.curves(),
    "lineage": lambda study: study.lineage(len(study.trials) - 1),
    "operators": lambda study: study.operators(),
    "generations": lambda study: study.generations(),
    "summary": summary,
    "importance": importance,
    "effect of an option": lambda study: effect(study, "kind"),
    "effect of a number": lambda study: effect(study, HALF),
    "interactions": interactions,
    "cross-validation": cross_validation,
}


@pytest.fixture(scope="module")
def study():
    """Ten trials in two generations; wherever a user or an optimizer may say something it is `HALF`."""

    def author(problem, rng):
        first = np.linspace(0, 1, 5)
        yield eh.Population(problem.encoding.encode([{HALF: x, "kind": HALF} for x in first]), operator=HALF)
        again = problem.encoding.encode([{HALF: 1 - x / 2, "kind": "whole"} for x in first])
        yield eh.Population(again, parents=np.arange(5)[:, None], operator="again")

    study = eh.Study(SPACE, minimize=LOSS, optimizer=author, seed=1, duplicates="evaluate")
    for _ in range(2):
        for trial in study.ask(5):
            if trial.number == 3:
                study.tell(trial, error=HALF)
                continue
            metrics = {LOSS: trial.params[HALF], "note": HALF}
            study.report(trial, 1, metrics)
            study.tell(trial, metrics, worker=HALF)
    return study


@pytest.mark.parametrize("name", TABLES)
def test_texts_are_python_objects_in_every_table(study, name):
    frame = TABLES[name](study)
    assert frame.columns.dtype == object
    assert not any(isinstance(dtype, pd.StringDtype) for dtype in frame.dtypes)


def test_texts_that_are_no_utf8_are_kept(study):
    table = study.table()
    assert {HALF, LOSS} < set(table)
    assert table["error"].tolist() == [HALF if n == 3 else "" for n in range(10)]
    assert table["note"].tolist() == [None if n == 3 else HALF for n in range(10)]
    assert table["kind"].tolist() == [HALF] * 5 + ["whole"] * 5
    assert study.operators()["operator"].tolist() == [HALF, "again"]
    assert set(importance(study)["parameter"]) == set(SPACE)
    assert effect(study, "kind")["value"].tolist() == [HALF, "whole"]


def test_a_table_of_texts_alone_is_attached():
    study = eh.Study({"kind": SPACE["kind"]}, minimize="loss", optimizer="random", seed=1)
    rows = pd.DataFrame({"kind": pd.Series([HALF, "whole"], dtype=object)})
    with pytest.warns(eh.EvohpoWarning, match="2 of 2 rows not attached: row 0: loss"):
        assert study.attach(rows) == []
