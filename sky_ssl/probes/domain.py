"""Is an object like those a probe was trained on, or out of its range?

In: training embeddings (n, D), and their redshifts where there are any. Out: a distance and a flag
for any number of rows, block by block.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sky_ssl.probes.scoring import BLOCK_ROWS

Features = npt.NDArray[np.floating]
Numbers = npt.NDArray[np.float64]

_AXES = 64
_SHARE = 99.5  # percent of held-out training objects within the limit


@dataclass(frozen=True)
class Domain:
    """The cloud of training embeddings: a Gaussian, wide along few axes, alike along the rest."""

    mean: Numbers  # (D,)
    std: Numbers  # (D,)
    axes: Numbers  # (r, D) unit vectors in standardised features
    widths: Numbers  # (r,) deviations along them
    rest: float  # deviation along each other direction
    limit: float = np.inf  # distance that 99.5 % of held-out training objects keep

    def distance(self, values: Features) -> Numbers:
        """Give the Mahalanobis distance (N,) of rows (N, D), per square root of D."""
        D = len(self.mean)
        result = np.empty(len(values))
        weights = (self.axes * (1 / self.widths**2 - 1 / self.rest**2)[:, None]).astype(np.float32)
        axes = self.axes.astype(np.float32)
        for start in range(0, len(values), BLOCK_ROWS):
            z = np.asarray(values[start : start + BLOCK_ROWS], dtype=np.float32)
            z = ((z - self.mean) / self.std).astype(np.float32)
            square = (z**2).sum(axis=1) / self.rest**2 + ((z @ axes.T) * (z @ weights.T)).sum(
                axis=1
            )
            result[start : start + len(z)] = np.sqrt(np.maximum(square, 0.0) / D)
        return result

    def outside(self, values: Features) -> npt.NDArray[np.bool_]:
        """Flag rows (N,) farther out than 99.5 % of the training objects were when held out."""
        return ~(self.distance(values) <= self.limit)


def fit_domain(x: Features, *, folds: int = 5, seed: int = 0) -> Domain:
    """Learn where the training objects lie, and the limit on held-out folds of them.

    Probabilistic PCA (Tipping & Bishop 1999, J. R. Statist. Soc. B 61, 611) of standardised
    features, with at most 64 axes.

    Args:
        x: (n, D) without NaN, two or more rows.
        folds, seed: of the held-out distances.
    """
    x = np.asarray(x).astype(np.float64)
    order = np.random.default_rng(seed).permutation(len(x))
    held = []
    for k in range(min(folds, len(x) // 2)):
        test = np.zeros(len(x), dtype=bool)
        test[order[k::folds]] = True
        held.append(_fit(x[~test]).distance(x[test]))
    limit = float(np.percentile(np.concatenate(held), _SHARE)) if held else np.inf
    fitted = _fit(x)
    return Domain(fitted.mean, fitted.std, fitted.axes, fitted.widths, fitted.rest, limit)


def _fit(x: npt.NDArray) -> Domain:
    n, D = x.shape
    mean, std = x.mean(axis=0), x.std(axis=0)
    std[std <= 1e-6 * np.abs(mean)] = 1.0
    z = (x - mean) / std
    squares, axes = np.linalg.eigh(z.T @ z / n if n >= D else z @ z.T / n)
    squares, axes = squares[::-1], axes[:, ::-1]
    count = int(min(_AXES, n // 4, D - 1, np.count_nonzero(squares > squares[0] * 1e-9)))
    wide = np.maximum(squares[:count], 1e-12)
    along = axes[:, :count].T if n >= D else (axes[:, :count] / np.sqrt(n * wide)).T @ z
    rest = np.sqrt(max((squares.sum() - squares[:count].sum()) / max(D - count, 1), 1e-6))
    return Domain(mean, std, along, np.maximum(np.sqrt(wide), rest), float(rest))
