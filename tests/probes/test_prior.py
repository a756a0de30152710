"""What the unlabelled survey tells a probe: an equivalent penalty, and that it helps."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from sky_ssl.probes.crossval import cross_validate_classes, tune_classes
from sky_ssl.probes.linear import fit_classes
from sky_ssl.probes.prior import fit_prior, sample_size


def survey(n: int, D: int = 24, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Make features with axes of very different widths; the kind lies along narrow ones."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(np.random.default_rng(9).normal(size=(D, D)))[0]
    width = np.geomspace(10, 0.05, D)
    kind = rng.random(n) < 0.5
    coordinates = rng.normal(size=(n, D)) * width
    coordinates[:, -6:] += np.where(kind, 0.5, -0.5)[:, None] * width[-6:]
    return coordinates @ turn + 3.0, kind


def test_each_axis_is_divided_by_the_root_of_its_deviation() -> None:
    """After the map all axes are the square root as wide as before, and 1 in the mean."""
    x, _ = survey(5000)
    prior = fit_prior(x)
    assert prior is not None
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    before = np.linalg.eigvalsh(z.T @ z / len(z))
    mapped = prior.apply(x)
    after = np.linalg.eigvalsh(mapped.T @ mapped / len(z))
    assert after.mean() == pytest.approx(1, rel=1e-6)
    np.testing.assert_allclose(prior.apply(x[4090:4100]), mapped[4090:4100], rtol=1e-9, atol=1e-9)
    ratio = after / np.sqrt(before)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)


def test_the_classifier_is_for_the_features_as_they_are() -> None:
    """Decision values are those of scikit-learn on the mapped features, with the same penalty."""
    x, kind = survey(300)
    prior = fit_prior(survey(4000, seed=1)[0])
    assert prior is not None
    found = prior.unfolded(fit_classes(prior.apply(x), kind, strength=0.3, scaled=True))
    model = LogisticRegression(C=0.3, class_weight="balanced", tol=1e-8, max_iter=5000)
    expected = model.fit(prior.apply(x), kind).decision_function(prior.apply(x))
    np.testing.assert_allclose(found.decision(x), expected, atol=2e-3)


def test_few_labels_say_more() -> None:
    """What tells kinds apart is narrow, as it is in embeddings: 40 labels find it."""
    sample, (test, truth) = survey(4000, seed=1)[0], survey(4000, seed=2)
    prior = fit_prior(sample)
    reached: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(8):
        x, kind = survey(40, seed=10 + seed)
        for use, values in reached.items():
            probe = tune_classes(x, kind, prior=prior if use else None)
            score = probe.model.decision(test) > 0
            values.append(balanced_accuracy_score(truth, score))
    assert np.mean(reached[True]) > np.mean(reached[False]) + 0.03


def test_held_out_values_are_of_the_same_probe() -> None:
    """Cross-validation with a prior is the probe with that prior on each training part."""
    x, kind = survey(120)
    prior = fit_prior(survey(4000, seed=1)[0])
    held = cross_validate_classes(x, kind, folds=3, prior=prior)
    for number in range(3):
        train = held.fold != number
        probe = tune_classes(x[train], kind[train], folds=3, seed=number + 1, prior=prior)
        expected = probe.decision(x[~train], np.array([False, True]))
        np.testing.assert_allclose(held.values[~train], expected, atol=1e-4)
    assert not np.allclose(held.values, cross_validate_classes(x, kind, folds=3).values, atol=0.1)


def test_axes_that_a_small_sample_cannot_know_are_taken_as_the_last_known() -> None:
    """Of 80 objects 20 axes are known: noise beyond them is not blown up."""
    x, _ = survey(80)
    prior = fit_prior(x)
    assert prior is not None
    assert len(prior.axes) == 20
    assert prior.gains[-1] == pytest.approx(0, abs=1e-12)
    large = np.hstack([x, np.random.default_rng(0).normal(size=(80, 400))])
    wide = fit_prior(large)  # more features than objects: the same by the other matrix
    assert wide is not None
    np.testing.assert_allclose(wide.axes @ wide.axes.T, np.eye(len(wide.axes)), atol=1e-8)
    assert np.square(wide.apply(large)).mean() == pytest.approx(1, rel=1e-6)


def test_nothing_to_say() -> None:
    """Fewer than 64 objects, or all the same; NaN rows and constant features do no harm."""
    x, _ = survey(200)
    assert fit_prior(x[:63]) is None
    assert fit_prior(np.ones((100, 4))) is None
    dirty = np.column_stack([x, np.full(200, 7.0)])
    dirty[:20, 0] = np.nan
    prior = fit_prior(dirty)
    assert prior is not None
    mapped = prior.apply(dirty[20:])
    assert np.square(mapped).sum() / (180 * 24) == pytest.approx(1, rel=1e-6)  # 24 that vary
    assert sample_size(512) > sample_size(6144)
