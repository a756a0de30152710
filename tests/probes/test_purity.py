"""Purity and completeness against threshold and prevalence."""

import numpy as np
import pytest

from sky_ssl.probes.prevalence import Prevalence, audited
from sky_ssl.probes.purity import curves_of, purity_at, purity_of


def test_purity_falls_as_bayes_says() -> None:
    """95 % of both kinds right: 28 % at a prevalence of 2 %, 0.8 % at 0.04 %."""
    assert purity_of(np.array(0.95), np.array(0.05), 0.02) == pytest.approx(0.28, abs=0.005)
    assert purity_of(np.array(0.95), np.array(0.05), 4e-4) == pytest.approx(0.0076, abs=1e-4)
    rng = np.random.default_rng(0)
    truth = rng.random(6000) < 0.3
    right = rng.random(6000) < 0.95
    for p in (0.5, 0.02, 1e-4):
        found = purity_at(truth == right, truth, Prevalence(p))
        expected = p * 0.95 / (p * 0.95 + (1 - p) * 0.05)
        assert found.low < expected < found.high
        assert found.mean == pytest.approx(expected, rel=0.1)


def test_no_false_positive_among_few_proves_no_purity() -> None:
    """0 of 100 negatives selected: at 1e-4 the purity may be anything from small on."""
    truth = np.arange(200) < 100
    found = purity_at(truth, truth, Prevalence(1e-4))
    assert found.mean < 0.1
    assert found.low < 0.01


def test_an_audit_widens_the_purity() -> None:
    """A prevalence known from 2 in 200 alone makes the purity uncertain."""
    rng = np.random.default_rng(1)
    truth = rng.random(4000) < 0.3
    selected = np.where(truth, rng.random(4000) < 0.9, rng.random(4000) < 0.02)
    given = purity_at(selected, truth, Prevalence(2.5 / 201))
    from_audit = purity_at(selected, truth, audited(2, 200))
    assert from_audit.high - from_audit.low > 2 * (given.high - given.low)


def test_curves_are_counts() -> None:
    """Completeness rises and the number selected with it; bands hold the mean."""
    rng = np.random.default_rng(2)
    truth = rng.random(1000) < 0.4
    score = rng.normal(size=1000) + 1.5 * truth
    c = curves_of(truth, score)
    assert (np.diff(c.threshold) < 0).all()
    assert (np.diff(c.completeness[:, 0]) >= 0).all()
    for k in (0, 20, len(c.threshold) - 1):
        chosen = score >= c.threshold[k]
        assert c.selected[k] == chosen.sum()
        assert c.purity[k, 0] == pytest.approx(truth[chosen].mean())
        assert c.completeness[k, 0] == pytest.approx((chosen & truth).sum() / truth.sum())
    for band in (c.purity, c.completeness):
        assert (band[:, 1] <= band[:, 0]).all()
        assert (band[:, 0] <= band[:, 2]).all()


def test_bands_hold_the_truth() -> None:
    """Purity and completeness of a fixed cut, known for two Gaussians, in 90 % or more of skies."""
    from scipy.stats import norm

    real, false = norm.sf(1 - 1.5), norm.sf(1.0)
    expected = 0.4 * real / (0.4 * real + 0.6 * false)
    inside = np.zeros(2)
    for seed in range(100):
        rng = np.random.default_rng(seed)
        truth = np.arange(300) < 120
        c = curves_of(truth, rng.normal(size=300) + 1.5 * truth, np.array([1.0]), seed=seed)
        inside += [
            c.purity[0, 1] <= expected <= c.purity[0, 2],
            c.completeness[0, 1] <= real <= c.completeness[0, 2],
        ]
    assert (inside >= 90).all(), inside


def test_blocks_that_differ_widen_the_bands() -> None:
    """Where whole blocks of sky are found or missed, completeness is uncertain."""
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(30), 40)
    truth = np.tile(np.arange(40) < 20, 30)
    found = (rng.random(30) < 0.5)[groups] & truth
    alone = curves_of(truth, found.astype(float), np.array([0.5])).completeness[0]
    blocks = curves_of(truth, found.astype(float), np.array([0.5]), groups=groups).completeness[0]
    assert blocks[2] - blocks[1] > 3 * (alone[2] - alone[1])
