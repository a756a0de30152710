"""Tiles of real surveys, defined in TOML: fluxes, positions and no-data as astropy reads them."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from sky_ssl.errors import InputError
from sky_ssl.sky.survey import Survey, load_survey
from sky_ssl.sky.tiles import find_tiles, open_tile

KIDS = "\n".join(
    ['[survey]\nname = "KiDS"\npixel_scale = 0.339']
    + [
        f"[[survey.bands]]\nname = '{band}'\npattern = '{band}\\.fits'\nhdu = 1\n"
        f"zero_point = {0 if band in 'ugri' else 30}\nscale_key = 'COUNTSTP'"
        for band in ["u", "g", "r", "i", "Z", "Y", "J", "H", "Ks"]
    ]
)
CEERS = "\n".join(
    ['[survey]\nname = "CEERS"\npixel_scale = 0.03\nzero_point = 28.9']
    + [
        f"[[survey.bands]]\nname = '{band}'\npattern = 'ceers_{band}_(?P<tile>\\d+)\\.fits'\n"
        "zero_point = 28.9"
        for band in ["f115w", "f150w", "f200w", "f277w", "f356w", "f410m", "f444w"]
    ]
)
GRI = "[survey]\nname = 'gri'\npixel_scale = {}\n" + "\n".join(
    f"[[survey.bands]]\nname = '{band}'\npattern = '(?P<tile>.+)_{band}\\.fits'" for band in "gri"
)
DECAM = """
[survey]
name = "exposures"
pixel_scale = 0.262
[[survey.bands]]
name = "r"
pattern = '(?P<tile>.+)_ooi_r_.*\\.fits'
hdu = 1
weight_hdu = 1
weight_replace = ["_ooi_", "_oow_"]
"""
SCARLET = "[survey]\nname = 'cubes'\npixel_scale = 0.168\n" + "\n".join(
    f"[[survey.bands]]\nname = '{band}'\npattern = 'Cut_HSC(?P<tile>1?)\\.fits'\nplane = {plane}"
    for plane, band in enumerate("grizy")
)
WITH_HST = SCARLET + "\n[[survey.bands]]\nname = 'hst'\npattern = 'Cut_HST(?P<tile>1?)\\.fits'"


@pytest.fixture
def load(tmp_path: Path) -> Any:
    """Load a survey from TOML text."""

    def loader(text: str) -> Survey:
        (tmp_path / "survey.toml").write_text(text)
        return load_survey(tmp_path / "survey.toml")

    return loader


def astropy_image(path: Path, hdu: int = 0) -> tuple[npt.NDArray[np.float64], fits.Header]:
    """Read an image with astropy alone."""
    with warnings.catch_warnings():
        # the reference; what it says about headers is not what is tested
        warnings.simplefilter("ignore")
        return fits.getdata(path, hdu).astype(np.float64), fits.getheader(path, hdu)


def test_nine_bands_in_one_zero_point(realsky: Path, load: Any) -> None:
    """Compressed bands whose units differ by 1e12 come out in one unit, window by window."""
    survey = load(KIDS)
    tiles, report = find_tiles([realsky / "kids_viking_tile"], survey)
    assert report == []
    with open_tile(tiles[0], survey) as tile:
        assert (tile.name, tile.shape, len(tile.bands)) == ("kids_viking_tile", (1920, 1500), 9)
        assert tile.problems == ["tile kids_viking_tile: no celestial WCS (axes: none)"]
        windows = [(0, 1500 - 64), (1000, 700), (1920 - 64, 0)]
        cutouts = [tile.read(y, y + 64, x, x + 64) for y, x in windows]
    for c, band in enumerate(survey.band_names):
        raw, header = astropy_image(realsky / "kids_viking_tile" / f"{band}.fits", 1)
        flux = raw * header["COUNTSTP"] * (1e12 if band in "ugri" else 1)
        for (y, x), cutout in zip(windows, cutouts, strict=True):
            np.testing.assert_allclose(cutout[c], flux[y : y + 64, x : x + 64], rtol=1e-6)


@pytest.mark.parametrize(
    ("folder", "scale", "packed"),
    [("cfhtls_megacam", 0.186, ""), ("sdss_gri_reprojected", 1.188, ".bz2")],
)
def test_three_bands_with_positions(
    realsky: Path, load: Any, folder: str, scale: float, packed: str
) -> None:
    """Bands go by name, whatever the headers claim; positions are those astropy gives."""
    survey = load(GRI.format(scale))
    tiles, report = find_tiles([realsky / folder], survey)
    assert (len(tiles), report) == (1, [])
    with open_tile(tiles[0], survey) as tile:
        assert tile.problems == []
        H, W = tile.shape
        pixels = tile.read(0, H, 0, W)
        ra, dec = tile.pixel_to_sky([0, W - 1, 17.25], [0, H - 1, 200.5])
    for c, band in enumerate("gri"):
        path = realsky / folder / f"{tiles[0].name}_{band}.fits{packed}"
        image, header = astropy_image(path)
        np.testing.assert_array_equal(pixels[c], image.astype(np.float32))
    with warnings.catch_warnings():
        # again the reference alone
        warnings.simplefilter("ignore")
        wanted = WCS(header).all_pix2world([0, W - 1, 17.25], [0, H - 1, 200.5], 0)
    np.testing.assert_allclose([ra, dec], wanted, rtol=0, atol=0.01 * scale / 3600)


def test_one_folder_per_band(realsky: Path, load: Any) -> None:
    """Seven folders of one band each give four tiles of seven bands on one grid."""
    survey = load(CEERS)
    tiles, report = find_tiles(sorted((realsky / "ceers_jwst7").iterdir()), survey, min_bands=7)
    assert [tile.name for tile in tiles] == ["12608", "14832", "15645", "19741"]
    assert report == []
    for files in tiles:
        with open_tile(files, survey) as tile:
            assert tile.problems == []
            assert np.isfinite(tile.read(0, 100, 0, 100)).all()


def test_exposures_with_weights_and_distortion(realsky: Path, load: Any) -> None:
    """Packed exposures with TPV distortion: positions invert, pixels of weight 0 are NaN."""
    survey = load(DECAM)
    tiles, _ = find_tiles([realsky / "legacypipe_grz_exposures"], survey)
    assert len(tiles) >= 3
    for files in tiles:
        path = files.files["r"][0]
        weight, _ = astropy_image(path.with_name(path.name.replace("_ooi_", "_oow_")), 1)
        with open_tile(files, survey) as tile:
            H, W = tile.shape
            pixels = tile.read(0, H, 0, W)[0]
            x, y = tile.sky_to_pixel(*tile.pixel_to_sky([0.0, W - 1], [0.0, H - 1]))
        np.testing.assert_array_equal(np.isnan(pixels)[weight <= 0], True)
        assert np.isfinite(pixels).any()
        np.testing.assert_allclose([x, y], [[0, W - 1], [0, H - 1]], atol=1e-3)


def test_cubes_and_another_telescope(realsky: Path, load: Any) -> None:
    """Planes of a cube are bands; a sixth band on a finer grid is refused, or reprojected to."""
    folder = realsky / "scarlet_hsc_hst" / "test_resampling"
    survey = load(SCARLET)
    files = find_tiles([folder], survey)[0][0]
    path = files.files["g"][0]
    cube, _ = astropy_image(path)
    with open_tile(files, survey) as tile:
        np.testing.assert_array_equal(tile.read(0, 50, 0, 50), cube.astype(np.float32))
    survey = load(WITH_HST)
    files = find_tiles([folder], survey)[0][0]
    with pytest.raises(InputError, match=r"Cut_HST1?.fits \(hst\) is not on the pixel grid of"):
        open_tile(files, survey)
    with open_tile(files, survey, reproject=True) as tile:
        assert tile.shape == (250, 250)
        pixels = tile.read(0, 250, 0, 250)
    assert np.isfinite(pixels).all()
    # the same sky in a square of 5 arcsec around the centre, of 0.03 and of 0.168 arcsec pixels
    fine = np.sum(pixels[:5, 42:208, 42:208], axis=(1, 2))
    coarse = np.sum(cube[:, 10:40, 10:40], axis=(1, 2))
    np.testing.assert_allclose(fine, coarse, rtol=0.1)
