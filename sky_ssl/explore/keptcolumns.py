"""Columns that a command wrote for the objects of a file, brought to their order there.

In: a FITS table with a column `id`, the file that it was made from, ids. Out: an array per column.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError


def read_columns(
    table: Path, made_from: Path, ids: npt.NDArray, names: Sequence[str]
) -> dict[str, npt.NDArray[np.float64]] | None:
    """Read columns of numbers by object.

    Args:
        table: FITS.
        made_from: file that the table was made from.
        ids: (N,) objects in the order wanted.
        names: columns; those that the table lacks are left out, but not the first.

    Returns:
        (N,) each, NaN for objects that the table lacks; None where there is no table, or the file
        has changed since it was written.

    Raises:
        InputError: it cannot be read, or is of other objects.
    """
    import pandas as pd
    from astropy.io import fits

    try:
        if table.stat().st_mtime < made_from.stat().st_mtime:
            return None
    except OSError:
        return None
    try:
        with fits.open(table, memmap=False) as file:
            found = file[1].data
            there = [name for name in names if name in found.names]
            if names[0] not in there or "id" not in found.names:
                raise InputError(f"{table}: no columns id and {names[0]}; delete it, and find anew")
            known = np.char.strip(np.asarray(found["id"]).astype(str))
            values = {name: np.asarray(found[name], dtype=np.float64) for name in there}
    except (OSError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{table}: cannot be read ({error}); delete it, and find anew") from None
    rows = pd.Index(known).drop_duplicates().get_indexer(ids.astype(str))
    if len(rows) and (rows < 0).all():
        return None  # a table of other objects under the same name
    first = np.flatnonzero(~pd.Index(known).duplicated())
    return {
        name: np.where(rows >= 0, column[first][np.maximum(rows, 0)], np.nan)
        for name, column in values.items()
    }
