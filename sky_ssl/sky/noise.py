"""The noise of the sky, measured on cutouts that are full of sources."""

import numpy as np
import numpy.typing as npt


def sky_sigma(
    cutouts: npt.NDArray[np.floating], max_cutouts: int = 2000
) -> npt.NDArray[np.float64]:
    """Measure the noise of the sky per band.

    In each cutout the pixels are clipped at 3 sigma around their median, five times, with sigma
    taken from the faint side alone (median minus 15.87th percentile), since sources only add
    light. The result is the median over the cutouts, so that crowded ones do not count.

    Args:
        cutouts: (N, C, H, W) in any linear unit, NaN = no data.
        max_cutouts: at most this many, evenly spread over the input, are used.

    Returns:
        (C,) sigma in the unit of the input; NaN for a band without data.
    """
    N, C = cutouts.shape[:2]
    rows = np.unique(np.linspace(0, max(N - 1, 0), min(N, max_cutouts)).astype(int))
    result = np.full(C, np.nan)
    for band in range(C):
        sigmas = [_faint_side_sigma(cutouts[row, band]) for row in rows]
        finite = [s for s in sigmas if np.isfinite(s)]
        if finite:
            result[band] = np.median(finite)
    return result


def _faint_side_sigma(image: npt.NDArray[np.floating]) -> float:
    """Measure one image; NaN where fewer than 20 pixels hold data."""
    values = np.asarray(image, dtype=np.float64)
    values = np.sort(values[np.isfinite(values)])
    sigma = np.nan
    for _ in range(5):
        if values.size < 20:
            return float(sigma)
        median = values[values.size // 2]
        sigma = median - values[int(0.1587 * values.size)]
        low, high = np.searchsorted(values, [median - 3 * sigma, median + 3 * sigma])
        if high - low == values.size:
            break
        # keep at least the median itself where more than half of the pixels are equal
        values = values[low : max(high, low + 1)]
    return float(sigma)


def usable_sigma(sigma: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Replace sigmas that cannot divide (NaN, 0) by the median of the others, or by 1."""
    values = np.array(sigma, dtype=np.float64)
    good = np.isfinite(values) & (values > 0)
    values[~good] = np.median(values[good]) if good.any() else 1.0
    return values
