"""The labels in force at a glance: how many of each, by whom, and where people differ.

In: the labels in force of one task, as `labelview.current` gives them. Out: tables and rows.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd


def label_counts(
    current: pd.DataFrame, labels: npt.NDArray[np.object_], names: Sequence[str]
) -> pd.DataFrame:
    """Count labels, in all and by each labeller.

    Args:
        current: labels in force, of each labeller.
        labels: (N,) by row of the data set, that of the majority; "" where there is none.
        names: labels to begin with; others that are in use follow by name.

    Returns:
        Columns label, objects (with that label by majority), and one for each labeller.
    """
    used = [*names, *sorted(set(current["label"]) - set(names))]
    by = pd.crosstab(current["label"], current["labeller"]).reindex(used, fill_value=0)
    objects = [int(np.count_nonzero(labels == name)) for name in used]
    table = pd.DataFrame({"label": used, "objects": objects})
    for who in by.columns:
        # a labeller may be called like a column
        table[str(who) if str(who) not in table else f"by {who}"] = by[who].to_numpy()
    return table


def disagreeing(current: pd.DataFrame, row_of: Mapping[str, int]) -> npt.NDArray[np.int64]:
    """Give the rows of objects to which several people gave different labels."""
    kinds = current.groupby("object_id")["label"].nunique()
    rows = [row_of.get(str(name), -1) for name in kinds.index[kinds > 1]]
    return np.array(sorted(row for row in rows if row >= 0), dtype=np.int64)
