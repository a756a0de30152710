"""Vetting: counts, filters, and expected hits along a list."""

import numpy as np
import pytest

from sky_ssl.explore import review
from sky_ssl.explore.tasks import is_vetting
from sky_ssl.probes.calibration import Calibration
from sky_ssl.probes.hits import calibrated_hits

SAID = np.array(["accept", "reject", "", "accept", "unsure", ""], dtype=object)


def test_verdicts_are_counted_and_filtered() -> None:
    """Places keep the order of the list."""
    assert review.tally(SAID).words() == "4 of 6 vetted, 2 accepted, 1 rejected, 1 unsure"
    assert review.tally(SAID[:0]).words() == "0 of 0 vetted"
    assert review.passing(SAID, "accepted").tolist() == [0, 3]
    assert review.passing(SAID, "unvetted").tolist() == [2, 5]
    assert len(review.passing(SAID, "all")) == 6


def test_the_next_to_vet_goes_round() -> None:
    """Downwards, then from the top; nothing where all is done."""
    assert review.next_unvetted(SAID, 2) == 5
    assert review.next_unvetted(SAID, 5) == 2
    assert review.next_unvetted(SAID[:2], 0) is None


def test_a_task_for_each_rule() -> None:
    """Named after it, cut where names are too long, with three keys."""
    task = review.vetting_task("x" * 200)
    assert len(task.name) == 100
    assert is_vetting(task.name)
    assert [label.name for label in task.labels] == ["accept", "reject", "unsure"]


def test_accepted_so_far_ends_at_the_first_gap() -> None:
    """What lies below an object that nobody looked at says nothing yet."""
    assert review.accepted_so_far(SAID).tolist() == [1, 1]
    assert review.accepted_so_far(SAID[:0]).tolist() == []


def test_the_curve_agrees_with_the_numbers_of_the_list() -> None:
    """At every depth mean and interval are those of the report, but for the draws."""
    scores = np.sort(np.random.default_rng(0).normal(size=400))[::-1]
    calibration = Calibration(2.0, -1.0, 0.02, (0.05, 0.0, 0.03)).moved_to(0.05)
    curve = review.hits_curve(scores, calibration)
    assert curve.length[0] == 1
    assert curve.length[-1] == 400
    assert np.all(np.diff(curve.mean) >= 0)
    assert np.all((curve.low <= curve.mean) & (curve.mean <= curve.high))
    for top in (100, 400):
        place = int(np.argmin(abs(curve.length - top)))
        told = calibrated_hits(scores, int(curve.length[place]), calibration)
        mean, low, high = curve.at(int(curve.length[place]))
        assert mean == pytest.approx(told.mean, rel=0.05)
        assert [low, high] == pytest.approx([told.low, told.high], rel=0.12, abs=2)


def test_a_list_of_one_has_a_curve() -> None:
    """No percentile of nothing."""
    assert review.hits_curve(np.array([1.0]), Calibration(1, 0, 0.5)).high.tolist() == [1.0]
