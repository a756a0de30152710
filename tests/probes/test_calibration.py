"""Calibrated probabilities, other prevalences, hits to expect."""

import json

import numpy as np
import pytest
from scipy.special import expit

from sky_ssl.probes.calibration import Calibration, fit_calibration
from sky_ssl.probes.prevalence import Prevalence, audited, logit


def sky(n: int, prevalence: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of two Gaussians 2 apart: the true log-odds are 2 s - 2 + prior."""
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < prevalence
    return rng.normal(size=n) + 2.0 * truth, truth


def test_true_slope_and_intercept_are_found() -> None:
    """Two Gaussians have log-odds 2 s - 2 at equal frequencies."""
    scores, truth = sky(20_000, 0.3, 0)
    c = fit_calibration(scores, truth).moved_to(0.5)
    assert c.slope == pytest.approx(2.0, abs=0.1)
    assert c.intercept == pytest.approx(-2.0, abs=0.1)


def test_moving_is_bayes() -> None:
    """Moved to a sky of another prevalence, probabilities are those fitted in that sky."""
    here = fit_calibration(*sky(40_000, 0.5, 1))
    moved = here.moved_to(0.02)
    there = fit_calibration(*sky(200_000, 0.02, 2))
    s = np.array([0.0, 1.0, 2.0, 3.0])
    np.testing.assert_allclose(moved.log_odds(s), there.log_odds(s), atol=0.25)
    assert moved.moved_to(0.5).intercept == pytest.approx(here.moved_to(0.5).intercept)


def test_a_rarer_kind_lowers_the_probability_as_bayes_says() -> None:
    """Odds fall by the ratio of the prior odds, 1e-4 against 1/2."""
    c = Calibration(1.0, 0.0, 0.5)
    p = float(c.moved_to(1e-4).probability(np.array([np.log(9999.0)]))[0])
    assert p == pytest.approx(0.5)
    assert c.score(0.9) == pytest.approx(np.log(9))


def test_few_labels_stay_away_from_certainty() -> None:
    """Two of each kind, perfectly separated: no probability near 0 or 1."""
    c = fit_calibration(np.array([-5.0, -4.0, 4.0, 5.0]), np.array([False, False, True, True]))
    assert 0.6 < c.probability(np.array([5.0]))[0] < 0.9
    assert 0.1 < c.probability(np.array([-5.0]))[0] < 0.4


def test_scores_that_do_not_rank_say_nothing() -> None:
    """Reversed scores get next to no slope: every probability is about the share of positives."""
    scores, truth = sky(2000, 0.2, 3)
    p = fit_calibration(-scores, truth).probability(-scores)
    assert np.abs(p - truth.mean()).max() < 0.1
    assert (np.diff(p[np.argsort(-scores)]) >= 0).all()


def test_one_kind_is_refused() -> None:
    """Nothing can be calibrated without both kinds, or with NaN."""
    with pytest.raises(ValueError, match="3 of 3 are positive"):
        fit_calibration(np.arange(3.0), np.ones(3, dtype=bool))
    with pytest.raises(ValueError, match="finite score"):
        fit_calibration(np.array([np.nan, 1.0]), np.array([True, False]))


def test_json_keeps_everything() -> None:
    """As a dictionary through JSON and back, audit and spread included."""
    c = fit_calibration(*sky(500, 0.3, 4)).moved_to(audited(3, 500)).seen_in(sky(900, 0.01, 5)[0])
    assert c.seen is not None
    assert len(c.true_scores) == c.trues > 100
    assert Calibration.from_dict(json.loads(json.dumps(c.as_dict()))) == c
    with pytest.raises(ValueError, match="calibration: cannot be read"):
        Calibration.from_dict({"slope": 1})


def test_audits() -> None:
    """None found is not none there; the interval is Jeffreys'; nonsense is refused."""
    assert 0 < audited(0, 500).value < 0.002
    low, high = audited(3, 500).interval[1:]
    assert low == pytest.approx(0.0017, abs=2e-4)
    assert high == pytest.approx(0.0160, abs=5e-4)
    assert audited(0, 500).interval.low == 0.0
    assert Prevalence(0.02).interval == (0.02, 0.02, 0.02)
    with pytest.raises(ValueError, match="audit 5/3"):
        audited(5, 3)
    with pytest.raises(ValueError, match=r"prevalence 1\.5"):
        Prevalence(1.5)


def test_logit_is_the_inverse() -> None:
    """Finite at the ends, the inverse of the logistic function between."""
    np.testing.assert_allclose(expit(logit([0.1, 0.9])), [0.1, 0.9])
    assert np.isfinite(logit([0.0, 1.0])).all()


def test_no_score_promises_more_than_the_labels_support() -> None:
    """With 100 of each kind the likelihood ratio ends at 101, in a sky of 2 % at p = .67."""
    rng = np.random.default_rng(4)
    truth = np.arange(200) < 100
    c = fit_calibration(rng.normal(size=200) + 6 * truth, truth)
    far = np.array([1e3, -1e3])
    assert c.probability(far) == pytest.approx([101 / 102, 1 / 102])
    moved = c.moved_to(0.02)
    assert moved.probability(far[:1])[0] == pytest.approx(1 / (1 + 49 / 101))
    assert moved.score(0.9) == np.inf
    back = type(c).from_dict(moved.as_dict())
    assert back == moved


def test_the_share_at_the_top_is_the_best_that_a_list_held() -> None:
    """Of 40 objects 20 are true, of the next 40 all, of 120 none: at best 60 of 80, p = .75."""
    truth = np.r_[np.arange(40) % 2 == 0, np.ones(40, bool), np.zeros(120, bool)]
    scores = np.linspace(10, -10, 200)
    c = fit_calibration(scores, truth)
    level = c.levelled(scores, truth)
    assert level.top == (60, 80, 0.3)
    assert c.probability(np.array([10.0]))[0] > 0.85
    assert level.probability(np.array([10.0, 50.0])) == pytest.approx(60.5 / 81)
    np.testing.assert_allclose(level.probability(scores[80:]), c.probability(scores[80:]))
    assert level.moved_to(0.03).probability(np.array([50.0]))[0] == pytest.approx(
        1 / (1 + 20.5 / 60.5 * (0.97 / 0.03) / (0.7 / 0.3))
    )
    assert level.score(0.8) == np.inf
    few = level.levelled(scores[:20], truth[:20])
    assert few.top == (10, 20, 0.3)
    pure = level.levelled(scores, scores > -2)  # of equal shares that of most objects says most
    assert pure.top == (120, 120, 0.3)


def test_a_share_at_the_top_is_stored() -> None:
    """Through JSON and back; what was stored without one has no such limit."""
    scores, truth = sky(500, 0.3, 4)
    c = fit_calibration(scores, truth).levelled(scores, truth)
    stored = json.loads(json.dumps(c.as_dict()))
    assert Calibration.from_dict(stored) == c
    del stored["top"]
    assert Calibration.from_dict(stored) == fit_calibration(scores, truth)
