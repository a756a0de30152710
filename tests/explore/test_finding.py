"""Objects by what a user types."""

from pathlib import Path

import numpy as np
import pytest

from sky_ssl.embedding.store import Embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.finding import find_objects


@pytest.fixture
def e() -> Embeddings:
    """Three objects, half a degree apart, one of them named like a position."""
    names = np.array(["A-1", "B, the second", "UNIONS J123456.78-003012.3"])
    ra, dec = np.array([10.0, 10.5, 188.73658]), np.array([-0.5, -0.5, -0.50342])
    none = np.array(["", "", ""])
    return Embeddings(Path("e.h5"), np.zeros((3, 2), np.float32), names, ra, dec, none, {})


def test_ids_come_first(e: Embeddings) -> None:
    """One, several, with commas inside, and those that read like a position."""
    assert find_objects(e, "A-1").rows.tolist() == [0]
    found = find_objects(e, "B, the second,A-1")
    assert found.rows.tolist() == [1, 0]
    assert found.words(e) == "2 objects"
    assert find_objects(e, str(e.id[2])).distance_arcsec is None


def test_a_position_gives_the_nearest_with_its_distance(e: Embeddings) -> None:
    """In degrees or sexagesimal, south of the equator too."""
    found = find_objects(e, "00:40:00 -00:30:02")
    assert found.rows.tolist() == [0]
    assert found.distance_arcsec == pytest.approx(2, abs=0.01)
    assert found.words(e) == "A-1, 2.0 arcsec from that position"
    with pytest.raises(InputError, match=r"the nearest, 'A-1', is 15\.0 arcmin away"):
        find_objects(e, "10.25 -0.5")


def test_what_is_neither_is_said_so(e: Embeddings) -> None:
    """With an id to see what they look like."""
    with pytest.raises(InputError, match=r"neither an id .*'A-1'.* nor a position"):
        find_objects(e, "the bright one")
