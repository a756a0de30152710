"""Tables of objects from any file that has some: a catalogue, cutouts or embeddings.

In: a path. Out: a pandas DataFrame with `id`, `ra`, `dec` and all columns of one value per object.
"""

from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd


def read_objects(path: str | Path) -> pd.DataFrame:
    """Read a table of objects from a catalogue, a cutout file or folder, or an embeddings file.

    Returns:
        The table: `id` (text), `ra`, `dec` (float64 degrees, NaN if unknown) and all columns of
        one value per object; `attrs["notes"]` has a line for each thing that was assumed.

    Raises:
        InputError: if it is none of these.
    """
    from sky_ssl.sky.catalogue import read_catalogue

    path = Path(path)
    if path.is_dir():
        return _from_cutouts(path)
    if path.is_file():
        with path.open("rb") as file:
            is_hdf5 = file.read(4) == b"\x89HDF"
        if is_hdf5:
            return _from_hdf5(path)
    return read_catalogue(path)


def _from_hdf5(path: Path) -> pd.DataFrame:
    from sky_ssl.embedding.store import open_embeddings
    from sky_ssl.sky.hdf5part import open_hdf5

    file = open_hdf5(path.resolve())
    if "embeddings" not in file:
        return _from_cutouts(path)
    e = open_embeddings(path)
    columns = {"id": e.id.astype(object), "ra": e.ra, "dec": e.dec, "tile": e.tile}
    for name, item in file.items():
        if isinstance(item, h5py.Dataset) and item.shape == e.ra.shape and name not in columns:
            text = h5py.check_string_dtype(item.dtype) is not None
            columns[name] = item.asstr()[:] if text else item[:]
    return _table(columns, [])


def _from_cutouts(path: Path) -> pd.DataFrame:
    from sky_ssl.sky.cutoutset import open_cutouts
    from sky_ssl.sky.hdf5part import count_bands, open_hdf5

    first = path
    if path.is_dir():
        first = next(iter(sorted([*path.glob("*.h5"), *path.glob("*.hdf5")])), path)
    bands = None
    if first.is_file() and "bands" not in open_hdf5(first.resolve()).attrs:
        bands = [f"band{i}" for i in range(count_bands(first))] or None
    cutouts = open_cutouts(path, bands=bands)
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
