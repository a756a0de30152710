"""Thumbnails: a cutout as a small JPEG or PNG, never enlarged or smoothed; the screen does that."""

import io

import numpy as np
import numpy.typing as npt

from sky_ssl.figures.rgb import Stretch, lupton_rgb

Floats = npt.NDArray[np.floating]


def colour_jpeg(image: Floats, rgb: tuple[int, int, int], stretch: Stretch) -> bytes:
    """Draw a cutout (C, H, W) in colour, north up where rows go north."""
    return encode(lupton_rgb(image[None, list(rgb)], stretch)[0, ::-1])


def band_jpeg(
    image: Floats, sigma: float, black: float = -1.5, white: float | None = None
) -> bytes:
    """Draw one band (H, W) in grey, as asinh of the units of its noise."""
    return encode(grey(image, sigma, black, white)[::-1])


def grey(
    image: Floats, sigma: float, black: float = -1.5, white: float | None = None
) -> npt.NDArray[np.uint8]:
    """Bring one band (H, W) to 8 bits (H, W, 3): asinh of the units of its noise; NaN is brown.

    Args:
        image: physical.
        sigma: its noise.
        black, white: levels in units of the noise; white None: the brightest half percent.
    """
    from sky_ssl.figures.rgb import NO_DATA

    x = image / sigma
    known = np.isfinite(x)
    if white is None:
        white = max(10.0, float(np.percentile(x[known], 99.5))) if known.any() else 10.0
    low, high = np.arcsinh(black), np.arcsinh(white)
    level = (np.arcsinh(np.where(known, x, 0)) - low) / (high - low)
    result = np.repeat((level.clip(0, 1) * 255).astype(np.uint8)[..., None], 3, axis=2)
    result[~known] = NO_DATA
    return result


def encode(picture: npt.NDArray[np.uint8], kind: str = "JPEG") -> bytes:
    """Encode (H, W, 3) as JPEG or PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    options = {"quality": 92, "subsampling": 0} if kind == "JPEG" else {}
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, kind, **options)
    return buffer.getvalue()
