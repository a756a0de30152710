"""Positions on the sky: text, names, distances, blocks."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from sky_ssl.errors import InputError
from sky_ssl.sky.coords import (
    first_of_each,
    iau_name,
    parse_coordinate,
    separation_arcsec,
    sky_blocks,
)


@pytest.mark.parametrize(
    "text",
    [
        "12:34:56.7 -00:30:12",
        "12:34:56.7,-00:30:12",
        "12 34 56.7 -00 30 12",
        "12h34m56.7s -0d30m12s",
        "12h 34m 56.7s, -0d 30m 12s",
        "12:34:56.7-00:30:12",
        "188.73625 -0.50333333333",
        "188.73625, \u22120.50333333333",
        "188d44m10.5s -0d30m12s",
        "188.73625° -0.50333333333°",
        "12:34.945 -00:30.2",
        "(188.73625, -0.50333333333)",
        "RA=188.73625 Dec=-0.50333333333",
        "-171.26375 -5.0333333333e-1",
        "UNIONS J123456.70-003012.0",
        "J2000 12:34:56.7 -00:30:12",
    ],
)
def test_text_gives_the_same_position_in_every_form(text: str) -> None:
    """A declination between -1 and 0 keeps its sign, and sexagesimal RA is in hours."""
    assert parse_coordinate(text) == pytest.approx((188.73625, -0.5033333333), abs=1e-8)


def test_unsigned_declinations_and_other_frames() -> None:
    """Two or six words are halved; a named frame is converted as astropy does it."""
    assert parse_coordinate("10.5 41.25") == (10.5, 41.25)
    assert parse_coordinate("00 42 00 41 15 00") == pytest.approx((10.5, 41.25), abs=1e-12)
    reference = SkyCoord(121.2, -21.6, unit="deg", frame="galactic").icrs
    assert parse_coordinate("galactic 121.2 -21.6") == pytest.approx(
        (reference.ra.deg, reference.dec.deg)
    )


@pytest.mark.parametrize("text", ["", "M31", "12.3", "10 95", "25:00:00 +10:00:00", "10:70:00 5"])
def test_what_is_no_position_is_refused_in_one_line(text: str) -> None:
    """The message shows the text and how to write it."""
    with pytest.raises(InputError, match="is no position") as error:
        parse_coordinate(text)
    assert "\n" not in str(error.value)


def test_names_are_cut_off_not_rounded() -> None:
    """IAU names: known values, the sign of small declinations, the end of the day, no position."""
    ra = [188.73658333333334, 359.99999, 188.73625, np.nan]
    dec = [12.582416666666667, -0.00001, -0.5033333333333333, 0.0]
    assert iau_name("UNIONS", ra, dec).tolist() == [
        "UNIONS J123456.78+123456.7",
        "UNIONS J235959.99-000000.0",
        "UNIONS J123456.70-003012.0",
        "",
    ]
    assert iau_name("", 0.0, 90.0).tolist() == ["J000000.00+900000.0"]


def test_names_and_positions_agree() -> None:
    """A name read back lies within its last digits of the position it was made from."""
    rng = np.random.default_rng(3)
    ra, dec = rng.uniform(0, 360, 200), np.degrees(np.arcsin(rng.uniform(-1, 1, 200)))
    back = np.array([parse_coordinate(name) for name in iau_name("X", ra, dec)])
    assert separation_arcsec(ra, dec, back[:, 0], back[:, 1]).max() < np.hypot(0.15, 0.1)


def test_separation_agrees_with_astropy() -> None:
    """Small, large and antipodal distances, across RA 0 and the pole."""
    ra1, dec1 = np.array([359.9999, 10.0, 0.0, 30.0]), np.array([0.0, 89.999, 0.0, -45.0])
    ra2, dec2 = np.array([0.0001, 190.0, 180.0, 30.0]), np.array([0.0, 89.999, 0.0, -45.0001])
    reference = SkyCoord(ra1, dec1, unit="deg").separation(SkyCoord(ra2, dec2, unit="deg")).arcsec
    np.testing.assert_allclose(separation_arcsec(ra1, dec1, ra2, dec2), reference, rtol=1e-9)


def test_duplicates_keep_the_best_and_only_within_the_distance() -> None:
    """Of a close pair the better one stays; a chain keeps both ends; NaN is left alone."""
    dec = np.array([0.0, 0.8, 1.6, 10.0, np.nan]) / 3600
    best_last = np.array([4, 3, 2, 1, 0])
    assert first_of_each(np.zeros(5), dec, 1.0, best_last).tolist() == [True, False, *[True] * 3]
    assert first_of_each(np.zeros(5), dec, 0.5, best_last).all()
    wrapped = first_of_each([359.99999, 0.00001], [60.0, 60.0], 1.0, np.array([0, 1]))
    assert wrapped.tolist() == [True, False]


@pytest.mark.parametrize("degrees", [1.0, 0.7, 7.0])
def test_blocks_are_as_large_as_asked_everywhere(degrees: float) -> None:
    """Two positions in different columns of one ring, or rings, can be a block's size apart."""
    rng = np.random.default_rng(0)
    ra, dec = rng.uniform(0, 360, 20000), rng.uniform(-90, 90, 20000)
    blocks = sky_blocks(ra, dec, degrees)
    assert blocks.min() >= 0
    for block in np.unique(blocks)[::50]:
        inside = blocks == block
        assert np.ptp(dec[inside]) <= 180 / int(180 / degrees)
    # pieces of the ring that ends at 60 degrees are twice as wide in RA as at the equator
    fine = np.linspace(0, 360, 100001)[:-1]
    for edge in (0.0, 60.0, -80.0):
        pieces = np.unique(sky_blocks(fine, np.full(fine.size, edge), degrees)).size
        assert 360 * np.cos(np.radians(edge)) / pieces >= degrees
    assert np.unique(sky_blocks(fine, np.full(fine.size, 90.0), degrees)).size == 1


def test_blocks_wrap_and_mark_missing_positions() -> None:
    """RA 360 is RA 0, negative RA too; NaN has no block; the size is checked."""
    blocks = sky_blocks([0.0, 360.0, 359.5, -0.5, np.nan], [10.0] * 5, 1.0)
    assert blocks[0] == blocks[1]
    assert blocks[2] == blocks[3] != blocks[0]
    assert blocks[4] == -1
    with pytest.raises(InputError, match="blocks of 0 degrees"):
        sky_blocks([1.0], [1.0], 0)


def test_thousands_on_one_place_are_one_and_cost_no_memory() -> None:
    """As a stack of exposures gives them: the best is kept, without all pairs being written out."""
    n = 20_000
    ra, dec = np.full(n, 150.0), np.full(n, 2.0)
    ra[-1] = 150.1
    kept = first_of_each(ra, dec, 1.0, np.arange(n)[::-1])
    assert np.flatnonzero(kept).tolist() == [n - 2, n - 1]
