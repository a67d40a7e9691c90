"""Tables, the same whatever pandas keeps its texts in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd


def table(columns: Mapping[str, Any]) -> pd.DataFrame:
    """Return a DataFrame of these columns, in which texts are Python's own, in the columns and in their names.

    pandas from version 3 on puts texts into Arrow where pyarrow is installed, which refuses what is no UTF-8: half of a
    surrogate pair in the name of a metric or in an error. As objects they are kept, whatever else is installed.

    Args:
        columns: values by name, all of one length.
    """
    import pandas as pd
    from pandas.api.types import infer_dtype

    made = [pd.Series(v, dtype=object if infer_dtype(v) == "string" else None) for v in columns.values()]
    frame = pd.DataFrame(dict(enumerate(made)))
    frame.columns = pd.Index(list(columns), dtype=object)
    return frame


def by_column(rows: Sequence[Mapping[str, Any]], names: Iterable[str] = ()) -> dict[str, list[Any]]:
    """Return the values of rows by column, None where a row has none: `names` first, then the others as they come."""
    return {
        name: [row.get(name) for row in rows] for name in dict.fromkeys([*names, *(n for row in rows for n in row)])
    }
