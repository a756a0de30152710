"""Whitened embeddings: principal axes of the survey, the wide ones brought nearer to the others.

In: embeddings (N, D). Out: (N, q) float32, whose cosine is what a search goes by. The mean cosine
over tokens is ruled by the few axes along which all objects of a survey differ, brightness above
all; whitened, the finer ones that tell kinds apart count as well. Each axis is divided by the root
of its deviation: half-way between leaving it alone, which loses the fine ones, and unit variance,
which lets the noise of the narrow ones in. On two mock skies that left 20.4 dwarfs among the 25
nearest to 5 of them, against 18.9 and 15.0.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sky_ssl.explore import similarity
from sky_ssl.explore.axes import SAMPLE, Axes, principal_axes
from sky_ssl.explore.similarity import Floats, Vectors
from sky_ssl.progress import Progress

AXES = 64
"""Axes that are kept; more find no more."""
POWER = 0.5
"""Of the deviation along an axis, which it is divided by: 0 leaves axes alone, 1 whitens fully."""
ROWS_PER_AXIS = 16
"""Objects that it takes to know how wide an axis is; with fewer a few nearest all look alike."""
FEWEST = 64
"""Objects that it takes to whiten at all."""
_SAMPLE_BYTES = 128 << 20
_FLOOR = 1e-6  # narrower than this are the rounding errors of sums in float32


@dataclass(frozen=True)
class Whitening:
    """Principal axes of normalised embeddings, with what each is divided by."""

    axes: Axes  # (q, D)
    deviation: npt.NDArray[np.float32]  # (q,), above 0: along each axis, to a power

    def __len__(self) -> int:
        """Give q; 0 where there is nothing to whiten by."""
        return len(self.deviation)

    @property
    def dimensions(self) -> int:
        """D of the embeddings that it takes."""
        return len(self.axes.mean)

    def apply(self, values: Floats, progress: Progress | None = None) -> Vectors:
        """Whiten embeddings, block by block.

        Args:
            values: (n, D), raw as in the file; may be a memory map of any size.
            progress: called with rows done, n.

        Returns:
            (n, q); NaN for rows of zeros, and with a number that is not finite.
        """
        result = self.axes.project(values, progress)
        result /= self.deviation
        return result

    def scores(self, values: Floats, query: Floats, progress: Progress | None = None) -> Vectors:
        """Score raw embeddings (N, D) by a query (q,) of whitened ones, keeping none of them."""
        result = np.empty(len(values), dtype=np.float32)
        for start, block in similarity.blocks(values, progress):
            scored = similarity.scores(self.apply(block), query, 1)
            result[start : start + len(block)] = scored
        return result


def fit_whitening(
    values: Floats, tokens: int, count: int = AXES, power: float = POWER
) -> Whitening:
    """Find the axes of a survey and the deviation along each, on a sample of the rows.

    Args:
        values: (N, D), raw as in the file.
        tokens: T, each brought to unit length.
        count: q, the axes wanted. Fewer are kept of fewer than 1,024 objects, or fewer columns,
            and where there is no difference left between the objects.
        power: of the deviation, that axes are divided by; 1 gives all the same variance.

    Returns:
        No axes at all for fewer than 64 objects, or if they are all the same.
    """
    wanted = max(FEWEST, min(SAMPLE, _SAMPLE_BYTES // max(values.itemsize * values.shape[1], 1)))
    rows = np.concatenate([values[:0], *similarity.spread(values, wanted)])
    axes = principal_axes(rows, tokens, count)
    sample = axes.project(rows)
    sample = sample[np.isfinite(sample).all(axis=1)]
    most = len(sample) // ROWS_PER_AXIS if len(sample) >= FEWEST else 0
    if not most:
        return _first(axes, np.empty(0, dtype=np.float64))
    deviation = np.sqrt(np.square(sample, dtype=np.float64).mean(axis=0))[:most]
    # nor is the rounding of the stored numbers, of which a row has length 1, an axis
    rounding = np.finfo(values.dtype).eps / values.shape[1] ** 0.5
    known = deviation > max(_FLOOR, rounding)
    kept = deviation[: len(known) if known.all() else int(np.argmin(known))]
    return _first(axes, kept**power)


def _first(axes: Axes, deviation: npt.NDArray[np.float64]) -> Whitening:
    """Keep as many axes as there are deviations (q,)."""
    kept = Axes(axes.mean, axes.axes[: len(deviation)], axes.tokens)
    return Whitening(kept, deviation.astype(np.float32))
