"""What is said of expected numbers of objects."""

import numpy as np
import pytest

from sky_ssl.explore.expectation import count_words, expectation_lines, seen_here
from sky_ssl.explore.rule import Selection
from sky_ssl.probes.calibration import Calibration
from sky_ssl.probes.prevalence import Prevalence


@pytest.mark.parametrize(
    ("count", "words"),
    [(1234.5, "1,234"), (40.2, "40"), (2.34, "2.3"), (0.84, "0.8"), (0.042, "0.04"),
     (0.003, "less than 0.01"), (0, "0")],
)  # fmt: skip
def test_counts_have_the_digits_that_they_are_good_for(count: float, words: str) -> None:
    """A twentieth of an object is not none."""
    assert count_words(count) == words


def test_few_objects_have_an_interval_and_no_symmetric_error() -> None:
    """Many: as one number and its error."""
    few = {"top": 10.0, "mean": 0.042, "low": 0.0, "high": 1.0}
    many = {"top": 300.0, "mean": 40.0, "low": 32.0, "high": 48.0}
    first, second = expectation_lines([few, many], "dwarf")
    assert first == "the first 10 hold 0.04 of 'dwarf' (95 %: 0 to 1)"
    assert second == "the first 300 hold 40 +- 8 of 'dwarf' (95 %: 32 to 48)"


@pytest.mark.parametrize(
    ("stored", "given", "counted"),
    [({}, True, True), ({}, False, False), ({"valid_from": 0.0}, True, False),
     ({"valid_from": 0.0, "whole_sky": True}, True, False),
     ({"valid_from": 0.0, "whole_sky": False}, True, True),
     ({"valid_from": 0.0, "whole_sky": False}, False, False)],
)  # fmt: skip
def test_few_labels_are_helped_by_the_sky_and_a_whole_sky_is_not(
    stored: dict[str, float], given: bool, counted: bool
) -> None:
    """Nor is a choice of labels where nobody said how many there are: it is no sky."""
    calibration = Calibration(1.0, 0.0, 0.5).knowing(np.arange(5.0))
    rule = Selection("probe", "r", "m", 2, calibration={**calibration.as_dict(), **stored})
    prevalence = Prevalence(0.1) if given else None
    found = seen_here(rule, calibration, np.arange(9.0), prevalence)
    assert found is not None
    assert (found.seen is not None) is counted
