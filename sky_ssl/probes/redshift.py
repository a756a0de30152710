"""Regression figures, those of redshifts among them, and an interval for each object.

In: true and held-out predicted numbers. Out: figures with 95 % intervals; for new predictions, the
range that held 68 and 95 % of the held-out objects predicted alike.

D = (z_phot - z_spec) / (1 + z_spec); bias is the mean of D, NMAD 1.4826 median|D - median D|,
outliers have |D| > 0.15.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.probes.bootstrap import Interval, Statistic, Weights, percentiles, replicates, wilson

Numbers = npt.NDArray[np.floating]

OUTLIER = 0.15
LEVELS = (0.68, 0.95)
FOR_95 = 39
"""Held-out objects that a range of 95 % needs: one beyond it on each side of 40."""
_PER_BIN = 150  # held-out objects, so that 2.5 % of them are a few
_MOST_BINS = 8


def value_statistic(
    truth: Numbers, predicted: Numbers, redshift: bool
) -> tuple[list[str], Statistic]:
    """Give the names (k,) of the figures and their function of weights (B, n)."""
    error = predicted - truth
    names = ["r2", "mean_absolute_error", "root_mean_squared_error"]
    names += ["bias", "nmad", "outlier_fraction"] if redshift else []
    d = error / (1 + truth) if redshift else error
    sums = np.stack([error**2, np.abs(error), truth, truth**2, d, np.abs(d) > OUTLIER], axis=1)

    def statistic(weights: Weights) -> Weights:
        total = weights.sum(axis=1)
        square, size, first, second, bias, outliers = (weights @ sums / total[:, None]).T
        with np.errstate(invalid="ignore", divide="ignore"):  # one value alone has no R2
            figures = [1 - square / (second - first**2), size, np.sqrt(square)]
        if redshift:
            middle = _medians(np.broadcast_to(d, weights.shape), weights)
            spread = 1.4826 * _medians(np.abs(d - middle[:, None]), weights)
            figures += [bias, spread, outliers]
        return np.stack(figures, axis=1)

    return names, statistic


def _medians(values: Numbers, weights: Weights) -> Weights:
    """Give the weighted median (B,) of values (B, n): the mean of the two middle ones drawn."""
    order = np.argsort(values, axis=1)
    ranked = np.take_along_axis(values, order, axis=1)
    reached = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    half = reached[:, -1:] / 2
    lower = np.argmax(reached >= half - 1e-9, axis=1)
    upper = np.argmax(reached > half + 1e-9, axis=1)
    rows = np.arange(len(values))
    return np.asarray((ranked[rows, lower] + ranked[rows, upper]) / 2)


def value_figures(
    truth: Numbers,
    predicted: Numbers,
    *,
    redshift: bool,
    groups: npt.NDArray | None = None,
    seed: int = 0,
) -> dict[str, Interval]:
    """Measure a regression on held-out objects.

    Args:
        truth, predicted: (n,).
        redshift: also give bias, nmad and outlier_fraction, in units of 1 + z.
        groups: (n,) blocks of sky, resampled as wholes.
        seed: of the resamples.

    Returns:
        r2, mean_absolute_error, root_mean_squared_error and those of redshifts.
    """
    truth, predicted = np.asarray(truth, np.float64), np.asarray(predicted, np.float64)
    names, statistic = value_statistic(truth, predicted, redshift)
    value, drawn = replicates(statistic, len(truth), groups=groups, seed=seed)
    return dict(zip(names, percentiles(value, drawn), strict=True))


@dataclass(frozen=True)
class ObjectIntervals:
    """Ranges around a prediction, from held-out residuals of objects predicted alike."""

    edges: Numbers  # (B - 1,) between bins of the prediction
    offsets: Numbers  # (B, 4) to add: low and high of 68 %, low and high of 95 %

    def around(self, predicted: Numbers) -> Numbers:
        """Give (N, 4): low and high of 68 %, low and high of 95 % for predictions (N,)."""
        bins = np.searchsorted(self.edges, predicted, side="right")
        return np.asarray(np.asarray(predicted)[:, None] + self.offsets[bins])


def fit_intervals(truth: Numbers, predicted: Numbers) -> ObjectIntervals:
    """Learn the ranges from held-out predictions (split-conformal, by bins of the prediction).

    In each bin the residuals' quantiles are taken one rank further out, so that a new object of
    the same kind falls inside at least as often as promised (Vovk et al. 2005; Papadopoulos et
    al. 2008). Bins have 150 objects or more, the first and last reach to infinity. Of fewer than
    `FOR_95` objects in all no rank is far enough out for 95 %: the range from the least to the
    largest residual holds (n - 1) / (n + 1).

    Args:
        truth, predicted: (n,) of held-out objects.

    Raises:
        InputError: fewer than two.
    """
    n = len(truth)
    if n < 2:
        raise InputError(f"{n} held-out numbers: an interval needs at least 2")
    bins = int(np.clip(n // _PER_BIN, 1, _MOST_BINS))
    edges = np.quantile(predicted, np.arange(1, bins) / bins)
    place = np.searchsorted(edges, predicted, side="right")
    residual = np.asarray(truth - predicted, dtype=np.float64)
    offsets = np.empty((bins, 4))
    for k in range(bins):
        mine = np.sort(residual[place == k] if (place == k).any() else residual)
        for j, level in enumerate(LEVELS):
            # ranks from 1; k of n objects lie below rank k with probability k / (n + 1)
            below = int(np.floor((1 - level) / 2 * (len(mine) + 1)))
            offsets[k, 2 * j] = mine[max(below, 1) - 1]
            offsets[k, 2 * j + 1] = mine[len(mine) - max(below, 1)]
    return ObjectIntervals(edges, offsets)


def coverage(
    truth: Numbers, predicted: Numbers, fold: npt.NDArray[np.integer]
) -> dict[str, Interval]:
    """Measure how often the ranges hold the truth, each fold with ranges from the others.

    Args:
        truth, predicted: (n,) of held-out objects.
        fold: (n,) that each was held out in.

    Returns:
        coverage_68 and coverage_95.
    """
    inside = np.zeros((len(truth), len(LEVELS)), dtype=bool)
    for number in np.unique(fold):
        here = fold == number
        if np.count_nonzero(~here) < 2:
            return {}
        ranges = fit_intervals(truth[~here], predicted[~here]).around(predicted[here])
        for j in range(len(LEVELS)):
            low, high = ranges[:, 2 * j], ranges[:, 2 * j + 1]
            inside[here, j] = (truth[here] >= low) & (truth[here] <= high)
    hits, n = inside.sum(axis=0).tolist(), len(truth)
    return {
        f"coverage_{level:.0%}".rstrip("%"): Interval(hit / n, *wilson(hit, n))
        for level, hit in zip(LEVELS, hits, strict=True)
    }
