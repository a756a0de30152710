"""The area searched."""

from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import Latitude, Longitude
from mocpy import MOC

from sky_ssl.errors import InputError
from sky_ssl.explore.footprint import searched_area, square_degrees, write_area


def holds(area: MOC, ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    return np.asarray(area.contains_lonlat(Longitude(ra, u.deg), Latitude(dec, u.deg)))


def test_fields_far_apart_add_up() -> None:
    """Each is in it with its corners; the sum is at most a quarter larger than the fields."""
    g = np.random.default_rng(0)
    ra, dec = np.arange(50) * 7.0, g.uniform(-85, 85, 50)
    area = searched_area(ra, dec, 48.0)
    true = 50 * (48 / 3600) ** 2
    assert true <= square_degrees(area) < 1.25 * true
    for side in (-0.49, 0.49):
        corner = dec + side * 48 / 3600
        assert holds(area, ra + side * 48 / 3600 / np.cos(np.radians(dec)), corner).all()
    assert not holds(area, ra, dec + 0.03).any()


def test_fields_that_overlap_count_once() -> None:
    """Two of the same place are one; across 0 h there is no hole."""
    one = square_degrees(searched_area(np.array([0.0]), np.zeros(1), 60.0))
    two = square_degrees(searched_area(np.array([360.0, 0.0]), np.zeros(2), 60.0))
    assert two == pytest.approx(one)
    assert holds(searched_area(np.array([0.0]), np.zeros(1), 60.0), np.array([359.995, 0.005]),
                 np.zeros(2)).all()  # fmt: skip


def test_a_moc_comes_back_from_its_file(tmp_path: Path) -> None:
    """As FITS, complete or not at all; objects without a position add nothing."""
    area = searched_area(np.array([10.0, np.nan]), np.array([-5.0, 1.0]), 30.0)
    write_area(area, tmp_path / "sub" / "m.fits")
    assert MOC.load(tmp_path / "sub" / "m.fits", "fits") == area
    assert len(list((tmp_path / "sub").iterdir())) == 1
    with pytest.raises(InputError, match=r"a MOC is written as \.fits"):
        write_area(area, tmp_path / "m.txt")


def test_without_positions_or_width_there_is_no_area() -> None:
    """Said in one line."""
    with pytest.raises(InputError, match="no object has a position"):
        searched_area(np.full(3, np.nan), np.zeros(3), 30.0)
    with pytest.raises(InputError, match="field of view 0 arcsec: must be above 0"):
        searched_area(np.zeros(1), np.zeros(1), 0)
