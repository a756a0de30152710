"""The map file (HDF5): positions of all objects, and what they were made from.

`xy` (N, 2) float32, `id`, `ra`, `dec` and `how` (0 the map was made with it, 1 placed into it, 2 no
usable embedding); attributes say method, parameters, seed, model and embeddings. Positions of
others come in as tables.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from sky_ssl import __version__
from sky_ssl.embedding.store import Embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.axes import Axes
from sky_ssl.explore.maps import NO_VECTOR, MapOptions, Positions, put_at_edge
from sky_ssl.sky.hdf5part import open_hdf5

SCHEMA = "sky_ssl map 1"
_SAMPLE = 1024
_NAMES = (
    *(("x", "y"), ("map_x", "map_y"), ("umap_x", "umap_y"), ("tsne_x", "tsne_y")),
    *(("umap1", "umap2"), ("umap_1", "umap_2"), ("umap_0", "umap_1"), ("tsne1", "tsne2")),
    *(("tsne_1", "tsne_2"), ("tsne_0", "tsne_1"), ("pc1", "pc2"), ("pca1", "pca2")),
    *(("pca_1", "pca_2"), ("dim1", "dim2"), ("dim_1", "dim_2"), ("component1", "component2")),
)


@dataclass(frozen=True)
class SkyMap:
    """A map: where objects lie in two dimensions."""

    path: Path
    xy: Positions  # (N, 2)
    id: npt.NDArray[np.str_]
    ra: npt.NDArray[np.float64]  # degrees, NaN if unknown
    dec: npt.NDArray[np.float64]
    how: npt.NDArray[np.uint8]  # (N,) see maps.FITTED, PLACED, NO_VECTOR
    attributes: dict[str, Any]
    axes: Axes | None = None  # None for positions of others
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.xy)


def embeddings_fingerprint(e: Embeddings) -> str:
    """Hash what identifies embeddings: shape, type, model, ids, and 1,024 rows spread evenly."""
    digest = hashlib.sha256()
    model = [str(e.attributes.get(key, "")) for key in ("checkpoint_sha256", "pooling")]
    digest.update(repr((e.values.shape, str(e.values.dtype), model)).encode())
    digest.update("\n".join(e.id.tolist()).encode())
    rows = np.unique(np.linspace(0, max(len(e.values) - 1, 0), min(len(e.values), _SAMPLE)))
    digest.update(np.ascontiguousarray(e.values[rows.astype(int)]).tobytes())
    return digest.hexdigest()


def map_attributes(e: Embeddings, options: MapOptions, onto: str = "") -> dict[str, Any]:
    """Say what a map of embeddings is made from.

    Args:
        onto: content hash of the map that it was placed into.
    """
    parameters = asdict(options)
    return {
        "method": parameters.pop("method"),
        "seed": parameters.pop("seed"),
        "parameters": json.dumps(parameters, sort_keys=True),
        "checkpoint_sha256": str(e.attributes.get("checkpoint_sha256", "")),
        "embeddings_fingerprint": embeddings_fingerprint(e),
        "onto": onto,
    }


def map_is_current(path: Path, e: Embeddings, options: MapOptions, onto: str = "") -> bool:
    """Say whether a map file is that of these embeddings, this model and these options."""
    if not path.is_file():
        return False
    try:
        said = open_map(path).attributes
    except InputError:
        return False
    return all(said.get(name) == value for name, value in map_attributes(e, options, onto).items())


def write_map(
    path: Path,
    xy: Positions,
    columns: Mapping[str, npt.NDArray],
    attributes: Mapping[str, Any],
    axes: Axes | None = None,
) -> None:
    """Write a map file, under its name only when complete.

    Args:
        xy: (N, 2).
        columns: `id`, `ra`, `dec`, `how`, each (N,).
        attributes: what it was made from.
        axes: of the projection that neighbours were sought in.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with h5py.File(temporary, "w") as file:
            file["xy"] = xy.astype("<f4")
            for name, values in columns.items():
                text = values.dtype.kind in "UO"
                kind = h5py.string_dtype() if text else values.dtype
                file.create_dataset(
                    name, data=values.astype(object) if text else values, dtype=kind
                )
            if axes is not None:
                file["mean"], file["axes"] = axes.mean, axes.axes
                file.attrs["tokens"] = axes.tokens
            file.attrs["schema"] = SCHEMA
            file.attrs["version"] = __version__
            file.attrs["time"] = datetime.now(UTC).isoformat(timespec="seconds")
            file.attrs.update(attributes)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def open_map(path: str | Path) -> SkyMap:
    """Open a map file.

    Raises:
        InputError: if it is not one.
    """
    file = open_hdf5(Path(path).resolve())
    data = file.get("xy")
    if not isinstance(data, h5py.Dataset) or data.ndim != 2 or data.shape[1] != 2:
        raise InputError(
            f"{path}: no data set `xy` (N, 2) of a map; it holds {', '.join(file) or 'nothing'}"
        )
    N, attributes = data.shape[0], dict(file.attrs)

    def column(name: str, default: npt.NDArray) -> npt.NDArray:
        if name not in file:
            return default
        item = file[name]
        text = h5py.check_string_dtype(item.dtype) is not None
        return np.asarray(item.asstr()[:]).astype(str) if text else item[:]

    axes = None
    if {"mean", "axes"} <= set(file):
        axes = Axes(file["mean"][:], file["axes"][:], int(attributes.get("tokens", 1)))
    unknown = np.full(N, np.nan)
    return SkyMap(
        path=Path(path).resolve(),
        xy=data[:],
        id=column("id", np.arange(N).astype(str)),
        ra=column("ra", unknown),
        dec=column("dec", unknown),
        how=column("how", np.zeros(N, np.uint8)),
        attributes=attributes,
        axes=axes,
    )


