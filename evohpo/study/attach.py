"""Reading results measured elsewhere from a table: which cells are hyperparameters, which are metrics, which are empty."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from evohpo.errors import EvohpoWarning, UsageError
from evohpo.space import Categorical, Integer, Ordinal, Space

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

    from evohpo.study.study import Study
    from evohpo.trials.trial import Trial


def attach_rows(study: Study, rows: pd.DataFrame | str | Path, label: str) -> list[Trial]:
    """Attach every row that is in the space and has a result; name the others in one warning."""
    trials, refused = [], []
    for index, params, metrics in configurations(rows, study.space):
        try:
            trials.append(study.attach(params, metrics, label))
        except UsageError as error:
            refused.append(f"row {index}: {error}")
    if refused:
        shown = "; ".join(refused[:5]) + (f"; and {len(refused) - 5} more" if len(refused) > 5 else "")
        total = len(refused) + len(trials)
        warnings.warn(f"{len(refused)} of {total} rows not attached: {shown}", EvohpoWarning, stacklevel=3)
    return trials


def configurations(
    rows: pd.DataFrame | str | Path, space: Space
) -> Iterator[tuple[Any, dict[str, Any], dict[str, Any]]]:
    """Yield index, hyperparameters and metrics of every row.

    A table knows fewer types than a space: whole numbers may come as 3.0, choices as text. Cells are read as the
    parameter means them.

    Raises:
        UsageError: the file cannot be read, or has none of the space's hyperparameters.
    """
    import pandas as pd

    if not isinstance(rows, pd.DataFrame):
        try:
            rows = pd.read_csv(rows)
        except (OSError, ValueError) as error:
            raise UsageError(f"{rows}: cannot be read as CSV ({error})") from error
    if not set(rows.columns) & set(space.names):
        raise UsageError(
            f"no column is a hyperparameter: the space has {', '.join(space.names)}; the table {', '.join(map(str, rows))}"
        )
    for index, *row in rows.itertuples(name=None):
        cells = {str(name): value for name, value in zip(rows.columns, row, strict=True) if not pd.isna(value)}
        params = {name: _read(space.parameters[name], value) for name, value in cells.items() if name in space.names}
        yield (
            index,
            params,
            {name: value for name, value in cells.items() if name not in space.names and not isinstance(value, str)},
        )


def _read(parameter: Any, value: Any) -> Any:
    if isinstance(parameter, Integer) and isinstance(value, float) and value.is_integer():
        return int(value)
    choices = parameter.options if isinstance(parameter, Categorical | Ordinal) else ()
    for choice in choices:
        if type(choice) is type(value) and choice == value:
            return choice
    for choice in choices:
        if str(choice) == str(value) or (choice == value and not isinstance(choice, bool)):
            return choice
    return value.item() if hasattr(value, "item") else value
