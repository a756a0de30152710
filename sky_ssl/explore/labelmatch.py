"""Labels carried over to a data set: which row each label of a ledger, or of a table, is about.

In: labels, and the ids and positions of a data set. Out: the same labels with a row number, and a
report of what was found by id, by position, or not at all.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl.explore.matching import match_objects


@dataclass(frozen=True)
class DataSet:
    """The objects that labels are given to."""

    fingerprint: str  # of the cutouts; embeddings made of them have the same
    id: npt.NDArray
    ra: npt.NDArray[np.float64]  # degrees, NaN if unknown
    dec: npt.NDArray[np.float64]


def open_data_set(path: str | Path) -> DataSet:
    """Open the objects of embeddings or cutouts.

    Raises:
        InputError: if the file is neither.
    """
    from sky_ssl.embedding.store import open_embeddings
    from sky_ssl.explore.objects import cutouts_of, is_embeddings, read_objects

    path = Path(path)
    if is_embeddings(path):
        e = open_embeddings(path)
        known = str(e.attributes.get("cutouts_fingerprint", ""))
        return DataSet(known or _fingerprint(e.id, e.ra, e.dec), e.id, e.ra, e.dec)
    cutouts = cutouts_of(path)
    table = read_objects(path)
    return DataSet(
        cutouts.fingerprint(),
        table["id"].to_numpy(dtype=object),
        table["ra"].to_numpy(np.float64),
        table["dec"].to_numpy(np.float64),
    )


def _fingerprint(
    ids: npt.NDArray, ra: npt.NDArray[np.float64], dec: npt.NDArray[np.float64]
) -> str:
    """Hash what identifies the objects, where no cutouts are known."""
    digest = hashlib.sha256("\n".join(map(str, ids)).encode())
    digest.update(ra.astype("<f8").tobytes() + dec.astype("<f8").tobytes())
    return digest.hexdigest()


def labels_of(
    labels: pd.DataFrame, data: DataSet, *, radius_arcsec: float = 1.0
) -> tuple[pd.DataFrame, list[str]]:
    """Find the labels that are about the objects of a data set, whichever data they were given on.

    Those given on this very data set belong to it by id; others are matched by id and position
    (`matching.match_objects`), and left out where that is ambiguous. Of several labels of one task
    and labeller that arrive at one object the newest stays.

    Args:
        labels: as `labelview.current` gives them.
        data: the objects.
        radius_arcsec: for positions.

    Returns:
        The labels with columns `row` (in the data set) and `by` ("id", "position"), `object_id`
        being that of the data set; and lines to read about what came from other data.
    """
    pieces, report = [labels.iloc[:0].assign(row=np.int64(0), by="")], []
    for dataset, given in labels.groupby("dataset", sort=False):
        units = given.drop_duplicates("object_id", keep="last")
        table = units.rename(columns={"object_id": "id"})[["id", "ra", "dec"]]
        if dataset == data.fingerprint:
            table = table.assign(ra=np.nan, dec=np.nan)  # ids alone
        match = match_objects(
            table.reset_index(drop=True), data.id, data.ra, data.dec, radius_arcsec=radius_arcsec
        )
        clear = (match.rows >= 0) & ~match.ambiguous
        row = pd.Series(np.where(clear, match.rows, -1), index=units["object_id"].to_numpy())
        by = pd.Series(match.by, index=row.index)
        found = given.assign(
            row=given["object_id"].map(row).to_numpy(np.int64), by=given["object_id"].map(by)
        )
        pieces.append(found[found["row"] >= 0])
        if dataset != data.fingerprint:
            name = str(dataset)[:12] or "no data set"
            report += [f"labels given on {name}: {line}" for line in match.report]
    joined = pd.concat([p for p in pieces if len(p)] or pieces[:1])
    joined = joined.sort_values("event").drop_duplicates(["row", "task", "labeller"], keep="last")
    ids = np.asarray(data.id, dtype=object)
    joined["object_id"] = ids[joined["row"].to_numpy(np.int64)]
    return joined.reset_index(drop=True), report
