"""What is known of objects already: labels, nearest catalogued objects, measured columns.

In: ids and positions, and tables of objects (`read_objects`). Out: a value for each object.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl.errors import InputError
from sky_ssl.explore.candidatecolumns import measured_columns
from sky_ssl.explore.matching import match_objects
from sky_ssl.explore.objects import read_objects
from sky_ssl.sky.coords import separation_arcsec, unit_vectors

if TYPE_CHECKING:
    from sky_ssl.explore.labels import Ledger

_SQLITE = b"SQLite format 3"
Degrees = npt.NDArray[np.float64]


def known_table(ledger: "Ledger", task: str = "") -> pd.DataFrame:
    """Give the labels of a task (all, if empty) as a table with `id`, `ra`, `dec` and `label`.

    Where people disagree the object is known too, under the labels that are tied.
    """
    table = ledger.consensus(task=task or None).rename(columns={"object_id": "id"})
    tied = table["tied"].to_numpy(dtype=object)
    table["label"] = np.where(table["label"] == "", tied, table["label"])
    for name in ("ra", "dec"):
        table[name] = pd.to_numeric(table[name]).astype(np.float64)
    return table


def read_known(place: str, column: str = "", task: str = "") -> tuple[pd.DataFrame, str]:
    """Read labelled objects from a ledger (file or URL), or from any file with objects.

    Args:
        place: path, or URL of a ledger on a server.
        column: of labels, in a file that is no ledger.
        task: of a ledger; all, if empty.

    Returns:
        The table, and the name of its column with labels (`column` as given for a file).

    Raises:
        InputError: there is none, or it cannot be read.
    """
    is_url = "://" in place
    if not is_url and not Path(place).exists():
        raise InputError(f"{place}: no such file")
    if not is_url and not _starts_with(Path(place), _SQLITE):
        return read_objects(place), column
    from sky_ssl.explore.labels import Ledger

    ledger = Ledger(place)
    try:
        return known_table(ledger, task), "label"
    finally:
        ledger.close()


def _starts_with(path: Path, magic: bytes) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def labels_of(
    table: pd.DataFrame,
    ids: npt.NDArray[np.str_],
    ra: Degrees,
    dec: Degrees,
    *,
    column: str = "",
    radius_arcsec: float = 1.0,
) -> tuple[npt.NDArray[np.object_], list[str]]:
    """Give each object (N,) its known label, empty if it has none, and what happened in words.

    Rows without a label in the column count as unlabelled. Where there is no column, every row of
    the table is known. All objects within the radius of a labelled one are that object, so that a
    second row from another tile is known too.

    Args:
        table: as `read_objects` gives it.
        column: default `label`, if there is one.

    Raises:
        InputError: no such column.
    """
    if column and column not in table:
        raise InputError(f"labels: no column {column!r}; there are {' '.join(map(str, table))}")
    column = column or ("label" if "label" in table else "")
    given = table[column].to_numpy(dtype=object) if column else np.full(len(table), "known", object)
    text = np.array(["" if pd.isna(v) else str(v).strip() for v in given], dtype=object)
    used = table[text != ""].reset_index(drop=True)
    text = text[text != ""]
    match = match_objects(used, ids, ra, dec, radius_arcsec=radius_arcsec)
    labels = np.full(len(ids), "", dtype=object)
    found = match.rows >= 0
    labels[match.rows[found]] = text[found]
    near = nearest(ra, dec, ra[labels != ""], dec[labels != ""], radius_arcsec)
    spread = (near >= 0) & (labels == "")
    labels[spread] = labels[labels != ""][near[spread]]
    return labels, [f"labels: {line}" for line in match.report]


def nearest(
    ra: Degrees, dec: Degrees, to_ra: Degrees, to_dec: Degrees, radius_arcsec: float
) -> npt.NDArray[np.int64]:
    """Give the nearest of M positions within a radius for each of N, degrees; -1 if there is none.

    Returns:
        (N,) numbers from 0 to M - 1.
    """
    from scipy.spatial import cKDTree

    result = np.full(len(ra), -1, dtype=np.int64)
    known = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec))
    there = np.flatnonzero(np.isfinite(to_ra) & np.isfinite(to_dec))
    if not known.size or not there.size:
        return result
    # a hair more, so that rounding loses nothing at the edge
    chord = 2 * np.sin(np.radians(radius_arcsec / 3600) / 2) * (1 + 1e-6) + 1e-15
    tree = cKDTree(unit_vectors(to_ra[there], to_dec[there]))
    _, found = tree.query(unit_vectors(ra[known], dec[known]), distance_upper_bound=chord)
    hit = found < there.size
    result[known[hit]] = there[found[hit]]
    return result


def nearest_known(
    ra: Degrees, dec: Degrees, catalogues: Sequence[tuple[str, pd.DataFrame]], radius_arcsec: float
) -> dict[str, npt.NDArray]:
    """Find the nearest known object of each position (n,) among all catalogues.

    Args:
        catalogues: name and table of each; objects go by their column `name`, if there is one,
            else by `id`.
        radius_arcsec: farther objects do not count.

    Returns:
        Columns `nearest_known`, `nearest_separation` [arcsec, NaN if none], `nearest_catalogue`.
    """
    if not 0 < radius_arcsec <= 3600:
        raise InputError(f"radius {radius_arcsec} arcsec: must be above 0 and at most 3600")
    n = len(ra)
    name, source = np.full(n, "", dtype=object), np.full(n, "", dtype=object)
    distance = np.full(n, np.inf)
    for title, table in catalogues:
        there = table["ra"].to_numpy(np.float64), table["dec"].to_numpy(np.float64)
        row = nearest(ra, dec, *there, radius_arcsec)
        hit = np.flatnonzero(row >= 0)
        apart = separation_arcsec(ra[hit], dec[hit], there[0][row[hit]], there[1][row[hit]])
        closer = hit[apart < distance[hit]]
        distance[hit] = np.minimum(distance[hit], apart)
        names = table[_name_column(table)].fillna("").astype(str).to_numpy(dtype=object)
        ids = table["id"].astype(str).to_numpy(dtype=object)
        names = np.where(names == "", ids, names)
        name[closer], source[closer] = names[row[closer]], title
    return {
        "nearest_known": name.astype(str),
        "nearest_separation": np.where(np.isfinite(distance), distance, np.nan),
        "nearest_catalogue": source.astype(str),
    }


def _name_column(table: pd.DataFrame) -> str:
    return next((c for c in table if str(c).lower() in ("name", "objname", "main_id")), "id")


def columns_of(
    table: pd.DataFrame,
    ids: npt.NDArray[np.str_],
    ra: Degrees,
    dec: Degrees,
    *,
    radius_arcsec: float = 1.0,
) -> tuple[pd.DataFrame, str]:
    """Take magnitudes, sizes and flags of objects (n,) from a table, by id, else by position.

    Returns:
        A table of n rows; missing values where an object is not found. And a line about it.
    """
    names = measured_columns([str(name) for name in table.columns])
    objects = pd.DataFrame({"id": ids.astype(object), "ra": ra, "dec": dec})
    there = table["ra"].to_numpy(np.float64), table["dec"].to_numpy(np.float64)
    # the list is looked up in the table, not the table in the list: that may have a million rows
    match = match_objects(
        objects, table["id"].to_numpy(dtype=object), *there, radius_arcsec=radius_arcsec
    )
    found = match.rows >= 0
    frame = table[names].iloc[np.where(found, match.rows, 0)].reset_index(drop=True)
    frame = frame.where(pd.Series(found), other=np.nan) if not found.all() else frame
    line = f"{', '.join(names) or 'no column'} of {int(found.sum())} of {len(ids)} candidates"
    return frame, line
