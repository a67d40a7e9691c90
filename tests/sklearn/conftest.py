from __future__ import annotations

from typing import Any

import pytest
from sklearn.datasets import make_classification


@pytest.fixture(scope="session")
def data() -> tuple[Any, Any]:
    """200 rows of 8 columns, two classes."""
    return make_classification(200, 8, n_informative=3, n_redundant=0, shuffle=False, class_sep=1.5, random_state=0)
