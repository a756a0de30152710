"""Pictures of masked reconstructions, pixel by pixel: what is there, what the model sees and makes.

Arrays of one object in, 8-bit pictures (H, W, 3) out, north up and enlarged without smoothing. All
pictures have one stretch that hangs on the noise alone: the truth does not show in it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.figures.rgb import NO_DATA, Stretch, lupton_rgb, sky_stretch
from sky_ssl.figures.thumbnail import grey

Floats = npt.NDArray[np.floating]
Flags = npt.NDArray[np.bool_]
Picture = npt.NDArray[np.uint8]
HIDDEN = (72, 88, 128)  # a slate blue that no stretch gives
DIVERGING = "berlin"  # blue, black, red
_NOT_HIDDEN = (52, 55, 62)  # where there is nothing to compare
_TINT = 0.22
_MARK = 0.55  # of pixels without data, where the model's values show through
_WHITE = 40.0  # sky noise shown white, in one band
BEYOND = 5.0  # residuals are shown up to this, in sky noise


def draw_light(
    image: Floats, sigma: Floats, bands: Sequence[int], brightness: float = 1.0
) -> Picture:
    """Draw an image in one band, or in three as red, green and blue.

    Args:
        image: (C, H, W) physical, NaN = not shown.
        sigma: (C,) sky noise.
        bands: one place, or three.
        brightness: 2 shows what is half as bright.
    """
    if len(bands) == 1:
        b = bands[0]
        return grey(image[b], sigma[b], -1.5 / brightness, _WHITE / brightness)
    s = sky_stretch(np.asarray(sigma)[list(bands)])
    stretch = Stretch(s.weights, s.black / brightness, s.linear / brightness, s.softening)
    return lupton_rgb(image[None, list(bands)], stretch)[0]


def draw_seen(
    image: Floats, hidden: Flags, sigma: Floats, bands: Sequence[int], brightness: float = 1.0
) -> Picture:
    """Draw what the model sees: hidden pixels (C, H, W) in a colour of their own.

    In colour, a pixel that is hidden in some of the bands has the mean of the others there.
    """
    chosen = list(bands)
    picture = draw_light(np.where(hidden, np.nan, image), sigma, bands, brightness)
    gone = hidden[chosen].all(axis=0)
    some = hidden[chosen].mean(axis=0) * ~gone
    absent = ~np.isfinite(image[chosen]).any(axis=0)
    picture = _blend(picture, some * _TINT * 1.5, HIDDEN)
    # nothing of the pixel is visible, part of it hidden and the rest without data
    unseen = (hidden | ~np.isfinite(image))[chosen].all(axis=0) & ~absent
    picture[gone | unseen] = HIDDEN
    return _blend(picture, absent * 1.0, NO_DATA)


def draw_made(
    image: Floats,
    filled: Floats,
    hidden: Flags,
    sigma: Floats,
    bands: Sequence[int],
    brightness: float = 1.0,
    tint: bool = True,
) -> Picture:
    """Draw the reconstruction: hidden pixels tinted, pixels without data marked."""
    chosen = list(bands)
    picture = draw_light(filled, sigma, bands, brightness)
    if tint:
        picture = _blend(picture, hidden[chosen].mean(axis=0) * _TINT, HIDDEN)
    return _blend(picture, (~np.isfinite(image[chosen])).mean(axis=0) * _MARK, NO_DATA)


def draw_residual(residual: Floats, image: Floats, bands: Sequence[int]) -> Picture:
    """Draw residuals (C, H, W) in units of the sky noise, blue where the model is fainter.

    In colour: the sum over the hidden bands by the root of their number, again of noise 1.
    """
    chosen = residual[list(bands)]
    there = np.isfinite(chosen)
    count = there.sum(axis=0)
    value = np.where(there, chosen, 0).sum(axis=0) / np.sqrt(np.maximum(count, 1))
    return _mapped(value / (2 * BEYOND) + 0.5, count > 0, image, bands, DIVERGING)


def draw_spread(
    spread: Floats, image: Floats, sigma: Floats, bands: Sequence[int], beyond: float = 2.0
) -> Picture:
    """Draw the deviation between draws (C, H, W), up to `beyond` in units of the sky noise.

    In colour: the mean over the bands.
    """
    chosen = spread[list(bands)] / np.asarray(sigma)[list(bands), None, None]
    there = np.isfinite(chosen)
    count = there.sum(axis=0)
    value = np.where(there, chosen, 0).sum(axis=0) / np.maximum(count, 1)
    return _mapped(value / beyond, count > 0, image, bands, "viridis")


def draw_scale(name: str, width: int = 180, height: int = 10) -> Picture:
    """Draw the scale of a colour map, to stand beside a caption."""
    from matplotlib import colormaps

    colours = colormaps[name](np.linspace(0, 1, width))[None, :, :3]
    return np.asarray(np.repeat(colours * 255, height, axis=0), dtype=np.uint8)


def enlarge(picture: Picture, width: int = 192) -> Picture:
    """Turn north up, and repeat each pixel a whole number of times, to about `width`."""
    times = max(1, round(width / picture.shape[1]))
    return np.repeat(np.repeat(picture[::-1], times, axis=0), times, axis=1)


def _mapped(level: Floats, there: Flags, image: Floats, bands: Sequence[int], name: str) -> Picture:
    from matplotlib import colormaps

    colours = colormaps[name](np.clip(level, 0, 1))[..., :3] * 255
    picture = np.empty((*there.shape, 3), dtype=np.uint8)
    picture[:] = _NOT_HIDDEN
    picture[there] = colours[there].astype(np.uint8)
    absent = ~np.isfinite(image[list(bands)]).any(axis=0)
    return _blend(picture, absent * 1.0, NO_DATA)


def _blend(picture: Picture, share: Any, colour: tuple[int, int, int]) -> Picture:
    """Mix a colour into a picture, a share (H, W) for each pixel."""
    part = np.asarray(share, dtype=np.float32)[..., None]
    mixed = picture * (1 - part) + np.asarray(colour, dtype=np.float32) * part
    return mixed.astype(np.uint8)
