"""Promised against found."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from sky_ssl.probes.reliability import reliability


def test_right_probabilities_are_found_right() -> None:
    """Drawn with their own probabilities, the bins agree within their intervals."""
    rng = np.random.default_rng(0)
    p = rng.random(5000)
    truth = rng.random(5000) < p
    r = reliability(p, truth)
    assert (np.abs(r.found[:, 0] - r.promised) < 0.07).all()
    assert r.calibration_error.mean < 0.03
    assert r.brier_score_loss.mean == pytest.approx(brier_score_loss(truth, p))
    assert r.log_loss.mean == pytest.approx(log_loss(truth, p))
    assert r.count.sum() == 5000


def test_overconfidence_is_seen() -> None:
    """Log-odds three times too large: an error far beyond that of right ones."""
    rng = np.random.default_rng(1)
    odds = rng.normal(size=4000)
    truth = rng.random(4000) < 1 / (1 + np.exp(-odds))
    r = reliability(1 / (1 + np.exp(-3 * odds)), truth)
    assert r.calibration_error.low > 0.1


def test_few_objects_make_few_bins() -> None:
    """Three objects, three bins; certainty that fails costs a finite loss."""
    r = reliability(np.array([0.0, 0.5, 1.0]), np.array([True, True, False]))
    assert len(r.promised) == 3
    assert np.isfinite(r.log_loss.mean)
