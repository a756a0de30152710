"""Figures of classifiers."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn import metrics as sk

from sky_ssl.probes.metrics import (
    average_precision_at,
    class_figures,
    class_statistic,
    confusion_matrix,
    ranking,
)

TWO = np.array([False, True])


def two_gaussians(n: int, seed: int, apart: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.3
    return truth, rng.normal(size=n) + apart * (truth - 0.5)


def test_figures_are_those_of_scikit_learn() -> None:
    """With ties, and for weights as well, against the reference."""
    truth, score = two_gaussians(300, 0)
    score = np.round(score, 1)
    f = class_figures(truth, score, TWO)
    said = score > 0
    assert f["roc_auc"].mean == pytest.approx(sk.roc_auc_score(truth, score))
    assert f["average_precision"].mean == pytest.approx(sk.average_precision_score(truth, score))
    assert f["balanced_accuracy"].mean == pytest.approx(sk.balanced_accuracy_score(truth, said))
    assert f["precision"].mean == pytest.approx(sk.precision_score(truth, said))
    assert f["recall"].mean == pytest.approx(sk.recall_score(truth, said))
    assert f["f1"].mean == pytest.approx(sk.f1_score(truth, said))
    w = np.random.default_rng(1).integers(0, 4, 300).astype(float)
    auc, ap = ranking(truth, score)(w[None])[0]
    assert auc == pytest.approx(sk.roc_auc_score(truth, score, sample_weight=w))
    assert ap == pytest.approx(sk.average_precision_score(truth, score, sample_weight=w))


def test_many_classes_are_those_of_scikit_learn() -> None:
    """Means over classes, and purity and completeness of each."""
    rng = np.random.default_rng(0)
    names = np.array(["a", "b", "c"])
    y = names[rng.integers(0, 3, 400)]
    decision = rng.normal(size=(400, 3)) + 1.5 * (y[:, None] == names)
    f = class_figures(y, decision, names)
    p = np.exp(decision) / np.exp(decision).sum(axis=1, keepdims=True)
    assert f["roc_auc_ovr"].mean == pytest.approx(sk.roc_auc_score(y, p, multi_class="ovr"))
    said = names[decision.argmax(axis=1)]
    assert f["recall[b]"].mean == pytest.approx(sk.recall_score(y, said, average=None)[1])
    assert f["precision[c]"].mean == pytest.approx(sk.precision_score(y, said, average=None)[2])
    assert (confusion_matrix(y, said, names) == sk.confusion_matrix(y, said)).all()


def test_intervals_hold_the_truth_about_as_often_as_promised() -> None:
    """Over 150 samples of 200 objects: balanced accuracy and ROC AUC of two Gaussians."""
    inside = np.zeros(2)
    for seed in range(150):
        truth, score = two_gaussians(200, seed)
        f = class_figures(truth, score, TWO, seed=seed)
        known = {"balanced_accuracy": norm.cdf(1), "roc_auc": norm.cdf(2 / np.sqrt(2))}
        inside += [f[k].low <= v <= f[k].high for k, v in known.items()]
    assert (inside >= 135).all(), inside
    assert (inside <= 150).all()


def test_all_right_is_not_certain() -> None:
    """Ten of ten: every interval reaches well below 1, though no resample does."""
    truth = np.arange(10) % 2 == 0
    f = class_figures(truth, np.where(truth, 1.0, -1.0), TWO)
    for name in ("accuracy", "balanced_accuracy", "precision", "recall", "roc_auc"):
        assert f[name].mean == 1.0
        assert f[name].low < 0.8, name


def test_average_precision_moves_with_the_prevalence() -> None:
    """At the prevalence of the sample it is the plain one; rarer, it is less."""
    truth, score = two_gaussians(2000, 3)
    ones = np.ones((1, 2000))
    here = average_precision_at(truth, score, float(truth.mean()))(ones)[0, 0]
    assert here == pytest.approx(sk.average_precision_score(truth, score))
    values = [average_precision_at(truth, score, p)(ones)[0, 0] for p in (0.3, 0.02, 1e-4)]
    assert values[0] > values[1] > values[2]


def test_a_resample_without_a_class_is_undefined() -> None:
    """NaN, without a warning, where a side was not drawn at all."""
    truth, score = two_gaussians(20, 0)
    names, statistic = class_statistic(truth, score, TWO)
    found = dict(zip(names, statistic((~truth).astype(float)[None])[0], strict=True))
    assert np.isnan(found["roc_auc"])
    assert np.isnan(found["balanced_accuracy"])
    assert found["accuracy"] > 0.5
