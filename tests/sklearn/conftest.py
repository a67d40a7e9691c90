from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_classification


@pytest.fixture(scope="session")
def data() -> tuple[Any, Any]:
    """200 rows in two classes, of 8 columns, of which the first three tell something."""
    X, y = make_classification(200, 8, n_informative=3, n_redundant=0, shuffle=False, class_sep=1.5, random_state=0)
    order = np.random.default_rng(0).permutation(len(y))
    return X[order], y[order]
