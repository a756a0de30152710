"""Magnitudes of mock objects."""

import numpy as np
import pytest

from sky_ssl.sky.mock.spectra import galaxy_magnitudes, quasar_magnitudes, star_magnitudes


@pytest.mark.parametrize(
    ("kind", "g_r", "r_i"), [(0.0, 0.77, 0.39), (1.0, 0.53, 0.28), (2.0, 0.26, 0.11)]
)
def test_colours_of_nearby_galaxies(kind: float, g_r: float, r_i: float) -> None:
    """Early, spiral and young galaxies have the colours of their kind at redshift 0, to 0.1 mag."""
    _, g, r, i, _ = galaxy_magnitudes(kind, 0.0, 20.0)
    assert (g - r, r - i) == (pytest.approx(g_r, abs=0.1), pytest.approx(r_i, abs=0.1))
    assert r == pytest.approx(20.0)


def test_the_break_reddens_with_redshift() -> None:
    """An early galaxy's break moves through g: g - r grows from redshift 0 to 0.4."""
    colours = [float(np.diff(galaxy_magnitudes(0.0, z, 20.0)[[2, 1]])[0]) for z in (0, 0.2, 0.4)]
    assert colours == sorted(colours)
    assert colours[2] - colours[0] > 0.6


def test_stars_keep_their_colour() -> None:
    """g - i comes back as given; the locus reddens in every colour."""
    blue, red = star_magnitudes(0.5, 20.0), star_magnitudes(2.5, 20.0)
    assert blue[1] - blue[3] == pytest.approx(0.5)
    assert red[1] - red[3] == pytest.approx(2.5)
    assert (np.diff(blue) > np.diff(red)).all()


def test_quasars_drop_out_of_u() -> None:
    """Beyond redshift 3 the forest and the Lyman limit take the light in u."""
    near, far = quasar_magnitudes(1.5, -0.5, 20.0), quasar_magnitudes(3.8, -0.5, 20.0)
    assert near[0] - near[1] < 0.6
    assert far[0] - far[1] > 1.5
