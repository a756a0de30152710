"""Intervals by resampling."""

import numpy as np
import pytest

from sky_ssl.probes.bootstrap import (
    Interval,
    percentiles,
    replicates,
    resampled,
    resamples_for,
    widened,
    wilson,
)


def mean_of(values: np.ndarray):
    return lambda weights: (weights @ values / weights.sum(axis=1))[:, None]


def test_coverage_of_a_mean() -> None:
    """Of 200 samples about 95 % have the true mean inside their interval."""
    inside = 0
    for seed in range(200):
        values = np.random.default_rng(seed).normal(size=60)
        interval = percentiles(*replicates(mean_of(values), 60, seed=seed))[0]
        inside += interval.low <= 0 <= interval.high
    assert 180 <= inside <= 199


def test_groups_that_are_alike_widen_the_interval() -> None:
    """20 groups of 30 equal values tell as much as 20 values; single objects would claim more."""
    inside, alone = 0, 0
    groups = np.repeat(np.arange(20), 30)
    for seed in range(100):
        values = np.random.default_rng(seed).normal(size=20)[groups]
        grouped = percentiles(*replicates(mean_of(values), 600, groups=groups, seed=seed))[0]
        single = percentiles(*replicates(mean_of(values), 600, seed=seed))[0]
        inside += grouped.low <= 0 <= grouped.high
        alone += single.low <= 0 <= single.high
    assert inside >= 85
    assert alone < 60


def test_resamples_keep_the_number_of_units() -> None:
    """Each resample draws as many objects, or groups, as there are; a seed repeats it."""
    weights = np.concatenate(list(resampled(50, None, 200, seed=1)))
    assert weights.shape == (200, 50)
    assert (weights.sum(axis=1) == 50).all()
    groups = np.repeat(np.arange(12), 5)
    grouped = np.concatenate(list(resampled(60, groups, 10, seed=1)))
    assert (grouped[:, ::5].sum(axis=1) == 12).all()
    assert (grouped.reshape(10, 12, 5) == grouped.reshape(10, 12, 5)[:, :, :1]).all()
    again = np.concatenate(list(resampled(60, groups, 10, seed=1)))
    assert (again == grouped).all()


def test_long_lists_need_fewer_resamples() -> None:
    """A thousand for few objects, two hundred for a million."""
    assert (resamples_for(1000), resamples_for(1_000_000)) == (1000, 200)


def test_wilson_knows_that_ten_of_ten_prove_little() -> None:
    """Known values: 10 of 10 is 0.72 to 1, 0 of 10 is 0 to 0.28."""
    assert wilson(10, 10) == pytest.approx((0.722, 1.0), abs=1e-3)
    assert wilson(0, 10) == pytest.approx((0.0, 0.278), abs=1e-3)
    assert wilson(0, 0) == (0.0, 1.0)
    assert widened(Interval(1.0, 1.0, 1.0), 0.7, 1.0) == (1.0, 0.7, 1.0)


def test_undefined_resamples_are_left_out() -> None:
    """A figure that some resamples do not have gets its interval from the others."""
    drawn = np.array([[1.0], [np.nan], [3.0]])
    assert percentiles(np.array([2.0]), drawn)[0].high == pytest.approx(2.95)
    assert np.isnan(percentiles(np.array([np.nan]), drawn * np.nan)[0].low)
