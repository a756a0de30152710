"""Where new objects belong in an existing map: by their nearest neighbours in it.

In: projected embeddings of mapped and of new objects, and the positions of the mapped. Out:
positions of the new.
"""

import numpy as np
import numpy.typing as npt

from sky_ssl.explore.graph import Points, nearest
from sky_ssl.progress import Progress

NEIGHBOURS = 5
_STEPS = 20


def place(
    new: Points,
    mapped: Points,
    xy: npt.NDArray[np.float32],
    *,
    threads: int = 0,
    progress: Progress | None = None,
) -> npt.NDArray[np.float32]:
    """Place objects at the spatial median of their neighbours, which weigh 1 / distance^2.

    The median keeps an object whose neighbours lie in two islands on the shore of one: of their
    neighbours 20 % are then those among the embeddings (as for objects that the map was made
    with), against 16 % at the mean, and 19 % at the mean after an optimisation.

    Args:
        new: (n, P) projected embeddings.
        mapped: (M, P) those of the mapped objects.
        xy: (M, 2) their positions.

    Returns:
        (n, 2) float32.
    """
    rows, distances = nearest(new, mapped, NEIGHBOURS, threads=threads, progress=progress)
    weights = 1 / np.maximum(distances.astype(np.float64), 1e-6) ** 2
    return spatial_median(xy[rows].astype(np.float64), weights).astype(np.float32)


def spatial_median(
    points: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Find where the weighted sum of distances is least (Weiszfeld 1937).

    Args:
        points: (n, k, 2), `n` sets of points.
        weights: (n, k).

    Returns:
        (n, 2).
    """
    weights = weights / weights.sum(axis=1, keepdims=True)
    centre = (weights[:, :, None] * points).sum(axis=1)
    size = np.abs(points - centre[:, None]).max(axis=(1, 2), keepdims=True)[:, :, 0]
    for _ in range(_STEPS):
        distance = np.linalg.norm(points - centre[:, None], axis=2)
        pull = weights / np.maximum(distance, 1e-4 * size + 1e-12)
        centre = (pull[:, :, None] * points).sum(axis=1) / pull.sum(axis=1, keepdims=True)
    return centre
