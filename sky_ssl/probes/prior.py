"""What the unlabelled survey tells a probe: along which directions embeddings differ how much.

In: a sample of features (m, D) without labels. Out: a `Prior` for the coefficients of a plane. A
ridge penalty on standardised features lets the few directions along which all objects of a survey
differ, brightness above all, carry the plane, and the fine ones that tell kinds apart hardly
count. Here each principal axis is divided by the root of its deviation first, half-way to equal
variance, as the search does: w ~ N(0, C^-1/2) instead of N(0, 1), C the covariance of the survey.
No label enters. On two mock skies it lifted the average precision of 200 labels from .54 to .63,
of 30 labels by half, and did no harm at 1,000.
"""

from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from sky_ssl.probes.linear import Features, LinearClassifier, Numbers

POWER = 0.5
"""Of the deviation along an axis, which it is divided by: 0 leaves axes alone, 1 whitens fully."""
SAMPLE = 16_384
"""Objects that the axes are found on; of very long features `_SHORT_SAMPLE`."""
_SHORT_SAMPLE, _LONG = 2048, 2048  # rows, from so many features on: time goes with the cube
_ROWS_PER_AXIS = 4  # objects that it takes to know how wide an axis is
_BLOCK = 4096  # rows mapped at a time
_FEWEST = 64  # objects that it takes to say anything


@dataclass(frozen=True)
class Prior:
    """A linear map of standardised features, after which an equal penalty is right for all."""

    mean: Numbers  # (D,) of the survey
    std: Numbers  # (D,)
    axes: Numbers  # (k, D) orthonormal, the widest first
    gains: Numbers  # (k,) what each axis is multiplied by, beyond `rest`
    rest: float  # what all other directions are multiplied by

    def apply(self, x: Features) -> Numbers:
        """Map features (n, D) to (n, D), of mean square 1 over the survey where they vary."""
        n, D = x.shape
        mapped = np.empty((n, D))
        for first in range(0, n, _BLOCK):  # only what is given back is ever there as a whole
            rows = slice(first, first + _BLOCK)
            z = (np.asarray(x[rows], dtype=np.float64) - self.mean) / self.std
            mapped[rows] = self.rest * z + ((z @ self.axes.T) * self.gains) @ self.axes
        return mapped

    def unfolded(self, fitted: LinearClassifier) -> LinearClassifier:
        """Give a classifier that was fitted on mapped features for the features themselves."""
        c = fitted.coefficients
        mapped = self.rest * c + ((c @ self.axes.T) * self.gains) @ self.axes
        return replace(fitted, coefficients=mapped, mean=self.mean, std=self.std)


def sample_size(dimensions: int) -> int:
    """Give how many objects to find the axes of so many features on."""
    return SAMPLE if dimensions <= _LONG else _SHORT_SAMPLE


def fit_prior(sample: Features) -> Prior | None:
    """Find the principal axes of a survey, and how wide it is along each.

    Axes that the sample is too small to know, four objects to an axis, are taken to be as wide as
    the last one that it knows.

    Args:
        sample: (m, D) features of any objects of the survey, as the probe sees them; rows with NaN
            are left out.

    Returns:
        None where there are fewer than 64 objects, or they are all the same.
    """
    x = np.asarray(sample, dtype=np.float64)
    x = x[np.isfinite(x).all(axis=1)]
    m, D = x.shape
    if m < _FEWEST:
        return None
    mean, std = x.mean(axis=0), x.std(axis=0)
    constant = std <= 10 * np.finfo(np.float32).eps * np.abs(mean)
    if constant.all():
        return None
    std[constant] = 1.0
    known = max(1, min(D, m // _ROWS_PER_AXIS))
    with threadpool_limits(1, "blas"):  # the same sums on any number of cores
        squares, axes = _principal((x - mean) / std, known)
    width = squares ** (POWER / 2)
    rest = 1 / width[-1]
    # of mean square 1 over the survey, as standardised features are, so that the same penalties fit
    varying = D - int(constant.sum())
    left = max(0.0, varying - float(squares.sum()))  # along all other directions
    spread = float((squares / width**2).sum()) + left * rest**2
    scale = 1 / np.sqrt(max(spread, np.finfo(float).tiny) / varying)
    return Prior(mean, std, axes, scale * (1 / width - rest), scale * rest)


def _principal(z: Numbers, known: int) -> tuple[Numbers, Numbers]:
    """Find the widest axes: mean squares (k,) and axes (k, D), from the smaller of two matrices."""
    m, D = z.shape
    if D <= m:
        squares, vectors = np.linalg.eigh(z.T @ z / m)
        squares, axes = squares[::-1][:known], vectors[:, ::-1][:, :known].T
    else:
        squares, u = np.linalg.eigh(z @ z.T / m)
        squares, u = squares[::-1][:known], u[:, ::-1][:, :known]
        axes = u.T @ z / np.sqrt(np.maximum(squares, np.finfo(float).tiny) * m)[:, None]
    wide = squares > squares[0] * 1e-9  # narrower are the rounding errors of features in float32
    return squares[wide], axes[wide]
