"""The scikit-learn faces: searches that are estimators, over the same studies as everything else.

    from evohpo.sklearn import EvolutionSearchCV

    search = EvolutionSearchCV(SVC(), {"C": loguniform(1e-2, 1e2)}, optimizer="de", generations=10, population=10).fit(X, y)

Needs scikit-learn 1.6 or later: `pip install evohpo[sklearn]`.
"""

from __future__ import annotations

from evohpo.sklearn.evolution import EvolutionSearchCV
from evohpo.sklearn.hyperband import HyperbandSearchCV, suggest_hyperband
from evohpo.sklearn.masks import ColumnMask

__all__ = ["ColumnMask", "EvolutionSearchCV", "HyperbandSearchCV", "suggest_hyperband"]
