"""What probes and rules see of embeddings: the tokens of a model at unit length.

In: embeddings (N, D), a memory map as a rule. Out: an array to read from, block by block. Raw
tokens have long tails, and a plane extrapolates along them: on a mock sky the first 100 of a
probe of 200 labels held 17 dwarfs raw, and 41 at unit length. Averages over patches, projections
and vectors of others are left as they are.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.embedding.store import Embeddings
from sky_ssl.explore.similarity import normalised, token_count


class UnitTokens:
    """Embeddings (N, D) whose tokens have unit length over sqrt(T), made as they are read.

    Args:
        values: (N, D), raw as in the file.
        tokens: T, side by side in D.
    """

    ndim = 2
    dtype = np.dtype(np.float32)

    def __init__(self, values: npt.NDArray[np.floating], tokens: int) -> None:
        self.values, self.tokens = values, tokens
        self.shape = values.shape

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Any) -> npt.NDArray[np.float32]:
        """Read rows: a slice, (n,) numbers or flags; (n, D)."""
        if isinstance(rows, int | np.integer):
            return normalised(self.values[rows : rows + 1], self.tokens)[0]
        return normalised(self.values[rows], self.tokens)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Read all of it: for small sets."""
        return np.asarray(self[:], dtype=dtype)


def probe_tokens(e: Embeddings) -> int:
    """Give T, the tokens of each row that a probe sees at unit length; 0: the row as it is."""
    pooled = e.attributes.get("pooling") == "central"
    projected = int(e.attributes.get("projection", 0) or 0) > 0
    return token_count(e.attributes, e.values.shape[1]) if pooled and not projected else 0


def features_of(e: Embeddings) -> Any:
    """Give what probes are fitted on and score, an array (N, D) to whoever reads rows of it."""
    tokens = probe_tokens(e)
    return UnitTokens(e.values, tokens) if tokens else e.values
