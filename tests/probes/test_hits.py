"""Hits to expect in a list: near the truth, in intervals that hold it."""

import numpy as np
import pytest

from sky_ssl.probes.calibration import Calibration, fit_calibration
from sky_ssl.probes.hits import calibrated_hits, expected_hits, hits_along
from sky_ssl.probes.prevalence import audited


def sky(n: int, prevalence: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of two Gaussians 2 apart: the true log-odds are 2 s - 2 + prior."""
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < prevalence
    return rng.normal(size=n) + 2.0 * truth, truth


def bent(n: int, prevalence: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Make scores as real ones are: some false ones score very high, most of them far below."""
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < prevalence
    false = np.where(rng.random(n) < 0.01, rng.normal(2, 1, n), -3 * rng.gamma(1.5, 1, n))
    return np.where(truth, rng.normal(2, 1.5, n), false), truth


@pytest.mark.parametrize("kind", [sky, bent])
@pytest.mark.parametrize("labels", [60, 200])
def test_the_first_hold_what_was_promised(kind: object, labels: int) -> None:
    """In more than 9 of 10 skies the count lies in the 95 % interval; the mean is right on average.

    Also where the log-odds are no straight line of the score.
    """
    tops, inside, ratio = (10, 30, 100, 300), [], []
    for seed in range(60):
        c = fit_calibration(*kind(labels, 0.5, seed)).moved_to(0.02)  # type: ignore[operator]
        scores, truth = kind(10_000, 0.02, 1000 + seed)  # type: ignore[operator]
        order = np.argsort(-scores)
        found = np.cumsum(truth[order])
        mean, low, high = hits_along(
            scores[order[:300]], np.array(tops), c.seen_in(scores), draws=600
        )
        hits = found[np.array(tops) - 1]
        inside.append((low <= hits) & (hits <= high))
        ratio.append((mean, hits))
    held = np.mean(inside, axis=0)
    assert held.mean() >= 0.92, held
    assert held.min() >= 0.85, held
    mean, hits = np.mean(ratio, axis=0)
    np.testing.assert_allclose(mean[2:], hits[2:], rtol=0.15)


def test_high_scores_that_few_labels_have_not_seen() -> None:
    """The top of a large sky is nearly pure; what a hundred labels of a kind say of it is low."""
    rng = np.random.default_rng(2)
    truth = rng.random(200_000) < 0.02
    scores = rng.normal(size=200_000) + 3.5 * truth
    some = np.arange(200) < 100
    c = fit_calibration(rng.normal(size=200) + 3.5 * some, some).moved_to(0.02)
    found = int(truth[np.argsort(-scores)[:300]].sum())
    assert found > 290
    hits = calibrated_hits(scores, 300, c.seen_in(scores))
    assert hits.low <= found <= hits.high
    assert hits.mean > 200


def test_exact_probabilities_give_the_binomial() -> None:
    """A hundred of probability 0.3: 30 +- 9."""
    hits = expected_hits(np.full(1000, 0.3), 100)
    assert hits.mean == pytest.approx(30)
    assert (hits.low, hits.high) == (21, 39)
    assert expected_hits(np.array([0.5, np.nan]), 10).mean == pytest.approx(0.5)
    with pytest.raises(ValueError, match="top 0"):
        expected_hits(np.ones(3), 0)


def test_an_uncertain_prevalence_widens_the_count() -> None:
    """An audit of 3 in 500 allows many more and many fewer than the same number given."""
    scores, _ = sky(20_000, 0.007, 5)
    c = fit_calibration(*sky(4000, 0.5, 6))
    given = calibrated_hits(scores, 300, c.moved_to(3.5 / 501).seen_in(scores))
    from_audit = calibrated_hits(scores, 300, c.moved_to(audited(3, 500)).seen_in(scores))
    assert from_audit.high - from_audit.low > 1.5 * (given.high - given.low)
    assert from_audit.mean == pytest.approx(given.mean, rel=0.25)


def test_no_list_holds_more_than_the_labels_support() -> None:
    """With 100 of each kind and no sky to look at, ten scores far out may be anything."""
    rng = np.random.default_rng(4)
    truth = np.arange(200) < 100
    c = fit_calibration(rng.normal(size=200) + 6 * truth, truth).moved_to(0.02)
    hits = calibrated_hits(np.full(50, 1e3), 10, c)
    assert hits.low < 7 < hits.high
    assert calibrated_hits(np.full(3, np.nan), 10, c) == (0, 0, 0)


def test_a_sky_is_counted_by_ranks() -> None:
    """About so many score as high; what knows no true scores has nothing to count for."""
    scores, _ = sky(50_000, 0.02, 4)
    c = fit_calibration(*sky(400, 0.5, 3)).moved_to(0.02).seen_in(scores)
    assert c.above(float(np.sort(scores)[-100])) == (pytest.approx(100, abs=8), 50_000)
    assert c.above(1e9)[0] == 1
    assert Calibration(2.0, -5.0, 0.5).seen_in(scores) == Calibration(2.0, -5.0, 0.5)


def level(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of a place on a map: 40 % are true well inside, no more further inside."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=n)
    return scores, rng.random(n) < 0.4 * np.exp(3 * np.minimum(scores - 1, 0))


def test_a_share_that_levels_off_is_no_straight_line() -> None:
    """Fitted on 3000, applied to another 3000: the first are counted right, in their intervals."""
    tops, found, plain, kept = np.array([10, 30]), [], [], []
    for seed in range(40):
        scores, truth = level(3000, seed)
        line = fit_calibration(scores, truth)
        there, hits = level(3000, 1000 + seed)
        order = np.argsort(-there)
        best = there[order[:30]]
        found.append(np.cumsum(hits[order])[tops - 1])
        plain.append(hits_along(best, tops, line, draws=200)[0])
        kept.append(hits_along(best, tops, line.levelled(scores, truth), draws=200))
    low, high = np.array(kept)[:, 1], np.array(kept)[:, 2]
    assert ((low <= found) & (found <= high)).mean() > 0.85
    assert (np.mean(plain, axis=0) > 1.8 * np.mean(found, axis=0)).all()
    excess = np.mean([k[0] for k in kept], axis=0) / np.mean(found, axis=0)
    assert (excess < 1.5).all(), excess


def test_the_limit_at_the_top_moves_with_an_audit() -> None:
    """Where a list is at its limit, not knowing the prevalence widens what it holds."""
    scores, truth = level(20_000, 1)
    c = fit_calibration(scores, truth).levelled(scores, truth)
    best = np.full(300, 1e3)
    given = calibrated_hits(best, 300, c.moved_to(3.5 / 501))
    from_audit = calibrated_hits(best, 300, c.moved_to(audited(3, 500)))
    assert from_audit.high - from_audit.low > 1.25 * (given.high - given.low)
