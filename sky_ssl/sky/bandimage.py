"""One band of one tile: windows of its pixels in one zero point, NaN where there is no data.

Puts together a file and its `Source`: image, mask and weight planes, header scale, zero point.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.sky.fitsio import FitsFile
from sky_ssl.sky.fitsplane import Plane
from sky_ssl.sky.survey import Source
from sky_ssl.sky.tilegrid import Grid, read_grid


class BandImage:
    """An open band of a tile.

    Args:
        path: its FITS file.
        source: how the file is to be read.
        zero_point: AB magnitude of one count of the pixels as they are returned.

    Raises:
        InputError: the image cannot be read as declared. Trouble with the mask or the weight only
            adds to `problems`.
    """

    def __init__(self, path: Path, source: Source, zero_point: float) -> None:
        self.path = path
        self.problems: list[str] = []
        self._source = source
        self._zero_point = zero_point
        self._open()

    @property
    def shape(self) -> tuple[int, int]:
        """Return (H, W)."""
        return self.grid.shape

    def read(self, y0: int, y1: int, x0: int, x1: int) -> npt.NDArray[np.float32]:
        """Read a window that lies inside the image; (y1 - y0, x1 - x0)."""
        if os.getpid() != self._process:
            # a forked process shares the position in the file with its parent
            self.close()
            self._open()
        window = (y0, y1, x0, x1)
        raw = self._image.read(*window)
        # beyond float32 is no datum either: the cast makes it infinite
        with np.errstate(over="ignore", invalid="ignore"):
            pixels = np.multiply(raw, self._factor, dtype=np.float64).astype(np.float32)
        bad = ~np.isfinite(pixels)
        if self._source.zero_is_no_data:
            bad |= raw == 0
        if self._mask is not None:
            bad |= (_whole_numbers(self._mask.read(*window)) & self._bits) != 0
        if self._weight is not None:
            bad |= ~(self._weight.read(*window) > 0)
        pixels[bad] = np.nan
        return pixels

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()

    def _open(self) -> None:
        source = self._source
        self._process = os.getpid()
        self._files = [FitsFile(self.path)]
        self.problems = []
        self._mask: Plane | None = None
        self._weight: Plane | None = None
        try:
            file = self._files[0]
            self._image = file.plane(source.hdu, source.plane)
            self._factor = 10.0 ** (0.4 * (self._zero_point - source.zero_point))
            if source.scale_key is not None:
                self._factor *= _header_number(file, source.hdu, source.scale_key)
            self.grid: Grid = read_grid(file, source.hdu, self._image.shape)
        except InputError:
            self.close()
            raise
        self._open_mask()
        self._open_weight()

    def _open_mask(self) -> None:
        """Open the mask plane and turn the names of its bits into numbers."""
        source = self._source
        if source.mask_hdu is None:
            return
        try:
            file = self._beside(source.mask_replace)
            mask = self._aligned(file, source.mask_hdu)
            table = {_bare(name): bit for name, bit in source.mask_table}
            table = table or mask_names(file.header(source.mask_hdu))
        except InputError as error:
            self.problems.append(f"no mask applied: {error}")
            return
        missing = [name for name in source.mask_bits if _bare(name) not in table]
        if missing:
            self.problems.append(
                f"{file.path}: the mask has no bits {' '.join(missing)}; "
                f"it has {' '.join(table) or 'no MP_ keywords'}"
            )
        self._bits = sum(
            {1 << table[_bare(name)] for name in source.mask_bits if _bare(name) in table}
        )
        self._mask = mask if self._bits else None

    def _open_weight(self) -> None:
        """Open the weight plane."""
        if self._source.weight_hdu is None:
            return
        try:
            file = self._beside(self._source.weight_replace)
            self._weight = self._aligned(file, self._source.weight_hdu)
        except InputError as error:
            self.problems.append(f"no weights applied: {error}")

    def _aligned(self, file: FitsFile, hdu: int | str) -> Plane:
        plane = file.plane(hdu)
        if plane.shape != self._image.shape:
            raise InputError(
                f"{file.path}: HDU {hdu} is {_size(plane.shape)}, "
                f"the image is {_size(self._image.shape)}"
            )
        return plane

    def _beside(self, replace: tuple[str, str] | None) -> FitsFile:
        """Open the file whose name is that of the image with a text replaced, or the image's."""
        if replace is None:
            return self._files[0]
        if replace[0] not in self.path.name:
            raise InputError(f"{self.path}: no {replace[0]!r} in its name to replace")
        self._files.append(FitsFile(self.path.with_name(self.path.name.replace(*replace))))
        return self._files[-1]


def mask_names(header: Any) -> dict[str, int]:
    """Read the bit number of each mask bit from the keywords MP_<NAME>."""
    return {
        _bare(key): int(value)
        for key, value in header.items()
        if key.startswith("MP_") and isinstance(value, int) and 0 <= value < 63
    }


def _bare(name: str) -> str:
    """Strip the prefix of a mask keyword."""
    return name.upper().removeprefix("MP_")


def _header_number(file: FitsFile, hdu: int | str, key: str) -> float:
    """Read a number from the header of an HDU, or from that of the primary one."""
    value = file.header(hdu).get(key, file.hdus[0].header.get(key))
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise InputError(f"{file.path}: header keyword {key} is {value!r}, must be a number")
    return float(value)


def _whole_numbers(mask: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Bring mask values to integers; blank ones have no bit set."""
    return np.nan_to_num(mask, nan=0).astype(np.int64)


def _size(shape: tuple[int, int]) -> str:
    return f"{shape[0]} x {shape[1]}"
