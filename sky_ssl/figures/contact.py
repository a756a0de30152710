"""A contact sheet: many cutouts side by side in colour, each with a word below it.

Arrays in, a PNG out; pixels are enlarged, never smoothed.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sky_ssl.figures.rgb import lupton_rgb, sky_stretch
from sky_ssl.sky.cutoutset import CutoutSet
from sky_ssl.sky.noise import usable_sigma

_GAP = 2  # pixels between pictures
_LETTERS = 11  # pixels of the line below each


def rgb_bands(bands: Sequence[str], preferred: Sequence[str] = ()) -> tuple[int, int, int]:
    """Choose the bands shown as red, green and blue.

    Args:
        bands: names, short to long wavelength.
        preferred: names of red, green and blue; used if all are there.

    Returns:
        Their places; with fewer than three bands some are shown twice.
    """
    names = list(bands)
    if len(preferred) == 3 and all(name in names for name in preferred):
        r, g, b = (names.index(name) for name in preferred)
        return r, g, b
    last = len(names) - 1
    if last >= 4:
        return 3, 2, 1
    return last, last // 2, 0


def save_contact_sheet(
    path: Path,
    images: npt.NDArray[np.floating],
    sky_sigma: npt.ArrayLike,
    *,
    rgb: tuple[int, int, int],
    labels: Sequence[str] = (),
    columns: int = 12,
    zoom: int = 2,
) -> None:
    """Draw cutouts in rows.

    Args:
        path: the PNG to write.
        images: (N, C, H, W) physical, NaN = no data.
        sky_sigma: (C,) noise in the same unit.
        rgb: places of the bands shown as red, green and blue.
        labels: a word for each, or none.
        columns: pictures in a row.
        zoom: screen pixels per pixel, a side.
    """
    from PIL import Image, ImageDraw

    sigma = np.asarray(sky_sigma, dtype=float)[list(rgb)]
    colours = lupton_rgb(images[:, list(rgb)], sky_stretch(sigma))
    pictures = colours[:, ::-1].repeat(zoom, axis=1).repeat(zoom, axis=2)
    N, H, W, _ = pictures.shape
    row_height = H + _GAP + (_LETTERS if labels else 0)
    rows = -(-N // columns)
    sheet = Image.new("RGB", (columns * (W + _GAP), rows * row_height))
    pen = ImageDraw.Draw(sheet)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        corner = column * (W + _GAP), row * row_height
        sheet.paste(Image.fromarray(picture), corner)
        if labels:
            pen.text((corner[0] + 1, corner[1] + H - 1), labels[number], fill=(190, 190, 190))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def draw_cutouts(
    cutouts: CutoutSet,
    path: Path,
    *,
    n: int = 120,
    label: str = "class",
    rgb: Sequence[str] = (),
) -> None:
    """Draw the first cutouts of a file, with the word that the column `label` has for each.

    Args:
        cutouts: what to draw.
        path: the PNG to write.
        n: at most so many.
        label: name of a column; without it the pictures have no words.
        rgb: names of the bands shown as red, green and blue; default: long to short wavelength.
    """
    images = cutouts.read(slice(0, min(n, len(cutouts))))
    words = cutouts.column(label)[: len(images)] if label in cutouts.column_names else ()
    sigma = usable_sigma(cutouts.info.sky_sigma or [np.nan] * images.shape[1])
    bands = rgb_bands(cutouts.info.bands, rgb)
    save_contact_sheet(path, images, sigma, rgb=bands, labels=[str(word) for word in words])
