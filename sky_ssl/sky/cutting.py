"""Cut images out of tiles."""

import numpy as np
import numpy.typing as npt

from sky_ssl.sky.tiles import Tile


def cut_tile(
    tile: Tile, x: npt.ArrayLike, y: npt.ArrayLike, *, size: int, binning: int = 1
) -> npt.NDArray[np.float32]:
    """Cut square images around pixels of a tile.

    Args:
        tile: an open tile.
        x, y: (N,) pixel positions, 0-based, x along columns. The pixel nearest to the position is
            pixel `size * binning // 2` of the window, counted from 0.
        size: pixels a side of the result.
        binning: native pixels a side of one pixel of the result; their counts are summed.

    Returns:
        (N, C, size, size) counts per pixel at the survey's zero point; NaN = no data, outside the
        tile, or a bin with less than half of its pixels (else the sum is scaled to the full bin).
    """
    side = size * binning
    columns = np.round(np.asarray(x, dtype=np.float64)).astype(int) - side // 2
    rows = np.round(np.asarray(y, dtype=np.float64)).astype(int) - side // 2
    windows = [
        tile.read(y0, y0 + side, x0, x0 + side) for y0, x0 in zip(rows, columns, strict=True)
    ]
    C = len(tile.survey.bands)
    if not windows:
        return np.empty((0, C, size, size), dtype=np.float32)
    return bin_images(np.stack(windows), binning)


def bin_images(images: npt.NDArray[np.float32], binning: int) -> npt.NDArray[np.float32]:
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
