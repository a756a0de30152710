"""Intervals by resampling: objects, or whole groups of them such as blocks of sky.

In: a figure as a function of weights. Out: its value with a 95 % interval. A resample is a weight
per object (how often it was drawn), so a figure sorts its scores once, not once per resample.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.float64]  # (B, n)
Statistic = Callable[[Weights], npt.NDArray[np.float64]]  # (B, n) -> (B, k)

RESAMPLES = 1000
LEAST_GROUPS = 10  # with fewer the scatter between groups cannot be told
_CHUNK = 4_000_000  # weights in memory at a time
_WORK = 60_000_000  # weights in all: long lists need fewer resamples


class Interval(NamedTuple):
    """A figure with its 95 % interval."""

    mean: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """Give plain values for JSON."""
        return {"mean": self.mean, "low": self.low, "high": self.high}


def resamples_for(n: int) -> int:
    """Give the number of resamples that `n` objects are worth, 200 to 1000."""
    return int(np.clip(_WORK // max(n, 1), 200, RESAMPLES))


def group_numbers(groups: npt.NDArray | None, n: int) -> tuple[int, npt.NDArray[np.int64] | None]:
    """Number the groups (n,) from 0; None where there are too few to be resampled."""
    if groups is None:
        return n, None
    found, numbers = np.unique(groups, return_inverse=True)
    enough = len(found) >= LEAST_GROUPS
    return (len(found), numbers.astype(np.int64)) if enough else (n, None)


def resampled(
    n: int, groups: npt.NDArray | None, count: int, seed: int
) -> Iterator[npt.NDArray[np.float64]]:
    """Draw `count` resamples of `n` objects, as weights (b, n) piece by piece.

    Args:
        n: objects.
        groups: (n,) what is drawn as one; None, or too few of them, for single objects.
        count: resamples.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    units, numbers = group_numbers(groups, n)
    step = max(1, _CHUNK // max(n, 1))
    for start in range(0, count, step):
        size = min(step, count - start)
        drawn = rng.multinomial(units, np.full(units, 1 / units), size=size)
        yield (drawn if numbers is None else drawn[:, numbers]).astype(np.float64)


def replicates(
    statistic: Statistic,
    n: int,
    *,
    groups: npt.NDArray | None = None,
    seed: int = 0,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Compute figures on the objects and on resamples of them.

    Args:
        statistic: gives (B, k) figures for weights (B, n); NaN where one is not defined.
        n: objects.
        groups: (n,) what is drawn as one.
        seed: of the draws.

    Returns:
        Values (k,) and replicates (B, k).
    """
    value = statistic(np.ones((1, n)))[0]
    parts = [statistic(weights) for weights in resampled(n, groups, resamples_for(n), seed)]
    return value, np.concatenate(parts)


def percentiles(value: npt.NDArray[np.float64], drawn: npt.NDArray[np.float64]) -> list[Interval]:
    """Give the 95 % percentile interval of each figure: value (k,), replicates (B, k)."""
    result = []
    for one, column in zip(value.tolist(), drawn.T, strict=True):
        finite = column[np.isfinite(column)]
        low, high = np.percentile(finite, [2.5, 97.5]) if finite.size else (np.nan, np.nan)
        result.append(Interval(one, float(low), float(high)))
    return result


def wilson(hits: float, of: float) -> tuple[float, float]:
    """Give the 95 % limits of a share (Wilson 1927), of use also where all or none are hits."""
    if of <= 0:
        return 0.0, 1.0
    z2, p = 1.959964**2, hits / of
    centre = (p + z2 / (2 * of)) / (1 + z2 / of)
    half = np.sqrt(z2 * p * (1 - p) / of + z2**2 / (4 * of**2)) / (1 + z2 / of)
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def widened(interval: Interval, low: float, high: float) -> Interval:
    """Widen an interval to hold another one: resampling alone never leaves 0 or 1."""
    if not np.isfinite(interval.mean):
        return interval
    return Interval(
        interval.mean,
        float(np.fmin(interval.low, low)),
        float(np.fmax(interval.high, high)),
    )
