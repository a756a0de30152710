"""The embeddings file (HDF5): one row of numbers per object, ready to be memory-mapped.

`embeddings` (N, D) contiguous and little-endian; `id`, `ra`, `dec`, `tile`; attributes say which
model, which pooling and which cutouts the numbers are from.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.sky.hdf5part import open_hdf5

SCHEMA = "sky_ssl embeddings 1"


@dataclass(frozen=True)
class Embeddings:
    """An open embeddings file; `values` is a read-only memory map."""

    path: Path
    values: npt.NDArray[np.floating]  # (N, D)
    id: npt.NDArray[np.str_]
    ra: npt.NDArray[np.float64]  # degrees, NaN if unknown
    dec: npt.NDArray[np.float64]
    tile: npt.NDArray[np.str_]
    attributes: dict[str, Any]


def write_embeddings(
    path: Path,
    parts: Iterable[npt.NDArray[np.floating]],
    shape: tuple[int, int],
    *,
    dtype: str,
    columns: Mapping[str, npt.NDArray],
    attributes: Mapping[str, Any],
    extra: Mapping[str, npt.NDArray] | None = None,
) -> None:
    """Write an embeddings file piece by piece, under its name only when complete.

    Args:
        path: the file.
        parts: (n, D) pieces in order, N rows in all.
        shape: (N, D).
        dtype: "float32" or "float16".
        columns: `id`, `ra`, `dec`, `tile`, each (N,).
        attributes: what the numbers are.
        extra: further data sets, such as a projection.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with h5py.File(temporary, "w") as file:
            data = file.create_dataset("embeddings", shape, np.dtype(dtype).newbyteorder("<"))
            row = 0
            for part in parts:
                data[row : row + len(part)] = part
                row += len(part)
            if row != shape[0]:
                raise RuntimeError(f"{row} rows for an embeddings file of {shape[0]}")
            for name, values in {**columns, **(extra or {})}.items():
                text = values.dtype.kind in "UO"
                kind = h5py.string_dtype() if text else values.dtype
                file.create_dataset(
                    name, data=values.astype(object) if text else values, dtype=kind
                )
            file.attrs["schema"] = SCHEMA
            file.attrs.update(attributes)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def open_embeddings(path: str | Path) -> Embeddings:
    """Open an embeddings file; the numbers are mapped, not read.

    Raises:
        InputError: if it is not an embeddings file, or is cut short.
    """
    file_path = Path(path).resolve()
    file = open_hdf5(file_path)
    data = file.get("embeddings")
    if not isinstance(data, h5py.Dataset) or data.ndim != 2 or data.dtype.kind != "f":
        raise InputError(
            f"{path}: no data set `embeddings` (N, D); it holds {', '.join(file) or 'nothing'}"
        )
    N = data.shape[0]
    offset = data.id.get_offset()
    values = (
        np.memmap(file_path, data.dtype, "r", offset, data.shape)
        if offset is not None and data.size
        else data[:]  # a foreign file may be chunked or compressed
    )

    def column(name: str, default: npt.NDArray) -> npt.NDArray:
        if name not in file:
            return default
        item = file[name]
        is_text = h5py.check_string_dtype(item.dtype) is not None
        return np.asarray(item.asstr()[:]).astype(str) if is_text else item[:]

    unknown = np.full(N, np.nan)
    return Embeddings(
        path=file_path,
        values=values,
        id=column("id", np.array([f"{file_path.stem}:{i}" for i in range(N)], dtype=str)),
        ra=column("ra", unknown),
        dec=column("dec", unknown),
        tile=column("tile", np.full(N, "")),
        attributes=dict(file.attrs),
    )
