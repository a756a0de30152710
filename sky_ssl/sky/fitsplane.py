"""Windows of one two-dimensional FITS image, without reading the rest of it.

In: a path and where the image lies in it. Out: arrays in native byte order with BSCALE, BZERO and
BLANK applied. Plain images are memory-mapped; tile-compressed ones are decompressed in strips of
rows, kept in a cache that is bounded in bytes and shared by all files of the process.
"""

import math
import threading
from collections import OrderedDict
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from astropy.io.fits.hdu.compressed._compression import CfitsioException

from sky_ssl.errors import InputError
from sky_ssl.sky.fitsbytes import DAMAGED

CACHE_BYTES = 256 * 1024 * 1024
"""Decompressed strips kept per process."""
_STRIP_ROWS = 64

_BITPIX = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}


class Plane(Protocol):
    """A two-dimensional image that gives windows of itself."""

    shape: tuple[int, int]

    def read(self, y0: int, y1: int, x0: int, x1: int) -> npt.NDArray[Any]:
        """Read the pixels [y0:y1, x0:x1], which must lie inside; (y1 - y0, x1 - x0)."""
        ...


class StripCache:
    """The strips used last, up to a number of bytes. Safe to use from several threads."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._strips: OrderedDict[tuple[int, int], npt.NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, owner: int, index: int) -> npt.NDArray[Any] | None:
        """Return a strip, now the one used last, or None."""
        with self._lock:
            strip = self._strips.get((owner, index))
            if strip is not None:
                self._strips.move_to_end((owner, index))
            return strip

    def put(self, owner: int, index: int, strip: npt.NDArray[Any]) -> None:
        """Keep a strip and drop those used longest ago until all fit."""
        with self._lock:
            if (owner, index) in self._strips:
                return
            self._strips[owner, index] = strip
            self.bytes += strip.nbytes
            while self.bytes > self.max_bytes and self._strips:
                self.bytes -= self._strips.popitem(last=False)[1].nbytes

    def drop(self, owner: int) -> None:
        """Forget all strips of one plane."""
        with self._lock:
            for key in [key for key in self._strips if key[0] == owner]:
                self.bytes -= self._strips.pop(key).nbytes


CACHE = StripCache(CACHE_BYTES)
_next_owner = iter(range(1, 2**62)).__next__


class StripPlane:
    """A plane computed in strips of rows, each at most once while it stays in the cache."""

    def __init__(self, shape: tuple[int, int], strip_rows: int, lock: threading.Lock) -> None:
        self.shape = shape
        self._strip_rows = strip_rows
        self._owner = _next_owner()
        self._lock = lock
        # held whatever the cache does, for strips that are larger than all of it
        self._last: tuple[int, npt.NDArray[Any]] | None = None

    def compute(self, y0: int, y1: int) -> npt.NDArray[Any]:
        """Compute the rows [y0:y1]; (y1 - y0, W)."""
        raise NotImplementedError

    def read(self, y0: int, y1: int, x0: int, x1: int) -> npt.NDArray[Any]:
        """Read a window that lies inside the plane."""
        rows = self._strip_rows
        parts = []
        for index in range(y0 // rows, max(-(-y1 // rows), y0 // rows + 1)):
            start = index * rows
            strip = self._strip(index)
            parts.append(strip[max(y0 - start, 0) : max(y1 - start, 0), x0:x1])
        return parts[0].copy() if len(parts) == 1 else np.concatenate(parts)

    def close(self) -> None:
        """Free the strips."""
        CACHE.drop(self._owner)
        self._last = None

    def _strip(self, index: int) -> npt.NDArray[Any]:
        strip = self._kept(index)
        if strip is None:
            with self._lock:
                strip = self._kept(index)
                if strip is None:
                    start = index * self._strip_rows
                    strip = self.compute(start, min(start + self._strip_rows, self.shape[0]))
                    CACHE.put(self._owner, index, strip)
        self._last = (index, strip)
        return strip

    def _kept(self, index: int) -> npt.NDArray[Any] | None:
        last = self._last
        if last is not None and last[0] == index:
            return last[1]
        return CACHE.get(self._owner, index)


class CompressedPlane(StripPlane):
    """A tile-compressed image (RICE, GZIP, PLIO, HCOMPRESS).

    Args:
        hdu: the image.
        leading: indices of the axes before y and x.
        label: file and HDU, for errors.
        lock: of the file; its handle serves one reader at a time.
    """

    def __init__(
        self, hdu: fits.CompImageHDU, leading: tuple[int, ...], label: str, lock: threading.Lock
    ) -> None:
        H, W = (int(n) for n in hdu.shape[-2:])
        tile_rows = int(hdu.tile_shape[-2])
        super().__init__((H, W), tile_rows * max(1, -(-_STRIP_ROWS // tile_rows)), lock)
        # loads the table of tiles, whose remarks belong to the opening
        _ = hdu.compressed_data
        self._hdu = hdu
        self._leading = leading
        self._label = label

    def compute(self, y0: int, y1: int) -> npt.NDArray[Any]:
        """Decompress the rows [y0:y1]."""
        try:
            rows = self._hdu.section[(*self._leading, slice(y0, y1))]
        except (*DAMAGED, CfitsioException, RuntimeError, MemoryError) as error:
            raise InputError(
                f"{self._label}: rows {y0} to {y1} cannot be decompressed ({one_line(error)})"
            ) from None
        values = native(np.asarray(rows))
        # astropy takes a BLANK of 0 for none
        if self._hdu.header.get("BLANK") == 0 and values.dtype.kind == "f":
            values[values == float(self._hdu.header.get("BZERO", 0.0))] = np.nan
        return values


class PlainPlane:
    """An uncompressed image, memory-mapped.

    Args:
        file: the open file.
        offset: of the data of the HDU, in bytes.
        header: as it is in the file.
        shape: (H, W) of the image.
        plane: how many images of that shape lie before this one (cubes).
    """

    def __init__(
        self, file: Any, offset: int, header: fits.Header, shape: tuple[int, int], plane: int = 0
    ) -> None:
        dtype = np.dtype(_BITPIX[header["BITPIX"]])
        offset += plane * math.prod(shape) * dtype.itemsize
        self.shape = shape
        self._pixels = np.asarray(np.memmap(file, dtype, "r", offset=offset, shape=shape))
        self._scale = float(header.get("BSCALE", 1.0))
        self._zero = float(header.get("BZERO", 0.0))
        self._blank = header.get("BLANK") if header["BITPIX"] > 0 else None

    def read(self, y0: int, y1: int, x0: int, x1: int) -> npt.NDArray[Any]:
        """Read a window; integers stay integers where nothing but an integer zero is added."""
        # a copy in native byte order
        raw = self._pixels[y0:y1, x0:x1].astype(self._pixels.dtype.newbyteorder("="))
        if self._scale == 1.0 and self._zero == 0.0 and self._blank is None:
            return raw
        if self._scale == 1.0 and self._zero.is_integer() and self._blank is None:
            return _add_integer(raw, int(self._zero)) if raw.dtype.kind != "f" else raw + self._zero
        # in the precision astropy takes: single for integers of up to 16 bits
        integer_type = np.float32 if raw.dtype.itemsize <= 2 else np.float64
        values: npt.NDArray[Any] = raw if raw.dtype.kind == "f" else raw.astype(integer_type)
        blank = raw == self._blank if self._blank is not None else None
        # numbers of Python do not widen the type
        values = values * self._scale + self._zero
        if blank is not None:
            values[blank] = np.nan
        return values


def _add_integer(raw: npt.NDArray[Any], zero: int) -> npt.NDArray[Any]:
    """Add BZERO to integers in a type that holds the result (unsigned 64-bit: 2**63)."""
    if raw.dtype.itemsize < 8:
        return raw.astype(np.int64) + zero
    return raw.view(np.uint64) + np.uint64(zero % 2**64)


def native(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Bring an array to the byte order of this machine."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def one_line(error: Exception) -> str:
    """Put an error's message on one line."""
    return " ".join(str(error).split()) or type(error).__name__
