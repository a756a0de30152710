"""A sheet of thumbnails: many cutouts side by side in one stretch. Arrays in, a picture out."""

import numpy as np
import numpy.typing as npt

from sky_ssl.figures.rgb import lupton_rgb, sky_stretch

_GAP = 2  # pixels between pictures


def draw_thumbnails(
    images: npt.NDArray[np.floating],
    sky_sigma: npt.ArrayLike,
    rgb: tuple[int, int, int],
    *,
    width: int = 1320,
    wanted: int = 110,
) -> npt.NDArray[np.uint8]:
    """Draw cutouts in rows, north up, each pixel enlarged a whole number of times.

    Args:
        images: (N, C, H, W) physical, NaN = no data.
        sky_sigma: (C,) noise in the same unit, each above 0.
        rgb: places of the bands shown as red, green and blue.
        width: of the sheet, at most, in pixels.
        wanted: width of a thumbnail, about.

    Returns:
        (height, width, 3).
    """
    N, _, H, W = images.shape
    sigma = np.asarray(sky_sigma, dtype=float)[list(rgb)]
    colours = lupton_rgb(images[:, list(rgb)], sky_stretch(sigma))[:, ::-1]
    zoom = max(1, round(wanted / W))
    h, w = H * zoom + _GAP, W * zoom + _GAP
    columns = max(1, min(N, (width + _GAP) // w))
    rows = -(-N // columns)
    sheet = np.zeros((rows * columns, h, w, 3), dtype=np.uint8)
    sheet[:N, : H * zoom, : W * zoom] = colours.repeat(zoom, axis=1).repeat(zoom, axis=2)
    laid = sheet.reshape(rows, columns, h, w, 3).swapaxes(1, 2).reshape(rows * h, columns * w, 3)
    return laid[: rows * h - _GAP, : columns * w - _GAP]
