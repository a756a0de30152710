"""How crowded a map is around each object.

In: a map on its grid. Out: density per object, relative to the mean where objects are: a look-up in
a smoothed histogram, since a million objects must be done while the user waits.
"""

import numpy as np
import numpy.typing as npt

from sky_ssl.explore.mapview import FULL, MapFrame

_CELLS = 512  # of the histogram, each way
_SIGMA = 3.0  # cells that it is smoothed by: 0.6 % of the width of the map


def local_density(frame: MapFrame) -> npt.NDArray[np.float32]:
    """Give the density (N,) at each object, 1 = that at the median object; NaN without a place.

    Args:
        frame: of the map.
    """
    from scipy.ndimage import gaussian_filter

    result = np.full(len(frame.grid), np.nan, np.float32)
    if not frame.placed.any():
        return result
    cell = (frame.grid.astype(np.int64) * _CELLS) // (FULL + 1)  # (N, 2)
    flat = (cell[:, 1] * _CELLS + cell[:, 0])[frame.placed]
    counts = np.bincount(flat, minlength=_CELLS**2).reshape(_CELLS, _CELLS)
    smooth = gaussian_filter(counts.astype(np.float32), _SIGMA, mode="constant").reshape(-1)
    found = smooth[flat]
    result[frame.placed] = found / np.median(found)
    return result
