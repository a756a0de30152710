"""Tables of objects from any file that has some: catalogues, cutouts, embeddings, ledgers.

In: a path. Out: a pandas DataFrame with `id`, `ra`, `dec` and all columns of one value per object.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl.errors import InputError
from sky_ssl.sky.columns import as_ids, find_ids, is_id
from sky_ssl.sky.tablefiles import read_table

if TYPE_CHECKING:
    from sky_ssl.sky.cutoutset import CutoutSet


def read_objects(path: str | Path) -> pd.DataFrame:
    """Read a table of objects: a catalogue, cutouts (file or folder), embeddings, a label ledger.

    A catalogue that has ids needs no positions. A ledger gives a column for each task.

    Returns:
        The table: `id` (text), `ra`, `dec` (float64 degrees, NaN if unknown) and all columns of
        one value per object; `attrs["notes"]` has a line for each thing that was assumed.

    Raises:
        InputError: if it is none of these.
    """
    path = Path(path)
    if path.is_dir():
        return _from_cutouts(path)
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(16)
        if head.startswith(b"\x89HDF"):
            return _from_hdf5(path)
        if head == b"SQLite format 3\0":
            return _from_ledger(path)
    return _from_table(path)


def _from_table(path: Path) -> pd.DataFrame:
    """Read a catalogue; one that has ids needs no positions."""
    from sky_ssl.sky.catalogue import read_catalogue

    reason: InputError | None = None
    try:
        table = read_catalogue(path)
        if not table.attrs["dropped"]:
            return table
    except InputError as error:
        reason = error
    frame, _ = read_table(path, is_id)
    column = find_ids(frame)
    if column is None or not len(frame):
        if reason is not None:
            raise reason
        return table
    ids = pd.Series(as_ids(frame[column]), index=frame.index)
    known = {} if reason is not None else set(table["id"])
    alone = (ids != "") & ~ids.duplicated(keep=False) & ~ids.isin(known)
    if reason is not None and not alone.any():
        raise reason
    others = frame[alone].drop(columns=[c for c in frame if str(c).lower() in ("id", "ra", "dec")])
    unknown = np.full(int(alone.sum()), np.nan)
    more = {str(name): others[name] for name in others if not str(name).startswith("Unnamed:")}
    placeless = pd.DataFrame({"id": ids[alone], "ra": unknown, "dec": unknown, **more})
    notes = [f"{path}: {len(placeless)} rows have an id but no position"] if len(placeless) else []
    if reason is None:
        notes = table.attrs["notes"] + notes
        joined = pd.concat([t for t in (table, placeless) if len(t)], ignore_index=True)
    else:
        joined = placeless.reset_index(drop=True)
    joined.attrs = {"dropped": len(frame) - len(joined), "notes": notes}
    return joined


def _from_ledger(path: Path) -> pd.DataFrame:
    """Read what a label ledger comes to: a column for each task, with what the majority says."""
    from sky_ssl.explore.labels import Ledger

    ledger = Ledger(path)
    labels = ledger.consensus()
    ledger.close()
    if not len(labels):
        raise InputError(f"{path}: a label ledger without labels")
    keys = ["dataset", "object_id"]
    wide = labels.pivot(index=keys, columns="task", values="label").fillna("")
    places = labels.groupby(keys)[["ra", "dec"]].last().loc[wide.index]
    sources = labels.pivot(index=keys, columns="task", values="source").fillna("").loc[wide.index]
    columns = {str(name): wide[name].to_numpy() for name in wide}
    ids = wide.index.get_level_values("object_id").to_numpy()
    ra, dec = places["ra"].to_numpy(np.float64), places["dec"].to_numpy(np.float64)
    table = _table({**columns, "id": ids, "ra": ra, "dec": dec}, ledger.notes)
    table.attrs["sources"] = {str(name): sources[name].tolist() for name in sources}
    return table


def is_embeddings(path: Path) -> bool:
    """Say whether a path is an HDF5 file with embeddings."""
    from sky_ssl.sky.hdf5part import open_hdf5

    if not path.is_file():
        return False
    with path.open("rb") as file:
        is_hdf5 = file.read(4) == b"\x89HDF"
    return is_hdf5 and "embeddings" in open_hdf5(path.resolve())


def _from_hdf5(path: Path) -> pd.DataFrame:
    from sky_ssl.embedding.store import open_embeddings
    from sky_ssl.sky.hdf5part import open_hdf5

    if not is_embeddings(path):
        return _from_cutouts(path)
    file = open_hdf5(path.resolve())
    e = open_embeddings(path)
    columns = {"id": e.id.astype(object), "ra": e.ra, "dec": e.dec, "tile": e.tile}
    for name, item in file.items():
        if isinstance(item, h5py.Dataset) and item.shape == e.ra.shape and name not in columns:
            text = h5py.check_string_dtype(item.dtype) is not None
            columns[name] = item.asstr()[:] if text else item[:]
    return _table(columns, [])


def cutouts_of(path: Path) -> "CutoutSet":
    """Open a cutout file or folder, whether its files name their bands or not."""
    from sky_ssl.sky.cutoutset import open_cutouts
    from sky_ssl.sky.hdf5part import count_bands, open_hdf5

    first = path
    if path.is_dir():
        first = next(iter(sorted([*path.glob("*.h5"), *path.glob("*.hdf5")])), path)
    bands = None
    if first.is_file() and "bands" not in open_hdf5(first.resolve()).attrs:
        bands = [f"band{i}" for i in range(count_bands(first))] or None
    return open_cutouts(path, bands=bands)


def _from_cutouts(path: Path) -> pd.DataFrame:
    cutouts = cutouts_of(path)
    columns = {name: cutouts.column(name) for name in cutouts.column_names}
    notes = []
    if "id" not in columns:
        # as `embed` names the objects of such files
        source = cutouts.paths[0] if len(cutouts.paths) == 1 else cutouts.paths[0].parent
        columns["id"] = np.array([f"{source}:{row}" for row in range(len(cutouts))], dtype=object)
        notes.append(f"{path}: no column with ids: file and row are used")
    unknown = np.full(len(cutouts), np.nan)
    return _table({"ra": unknown, "dec": unknown, **columns}, notes)


def _table(columns: dict[str, npt.NDArray], notes: list[str]) -> pd.DataFrame:
    """Make a table with `id`, `ra` and `dec` first."""
    places = {
        "id": columns["id"].astype(str).astype(object),
        "ra": columns["ra"].astype(np.float64),
        "dec": columns["dec"].astype(np.float64),
    }
    frame = pd.DataFrame({**places, **{k: v for k, v in columns.items() if k not in places}})
    frame.attrs = {"dropped": 0, "notes": notes}
    return frame
