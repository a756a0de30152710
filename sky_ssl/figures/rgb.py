"""Colour pictures of multi-band cutouts (Lupton et al. 2004, PASP 116, 133).

Arrays of physical values in, 8-bit colours out. One stretch for all pictures of a view.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
NO_DATA = (64, 40, 32)  # a dull brown that no sky has


@dataclass(frozen=True)
class Stretch:
    """How counts become colours. The same for all pictures that are to be compared."""

    weights: tuple[float, float, float] = (1.0, 1.0, 1.0)  # multiply red, green, blue
    black: float = -1.0  # value shown as black, after the weights
    linear: float = 8.0  # range above it that is shown in proportion
    softening: float = 8.0  # Q: the larger, the more the bright parts are compressed


def sky_stretch(sky_sigma: npt.ArrayLike, weights: npt.ArrayLike = (0.85, 1.0, 1.35)) -> Stretch:
    """Choose a stretch that shows sky noise as dark grey and galaxies in their colours.

    Args:
        sky_sigma: (3,) noise of the bands shown as red, green and blue, in the unit of the images.
        weights: of red, green and blue, as fluxes at one zero point; blue light is the weakest.
    """
    w = np.asarray(weights, dtype=float)
    noise = float(np.median(np.asarray(sky_sigma) * w))
    r, g, b = (float(v) for v in w)
    return Stretch((r, g, b), black=-1.0 * noise, linear=16.0 * noise)


def lupton_rgb(images: Floats, stretch: Stretch) -> npt.NDArray[np.uint8]:
    """Make colour pictures of images in the order red, green, blue.

    Args:
        images: (B, 3, H, W) physical, NaN = no data. Where some of the bands have none, the mean
            of the others stands in, so that the pixel is grey; where all have none, `NO_DATA`.
        stretch: see `Stretch`.

    Returns:
        (B, H, W, 3), row 0 at the bottom of the sky: draw with origin "lower".
    """
    from astropy.visualization import make_lupton_rgb

    B, three, H, W = images.shape
    if three != 3:
        raise ValueError(f"images of {three} bands: a colour picture takes 3")
    empty = np.isnan(images).all(axis=1)
    weights = np.asarray(stretch.weights, dtype=np.float32)[:, None, None]
    light = images * weights
    known = np.isfinite(light)
    mean = np.where(known, light, 0).sum(axis=1, keepdims=True) / np.maximum(
        known.sum(axis=1, keepdims=True), 1
    )
    # a touch above black: make_lupton_rgb divides by the intensity
    filled = np.where(known, light, mean).clip(min=stretch.black * (1 - 1e-6))
    tall = filled.transpose(1, 0, 2, 3).reshape(3, B * H, W)  # one call for all pictures
    rgb = make_lupton_rgb(
        *tall, minimum=stretch.black, stretch=stretch.linear, Q=stretch.softening
    ).reshape(B, H, W, 3)
    rgb[empty] = NO_DATA
    return np.asarray(rgb, dtype=np.uint8)
