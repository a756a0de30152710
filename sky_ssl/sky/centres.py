"""Where cutouts are taken: at random, on a grid, or at the objects of a catalogue.

In: sizes in pixels, or tiles and a catalogue. Out: centres x, y in pixels, 0-based. The centre of
a window of `side` pixels is its geometric centre: pixel (side - 1) / 2 of it, which for even sides
lies between two pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl.errors import InputError
from sky_ssl.sky.coords import first_of_each, unit_vectors
from sky_ssl.sky.tiles import Tile
from sky_ssl.sky.tilework import TileSummary

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def field_of_view(fov: float | None, size: int, pixel_scale: float) -> tuple[int, float]:
    """Choose the binning whose field is nearest to the one asked for.

    Args:
        fov: side of the field, arcsec; None takes native pixels.
        size: pixels a side of the cutout.
        pixel_scale: arcsec per native pixel.

    Returns:
        Native pixels a side of one pixel of the cutout, and the true field in arcsec.

    Raises:
        InputError: a size below 1, or a field that is not above 0.
    """
    if size < 1:
        raise InputError(f"size {size}: must be 1 pixel or more")
    if fov is not None and not fov > 0:
        raise InputError(f"fov {fov}: must be above 0 arcsec")
    binning = 1 if fov is None else max(1, round(fov / (size * pixel_scale)))
    return binning, binning * size * pixel_scale


def window_start(centre: npt.ArrayLike, side: int) -> Integers:
    """Place windows so that their geometric centre is nearest to the centres asked for.

    Returns:
        First pixels (N,) of the windows; the centre asked for lies within half a native pixel of
        pixel (side - 1) / 2 of its window.
    """
    return np.ceil(np.asarray(centre, dtype=np.float64) - side / 2).astype(np.int64)


def random_centres(
    shape: tuple[int, int], count: int, side: int, generator: np.random.Generator
) -> tuple[Floats, Floats]:
    """Draw centres (N,) uniformly so that windows lie inside the tile, if it is large enough.

    Args:
        shape: (H, W) of the tile.
        side: native pixels of a window.
    """
    starts = [generator.integers(0, max(n - side, 0) + 1, count) for n in shape]
    # windows larger than the tile are centred on it
    offset = [min(n - side, 0) // 2 for n in shape]
    middle = np.float64((side - 1) / 2)
    y, x = (s.astype(np.float64) + o + middle for s, o in zip(starts, offset, strict=True))
    return x, y


def grid_centres(shape: tuple[int, int], side: int, overlap: float) -> tuple[Floats, Floats]:
    """Lay windows (N,) on a grid that covers the tile from edge to edge.

    Args:
        shape: (H, W) of the tile.
        side: native pixels of a window.
        overlap: least share of a window's side that the next one covers too, 0 to 0.9.
    """
    if not 0 <= overlap <= 0.9:
        raise InputError(f"grid overlap {overlap}: must be from 0 to 0.9")
    y, x = (_line(n, side, overlap) for n in shape)
    return np.tile(x, len(y)), np.repeat(y, len(x))


def _line(length: int, side: int, overlap: float) -> Floats:
    if length <= side:
        return np.array([(length - side) // 2 + (side - 1) / 2])
    step = max(1, int(side * (1 - overlap) + 1e-9))
    count = -(-(length - side) // step) + 1
    return np.rint(np.linspace(0, length - side, count)) + (side - 1) / 2


@dataclass(frozen=True)
class Positions:
    """Objects of a catalogue that can be looked for on tiles.

    `tile`, `px`, `py` say where an object lies on a tile without WCS, and are empty and NaN for
    objects that do not say it.
    """

    row: Integers  # (N,) of the catalogue
    ra: Floats
    dec: Floats
    tile: npt.NDArray
    px: Floats
    py: Floats

    def select(self, rows: npt.NDArray) -> "Positions":
        """Keep some objects, by number or truth value."""
        return Positions(
            *(values[rows] for values in (self.row, self.ra, self.dec, self.tile, self.px, self.py))
        )


def positions(catalogue: pd.DataFrame, merge_arcsec: float) -> tuple[Positions, int]:
    """Take the positions of a catalogue, each object once.

    Args:
        catalogue: as `read_catalogue` gives it.
        merge_arcsec: of objects closer than this, and of those with one id, the first is taken.

    Returns:
        The positions, and the number of rows that were duplicates.
    """
    missing = {"id", "ra", "dec"} - set(catalogue.columns)
    if missing:
        raise InputError(f"catalogue without columns {' '.join(sorted(missing))}")
    N = len(catalogue)
    ra, dec = (catalogue[name].to_numpy(np.float64, na_value=np.nan) for name in ("ra", "dec"))
    if {"tile", "x", "y"} <= set(catalogue.columns):
        tile = catalogue["tile"].fillna("").astype(str).to_numpy(dtype=object)
        px, py = (
            pd.to_numeric(catalogue[name], errors="coerce").to_numpy(np.float64, na_value=np.nan)
            for name in ("x", "y")
        )
    else:
        tile, px, py = np.full(N, "", dtype=object), np.full(N, np.nan), np.full(N, np.nan)
    keep = first_of_each(ra, dec, merge_arcsec, np.arange(N))
    keep &= ~catalogue["id"].duplicated().to_numpy()
    return Positions(np.arange(N), ra, dec, tile, px, py).select(keep), int((~keep).sum())


def near_tiles(objects: Positions, tiles: Sequence[TileSummary]) -> list[Positions]:
    """Choose for each tile the objects that may lie on it: within its circle, or by its name."""
    from scipy.spatial import cKDTree

    known = np.flatnonzero(np.isfinite(objects.ra) & np.isfinite(objects.dec))
    tree = cKDTree(unit_vectors(objects.ra[known], objects.dec[known])) if known.size else None
    result = []
    for tile in tiles:
        if not tile.has_wcs:
            result.append(objects.select(np.flatnonzero(objects.tile == tile.handle.files.name)))
            continue
        middle = unit_vectors(*tile.centre)
        chords = [np.linalg.norm(unit_vectors(ra, dec) - middle) for ra, dec in tile.corners]
        # an all-sky map has corners off the sky; nothing is left out then
        radius = max(chords) * 1.01 if np.isfinite(chords).all() else 2.0
        rows = tree.query_ball_point(middle, radius) if tree is not None else []
        result.append(objects.select(known[np.sort(np.asarray(rows, dtype=np.int64))]))
    return result


def catalogue_centres(tile: Tile, objects: Positions) -> tuple[Floats, Floats]:
    """Give the pixels (N,) of objects on a tile; NaN for those that do not lie on it.

    With a WCS positions on the sky are used; without one `px`, `py` of the objects that name the
    tile.
    """
    if tile.wcs is not None:
        x, y = tile.sky_to_pixel(objects.ra, objects.dec)
    else:
        named = objects.tile == tile.name
        x, y = np.where(named, objects.px, np.nan), np.where(named, objects.py, np.nan)
    H, W = tile.shape
    inside = (x >= -0.5) & (x < W - 0.5) & (y >= -0.5) & (y < H - 0.5)
    return np.where(inside, x, np.nan), np.where(inside, y, np.nan)
