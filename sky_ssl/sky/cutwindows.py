"""Cut windows out of one tile: the work of one task.

In: an open tile and pixel positions. Out: square images, binned with their flux conserved, and
where they were taken.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.sky.centres import random_centres, window_start
from sky_ssl.sky.cutplan import Windows
from sky_ssl.sky.tiles import Tile
from sky_ssl.sky.tilework import opened

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]

_ROUNDS = 20  # of drawing random centres again where there is no data
_AT_ONCE = 16  # least number drawn in a round


@dataclass(frozen=True)
class CutConfig:
    """What is cut: `random` or `grid`, or neither for the objects of a catalogue."""

    size: int = 64  # pixels a side of a cutout
    fov: float | None = None  # side of the field, arcsec; None: native pixels
    random: int | None = None  # cutouts per tile
    grid: float | None = None  # overlap of neighbours, 0 to 0.9
    edge: str = "pad"  # windows that reach beyond the tile: pad with no data, or skip
    min_coverage: float = 0.0  # least share of pixels with data in some band; 0: any at all
    merge_arcsec: float = 1.0  # objects of the catalogue closer than this are one
    seed: int = 0  # of random centres
    dtype: str = "float32"  # of the file; float16 is stored in units of the sky noise

    def __post_init__(self) -> None:
        if self.edge not in ("pad", "skip"):
            raise InputError(f"edge {self.edge!r}: must be pad or skip")
        if self.random is not None and self.random < 1:
            raise InputError(f"random {self.random}: must be 1 cutout per tile or more")
        if self.random is not None and self.grid is not None:
            raise InputError("random and grid exclude each other")
        if not 0 <= self.min_coverage <= 1:
            raise InputError(f"min_coverage {self.min_coverage}: must be from 0 to 1")


@dataclass(frozen=True)
class Piece:
    """What a task cut: N windows of one tile; `row` is that of the catalogue, or -1."""

    tile: str
    row: npt.NDArray[np.int64]
    x: Floats
    y: Floats
    ra: Floats
    dec: Floats
    images: Images
    problems: list[str]


def cut_tile(
    tile: Tile, x: npt.ArrayLike, y: npt.ArrayLike, *, size: int, binning: int = 1
) -> Images:
    """Cut square images around positions on a tile.

    The window of `size * binning` native pixels is placed so that its geometric centre (between
    two pixels if that number is even) is nearest to the position, within half a native pixel.

    Args:
        tile: an open tile.
        x, y: (N,) pixels, 0-based, x along columns; fractions are allowed.
        size: pixels a side of the result.
        binning: native pixels a side of one pixel of the result; their counts are summed.

    Returns:
        (N, C, size, size) counts per pixel at the survey's zero point; NaN = no data, outside the
        tile, or a bin with less than half of its pixels (else the sum is scaled to the full bin).
    """
    side = size * binning
    x0 = window_start(np.atleast_1d(np.asarray(x)), side)
    y0 = window_start(np.atleast_1d(np.asarray(y)), side)
    out = np.empty((len(x0), len(tile.survey.bands), size, size), dtype=np.float32)
    # from top to bottom: neighbours in compressed files are decompressed together
    for i in np.lexsort((x0, y0)).tolist():
        top, left = int(y0[i]), int(x0[i])
        out[i] = bin_images(tile.read(top, top + side, left, left + side), binning)
    return out


def bin_images(images: Images, binning: int) -> Images:
    """Sum squares of `binning` pixels of images (..., H, W); flux is conserved.

    A sum over fewer pixels than the square has is scaled up; with less than half of them it is NaN.
    """
    if binning == 1:
        return images
    *rest, H, W = images.shape
    split = images.reshape(*rest, H // binning, binning, W // binning, binning)
    valid = np.isfinite(split)
    count = valid.sum(axis=(-3, -1))
    total = np.where(valid, split, 0).sum(axis=(-3, -1), dtype=np.float64)
    enough = 2 * count >= binning**2
    return np.where(enough, total * binning**2 / np.maximum(count, 1), np.nan).astype(np.float32)


def cut_windows(task: tuple[Windows, CutConfig, int]) -> Piece:
    """Cut the windows of a task; those without enough data are left out, or drawn again."""
    windows, config, binning = task
    side = config.size * binning
    with opened(windows.handle) as tile:
        if not windows.draw:
            x, y, row = windows.x, windows.y, windows.row
            images = cut_tile(tile, x, y, size=config.size, binning=binning)
            keep = _enough(images, config.min_coverage)
            x, y, row, images = x[keep], y[keep], row[keep], images[keep]
        else:
            x, y, images = _draw(tile, windows, config, binning, side)
            row = np.full(len(x), -1)
        ra, dec = tile.pixel_to_sky(x, y)
        return Piece(tile.name, row, x, y, ra, dec, images, list(tile.problems))


def _draw(
    tile: Tile, windows: Windows, config: CutConfig, binning: int, side: int
) -> tuple[Floats, Floats, Images]:
    """Draw random windows until there are enough with data, or too many without."""
    generator = np.random.default_rng(windows.seed)
    kept: list[tuple[Floats, Floats, Images]] = []
    need = windows.draw
    for _ in range(_ROUNDS):
        x, y = random_centres(tile.shape, max(need, _AT_ONCE), side, generator)
        images = cut_tile(tile, x, y, size=config.size, binning=binning)
        keep = np.flatnonzero(_enough(images, config.min_coverage))[:need]
        kept.append((x[keep], y[keep], images[keep]))
        need -= len(keep)
        if not need:
            break
    x, y, images = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    return x, y, images


def _enough(images: Images, min_coverage: float) -> npt.NDArray[np.bool_]:
    """Say which images (N, C, H, W) have data, in some band, in enough of their pixels."""
    share = np.isfinite(images).any(axis=1).mean(axis=(1, 2))
    return np.asarray((share > 0) & (share >= min_coverage))
