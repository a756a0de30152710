"""Exemplars by id and by position, as users type them."""

from pathlib import Path

import numpy as np
import pytest

from sky_ssl.embedding.store import Embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.queries import exemplars_of_rows, join, row_at, rows_of_ids

IDS = ["a", "b", "HSC 9813-4,5:12.0,15.2", "x,y", "x", "y", "NGC 1052 DF2", "b"]
RA = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 40.445, np.nan]
DEC = [-0.5, 0.5, 0.0, -89.0, 1.0, 2.0, -8.4029, np.nan]


@pytest.fixture
def e() -> Embeddings:
    values = np.arange(16, dtype=np.float32).reshape(8, 2)
    values[5, 0] = np.nan
    tile = np.full(8, "")
    ra, dec = np.array(RA), np.array(DEC)
    return Embeddings(Path("e.h5"), values, np.array(IDS), ra, dec, tile, {})


@pytest.mark.parametrize(
    ("texts", "rows"),
    [
        (["a"], [0]),
        (["a,x"], [0, 4]),
        (["x,y"], [3]),
        (["x", "y"], [4, 5]),
        (["HSC 9813-4,5:12.0,15.2"], [2]),
        (["a,HSC 9813-4,5:12.0,15.2, x ,NGC 1052 DF2"], [0, 2, 4, 6]),
        (["a", "a,a"], [0]),
        (["b"], [1, 7]),
    ],
)
def test_ids_may_hold_commas_and_spaces(e: Embeddings, texts: list[str], rows: list[int]) -> None:
    """A text that is an id is taken whole, else split at commas; a shared id gives all its rows."""
    assert rows_of_ids(e, texts).tolist() == rows


def test_unknown_ids_are_named(e: Embeddings) -> None:
    """The one that is not there, not the whole text, with some that are."""
    with pytest.raises(InputError, match=r"e\.h5: no object 'nope' among its 8; ids .* 'a', 'b'"):
        rows_of_ids(e, ["a,nope,x"])


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("10 -0.5", 0),
        ("00:40:00 -00:30:00", 0),
        ("0h40m0s -0d30m0.5s", 0),
        ("00 40 00.0 -00 30 00", 0),
        ("01:20:00 +00:30:00", 1),
        ("J024146.80-082410.4", 6),
    ],
)
def test_positions_in_any_form(e: Embeddings, text: str, row: int) -> None:
    """Sexagesimal declinations between -1 and 0 keep their sign."""
    assert row_at(e, text, 3.0) == row


def test_nothing_there_says_how_far_the_nearest_is(e: Embeddings) -> None:
    """In arcsec, arcmin or degrees; and text that is no position is refused."""
    with pytest.raises(InputError, match=r"within 3 arcsec .* nearest, 'a', is 36\.0 arcsec away"):
        row_at(e, "10 -0.51", 3.0)
    with pytest.raises(InputError, match=r"nearest, 'a', is 60\.0 arcmin away"):
        row_at(e, "00:40:00 +00:30:00", 3.0)
    with pytest.raises(InputError, match="no position"):
        row_at(e, "somewhere", 3.0)
    with pytest.raises(InputError, match="radius 0"):
        row_at(e, "10 -0.5", 0.0)


def test_files_without_positions_are_told_apart(e: Embeddings) -> None:
    """The way out is named."""
    unknown = np.full(8, np.nan)
    with pytest.raises(InputError, match="no positions; name them by id"):
        row_at(Embeddings(e.path, e.values, e.id, unknown, unknown, e.tile, {}), "1 2", 3.0)


def test_exemplars_without_numbers_are_refused(e: Embeddings) -> None:
    """Nothing is like an object whose embedding is NaN; others are joined in order."""
    with pytest.raises(InputError, match=r"'y' has numbers that are not finite"):
        exemplars_of_rows(e, [0, 5])
    both = join([exemplars_of_rows(e, [4, 0]), exemplars_of_rows(e, [6])])
    assert both.ids == ("x", "a", "NGC 1052 DF2")
    np.testing.assert_array_equal(both.vectors, e.values[[4, 0, 6]])
    assert both.images is None
