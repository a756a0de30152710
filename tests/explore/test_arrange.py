"""Order and filter of chosen objects."""

import numpy as np
import pytest

from sky_ssl.explore.arrange import BARE, TIED, ordered, passing

LABELS = np.array(["a", "", "b", "", "a"], dtype=object)


def test_numbers_go_by_size_and_unknown_ones_last() -> None:
    """In either direction; equal ones stay as they were given."""
    values = np.array([2.0, np.nan, 3.0, 2.0, np.inf])
    assert ordered(values).tolist() == [2, 0, 3, 1, 4]
    assert ordered(values, falling=False).tolist() == [0, 3, 2, 1, 4]


def test_text_goes_by_alphabet() -> None:
    """Empty text is unknown."""
    values = np.array(["star", "", "dwarf", "qso"])
    assert ordered(values, falling=False).tolist() == [2, 3, 0, 1]
    assert ordered(values).tolist() == [0, 3, 2, 1]


@pytest.mark.parametrize(
    ("show", "places"),
    [("", [0, 1, 2, 3, 4]), ("a", [0, 4]), ("b", [2]), (BARE, [1]), (TIED, [3]), ("c", [])],
)
def test_labels_pass_a_filter(show: str, places: list[int]) -> None:
    """What several people see differently is not without a label."""
    rows = np.array([10, 11, 12, 13, 14])
    assert passing(LABELS, show, {13, 99}, rows).tolist() == places
