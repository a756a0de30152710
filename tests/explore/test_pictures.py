"""Images to search by: each kind of file gives the pixels that the cutout file holds."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from PIL import Image

from sky_ssl.errors import InputError
from sky_ssl.explore.pictures import Pictures, Wanted, read_pictures
from sky_ssl.sky.cutouts import CutoutInfo
from sky_ssl.sky.cutoutset import open_cutouts

INFO = CutoutInfo("two", ("g", "r"), 0.2, (30.0, 30.0))
RGB = CutoutInfo("pictures", ("r", "g", "b"), float("nan"), (float("nan"),) * 3)
PIXELS = np.random.default_rng(0).normal(5, 1, (2, 48, 48)).astype(np.float32)


def header(scale: float = 0.2, crpix: float = 24.5, **cards: Any) -> fits.Header:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [150.0, -0.5]
    wcs.wcs.crpix = [crpix, crpix]
    wcs.wcs.cdelt = [-scale / 3600, scale / 3600]
    head = wcs.to_header()
    head.update(cards)
    return head


def read(path: Path | str, **wanted: Any) -> Pictures:
    return read_pictures(str(path), Wanted(INFO, 48, **wanted))


def test_a_cube_with_named_bands(tmp_path: Path) -> None:
    """Planes are sorted by the names in the header; the centre has the position of the WCS."""
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(PIXELS[::-1], header(BANDS="rg", MAGZERO=30.0)).writeto(path)
    found = read(path)
    np.testing.assert_array_equal(found.images[0], PIXELS)
    assert (found.ra[0], found.dec[0]) == (pytest.approx(150), pytest.approx(-0.5))
    assert found.ids == ("a",)
    assert found.notes == [f"{path}: zero point 30 mag, from its header"]


@pytest.mark.parametrize("packed", [False, True])
def test_one_hdu_per_band(tmp_path: Path, packed: bool) -> None:
    """HDUs are found by name, beside others; packed ones as well."""
    kind: Any = fits.CompImageHDU if packed else fits.ImageHDU
    options = {"compression_type": "GZIP_2", "quantize_level": 0} if packed else {}
    hdus = [kind(p, header(), name=n, **options) for p, n in zip(PIXELS, ("G", "R"), strict=True)]
    mask = kind(np.ones((48, 48), np.float32), header(), name="MASK", **options)
    fits.HDUList([fits.PrimaryHDU(), mask, hdus[1], hdus[0]]).writeto(tmp_path / "a.fits")
    found = read(tmp_path / "a.fits", zero_point=(30.0,))
    np.testing.assert_array_equal(found.images[0], PIXELS)
    assert found.dec[0] == pytest.approx(-0.5)
    assert found.notes == []


def test_one_file_per_band(tmp_path: Path) -> None:
    """BAND=FILE; a band that is not given has no data, and that is said."""
    for name, pixels in zip("gr", PIXELS, strict=True):
        fits.PrimaryHDU(pixels, header(MAGZERO=27.0)).writeto(tmp_path / f"{name}.fits")
    g, r = (f"{b}={tmp_path / b}.fits" for b in "gr")
    found = read(f"{r},{g}")
    np.testing.assert_allclose(found.images[0], PIXELS * 10**1.2, rtol=1e-5)
    alone = read(g)
    assert np.isnan(alone.images[0, 1]).all()
    assert any("no r: taken as bands without data" in note for note in alone.notes)
    with pytest.raises(InputError, match="no band 'z'; the model takes g r"):
        read(f"z={tmp_path / 'g.fits'}")


def test_a_place_in_a_larger_image(tmp_path: Path) -> None:
    """--at cuts there, to half a pixel; outside is refused; without WCS it means nothing."""
    large = np.zeros((2, 200, 120), dtype=np.float32)
    large[:, 100:148, 50:98] = PIXELS
    head = header(MAGZERO=30.0)
    head["CRPIX1"], head["CRPIX2"] = 50 + 24.5, 100 + 24.5
    fits.PrimaryHDU(large, head).writeto(tmp_path / "a.fits")
    found = read(tmp_path / "a.fits", at="10:00:00 -00:30:00")
    np.testing.assert_array_equal(found.images[0], PIXELS)
    with pytest.raises(InputError, match=r"RA 151\.00000, Dec -0\.50000 degrees\) is not in this"):
        read(tmp_path / "a.fits", at="151 -0.5")
    fits.PrimaryHDU(large).writeto(tmp_path / "b.fits")
    with pytest.raises(InputError, match="--at needs positions"):
        read(tmp_path / "b.fits", at="150 -0.5")


def test_finer_pixels_are_binned(tmp_path: Path) -> None:
    """Twice as fine pixels are summed two by two; a scale that does not fit is refused."""
    fine = np.repeat(np.repeat(PIXELS, 2, axis=1), 2, axis=2) / 4
    fits.PrimaryHDU(fine, header(0.1, 48.5, MAGZERO=30.0)).writeto(tmp_path / "a.fits")
    np.testing.assert_allclose(read(tmp_path / "a.fits").images[0], PIXELS, rtol=1e-6)
    fits.PrimaryHDU(PIXELS, header(0.26)).writeto(tmp_path / "b.fits")
    with pytest.raises(InputError, match=r"0\.26 arcsec/pixel, but the model was trained at 0\.2;"):
        read(tmp_path / "b.fits")
    assert read(tmp_path / "b.fits", allow_pixel_scale=True).images.shape == (1, 2, 48, 48)


def test_what_has_to_be_assumed_is_said(tmp_path: Path) -> None:
    """No band names, zero point, pixel scale, or fewer pixels than wanted: a line each."""
    fits.PrimaryHDU(PIXELS[:, :40, :40]).writeto(tmp_path / "a.fits")
    found = read(tmp_path / "a.fits")
    text = " | ".join(found.notes)
    for part in ("taken as g r", "zero point unknown", "pixel scale unknown", "filled up with NaN"):
        assert part in text
    np.testing.assert_array_equal(found.images[0, :, 4:44, 4:44], PIXELS[:, :40, :40])
    assert np.isnan(found.images).sum() == 2 * (48**2 - 40**2)


def test_nanomaggies_are_recognised(tmp_path: Path) -> None:
    """Images of the Legacy Surveys have zero point 22.5."""
    head = header(BANDS="gr", BUNIT="nanomaggy")
    fits.PrimaryHDU(PIXELS, head).writeto(tmp_path / "a.fits")
    np.testing.assert_allclose(read(tmp_path / "a.fits").images[0], PIXELS * 1000, rtol=1e-5)


def test_other_bands_are_refused(tmp_path: Path) -> None:
    """A file of other bands, one without images, a picture, and one without data."""
    fits.PrimaryHDU(np.ones((5, 48, 48))).writeto(tmp_path / "five.fits")
    with pytest.raises(InputError, match="5 x 48 x 48 image, but the model takes g r: give a cube"):
        read(tmp_path / "five.fits")
    fits.PrimaryHDU(PIXELS, header(BANDS="gz")).writeto(tmp_path / "gz.fits")
    with pytest.raises(InputError, match="of bands g z, but the model takes g r"):
        read(tmp_path / "gz.fits")
    hdus = [fits.ImageHDU(p, name=n) for p, n in zip(PIXELS, ("G", "Z"), strict=True)]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "two.fits")
    with pytest.raises(InputError, match=r"G 48 x 48 image, .*the model takes g r"):
        read(tmp_path / "two.fits")
    fits.PrimaryHDU(np.full((2, 48, 48), np.nan), header()).writeto(tmp_path / "nan.fits")
    with pytest.raises(InputError, match="no data in its centre"):
        read(tmp_path / "nan.fits")
    Image.new("RGB", (48, 48)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="this model takes g r of two: give a FITS image"):
        read(tmp_path / "a.png")
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "none.fits")
    with pytest.raises(InputError, match="give one, or one for each of g r"):
        Wanted(INFO, 48, zero_point=(1.0, 2.0, 3.0))


def test_pictures_for_a_model_of_pictures(tmp_path: Path) -> None:
    """The central square, values 0 to 255, in the model's order of bands."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 70, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found = read_pictures(str(tmp_path / "a.png"), Wanted(RGB, 48))
    np.testing.assert_array_equal(found.images[0], pixels[6:54, 11:59].transpose(2, 0, 1))
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(InputError, match=r"b\.png: a picture that cannot be decoded"):
        read_pictures(str(tmp_path / "b.png"), Wanted(RGB, 48))


def test_cutout_files_are_images_too(galaxies: Path) -> None:
    """Each cutout is an exemplar; a model of another pixel scale refuses them."""
    data = open_cutouts(galaxies)
    found = read_pictures(str(galaxies), Wanted(data.info, 48))
    np.testing.assert_array_equal(found.images, data.read(slice(None)))
    assert found.ids[3] == "g003"
    with pytest.raises(InputError, match="arcsec/pixel"):
        read_pictures(str(galaxies), Wanted(replace(data.info, pixel_scale=0.4), 48))
