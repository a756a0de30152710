"""One HDF5 file of cutouts: ours, or one that holds just `cutouts` (N, C, H, W) and columns."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.sky.cutouts import CutoutInfo

_handles: dict[tuple[int, Path], tuple[tuple[int, int], h5py.File]] = {}


def open_hdf5(path: Path) -> h5py.File:
    """Open a file for reading, once per process: a handle must not cross a fork.

    A file that was replaced since, by another of the same name, is opened anew.

    Raises:
        InputError: if it is not an HDF5 file or is cut short.
    """
    try:
        said = path.stat()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    key, identity = (os.getpid(), path), (said.st_ino, said.st_mtime_ns)
    known, file = _handles.get(key, (None, None))
    if known != identity or not file:
        try:
            file = h5py.File(path, "r")
        except OSError as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"{path}: cannot be read as HDF5 ({reason}); is it complete?"
            ) from error
        _handles[key] = identity, file
    return file


class Hdf5Part:
    """A cutout file, see `cutoutset.Part`.

    Args:
        path: the file.
        bands, zero_point, pixel_scale: for files that do not say these themselves.

    Raises:
        InputError: if the file cannot be read, holds no cutouts, or its bands are unknown.
    """

    def __init__(
        self,
        path: Path,
        *,
        bands: Sequence[str] | None = None,
        zero_point: Sequence[float] | None = None,
        pixel_scale: float | None = None,
    ) -> None:
        self.path = path.resolve()
        self.notes: list[str] = []
        file = open_hdf5(self.path)
        data = file.get("cutouts")
        if not isinstance(data, h5py.Dataset) or data.ndim != 4 or data.dtype.kind not in "fiu":
            raise InputError(
                f"{path}: no data set `cutouts` (N, C, H, W) of numbers; it holds "
                f"{', '.join(file) or 'nothing'}"
            )
        self._length = int(data.shape[0])
        C, H, W = data.shape[1:]
        self.shape = (int(C), int(H), int(W))
        self.columns = tuple(
            name
            for name, item in file.items()
            if isinstance(item, h5py.Dataset) and item.shape == (self._length,)
        )
        self.info = self._read_info(file.attrs, bands, zero_point, pixel_scale)

    def _read_info(
        self,
        attributes: h5py.AttributeManager,
        bands: Sequence[str] | None,
        zero_point: Sequence[float] | None,
        pixel_scale: float | None,
    ) -> CutoutInfo:
        C = self.shape[0]
        names = _names(attributes.get("bands", bands))
        if len(names) != C:
            raise InputError(
                f"{self.path}: {C} bands of pixels, but the bands are "
                f"{' '.join(names) or 'not named in the file'}: name {C} bands (bands = [...])"
            )
        if "bands" not in attributes:
            self.notes.append(f"bands taken as {' '.join(names)}, in this order")
        if "zero_point" not in attributes:
            self.notes.append(
                "no zero point in the file" + ("" if zero_point is None else ", the given one used")
            )
        if zero_point is not None and len(zero_point) != C:
            raise InputError(f"{self.path}: zero_point needs {C} values, {len(zero_point)} given")
        sigma = attributes.get("sky_sigma")
        return CutoutInfo(
            survey=str(attributes.get("survey", "unknown")),
            bands=names,
            pixel_scale=float(attributes.get("pixel_scale", pixel_scale or np.nan)),
            zero_point=_floats(attributes.get("zero_point", zero_point or [np.nan] * C)),
            sky_sigma=None if sigma is None else _floats(sigma),
            scale=_floats(attributes.get("scale", [1.0] * C)),
        )

    def __len__(self) -> int:
        return self._length

    def column(self, name: str) -> npt.NDArray:
        """Read one column (N,), text as `str`."""
        data = open_hdf5(self.path)[name]
        if h5py.check_string_dtype(data.dtype) is not None:
            return np.asarray(data.asstr()[:]).astype(str)
        values = np.asarray(data[:])
        return np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values

    def read_run(self, start: int, stop: int, bands: Sequence[int]) -> npt.NDArray[np.float32]:
        """Read consecutive cutouts (n, C, H, W), as stored."""
        data = open_hdf5(self.path)["cutouts"]
        try:
            run = data[int(start) : int(stop)]
        except OSError as error:
            raise InputError(
                f"{self.path}: cutouts {start} to {stop} cannot be read; is the file complete?"
            ) from error
        pixels = np.asarray(run, dtype=np.float32)
        return pixels if list(bands) == list(range(self.shape[0])) else pixels[:, list(bands)]


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(float(v) for v in np.atleast_1d(np.asarray(values, dtype=np.float64)))


def _names(value: Any) -> tuple[str, ...]:
    """Read band names from an attribute (array of text, or one text) or from the user."""
    if value is None:
        return ()
    if isinstance(value, bytes | str):
        text = value.decode() if isinstance(value, bytes) else value
        return tuple(text.replace(",", " ").split())
    return tuple(v.decode() if isinstance(v, bytes) else str(v) for v in value)


def count_bands(path: Path) -> int:
    """Count the bands of a file of cutouts that does not name them."""
    data = open_hdf5(path.resolve()).get("cutouts")
    return int(data.shape[1]) if isinstance(data, h5py.Dataset) and data.ndim == 4 else 0
