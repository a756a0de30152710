"""What probes and rules see of embeddings: the numbers of a model's tokens, softened.

In: embeddings (N, D), a memory map as a rule. Out: an array to read from, block by block. Tokens
have long tails, and a plane extrapolates along them; brought to unit length they lose what lies in
their length. Each number x, in standard deviations, becomes x / sqrt(1 + x^2): the same near 0, and
never beyond 1. On two mock skies that lifted the average precision of 200 labels from .37 (unit
length) to .44, and R2 of the redshift from .59 to .65. Averages over patches, projections and
vectors of others are left as they are.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.embedding.store import Embeddings

SOFTNESS = 1.0
"""Where numbers bend, in standard deviations of the tokens; half of it and twice do as well."""
_CACHE_BYTES = 1 << 20  # a block of this size stays in the cache of a core


def softened(values: npt.NDArray[np.floating], softness: float = SOFTNESS) -> npt.NDArray:
    """Bend numbers x to x / sqrt(1 + (x / s)^2), which stay within -s and s.

    Args:
        values: (n, D).
        softness: s, above 0.

    Returns:
        (n, D) float32; NaN for rows with a number that is not finite, or whose square is not.
    """
    result = np.empty(values.shape, dtype=np.float32)
    step = max(1, _CACHE_BYTES // max(4 * values.shape[-1], 1))
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(values), step):
            x = values[start : start + step].astype(np.float32)
            bend = np.square(x / np.float32(softness))
            bend += 1
            x /= np.sqrt(bend, out=bend)
            x[~np.isfinite(bend).all(axis=-1)] = np.nan
            result[start : start + step] = x
    return result


class Softened:
    """Embeddings (N, D) whose numbers are softened as they are read.

    Args:
        values: (N, D), raw as in the file.
        softness: see `softened`.
    """

    ndim = 2
    dtype = np.dtype(np.float32)

    def __init__(self, values: npt.NDArray[np.floating], softness: float = SOFTNESS) -> None:
        self.values, self.softness = values, softness
        self.shape = values.shape

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Any) -> npt.NDArray[np.float32]:
        """Read rows: a slice, (n,) numbers or flags; (n, D)."""
        if isinstance(rows, int | np.integer):
            return softened(self.values[rows : rows + 1], self.softness)[0]
        return softened(self.values[rows], self.softness)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Read all of it: for small sets."""
        return np.asarray(self[:], dtype=dtype)


def probe_softness(e: Embeddings) -> float:
    """Give the softness that a probe sees embeddings with; 0: as they are."""
    tokens = e.attributes.get("pooling") == "central"
    projected = int(e.attributes.get("projection", 0) or 0) > 0
    return SOFTNESS if tokens and not projected else 0.0


def features_of(e: Embeddings) -> Any:
    """Give what probes are fitted on and score, an array (N, D) to whoever reads rows of it."""
    softness = probe_softness(e)
    return Softened(e.values, softness) if softness else e.values
