"""One band: fluxes in the common zero point, and every way of saying that there is no data."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits

from sky_ssl.errors import InputError
from sky_ssl.sky.bandimage import BandImage
from sky_ssl.sky.survey import Source, load_survey
from sky_ssl.sky.tiles import TileFiles, open_tile

SHAPE = (40, 30)


def sky() -> npt.NDArray[np.float32]:
    """Make an image of noise, without zeros."""
    return np.random.default_rng(0).normal(0, 1, SHAPE).astype(np.float32)


def whole(path: Path, wanted: float = 30.0, **source: Any) -> npt.NDArray[np.float32]:
    """Read all of a band that must have no problems."""
    band = BandImage(path, Source("", **source), wanted)
    pixels = band.read(0, SHAPE[0], 0, SHAPE[1])
    band.close()
    assert band.problems == []
    return pixels


def masked_file(path: Path, names: dict[str, int]) -> Path:
    """Write an image in HDU 1 and a mask in HDU 2 with one bit set per row, 0 to 9."""
    mask = np.zeros(SHAPE, np.int32)
    mask[:10] = (1 << np.arange(10, dtype=np.int32))[:, None]
    keys = fits.Header({f"HIERARCH MP_{name}": bit for name, bit in names.items()})
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(sky()), fits.ImageHDU(mask, keys, name="MASK")]
    fits.HDUList(hdus).writeto(path)
    return path


@pytest.mark.parametrize(("zero_point", "factor"), [(30.0, 0.44), (0.0, 4.4e-13)])
def test_tiny_fluxes_survive(tmp_path: Path, zero_point: float, factor: float) -> None:
    """Integers times a header keyword of 1e-13, zero point 0, are right in any zero point."""
    image = np.random.default_rng(0).integers(-1000, 100000, SHAPE).astype(np.int32)
    packed = fits.CompImageHDU(image, fits.Header({"COUNTSTP": 4.4e-13}))
    fits.HDUList([fits.PrimaryHDU(), packed]).writeto(tmp_path / "g.fits")
    pixels = whole(tmp_path / "g.fits", zero_point, hdu=1, zero_point=0, scale_key="COUNTSTP")
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels, image * factor, rtol=1e-6)


def test_scale_key_must_be_there(tmp_path: Path) -> None:
    """A band whose header lacks the scale cannot have a flux; the primary header counts too."""
    path = tmp_path / "g.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(sky())]).writeto(path)
    with pytest.raises(InputError, match=r"g.fits: header keyword GAIN is None, must be a number"):
        BandImage(path, Source("", hdu=1, scale_key="GAIN"), 30)
    fits.setval(path, "GAIN", value=2, ext=0)
    np.testing.assert_allclose(whole(path, hdu=1, scale_key="GAIN"), 2 * sky(), rtol=1e-6)


@pytest.mark.parametrize("zero_is_no_data", [True, False])
def test_zero_means_no_data_only_where_declared(tmp_path: Path, zero_is_no_data: bool) -> None:
    """Zeros turn to NaN where the survey says so; NaN, infinity and overflow everywhere."""
    image = sky().astype(np.float64)
    image[:5], image[5, 5], image[6, 6], image[7, 7] = 0, np.inf, np.nan, 1e300
    fits.PrimaryHDU(image).writeto(tmp_path / "g.fits")
    missing = np.isnan(whole(tmp_path / "g.fits", zero_is_no_data=zero_is_no_data))
    assert missing[[5, 6, 7], [5, 6, 7]].all()
    assert missing[:5].all() == zero_is_no_data
    assert missing.sum() == 3 + zero_is_no_data * 5 * 30


def test_mask_bits_go_by_name(tmp_path: Path) -> None:
    """Bits NO_DATA, SAT, CR, BAD, EDGE hide pixels wherever they are; DETECTED does not."""
    survey = load_survey("hsc")
    names = {"BAD": 3, "SAT": 1, "CR": 0, "EDGE": 9, "NO_DATA": 8, "DETECTED": 5, "INTRP": 2}
    path = masked_file(tmp_path / "calexp-HSC-I-9813-4,5.fits", names)
    band = survey.bands[2]
    with open_tile(TileFiles("t", {band.name: (path, band.sources[0])}), survey) as tile:
        missing = np.isnan(tile.read(0, 40, 0, 30)[2]).all(axis=1)
        assert tile.problems == ["tile t: no celestial WCS (axes: none)"]
    assert np.flatnonzero(missing).tolist() == [0, 1, 3, 8, 9]


@pytest.mark.parametrize(
    ("source", "rows"),
    [
        ({"mask_hdu": "MASK", "mask_bits": ("MP_SAT",)}, [1]),
        ({"mask_hdu": 2, "mask_bits": ("SAT",), "mask_table": (("SAT", 4),)}, [4]),
        ({"weight_hdu": 2}, list(range(10, 40))),
    ],
)
def test_masks_and_weights(tmp_path: Path, source: dict[str, Any], rows: list[int]) -> None:
    """Masks by keyword or by table, and weights of 0, hide pixels."""
    path = masked_file(tmp_path / "g.fits", {"SAT": 1, "DETECTED": 5})
    missing = np.isnan(whole(path, hdu=1, **source)).all(axis=1)
    assert np.flatnonzero(missing).tolist() == rows


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ({"mask_hdu": 2, "mask_bits": ("CR",)}, "has no bits CR; it has SAT DETECTED"),
        ({"mask_hdu": 3, "mask_bits": ("SAT",)}, "no mask applied: .*no two-dim.* in HDU 3"),
        ({"weight_hdu": "WHT"}, "no weights applied: .*no HDU 'WHT'; it holds HDU 0"),
        ({"weight_hdu": 0, "weight_replace": ("g", "w")}, "no weights .*w.fits: cannot be opened"),
        ({"weight_hdu": 0, "weight_replace": ("image", "w")}, "no 'image' in its name to replace"),
    ],
)
def test_what_cannot_be_applied_is_said(
    tmp_path: Path, source: dict[str, Any], problem: str
) -> None:
    """A mask or weight that is not there leaves the pixels as they are, with one line."""
    path = masked_file(tmp_path / "g.fits", {"SAT": 1, "DETECTED": 5})
    band = BandImage(path, Source("", hdu=1, **source), 30)
    np.testing.assert_array_equal(band.read(0, 40, 0, 30), sky())
    band.close()
    assert len(band.problems) == 1
    assert re.search(problem, band.problems[0])


def test_weights_in_a_file_of_their_own(tmp_path: Path) -> None:
    """The inverse variance of a Legacy brick lies beside the image; where it is 0 is no data."""
    weight = np.ones(SHAPE, np.float32)
    weight[:, :7] = 0
    for kind, image in (("image", sky()), ("invvar", weight)):
        name = f"legacysurvey-1885p125-{kind}-r.fits"
        fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(image)]).writeto(tmp_path / name)
    source = load_survey("legacy").bands[1].sources[0]
    band = BandImage(tmp_path / "legacysurvey-1885p125-image-r.fits", source, 22.5)
    missing = np.isnan(band.read(0, 40, 0, 30))
    band.close()
    assert band.problems == []
    assert missing[:, :7].all()
    assert not missing[:, 7:].any()
