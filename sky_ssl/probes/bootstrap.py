"""Intervals by resampling: objects, or whole groups of them such as blocks of sky.

In: a figure as a function of weights. Out: its value with a 95 % interval. A resample is a weight
per object (how often it was drawn), so a figure sorts its scores once, not once per resample.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.float64]  # (B, n)
Statistic = Callable[[Weights], npt.NDArray[np.float64]]

RESAMPLES = 1000
LEAST_GROUPS = 8  # below this the scatter between groups cannot be told
_CHUNK = 4_000_000  # weights in memory at a time


class Interval(NamedTuple):
    """A figure with its 95 % interval."""

    mean: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """Give plain values for JSON."""
        return {"mean": self.mean, "low": self.low, "high": self.high}
