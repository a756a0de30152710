"""Linear probes."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from sky_ssl.probes.linear import probe_classes, probe_values


def test_separable_classes_are_found() -> None:
    """Three clusters far apart are told apart; the score is scikit-learn's."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    x = rng.normal(size=(300, 5)) + 3 * np.eye(5)[y]
    scores = probe_classes(x[:150], y[:150], x[150:], y[150:])
    assert scores.balanced_accuracy > 0.9
    expected = balanced_accuracy_score(y[150:], scores.predicted)
    assert scores.balanced_accuracy == pytest.approx(expected)


def test_a_class_unknown_in_training_counts_as_missed() -> None:
    """Two known classes found and one unknown: two thirds."""
    x = np.array([[0.0], [0.1], [5.0], [5.1]])
    y = np.array(["a", "a", "b", "b"])
    x_test, y_test = np.array([[0.0], [5.0], [9.0]]), np.array(["a", "b", "c"])
    scores = probe_classes(x, y, x_test, y_test, strength=100.0)
    assert scores.balanced_accuracy == pytest.approx(2 / 3)


def test_a_line_is_found_whatever_the_units() -> None:
    """A linear relation is recovered from features of very different scales."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3)) * [1e-6, 1.0, 1e6]
    y = x @ [2e6, 1.0, -1e-6] + 5
    assert probe_values(x[:200], y[:200], x[200:], y[200:], strength=1e-3).r2 > 0.999


def test_noise_has_no_score() -> None:
    """Labels without a relation give no R2 and balanced accuracy of chance."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 3)), rng.normal(size=400)
    assert probe_values(x[:200], y[:200], x[200:], y[200:]).r2 < 0.1
    labels = y > 0
    scores = probe_classes(x[:200], labels[:200], x[200:], labels[200:])
    assert scores.balanced_accuracy == pytest.approx(0.5, abs=0.1)
