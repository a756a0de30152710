"""Colour pictures and contact sheets."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sky_ssl.figures.contact import draw_cutouts, rgb_bands, save_contact_sheet
from sky_ssl.figures.rgb import NO_DATA, lupton_rgb, sky_stretch
from sky_ssl.sky.cutoutset import open_cutouts
from sky_ssl.sky.mock import write_mock


def test_bright_is_bright_and_red_is_red() -> None:
    """Brightness grows with the counts, the reddest band gives red, no data its own colour."""
    images = np.zeros((4, 3, 8, 8))
    images[1] = 50.0
    images[2, 0] = 50.0
    images[3] = np.nan
    rgb = lupton_rgb(images, sky_stretch([1.0, 1.0, 1.0], (1, 1, 1))).astype(int)
    assert rgb[1].sum() > rgb[0].sum()
    assert rgb[2, 0, 0, 0] > rgb[2, 0, 0, 2] + 100
    assert tuple(rgb[3, 4, 4]) == NO_DATA


def test_a_band_without_data_leaves_a_grey_picture() -> None:
    """The other two stand in for it, so that the picture has no false colour."""
    images = np.full((1, 3, 4, 4), 20.0)
    images[0, 2] = np.nan
    rgb = lupton_rgb(images, sky_stretch([1.0, 1.0, 1.0], (1, 1, 1)))
    assert np.ptp(rgb[0].astype(int), axis=-1).max() <= 1
    with pytest.raises(ValueError, match="2 bands"):
        lupton_rgb(images[:, :2], sky_stretch([1.0] * 3))


def test_bands_of_a_picture() -> None:
    """Long wavelengths are red; names asked for are used; any number of bands will do."""
    assert rgb_bands("ugriz") == (3, 2, 1)
    assert rgb_bands("grz") == (2, 1, 0)
    assert rgb_bands("r") == (0, 0, 0)
    assert rgb_bands("ugriz", "zru") == (4, 2, 0)


def test_sheet_has_a_place_for_each(tmp_path: Path) -> None:
    """Rows and columns as asked, north up: row 0 of an image is at the bottom."""
    images = np.zeros((5, 3, 10, 10), dtype=np.float32)
    images[0, :, 0] = 100.0
    save_contact_sheet(tmp_path / "a" / "s.png", images, [1.0] * 3, rgb=(2, 1, 0), columns=2)
    sheet = np.asarray(Image.open(tmp_path / "a" / "s.png")).astype(int)
    assert sheet.shape == (3 * 22, 2 * 22, 3)
    assert sheet[18, 5].sum() > 300 > sheet[1, 5].sum()


def test_sheet_of_a_file(tmp_path: Path) -> None:
    """A cutout file is drawn with the words of its column."""
    write_mock(tmp_path / "m.h5", 14, workers=1)
    draw_cutouts(open_cutouts(tmp_path / "m.h5"), tmp_path / "m.png")
    sheet = np.asarray(Image.open(tmp_path / "m.png"))
    assert sheet.shape == (2 * (128 + 2 + 11), 12 * 130, 3)
    assert sheet.std() > 5
