"""Straight structure along rows and columns: seams between chips, amplifiers, bad columns.

In: an image without background. Out: what of it runs straight for longer than any diffuse source.
"""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Image = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_LEAST_SKY = 0.3  # share of a line's pixels that must be seen
_FLOOR = 0.05  # sigma of a pixel; what is fainter is noise and chance neighbours
_SHARP = 6.0  # times the noise of a line; what stands out more is taken without smoothing


def seams(image: Image, hidden: Mask, length: float, smoothing: float) -> Image:
    """Find seams: ridges and troughs along whole blocks of rows or columns.

    The median along a line leaves out sources much shorter than it; over the lines, what is wider
    than a sixth of the length is left to the background.

    Args:
        image: (H, W) in units of its noise, any value where hidden.
        hidden: (H, W) pixels that are not used.
        length: pixels along a line that are taken together; several times a diffuse source. Along
            an axis that is shorter nothing is found.
        smoothing: pixels, sigma of a Gaussian across the lines.

    Returns:
        (H, W) to be subtracted, in the same units.
    """
    seen = np.where(hidden, np.float32(np.nan), image)
    columns = _along_columns(seen, length, smoothing)
    return columns + _along_columns((seen - columns).T, length, smoothing).T


def _along_columns(seen: Image, length: float, smoothing: float) -> Image:
    """Find what runs along columns of an image (H, W) that is NaN where hidden."""
    H, W = seen.shape
    blocks = int(H // length)
    if not blocks:
        return np.zeros((H, W), dtype=np.float32)
    values, known, noise = np.zeros((blocks, W)), np.zeros((blocks, W)), np.ones((blocks, W))
    for k, part in enumerate(np.array_split(seen, blocks)):
        count = np.isfinite(part).sum(axis=0)
        use = count > _LEAST_SKY * len(part)
        if use.any():
            values[k, use], known[k] = np.nanmedian(part[:, use], axis=0), use
            noise[k, use] = np.sqrt(np.pi / 2 / count[use])  # of a median of normal numbers
    width = 2 * int(length / 6) + 1
    # a step would be blurred by the smoothing, and both of its sides left behind
    sharp = known * (values - ndimage.median_filter(values, size=(1, width)))
    sharp[np.abs(sharp) < _SHARP * noise] = 0
    weight = ndimage.gaussian_filter1d(known, smoothing, axis=1)
    rest = ndimage.gaussian_filter1d(known * (values - sharp), smoothing, axis=1)
    lines = sharp + rest / np.maximum(weight, _LEAST_SKY)
    lines -= ndimage.median_filter(lines, size=(1, width))
    lines[np.abs(lines) < _FLOOR] = 0
    # linear between the middles of the blocks
    place = np.clip((np.arange(H) + 0.5) * blocks / H - 0.5, 0, blocks - 1)
    before = np.minimum(place.astype(np.int64), max(blocks - 2, 0))
    share = (place - before)[:, None]
    after = np.minimum(before + 1, blocks - 1)
    return (lines[before] * (1 - share) + lines[after] * share).astype(np.float32)
