"""Read cutouts: one file, several, or a folder of them (HDF5, or PNG and JPEG pictures) as one set.

Files of this package say what their pixels are; files without attributes, as earlier research
codes wrote them, open too, and `CutoutSet.notes` says what was assumed. Each file is opened once
per process, also in forked and spawned workers.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.sky.cutouts import CutoutInfo
from sky_ssl.sky.noise import sky_sigma

Rows = slice | npt.NDArray[np.integer]


class Part(Protocol):
    """One file, or one folder of pictures, of a set."""

    path: Path
    info: CutoutInfo
    shape: tuple[int, int, int]
    columns: tuple[str, ...]
    notes: list[str]

    def __len__(self) -> int: ...

    def column(self, name: str) -> npt.NDArray:
        """Read one column (N,)."""

    def read_run(self, start: int, stop: int, bands: Sequence[int]) -> npt.NDArray[np.float32]:
        """Read consecutive cutouts (n, C, H, W), as stored."""


class CutoutSet:
    """Cutouts of one or many files, in the order of the files.

    Attributes:
        info: what the pixels are, with the noise of each band measured where no file says it.
        notes: what had to be assumed, one line each.
    """

    def __init__(self, parts: Sequence[Part], bands: Sequence[str] | None = None) -> None:
        first = parts[0]
        wanted = tuple(bands or first.info.bands)
        self.parts = list(parts)
        self.notes = [f"{p.path}: {note}" for p in parts for note in p.notes]
        for part in parts:
            _check_alike(first, part, wanted)
        self._bands = [[p.info.bands.index(band) for band in wanted] for p in parts]
        self._starts = np.cumsum([0, *map(len, parts)])
        self.shape: tuple[int, int, int] = (len(wanted), *first.shape[1:])
        self.column_names = tuple(c for c in first.columns if all(c in p.columns for p in parts))
        infos = [select_bands(p.info, index) for p, index in zip(parts, self._bands, strict=True)]
        self._factors = [_factor(info, infos[0]) for info in infos]
        self.info = replace(infos[0], sky_sigma=None, scale=None)
        self.info = replace(self.info, sky_sigma=self._sigma(infos))

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def paths(self) -> list[Path]:
        """The files, in order."""
        return [part.path for part in self.parts]

    def column(self, name: str) -> npt.NDArray:
        """Read a column (N,); text comes as `str`.

        Raises:
            InputError: if some file of the set has no such column.
        """
        if name not in self.column_names:
            raise InputError(
                f"{self.paths[0]}: no column {name!r}; there are {' '.join(self.column_names)}"
            )
        return np.concatenate([part.column(name) for part in self.parts])

    def read(self, rows: Rows) -> npt.NDArray[np.float32]:
        """Read cutouts in physical units at the zero point of the set.

        Args:
            rows: a slice, or (n,) row numbers in any order, repeats allowed; consecutive rows
                are read in one go.

        Returns:
            (n, C, H, W), NaN = no data.
        """
        index = np.arange(len(self))[rows] if isinstance(rows, slice) else np.asarray(rows)
        if index.size and (index.min() < 0 or index.max() >= len(self)):
            raise IndexError(f"rows outside 0 to {len(self) - 1}")
        distinct, inverse = np.unique(index, return_inverse=True)
        out = np.empty((distinct.size, *self.shape), dtype=np.float32)
        for position, start, stop in self._runs(distinct):
            part = int(np.searchsorted(self._starts, start, side="right")) - 1
            offset = self._starts[part]
            run = self.parts[part].read_run(start - offset, stop - offset, self._bands[part])
            out[position : position + stop - start] = run
            out[position : position + stop - start] *= self._factors[part][:, None, None]
        in_order = np.array_equal(inverse, np.arange(index.size))
        return out if in_order else out[inverse]

    def _runs(self, distinct: npt.NDArray[np.integer]) -> Iterator[tuple[int, int, int]]:
        """Split sorted rows into (position, start, stop), breaking at gaps and file ends."""
        if distinct.size == 0:
            return
        part = np.searchsorted(self._starts, distinct, side="right")
        breaks = np.flatnonzero((np.diff(distinct) != 1) | (np.diff(part) != 0)) + 1
        for chunk in np.split(np.arange(distinct.size), breaks):
            yield int(chunk[0]), int(distinct[chunk[0]]), int(distinct[chunk[-1]]) + 1

    def _sigma(self, infos: Sequence[CutoutInfo]) -> tuple[float, ...]:
        """Take the noise from the files (median over them), or measure it on the pixels."""
        known = [
            np.array(info.sky_sigma) * factor / np.array(info.scale or 1.0)
            for info, factor in zip(infos, self._factors, strict=True)
            if info.sky_sigma is not None and np.isfinite(info.sky_sigma).all()
        ]
        if known:
            return tuple(float(s) for s in np.median(known, axis=0))
        sample = np.unique(np.linspace(0, len(self) - 1, min(len(self), 256)).astype(int))
        if len(sample):
            self.notes.append(f"{self.paths[0]}: noise per band measured on {len(sample)} cutouts")
        return tuple(float(s) for s in sky_sigma(self.read(sample)))

    def fingerprint(self) -> str:
        """Hash what identifies the data: shape, pixel description, ids, a sample of pixels."""
        digest = hashlib.sha256()
        info = self.info
        digest.update(repr((len(self), self.shape, info.bands, info.zero_point)).encode())
        if "id" in self.column_names:
            digest.update("\n".join(map(str, self.column("id"))).encode())
        rows = np.unique(np.linspace(0, max(len(self) - 1, 0), min(len(self), 16)).astype(int))
        digest.update(np.ascontiguousarray(self.read(rows)).tobytes())
        return digest.hexdigest()


def select_bands(info: CutoutInfo, index: Sequence[int]) -> CutoutInfo:
    """Keep the bands at these places, in this order."""

    def pick(values: tuple[float, ...] | None) -> tuple[float, ...] | None:
        return None if values is None else tuple(values[i] for i in index)

    return CutoutInfo(
        survey=info.survey,
        bands=tuple(info.bands[i] for i in index),
        pixel_scale=info.pixel_scale,
        zero_point=pick(info.zero_point) or (),
        sky_sigma=pick(info.sky_sigma),
        scale=pick(info.scale),
    )


def _check_alike(first: Part, part: Part, wanted: tuple[str, ...]) -> None:
    missing = [band for band in wanted if band not in part.info.bands]
    if missing:
        raise InputError(
            f"{part.path}: no band {' '.join(missing)}; it has {' '.join(part.info.bands)}"
        )
    if part.shape[1:] != first.shape[1:]:
        raise InputError(
            f"{part.path}: cutouts of {part.shape[1:]} pixels beside {first.shape[1:]} "
            f"of {first.path}; cut them to one size"
        )
    a, b = first.info.pixel_scale, part.info.pixel_scale
    if np.isfinite([a, b]).all() and abs(a / b - 1) > 0.01:
        raise InputError(
            f"{part.path}: {b:.4g} arcsec/pixel beside {a:.4g} of {first.path}; "
            "cut them to one pixel scale"
        )


def _factor(info: CutoutInfo, to: CutoutInfo) -> npt.NDArray[np.float32]:
    """Give (C,): stored value to physical value at the zero points of `to`."""
    scale = np.array(info.scale or [1.0] * len(info.bands))
    shift = np.array(to.zero_point) - np.array(info.zero_point)
    known = np.isfinite(shift)
    return (scale * np.where(known, 10 ** (0.4 * np.where(known, shift, 0.0)), 1.0)).astype(
        np.float32
    )


def open_cutouts(
    path: str | Path | Sequence[str | Path],
    *,
    bands: Sequence[str] | None = None,
    zero_point: Sequence[float] | None = None,
    pixel_scale: float | None = None,
    size: int | None = None,
) -> CutoutSet:
    """Open a cutout file, several, or folders of them, as one set.

    Args:
        path: HDF5 files, folders of HDF5 files, or folders of PNG and JPEG pictures.
        bands: the bands to give, in this order; for a file that does not name its bands, their
            names.
        zero_point: AB magnitude of one count per band, for files that do not say it.
        pixel_scale: arcsec per pixel, for files that do not say it.
        size: pixels of the central square to cut from pictures of several sizes.

    Raises:
        InputError: if nothing is found, a file cannot be read, or the files do not go together.
    """
    from sky_ssl.sky.hdf5part import Hdf5Part
    from sky_ssl.sky.pictures import PicturePart, holds_pictures

    given = [path] if isinstance(path, str | Path) else list(path)
    parts: list[Part] = []
    for one in map(Path, given):
        if not one.exists():
            raise InputError(f"{one}: no such file or folder")
        files = sorted([*one.glob("*.h5"), *one.glob("*.hdf5")]) if one.is_dir() else [one]
        if one.is_dir() and not files and holds_pictures(one):
            parts.append(PicturePart(one, size=size, pixel_scale=pixel_scale))
        parts += [
            Hdf5Part(f, bands=bands, zero_point=zero_point, pixel_scale=pixel_scale) for f in files
        ]
    if not parts:
        raise InputError(f"{given[0]}: no cutout files (.h5, .hdf5) and no pictures in this folder")
    return CutoutSet(parts, bands)
