"""Cross-validation by groups."""

import numpy as np
import pytest
from scipy.stats import norm

from sky_ssl.probes.crossval import (
    cross_validate_classes,
    cross_validate_values,
    tune_classes,
    tune_values,
)
from sky_ssl.probes.folds import Apart, deal, far_from, parts, possible_folds
from sky_ssl.probes.metrics import class_figures


def gaussians(n: int, seed: int, apart: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2 == 0
    x = rng.normal(size=(n, 10))
    x[:, 0] += apart * y
    return x, y


def test_groups_are_never_on_both_sides() -> None:
    """Every group lies in one fold; every fold has about its share of each class."""
    rng = np.random.default_rng(0)
    groups, y = rng.integers(0, 40, 2000), rng.random(2000) < 0.1
    fold = deal(y, groups, 5, seed=1)
    assert all(len(np.unique(fold[groups == g])) == 1 for g in range(40))
    share = np.bincount(fold[y], minlength=5) / y.sum()
    assert (np.abs(share - 0.2) < 0.05).all()
    for train, test in parts(fold):
        assert not set(groups[train]) & set(groups[test])
        assert len(train) + len(test) == 2000


def test_single_objects_are_dealt_evenly() -> None:
    """Five of a class in five folds: one each; a seed repeats the deal, another changes it."""
    y = np.arange(100) < 5
    fold = deal(y, None, 5, seed=0)
    assert sorted(fold[y]) == [0, 1, 2, 3, 4]
    assert (deal(y, None, 5, seed=0) == fold).all()
    assert (deal(y, None, 5, seed=1) != fold).any()


def test_folds_that_are_possible() -> None:
    """No more than the rarest class has members, or groups."""
    y = np.array([0, 0, 0, 1, 1, 1, 1])
    assert possible_folds(y, None) == 3
    assert possible_folds(y, np.array([0, 1, 2, 5, 5, 5, 5])) == 1
    assert possible_folds(np.zeros(7), None) == 5


def test_training_objects_near_a_test_object_are_left_out() -> None:
    """Within the distance, dropped; unknown places stay."""
    points = np.array([[0.0, 0, 0], [0.1, 0, 0], [5, 0, 0], [np.nan, 0, 0]])
    train, test = np.array([1, 2, 3]), np.array([0])
    assert far_from(train, test, Apart(points, 0.2)).tolist() == [2, 3]
    assert far_from(train, test, Apart(points, 0.0)).tolist() == [1, 2, 3]


def test_separable_gaussians_give_the_bayes_accuracy() -> None:
    """Two Gaussians 2 apart: 84.1 % is the best there is, and lies in the interval."""
    x, y = gaussians(2000, 0)
    held = cross_validate_classes(x, y)
    found = class_figures(y, held.values, np.array([False, True]))["balanced_accuracy"]
    assert found.low < norm.cdf(1) < found.high


def test_shuffled_labels_are_chance() -> None:
    """Balanced accuracy 0.5 and AUC 0.5 within their intervals, also with 90 % of one kind."""
    x, _ = gaussians(600, 1)
    y = np.random.default_rng(2).random(600) < 0.1
    f = class_figures(y, cross_validate_classes(x, y).values, np.array([False, True]))
    assert f["balanced_accuracy"].low < 0.5 < f["balanced_accuracy"].high
    assert f["roc_auc"].low < 0.5 < f["roc_auc"].high


def test_what_leaks_between_neighbours_is_found_out() -> None:
    """Twins with the same random label: random folds look perfect, folds by twin are chance."""
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(150), 2)
    x = rng.normal(size=(150, 200))[groups] + 1e-3 * rng.normal(size=(300, 200))
    y = (rng.random(150) < 0.5)[groups]
    names = np.array([False, True])
    apart = class_figures(y, cross_validate_classes(x, y, groups).values, names, groups=groups)
    mixed = class_figures(y, cross_validate_classes(x, y).values, names)
    assert mixed["balanced_accuracy"].mean > 0.8
    assert apart["balanced_accuracy"].low < 0.5 < apart["balanced_accuracy"].high


def test_held_out_log_odds_are_calibrated() -> None:
    """Objects with held-out log-odds of about 1 are positive about 73 % of the time."""
    x, y = gaussians(4000, 4)
    values = cross_validate_classes(x, y).values
    for odds in (-1.0, 0.0, 1.0):
        near = np.abs(values - odds) < 0.3
        assert y[near].mean() == pytest.approx(1 / (1 + np.exp(-odds)), abs=0.07)


def test_few_labels_are_still_fitted() -> None:
    """Two labels: a plane, no calibration; six: a calibration as well."""
    x, y = gaussians(6, 5, apart=6.0)
    two = tune_classes(x[:2], y[:2])
    assert two.calibration is None
    assert two.decision(x[:2], np.array([False, True])).shape == (2,)
    assert tune_classes(x, y).calibration is not None


def test_a_class_that_training_lacked_is_never_predicted() -> None:
    """Its column is -inf; the others are in the order of the classes."""
    x, _ = gaussians(30, 6)
    y = np.array(["a", "c"])[np.arange(30) % 2]
    tuned = tune_classes(x, y)
    decision = tuned.decision(x, np.array(["a", "b", "c"]))
    assert np.isneginf(decision[:, 1]).all()
    assert np.isfinite(decision[:, [0, 2]]).all()


def test_numbers_are_predicted_by_others() -> None:
    """A linear relation is found on held-out objects; noise is not."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(300, 5))
    y = x @ [1.0, 2.0, 0.0, 0.0, -1.0] + 0.1 * rng.normal(size=300)
    held = cross_validate_values(x, y, np.arange(300) // 10)
    assert 1 - np.var(held.values - y) / np.var(y) > 0.98
    noise = cross_validate_values(x, rng.normal(size=300))
    assert np.corrcoef(noise.values, y)[0, 1] < 0.3
    assert tune_values(x[:3], y[:3])[1] == 100.0


def test_redshifts_are_judged_in_units_of_1_plus_z() -> None:
    """With noise in ln(1 + z), the fit of that has the smaller errors in (1 + z)."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(600, 4))
    z = np.expm1(np.abs(0.5 + 0.4 * x[:, 0] + 0.05 * rng.normal(size=600)))
    errors = {}
    for redshift in (False, True):
        held = cross_validate_values(x, z, redshift=redshift)
        errors[redshift] = float(np.median(np.abs(held.values - z) / (1 + z)))
    assert errors[True] < 0.8 * errors[False]
