"""Reprojection: flux, place, and what cannot be reprojected."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from sky_ssl.errors import InputError
from sky_ssl.sky.survey import parse_survey
from sky_ssl.sky.tiles import find_tiles, open_tile

BANDS = [{"name": b, "pattern": rf"(?P<tile>.+)_{b}\.fits"} for b in "gr"]
SURVEY = parse_survey({"name": "two", "pixel_scale": 0.2, "bands": BANDS}, "test")


def header(scale: float, crpix: tuple[float, float], angle: float = 0) -> fits.Header:
    """Make a header with a tangential WCS; scale in arcsec per pixel, angle in degrees."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [188.73, 62.58]
    wcs.wcs.crpix = crpix
    wcs.wcs.cdelt = [-scale / 3600, scale / 3600]
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    wcs.wcs.pc = [[c, -s], [s, c]]
    return wcs.to_header()


def gaussian(
    shape: tuple[int, int], x: float, y: float, sigma: float
) -> npt.NDArray[np.floating[Any]]:
    """Make a round Gaussian of flux 1000 at (x, y)."""
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    profile = np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / (2 * sigma**2))
    return 1000 / (2 * np.pi * sigma**2) * profile


@pytest.mark.parametrize("angle", [0, 30])
def test_flux_and_place_are_kept(tmp_path: Path, angle: float) -> None:
    """A band of twice the pixel size, turned, comes onto the finer grid as it is on the sky."""
    fine, coarse = header(0.2, (75.5, 150.5)), header(0.4, (80.5, 160.5), angle)
    fits.PrimaryHDU(gaussian((300, 150), 85.0, 170.0, 4.0), fine).writeto(tmp_path / "t_r.fits")
    x, y = WCS(coarse).all_world2pix(*WCS(fine).all_pix2world(85.0, 170.0, 0), 0)
    fits.PrimaryHDU(gaussian((320, 160), x, y, 2.0), coarse).writeto(tmp_path / "t_g.fits")
    files = find_tiles([tmp_path], SURVEY)[0][0]
    with pytest.raises(InputError, match="reproject it"):
        open_tile(files, SURVEY)
    with open_tile(files, SURVEY, reproject=True) as tile:
        assert tile.shape == (300, 150)
        assert tile.problems[0].startswith(f"tile t: g reprojected from {tmp_path}/t_g.fits")
        pixels = tile.read(0, 300, 0, 150)
        np.testing.assert_array_equal(tile.read(250, 290, 10, 90), pixels[:, 250:290, 10:90])
    flux = np.nansum(pixels, axis=(1, 2))
    assert flux == pytest.approx([1000, 1000], rel=2e-3)
    yy, xx = np.mgrid[:300, :150]
    for c in range(2):
        assert np.nansum(pixels[c] * xx) / flux[c] == pytest.approx(85.0, abs=0.05)
        assert np.nansum(pixels[c] * yy) / flux[c] == pytest.approx(170.0, abs=0.05)


def test_elsewhere_is_no_data(tmp_path: Path) -> None:
    """A band that covers another part of the sky is NaN there, not an error."""
    fits.PrimaryHDU(np.ones((30, 20)), header(0.2, (10, 15))).writeto(tmp_path / "t_r.fits")
    fits.PrimaryHDU(np.ones((30, 20)), header(0.2, (900, 15))).writeto(tmp_path / "t_g.fits")
    with open_tile(find_tiles([tmp_path], SURVEY)[0][0], SURVEY, reproject=True) as tile:
        pixels = tile.read(0, 30, 0, 20)
    assert np.isnan(pixels).all(axis=(1, 2)).tolist() == [False, True]


def test_positions_are_needed(tmp_path: Path) -> None:
    """Bands of different shapes without a WCS cannot be brought together."""
    fits.PrimaryHDU(np.ones((30, 20)), header(0.2, (10, 15))).writeto(tmp_path / "t_r.fits")
    fits.PrimaryHDU(np.ones((15, 20))).writeto(tmp_path / "t_g.fits")
    with pytest.raises(InputError, match=r"t_g.fits: cannot be reprojected without a WCS"):
        open_tile(find_tiles([tmp_path], SURVEY)[0][0], SURVEY, reproject=True)