def read_own_map(path: str | Path, *, x: str | None = None, y: str | None = None) -> SkyMap:
    """Read a map from a table of others: CSV, FITS, VOTable, Parquet, or a map file of ours.

    Args:
        path: the table, with a column of ids (row numbers where there is none).
        x, y: names of the two columns; usual ones (x and y, umap_1 and umap_2, ...) are found.

    Raises:
        InputError: if the columns are missing or hold no numbers.
    """
    import pandas as pd

    from sky_ssl.sky.columns import as_ids, find_ids, find_position, is_id, to_degrees
    from sky_ssl.sky.tablefiles import read_table

    path = Path(path)
    if path.is_file() and h5py.is_hdf5(path):
        return open_map(path)
    frame, units = read_table(path, is_id)
    first, second = _own_columns(path, [str(name) for name in frame.columns], x, y)
    xy = np.stack(
        [
            pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float32)
            for name in (first, second)
        ],
        axis=1,
    )  # (N, 2)
    lost = ~np.isfinite(xy).all(axis=1)
    if lost.all():
        raise InputError(f"{path}: columns {first} and {second} hold no numbers")
    named, position = find_ids(frame), find_position(frame)
    notes = [] if named else [f"{path}: no column with ids: row numbers are used"]
    if lost.any():
        notes.append(f"{path}: {int(lost.sum())} rows without a position in {first} and {second}")
    ra = dec = np.full(len(frame), np.nan)
    if position is not None and position != (first, second):
        try:
            ra = to_degrees(frame[position[0]], units.get(position[0], ""), right_ascension=True)
            dec = to_degrees(frame[position[1]], units.get(position[1], ""), right_ascension=False)
        except ValueError:
            notes.append(f"{path}: {' '.join(position)} hold no sky positions and are left out")
    ids = as_ids(frame[named]) if named else np.arange(len(frame)).astype(str)
    how = np.where(lost, NO_VECTOR, 0).astype(np.uint8)
    attributes = {"method": "own", "columns": f"{first} {second}", "source": str(path.resolve())}
    return SkyMap(
        path.resolve(), put_at_edge(xy), ids.astype(str), ra, dec, how, attributes, notes=notes
    )


def _own_columns(path: Path, names: list[str], x: str | None, y: str | None) -> tuple[str, str]:
    lower = {name.lower(): name for name in reversed(names)}
    known = [(a, b) for a, b in _NAMES if a in lower and b in lower]
    pair = (x or (known[0][0] if known else ""), y or (known[0][1] if known else ""))
    for name in pair:
        if name not in names and name.lower() not in lower:
            raise InputError(
                f"{path}: no column {name or 'x'!r} for the map; name both with --x and --y among "
                f"{' '.join(names[:20])}"
            )
    return (
        pair[0] if pair[0] in names else lower[pair[0].lower()],
        pair[1] if pair[1] in names else lower[pair[1].lower()],
    )
