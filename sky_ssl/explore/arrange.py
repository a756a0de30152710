"""Lay out chosen objects: which of them by their labels, in which order.

In: places 0 to n - 1 of a selection, with labels and values. Out: places to show, in order.
"""

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.int64]
BARE, TIED = "without a label", "of two minds"
"""Filters that are no labels: nobody labelled it; as many say one thing as another."""


def ordered(values: npt.NDArray, falling: bool = True) -> Places:
    """Order by values (n,): numbers by size, text by alphabet; unknown ones last, ties as given."""
    if values.dtype.kind in "biuf":
        known = np.isfinite(values)
        keys = np.where(known, values, 0).astype(np.float64)
    else:
        texts = values.astype(str)
        known = texts != ""
        keys = np.unique(texts, return_inverse=True)[1].astype(np.float64)
    return np.lexsort((-keys if falling else keys, ~known))


def passing(
    labels: npt.NDArray[np.object_],
    show: str,
    tied: Collection[int] = (),
    rows: Places | None = None,
) -> Places:
    """Give the places whose labels (n,) pass a filter.

    Args:
        labels: "" where there is none.
        show: a label, BARE, TIED, or "" for all.
        tied: rows of the data set that are labelled one way as often as another.
        rows: (n,) of the data set, for TIED.
    """
    if not show:
        return np.arange(len(labels))
    if show in (BARE, TIED):
        split = np.zeros(len(labels), dtype=bool)
        if rows is not None and len(tied):
            split = np.isin(rows, np.fromiter(tied, dtype=np.int64))
        return np.flatnonzero(split if show == TIED else (labels == "") & ~split)
    return np.flatnonzero(labels == show)
