"""Regression figures and ranges."""

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, r2_score

from sky_ssl.probes.redshift import FOR_95, coverage, fit_intervals, value_figures


def test_figures_by_their_definitions() -> None:
    """Known D: bias, NMAD and outliers by hand, R2 as scikit-learn has it."""
    z = np.array([0.1, 0.5, 1.0, 2.0, 3.0])
    d = np.array([0.01, -0.02, 0.03, 0.2, -0.16])
    f = value_figures(z, z + d * (1 + z), redshift=True)
    assert f["bias"].mean == pytest.approx(d.mean())
    assert f["nmad"].mean == pytest.approx(1.4826 * np.median(np.abs(d - np.median(d))))
    assert f["outlier_fraction"].mean == pytest.approx(0.4)
    assert f["r2"].mean == pytest.approx(r2_score(z, z + d * (1 + z)))
    assert f["mean_absolute_error"].mean == pytest.approx(mean_absolute_error(z, z + d * (1 + z)))
    assert "bias" not in value_figures(z, z, redshift=False)


def test_median_of_an_even_number() -> None:
    """The mean of the two middle ones, as numpy has it."""
    rng = np.random.default_rng(0)
    z, d = rng.uniform(0, 1, 10), rng.normal(size=10)
    f = value_figures(z, z + d * (1 + z), redshift=True)
    assert f["nmad"].mean == pytest.approx(1.4826 * np.median(np.abs(d - np.median(d))))


def test_intervals_hold_the_truth() -> None:
    """NMAD of a Gaussian is its deviation: within the interval in 90 % or more of samples."""
    inside = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        z = rng.uniform(0, 2, 200)
        f = value_figures(z, z + 0.05 * rng.normal(size=200) * (1 + z), redshift=True, seed=seed)
        inside += f["nmad"].low <= 0.05 <= f["nmad"].high
    assert inside >= 90


def heteroscedastic(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Predictions whose errors grow with the prediction, and are skew."""
    rng = np.random.default_rng(seed)
    predicted = rng.uniform(0, 3, n)
    return predicted + (0.02 + 0.1 * predicted) * (rng.exponential(size=n) - 1), predicted


def test_ranges_cover_what_they_promise() -> None:
    """68 and 95 % of a test set, also within the low and the high half of the predictions."""
    ranges = fit_intervals(*heteroscedastic(3000, 0))
    truth, predicted = heteroscedastic(4000, 1)
    r = ranges.around(predicted)
    for part in (predicted < 1.5, predicted >= 1.5):
        one = (truth >= r[:, 0]) & (truth <= r[:, 1])
        two = (truth >= r[:, 2]) & (truth <= r[:, 3])
        assert one[part].mean() == pytest.approx(0.68, abs=0.04)
        assert two[part].mean() == pytest.approx(0.95, abs=0.02)
    assert (r[predicted > 2.5, 1] - r[predicted > 2.5, 0]).mean() > 3 * (
        r[predicted < 0.5, 1] - r[predicted < 0.5, 0]
    ).mean()


def test_few_objects_never_promise_too_much() -> None:
    """With 40 held-out objects the 68 % range holds at least that on average."""
    held = []
    for seed in range(200):
        ranges = fit_intervals(*heteroscedastic(40, seed))
        truth, predicted = heteroscedastic(200, 1000 + seed)
        r = ranges.around(predicted)
        held.append(np.mean((truth >= r[:, 0]) & (truth <= r[:, 1])))
    assert np.mean(held) > 0.67
    held = {}
    for n in (8, FOR_95 - 1, FOR_95):
        inside = []
        for seed in range(2000):
            low, high = fit_intervals(*heteroscedastic(n, seed)).offsets[0, 2:]
            residual = np.subtract(*heteroscedastic(50, 9000 + seed))
            inside.append(np.mean((residual >= low) & (residual <= high)))
        held[n] = np.mean(inside)
    assert held[8] == pytest.approx(7 / 9, abs=0.02)
    assert held[FOR_95 - 1] < held[FOR_95]
    assert held[FOR_95] == pytest.approx(0.95, abs=0.007)
    with pytest.raises(ValueError, match="at least 2"):
        fit_intervals(np.ones(1), np.ones(1))


def test_coverage_is_measured_on_other_folds() -> None:
    """Near the promise for honest residuals; nothing where there is one fold alone."""
    truth, predicted = heteroscedastic(2000, 2)
    found = coverage(truth, predicted, np.arange(2000) % 5)
    assert found["coverage_68"].low < 0.68 < found["coverage_68"].high
    assert found["coverage_95"].low < 0.95 < found["coverage_95"].high
    assert coverage(truth, predicted, np.zeros(2000, dtype=int)) == {}
