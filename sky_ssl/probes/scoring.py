"""Scores of many rows from a few coefficients, block by block, and what they say about classes.

In: embeddings (N, D), which may be a memory map, and planes. Out: decision values, probabilities.
"""

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.progress import Progress

Features = npt.NDArray[np.floating]
Numbers = npt.NDArray[np.float64]

BLOCK_ROWS = 4096
"""Rows at once; of more, the memory of a block is given back to the system and asked for anew."""
_FAR = 1000.0  # deviations between a feature's mean and zero where float32 gets too coarse


def project(
    values: Features,
    coefficients: Numbers,
    intercept: Numbers,
    mean: Numbers,
    std: Numbers,
    progress: Progress | None = None,
) -> Features:
    """Give ((values - mean) / std) @ coefficients.T + intercept, (N, K) float32, by blocks.

    Args:
        values: (N, D), may be a memory map; float16 is widened block by block.
        coefficients, intercept: (K, D) and (K,).
        mean, std: (D,) of the standardisation.
        progress: called with (rows, N).

    Raises:
        InputError: another number of features.
    """
    if values.ndim != 2 or values.shape[1] != len(mean):
        raise InputError(f"embeddings of shape {values.shape}: the probe needs (N, {len(mean)})")
    N, weights = len(values), np.asarray(coefficients / std, dtype=np.float64)
    offset = intercept - weights @ mean
    kind = np.float64 if np.max(np.abs(mean) / std, initial=0.0) > _FAR else np.float32
    folded: Features = np.ascontiguousarray(weights.T).astype(kind)  # (D, K)
    scores = np.empty((N, len(intercept)), dtype=np.float32)
    for start in range(0, N, BLOCK_ROWS):
        block: Features = np.asarray(values[start : start + BLOCK_ROWS]).astype(kind, copy=False)
        with np.errstate(invalid="ignore", over="ignore"):  # rows of NaN score NaN
            scores[start : start + len(block)] = block @ folded + offset
        if progress:
            progress(start + len(block), N)
    return scores


def class_probabilities(decision: Features) -> Features:
    """Turn decision values, (N,) for two classes or (N, K), into probabilities (N, K)."""
    from scipy.special import expit, softmax

    if decision.ndim == 1:
        return np.stack([expit(-decision), expit(decision)], axis=1)
    return np.asarray(softmax(decision, axis=1))


def most_likely(decision: Features) -> npt.NDArray[np.int64]:
    """Give the place (N,) of the likeliest class for decision values (N,) or (N, K)."""
    if decision.ndim == 1:
        return (decision > 0).astype(np.int64)
    return np.asarray(decision.argmax(axis=1), dtype=np.int64)
