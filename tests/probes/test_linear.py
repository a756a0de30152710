"""Linear probes."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sky_ssl.errors import InputError
from sky_ssl.probes.linear import fit_classes, fit_values, probe_classes, probe_values


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


@pytest.mark.parametrize(("n", "kinds"), [(60, 2), (60, 3), (400, 2), (2000, 2)])
def test_the_plane_is_that_of_a_pipeline(n: int, kinds: int) -> None:
    """Standardisation folded into the coefficients decides as scikit-learn's pipeline does."""
    rng = np.random.default_rng(n)
    y = rng.integers(0, kinds, n)
    x = rng.normal(size=(n, 100)) * rng.uniform(0.1, 30, 100) + rng.normal(0, 50, 100)
    x[:, :2] += 5 * y[:, None]
    model = make_pipeline(
        StandardScaler(),
        LogisticRegression(C=0.05, class_weight="balanced", max_iter=5000, tol=1e-7),
    )
    new = rng.normal(size=(300, 100)) * 10 + 20
    expected = model.fit(x, y).decision_function(new)
    found = fit_classes(x, y, strength=0.05).decision(new)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=0.01 * expected.std())


@pytest.mark.parametrize("n", [40, 300])
def test_ridge_is_that_of_a_pipeline(n: int) -> None:
    """Fewer and more labels than features give scikit-learn's ridge."""
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(n, 80)) * 3 + 7, rng.normal(size=n)
    model = make_pipeline(StandardScaler(), Ridge(alpha=12.0)).fit(x, y)
    found = fit_values(x, y, strength=12.0).predict(x)
    np.testing.assert_allclose(found, model.predict(x), atol=1e-5)


def test_two_labels_make_a_plane_between_them() -> None:
    """One object of each kind suffices for a fit, and each lies on its own side."""
    x = np.random.default_rng(0).normal(size=(2, 50))
    model = fit_classes(x, np.array(["dwarf", "star"]))
    assert model.predict(x).tolist() == ["dwarf", "star"]
    assert model.decision(x).sum() == pytest.approx(0, abs=1e-5)
    assert model.probabilities(x).sum(axis=1) == pytest.approx([1, 1])


def test_one_kind_alone_is_refused() -> None:
    """The message says how many there are of what."""
    with pytest.raises(ValueError, match="all 3 are dwarf; a probe needs at least two kinds"):
        fit_classes(np.ones((3, 4)), np.array(["dwarf"] * 3))
    with pytest.raises(ValueError, match="1 of 3 rows have NaN"):
        fit_classes(np.array([[1.0], [np.nan], [2.0]]), np.array([0, 1, 1]))
    with pytest.raises(ValueError, match="at least two"):
        fit_values(np.ones((1, 4)), np.ones(1))


def test_constant_features_do_nothing() -> None:
    """A feature that is always the same, even a large one, leaves the decision as it is."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 3)), rng.integers(0, 2, 50)
    wider = np.column_stack([x, np.full(50, 1e7)])
    plain, other = fit_classes(x, y).decision(x), fit_classes(wider, y).decision(wider)
    np.testing.assert_allclose(plain, other, atol=1e-4)


def test_redshifts_are_fitted_as_the_logarithm_of_1_plus_z() -> None:
    """Exact where ln(1 + z) is linear; no prediction far beyond what was learnt; none of -1."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    z = np.expm1(0.3 * x[:, 0] - 0.1 * x[:, 1] + 0.8)
    model = fit_values(x, z, strength=1e-6, redshift=True)
    np.testing.assert_allclose(model.predict(x), z, rtol=1e-3)
    np.testing.assert_allclose(np.expm1(model.linear(x)), z, rtol=1e-3)
    far = np.zeros((2, 3))
    far[:, 0] = 1e4, -1e4
    learnt = np.log1p(z)
    reach = 0.2 * (learnt.max() - learnt.min())
    found = np.log1p(model.predict(far))
    np.testing.assert_allclose(found, [learnt.max() + reach, learnt.min() - reach], rtol=1e-3)
    assert np.isnan(model.predict(np.full((1, 3), np.nan))).all()
    with pytest.raises(InputError, match=r"a redshift of -9\.9; they must be above -1"):
        fit_values(x, np.r_[-9.9, z[1:]], redshift=True)
