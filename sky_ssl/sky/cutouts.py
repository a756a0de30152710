"""The cutout file: its schema and its writer. The reader is in `cutoutset`.

HDF5 with `cutouts` (N, C, H, W), float32 or float16, NaN = no data, and one (N,) data set for each
column (`id`, `ra`, `dec`, `tile`, ...). Physical value = stored x `scale` of the band. Attributes
of the file say what the pixels are.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.sky.noise import sky_sigma

SCHEMA = "sky_ssl cutouts 1"
# One HDF5 chunk holds about this much: small enough that a single cutout is cheap to read.
_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True)
class CutoutInfo:
    """What the pixels of a set of cutouts are. Per-band values are in the order of `bands`."""

    survey: str
    bands: tuple[str, ...]
    pixel_scale: float  # arcsec per pixel, after binning; NaN if unknown
    zero_point: tuple[float, ...]  # AB magnitude of one count; NaN if unknown
    sky_sigma: tuple[float, ...] | None = None  # physical units; None: measured by the writer
    scale: tuple[float, ...] | None = None  # physical value of one stored unit; None: 1

    def __post_init__(self) -> None:
        for name in ("zero_point", "sky_sigma", "scale"):
            value = getattr(self, name)
            if value is not None and len(value) != len(self.bands):
                raise InputError(
                    f"{name} has {len(value)} values for the {len(self.bands)} bands "
                    f"{' '.join(self.bands)}: give one per band"
                )
        if len(set(self.bands)) != len(self.bands):
            raise InputError(f"bands {' '.join(self.bands)}: a band is named twice")


class CutoutWriter:
    """Write a cutout file piece by piece; memory does not grow with the number of cutouts.

    Use as a context manager. The file appears under its name only when all of it is written; on
    an exception nothing is left, and an older file of that name stays as it was.

    Args:
        path: the file to write.
        info: what the pixels are. With `sky_sigma=None` it is measured on the first cutouts.
        dtype: "float32", or "float16" with a `scale` that brings the values into its range.
        attributes: more attributes for the file (seed, version, command, ...).
    """

    def __init__(
        self,
        path: str | Path,
        info: CutoutInfo,
        *,
        dtype: str = "float32",
        attributes: Mapping[str, str | int | float] | None = None,
    ) -> None:
        if dtype not in ("float32", "float16"):
            raise InputError(f"dtype {dtype!r} of {path}: allowed are float32 and float16")
        self.path = Path(path)
        self.info = info
        self.rows = 0
        self._dtype = np.dtype(dtype)
        self._scale = np.array(info.scale or [1.0] * len(info.bands), dtype=np.float64)
        self._attributes = dict(attributes or {})
        self._noise_sample: list[npt.NDArray[np.float32]] = []
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = h5py.File(self._temporary, "w", libver="latest")
        return self

    def append(
        self, cutouts: npt.NDArray[np.floating], columns: Mapping[str, npt.ArrayLike]
    ) -> None:
        """Add rows.

        Args:
            cutouts: (n, C, H, W) physical values, NaN = no data.
            columns: (n,) arrays by name, `id`, `ra` and `dec` among them (degrees, ICRS, NaN if
                unknown); the same names at every call.
        """
        n, C = cutouts.shape[:2]
        if C != len(self.info.bands):
            raise InputError(f"{self.path}: {C} bands of pixels for {' '.join(self.info.bands)}")
        missing = {"id", "ra", "dec"} - set(columns)
        if missing:
            raise InputError(f"{self.path}: columns {sorted(missing)} are missing")
        arrays = {name: np.asarray(values) for name, values in columns.items()}
        wrong = [name for name, values in arrays.items() if values.shape != (n,)]
        if wrong:
            raise InputError(f"{self.path}: columns {wrong} do not have one value per cutout ({n})")
        if "cutouts" not in self._file:
            self._create(cutouts.shape[1:], arrays)
        if set(arrays) != self._columns:
            raise InputError(f"{self.path}: columns changed between two calls of append")
        self._keep_for_noise(cutouts)
        stored = cutouts / self._scale[:, None, None]
        self._extend("cutouts", stored.astype(self._dtype))
        for name, values in arrays.items():
            self._extend(name, values.astype(object) if values.dtype.kind in "UO" else values)
        self.rows += n

    def _create(self, shape: tuple[int, ...], columns: Mapping[str, npt.NDArray]) -> None:
        per_cutout = int(np.prod(shape)) * self._dtype.itemsize
        rows = max(1, _CHUNK_BYTES // max(per_cutout, 1))
        self._file.create_dataset(
            "cutouts", (0, *shape), self._dtype, maxshape=(None, *shape), chunks=(rows, *shape)
        )
        for name, values in columns.items():
            kind = values.dtype.kind
            dtype = h5py.string_dtype() if kind in "UO" else values.dtype
            if name in ("ra", "dec"):
                dtype = np.dtype("float64")
            self._file.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(8192,))
        self._columns = set(columns)

    def _extend(self, name: str, values: npt.NDArray) -> None:
        data = self._file[name]
        start = data.shape[0]
        data.resize(start + len(values), axis=0)
        data[start:] = values

    def _keep_for_noise(self, cutouts: npt.NDArray[np.floating]) -> None:
        """Keep up to 64 cutouts of each piece, 512 in all, to measure the noise on."""
        held = sum(map(len, self._noise_sample))
        if self.info.sky_sigma is None and held < 512:
            self._noise_sample.append(cutouts[: min(64, 512 - held)].astype(np.float32))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._file.close()
            if kind is None:
                os.replace(self._temporary, self.path)
            else:
                self._temporary.unlink(missing_ok=True)

    def _finish(self) -> None:
        info = self.info
        if info.sky_sigma is None:
            sample = self._noise_sample
            sigma = (
                sky_sigma(np.concatenate(sample)) if sample else np.full(len(info.bands), np.nan)
            )
            info = self.info = replace(info, sky_sigma=tuple(float(s) for s in sigma))
        for name, value in {**info_attributes(info), **self._attributes}.items():
            self._file.attrs[name] = value


def info_attributes(info: CutoutInfo) -> dict[str, str | float | npt.NDArray]:
    """Give the HDF5 attributes that describe the pixels."""
    C = len(info.bands)
    return {
        "schema": SCHEMA,
        "survey": info.survey,
        "bands": np.array(info.bands, dtype=h5py.string_dtype()),
        "pixel_scale": float(info.pixel_scale),
        "zero_point": np.array(info.zero_point, dtype=np.float64),
        "sky_sigma": np.array(info.sky_sigma or [np.nan] * C, dtype=np.float64),
        "scale": np.array(info.scale or [1.0] * C, dtype=np.float64),
    }
