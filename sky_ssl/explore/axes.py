"""Principal axes of embeddings, found and applied block by block.

In: embeddings (N, D), a memory map as a rule. Out: (N, P) float32, in which Euclidean distances
follow the mean cosine over tokens, as in the search.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from sky_ssl.explore.similarity import blocks, normalised, spread
from sky_ssl.progress import Progress

SAMPLE = 50_000
"""Rows, spread evenly over the file, that the axes are found on."""


@dataclass(frozen=True)
class Axes:
    """A projection of normalised embeddings: `(normalised(values) - mean) @ axes.T`."""

    mean: npt.NDArray[np.float32]  # (D,)
    axes: npt.NDArray[np.float32]  # (P, D), the widest first
    tokens: int  # T, side by side in D

    def project(
        self, values: npt.NDArray[np.floating], progress: Progress | None = None
    ) -> npt.NDArray[np.float32]:
        """Project embeddings (N, D) to (N, P); NaN for rows without a direction.

        These are rows with a number that is not finite, and rows of zeros.
        """
        result = np.empty((len(values), len(self.axes)), np.float32)
        with threadpool_limits(1, "blas"):  # the same sums on any number of cores
            for start, block in blocks(values, progress):
                x = (normalised(block, self.tokens) - self.mean) @ self.axes.T
                x[~block.any(axis=1)] = np.nan
                result[start : start + len(x)] = x
        return result


def principal_axes(values: npt.NDArray[np.floating], tokens: int, count: int = 50) -> Axes:
    """Find the principal axes of normalised embeddings, on a sample of the rows.

    Args:
        values: (N, D), raw as in the file.
        tokens: T, each brought to unit length.
        count: P, fewer where D is smaller.
    """
    D = values.shape[1]
    total, products, n = np.zeros(D), np.zeros((D, D)), 0
    origin: npt.NDArray[np.float32] | None = None
    with threadpool_limits(1, "blas"):
        for sample in spread(values, SAMPLE):
            x = normalised(sample, tokens)
            x = x[np.isfinite(x).all(axis=1) & x.any(axis=1)]
            if len(x) == 0:
                continue
            origin = x[0] if origin is None else origin  # near the mean: no digits are lost
            x = (x - origin).astype(np.float64)
            total, products, n = total + x.sum(axis=0), products + x.T @ x, n + len(x)
        mean = total / max(n, 1)
        _, vectors = np.linalg.eigh(products / max(n, 1) - np.outer(mean, mean))
    axes = vectors[:, ::-1][:, :count].T
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    centre = mean + (0 if origin is None else origin)
    return Axes(centre.astype(np.float32), (axes * np.sign(largest)).astype(np.float32), tokens)
