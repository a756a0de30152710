"""FITS images in: any two-dimensional image of any FITS file, whole or in windows.

Plain, tile-compressed (fpack, whatever the name says) and gz, bz2 or xz files; those three are
decompressed once, into an unnamed temporary file. What cannot be read is refused with an
`InputError` of one line that names the file and the reason.
"""

import math
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy.typing as npt
from astropy.io import fits

from sky_ssl.errors import InputError
from sky_ssl.sky.fitsbytes import DAMAGED, file_size, open_bytes, quiet
from sky_ssl.sky.fitsplane import CompressedPlane, PlainPlane, Plane, one_line


@dataclass(frozen=True)
class ImageInfo:
    """One two-dimensional image of a file."""

    hdu: int
    name: str  # EXTNAME, or PRIMARY, or empty
    shape: tuple[int, int]  # (H, W)


@dataclass(frozen=True)
class _Part:
    """One HDU in a few words."""

    name: str
    kind: str
    shape: tuple[int, ...]  # of its image; () if it has none
    packed: bool  # tile-compressed


class FitsFile:
    """An open FITS file. Planes stay readable until `close`; use it in the process that made it.

    Args:
        path: the file; gz, bz2 and xz are recognised by their first bytes, not by the name.

    Raises:
        InputError: missing, empty, no FITS file, or damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._packed: list[CompressedPlane] = []
        self._lock = threading.Lock()
        self._file = open_bytes(self.path)
        self._size = file_size(self._file)
        try:
            with quiet():
                self.hdus = fits.open(self._file, memmap=False)
                self._count = len(self.hdus)
                self._parts = [_describe(self.hdus[index]) for index in range(self._count)]
                self._was_primary = self._count > 1 and self._packed_primary()
        except DAMAGED as error:
            self._file.close()
            raise InputError(f"{self.path}: not a readable FITS file ({one_line(error)})") from None

    def images(self) -> list[ImageInfo]:
        """List the two-dimensional images, in the order of the file."""
        return [
            ImageInfo(index, part.name, (part.shape[-2], part.shape[-1]))
            for index, part in enumerate(self._parts)
            if _is_flat(part.shape)
        ]

    def contents(self) -> str:
        """Say in one line what the file holds; long files in part."""
        parts = [
            " ".join(filter(None, [f"HDU {index}", part.name, part.kind]))
            for index, part in enumerate(self._parts[:12])
        ]
        more = [f"{self._count - 12} more"] if self._count > 12 else []
        return ", ".join(parts + more)

    def index(self, hdu: int | str) -> int:
        """Return the number of an HDU as it is in the file, given by number or EXTNAME.

        A compressed image cannot be the primary HDU: packing a file whose image was there leaves
        an empty HDU 0 and moves all up by one. Numbers mean those of the file before packing.
        """
        if isinstance(hdu, str):
            names = [part.name.upper() for part in self._parts]
            if hdu.upper() not in names:
                raise InputError(f"{self.path}: no HDU {hdu!r}; it holds {self.contents()}")
            return names.index(hdu.upper())
        if self._count < 2 or self._parts[0].shape or not self._parts[1].packed:
            return hdu
        return hdu + 1 if hdu == 0 or self._was_primary else hdu

    def plane(self, hdu: int | str = 0, plane: int | None = None) -> Plane:
        """Open one image for reading windows.

        Args:
            hdu: number or EXTNAME.
            plane: index along the first axis of a cube.

        Raises:
            InputError: no such HDU, no two-dimensional image in it, or the file is cut short.
        """
        index = self.index(hdu)
        shape = self._parts[index].shape if 0 <= index < self._count else ()
        in_cube = len(shape) == 3 and plane is not None and 0 <= plane < shape[0]
        if not (in_cube or (plane is None and _is_flat(shape))):
            what = f"plane {plane} of " if plane is not None else ""
            hint = " (a cube: choose a plane)" if len(shape) == 3 and plane is None else ""
            raise InputError(
                f"{self.path}: no two-dimensional image in {what}HDU {hdu}{hint}; "
                f"it holds {self.contents()}"
            )
        return self.plane_at(index, plane or 0)

    def plane_at(self, index: int, plane: int = 0) -> Plane:
        """Open the image in the HDU of this number in the file, which must hold one."""
        try:
            with quiet():
                return self._open_plane(index, self._parts[index].shape, plane)
        except InputError:
            raise
        except DAMAGED as error:
            raise InputError(f"{self.path}: HDU {index} is damaged ({one_line(error)})") from None

    def header(self, hdu: int | str = 0) -> fits.Header:
        """Return the header of an HDU; of a compressed image, that of the image."""
        with quiet():
            return self.hdus[self.index(hdu)].header

    def close(self) -> None:
        """Close the file and free what was decompressed."""
        for plane in self._packed:
            plane.close()
        with quiet():
            self.hdus.close()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _packed_primary(self) -> bool:
        """Tell whether HDU 1 was the primary one before the file was packed: it has ZSIMPLE."""
        return self._parts[1].packed and "ZSIMPLE" in self._raw_header(1)

    def _raw_header(self, index: int) -> fits.Header:
        """Read a header as it is in the file: of a compressed image, that of its table."""
        self._file.seek(self.hdus[index].fileinfo()["hdrLoc"])
        return fits.Header.fromfile(self._file)

    def _open_plane(self, index: int, shape: tuple[int, ...], plane: int) -> Plane:
        hdu = self.hdus[index]
        start = hdu.fileinfo()["datLoc"]
        raw = self._raw_header(index)
        axes = [int(raw[f"NAXIS{i + 1}"]) for i in range(int(raw["NAXIS"]))]
        needed = math.prod(axes) * abs(int(raw["BITPIX"])) // 8 + int(raw.get("PCOUNT", 0))
        if start + needed > self._size:
            raise InputError(
                f"{self.path}: cut short, HDU {index} needs {start + needed} bytes "
                f"but the file has {self._size}"
            )
        if isinstance(hdu, fits.CompImageHDU):
            leading = (plane,) if len(shape) == 3 else (0,) * (len(shape) - 2)
            packed = CompressedPlane(hdu, leading, f"{self.path}: HDU {index}", self._lock)
            self._packed.append(packed)
            return packed
        return PlainPlane(self._file, start, raw, (shape[-2], shape[-1]), plane)


def list_images(path: str | Path) -> list[ImageInfo]:
    """List the two-dimensional images of a FITS file, in the order of the file.

    Raises:
        InputError: the file is missing or no FITS file.
    """
    with FitsFile(path) as file:
        return file.images()


def read_image(
    path: str | Path, hdu: int | str | None = None, plane: int | None = None
) -> npt.NDArray[Any]:
    """Read one two-dimensional image of a FITS file.

    Args:
        path: a FITS file, also packed (fpack, gz, bz2, xz).
        hdu: number or EXTNAME; None takes the first two-dimensional image.
        plane: index along the first axis, where that HDU is a cube.

    Returns:
        (H, W) in native byte order; BSCALE, BZERO and BLANK (as NaN) applied.

    Raises:
        InputError: in one line, why there is no such image.
    """
    with FitsFile(path) as file:
        if hdu is None:
            images = file.images()
            if not images:
                raise InputError(f"{path}: no two-dimensional image; it holds {file.contents()}")
            return _whole(file.plane_at(images[0].hdu))
        return _whole(file.plane(hdu, plane))


def _whole(plane: Plane) -> npt.NDArray[Any]:
    H, W = plane.shape
    return plane.read(0, H, 0, W)


def _describe(hdu: Any) -> _Part:
    """Describe one HDU; one whose header makes no sense must not spoil the others."""
    try:
        packed = isinstance(hdu, fits.CompImageHDU)
        image = packed or isinstance(hdu, fits.PrimaryHDU | fits.ImageHDU)
        shape: tuple[int, ...] = ()
        # random groups are a kind of table, though their HDU is an image
        if image and not isinstance(hdu, fits.GroupsHDU):
            shape = tuple(int(n) for n in hdu.shape)
            shape = shape if all(n > 0 for n in shape) else ()
        kind = "table" if isinstance(hdu, fits.BinTableHDU | fits.TableHDU) else "without pixels"
        kind = " x ".join(str(n) for n in shape) + " image" if shape else kind
        return _Part(str(hdu.name), kind, shape, packed)
    except DAMAGED:
        return _Part("", "with a damaged header", (), False)


def _is_flat(shape: tuple[int, ...]) -> bool:
    """Tell whether a shape is two-dimensional but for leading axes of length 1."""
    return len(shape) >= 2 and all(n == 1 for n in shape[:-2])
