"""A FITS image to search by: a cube, one HDU per band, or one file per band.

In: FITS files as archives give them. Out: one image in the bands, size, pixel scale and zero points
of a model. What had to be assumed is said; what cannot fit is refused.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.sky.centres import window_start
from sky_ssl.sky.coords import parse_coordinate
from sky_ssl.sky.cutouts import CutoutInfo
from sky_ssl.sky.cutwindows import bin_images
from sky_ssl.sky.fitsio import FitsFile
from sky_ssl.sky.fitsplane import Plane
from sky_ssl.sky.tilegrid import Grid, pixel_to_sky, read_grid, sky_to_pixel

Images = npt.NDArray[np.float32]
Window = Callable[[int, int, int, int], npt.NDArray[Any]]
_ZERO_POINT_KEYS = ("MAGZERO", "MAGZPT", "MAGZP", "PHOTZP", "ZEROPT", "ZEROPNT")


@dataclass(frozen=True)
class Wanted:
    """What a model takes, and how far the user insists."""

    info: CutoutInfo
    size: int  # pixels a side
    at: str = ""  # position in a larger image; empty: its centre
    zero_point: tuple[float, ...] = ()  # one, or one per band; empty: as the file says
    allow_pixel_scale: bool = False

    def __post_init__(self) -> None:
        if len(self.zero_point) not in (0, 1, len(self.info.bands)):
            raise InputError(
                f"zero point {self.zero_point}: give one, or one for each of "
                f"{' '.join(self.info.bands)}"
            )


@dataclass(frozen=True)
class Pictures:
    """Images that a model can take."""

    images: Images  # (n, C, H, W) at the zero points of the model, NaN = no data
    ids: tuple[str, ...]
    ra: npt.NDArray[np.float64]  # degrees, NaN if unknown
    dec: npt.NDArray[np.float64]
    notes: list[str]


@dataclass(frozen=True)
class _Layer:
    """The image of one band in an open file."""

    plane: Plane
    grid: Grid
    zero_point: float  # NaN if the file does not say it


def square(
    read: Window, shape: tuple[int, int], x: float, y: float, side: int, path: Path
) -> tuple[Images, list[str]]:
    """Cut a square around a place out of an image, filled up with NaN; a note says if it was.

    Args:
        read: gives the window [y0:y1, x0:x1], (..., y1 - y0, x1 - x0), inside the image.
        shape: (H, W) of the image.
    """
    H, W = shape
    x0, y0 = int(window_start(x, side)), int(window_start(y, side))
    top, bottom, left, right = max(y0, 0), min(y0 + side, H), max(x0, 0), min(x0 + side, W)
    if top >= bottom or left >= right:
        raise InputError(f"{path}: nothing of the image at pixel x {x:.0f}, y {y:.0f}")
    inside = np.asarray(read(top, bottom, left, right), dtype=np.float32)
    out = np.full((*inside.shape[:-2], side, side), np.nan, dtype=np.float32)
    out[..., top - y0 : bottom - y0, left - x0 : right - x0] = inside
    if inside.shape[-2:] == (side, side):
        return out, []
    return out, [f"{path}: {H} x {W} pixels do not hold {side} x {side} there, filled up with NaN"]


def read_fits(paths: dict[str, Path], wanted: Wanted) -> Pictures:
    """Read FITS files, one for all bands (named "") or one per band."""
    bands = wanted.info.bands
    unknown = sorted(set(paths) - set(bands) - {""})
    if unknown:
        raise InputError(
            f"{paths[unknown[0]]}: no band {unknown[0]!r}; the model takes {' '.join(bands)}"
        )
    notes: list[str] = []
    files = {name: FitsFile(path) for name, path in paths.items()}
    try:
        layers: dict[str, _Layer] = {}
        for name, file in files.items():
            layers |= {name: _first(file)} if name else _layers(file, bands, notes)
        first = next(iter(layers.values()))
        where, place = (
            next(iter(paths.values())),
            _place(first, wanted.at, next(iter(paths.values()))),
        )
        missing = [band for band in bands if band not in layers]
        if missing:
            notes.append(f"{where}: no {' '.join(missing)}: taken as bands without data")
        images = []
        for number, band in enumerate(bands):
            if band in layers:
                path = paths.get(band, where)
                images.append(_cut(layers[band], place, path, wanted, number, notes))
            else:
                images.append(np.full((wanted.size,) * 2, np.nan, dtype=np.float32))
    finally:
        for file in files.values():
            file.close()
    image = np.stack(images)
    if not np.isfinite(image).any():
        raise InputError(
            f"{where}: no data {f'at {wanted.at!r}' if wanted.at else 'in its centre'}"
        )
    ra, dec = np.array([place[2]]), np.array([place[3]])
    return Pictures(image[None], (where.stem,), ra, dec, list(dict.fromkeys(notes)))


def _place(layer: _Layer, at: str, path: Path) -> tuple[float, float, float, float]:
    """Give the place to cut at: x, y of the first band, and RA and Dec, NaN if unknown."""
    H, W = layer.grid.shape
    wcs = layer.grid.wcs
    if not at:
        x, y = (W - 1) / 2, (H - 1) / 2
        sky = pixel_to_sky(wcs, x, y) if wcs is not None else (np.nan, np.nan)
        return x, y, float(sky[0]), float(sky[1])
    if wcs is None:
        raise InputError(f"{path}: --at needs positions, but it has {layer.grid.problem}")
    ra, dec = parse_coordinate(at)
    px, py = (float(v) for v in sky_to_pixel(wcs, ra, dec))
    if not (-0.5 <= px < W - 0.5 and -0.5 <= py < H - 0.5):
        raise InputError(
            f"{path}: {at!r} (RA {ra:.5f}, Dec {dec:+.5f} degrees) is not in this image"
        )
    return px, py, ra, dec


def _first(file: FitsFile) -> _Layer:
    """Take the first two-dimensional image of a file."""
    found = file.images()
    if not found:
        raise InputError(f"{file.path}: no two-dimensional image; it holds {file.contents()}")
    return _layer(file, found[0].hdu, 0)


def _layers(file: FitsFile, bands: Sequence[str], notes: list[str]) -> dict[str, _Layer]:
    """Find the bands in one file: planes of a cube, or HDUs by name or by order."""
    cubes = [i for i, hdu in enumerate(file.hdus) if hdu.is_image and len(hdu.shape) == 3]
    cubes = [i for i in cubes if file.hdus[i].shape[0] > 1]
    if cubes:
        count = int(file.hdus[cubes[0]].shape[0])
        names = _names_in_header(file.hdus[cubes[0]].header, count)
        places = [(cubes[0], plane) for plane in range(count)]
    else:
        found = file.images()
        names = [image.name for image in found]
        places = [(image.hdu, 0) for image in found]
    alike = {band.lower(): band for band in bands}
    # Z and z may both be bands
    known = {band: band for band in bands} | (alike if len(alike) == len(bands) else {})
    found_names = [known.get(name) or known.get(name.lower()) for name in names]
    by_name = {band: p for band, p in zip(found_names, places, strict=False) if band}
    if len(by_name) < len(bands):
        named = by_name or (cubes and names)
        if named or (len(places) != len(bands) and len(bands) > 1):
            what = f"holds {file.contents()}"
            what += f" of bands {' '.join(names)}" if cubes and names else ""
            raise InputError(
                f"{file.path}: {what}, but the model takes {' '.join(bands)}: give a cube or one "
                f"HDU per band, or files as {bands[0]}=FILE,{bands[-1]}=FILE"
            )
        by_name = dict(zip(bands, places, strict=False))
        notes.append(f"{file.path}: does not name its bands, taken as {' '.join(bands)}")
    return {band: _layer(file, *by_name[band]) for band in bands}


def _names_in_header(header: Any, count: int) -> list[str]:
    """Read the names of the planes of a cube from BANDS, or from BAND0, BAND1, ..."""
    text = str(header.get("BANDS", "")).strip()
    parts = re.split(r"[\s,]+", text) if re.search(r"[\s,]", text) else list(text)
    if len(parts) == count:
        return parts
    names = [str(header.get(f"BAND{i}", "")).strip() for i in range(count)]
    return names if all(names) else []


def _layer(file: FitsFile, index: int, plane: int) -> _Layer:
    opened = file.plane_at(index, plane)
    # numbers of `header` are those before packing
    number = next((n for n in range(len(file.hdus)) if file.index(n) == index), index)
    header = file.header(number)
    values = [header.get(key) for key in _ZERO_POINT_KEYS]
    known = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if not known and "nanomagg" in str(header.get("BUNIT", "")).lower():
        known = [22.5]
    return _Layer(opened, read_grid(file, number, opened.shape), known[0] if known else np.nan)


def _cut(
    layer: _Layer,
    place: tuple[float, float, float, float],
    path: Path,
    wanted: Wanted,
    number: int,
    notes: list[str],
) -> Images:
    """Cut one band (H, W), binned to the model's pixel scale, at its zero point."""
    x, y, ra, dec = place
    if layer.grid.wcs is not None and np.isfinite(ra):
        x, y = (float(v) for v in sky_to_pixel(layer.grid.wcs, ra, dec))
    binning = _binning(layer.grid.pixel_scale, path, wanted, notes)
    if not np.isfinite([x, y]).all():
        raise InputError(f"{path}: RA {ra:.5f}, Dec {dec:+.5f} degrees is not in this image")
    window, more = square(layer.plane.read, layer.plane.shape, x, y, wanted.size * binning, path)
    notes += more
    zero_point = layer.zero_point
    if wanted.zero_point:
        zero_point = wanted.zero_point[number if len(wanted.zero_point) > 1 else 0]
    model = wanted.info.zero_point[number]
    if np.isfinite(zero_point) and np.isfinite(model):
        window = window * np.float32(10 ** (0.4 * (model - zero_point)))
        if not wanted.zero_point:
            notes.append(f"{path}: zero point {zero_point:g} mag, from its header")
    else:
        notes.append(f"{path}: zero point unknown, taken as {model:g} mag like the model's")
    return bin_images(window, binning)


def _binning(pixel_scale: float, path: Path, wanted: Wanted, notes: list[str]) -> int:
    """Choose how many native pixels make one of the model's."""
    model = wanted.info.pixel_scale
    if not np.isfinite([pixel_scale, model]).all():
        notes.append(f"{path}: pixel scale unknown, taken as the model's ({model:.4g} arcsec)")
        return 1
    binning = max(1, round(model / pixel_scale))
    if abs(binning * pixel_scale / model - 1) > 0.02 and not wanted.allow_pixel_scale:
        raise InputError(
            f"{path}: {pixel_scale:.4g} arcsec/pixel, but the model was trained at {model:.4g}; "
            "resample it, or insist with --allow-pixel-scale"
        )
    return binning
