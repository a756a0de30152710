"""Random cutouts from tiles while training: the same whoever asks, and where they say they are."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from sky_ssl.errors import InputError
from sky_ssl.model.config import ModelConfig
from sky_ssl.training.config import Config, DataConfig
from sky_ssl.training.data import Source, open_source

Make = Callable[..., Source]
SIDE = 60
SURVEY = {
    "name": "two",
    "pixel_scale": 0.5,
    "bands": [{"name": b, "pattern": rf"(?P<tile>.+)_{b}\.fits"} for b in "gr"],
}


def wcs(tile: int) -> WCS:
    """Give the WCS of one of the tiles, two degrees apart."""
    w = WCS(naxis=2)
    w.wcs.ctype, w.wcs.crval = ["RA---TAN", "DEC--TAN"], [188.0 + 2 * tile, 12.5]
    w.wcs.crpix, w.wcs.cdelt = [SIDE / 2, SIDE / 2], [-0.5 / 3600, 0.5 / 3600]
    return w


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four tiles in two bands whose pixels say where they lie: x + 1000 y + 1e6 tile."""
    y, x = np.mgrid[:SIDE, :SIDE]
    for tile in range(4):
        image = (x + 1000 * y + 1e6 * tile + 1).astype(np.float32)
        for band in "gr":
            file = fits.PrimaryHDU(image, wcs(tile).to_header())
            file.writeto(tmp_path / f"t{tile}_{band}.fits")
    return tmp_path


@pytest.fixture
def source(folder: Path) -> Iterator[Callable[..., Source]]:
    """Open the tiles as a run with cutouts of 16 x 16 pixels does: `source(**data)`."""
    made = []

    def make(**data: Any) -> Source:
        model = ModelConfig(image_size=16, patch_size=4)
        chosen = DataConfig(tiles=(str(folder),), **data)
        made.append(open_source(Config(survey_table=SURVEY, data=chosen, model=model)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_an_image_hangs_on_its_number_alone(source: Make) -> None:
    """Alone, among others or in another process's source, image p is the same."""
    one, other = source(), source()
    rows = np.arange(20)
    images = one.read(rows)
    assert images.shape == (20, 2, 16, 16)
    np.testing.assert_array_equal(other.read(rows[::-3]), images[::-3])
    assert len(np.unique(images[:, 0, 0, 0])) == 20


def test_positions_are_those_of_the_pixels(source: Make) -> None:
    """RA and Dec are what the WCS of the tile gives for the pixel in the middle."""
    rows = np.arange(40)
    images, sky = source(validation=0.0).read_placed(rows)
    np.testing.assert_array_equal(images, source(validation=0.0).read(rows))
    value = images[:, 0, 8, 8].astype(np.int64) - 1
    tiles, y, x = value // 1_000_000, value // 1000 % 1000, value % 1000
    assert len(set(tiles.tolist())) > 1
    for row in range(40):
        expected = wcs(tiles[row]).pixel_to_world_values(x[row], y[row])
        np.testing.assert_allclose(sky[row], expected, atol=1e-6)


def test_validation_comes_from_other_tiles(source: Make) -> None:
    """Images to validate on share no tile with those to train on."""
    made = source(validation=0.5)
    tiles = [
        set((made.read(rows)[:, 0, 8, 8] // 1e6).tolist())
        for rows in (made.train_rows[:200], made.validation_rows[:50])
    ]
    assert tiles[0]
    assert tiles[1]
    assert not tiles[0] & tiles[1]


def test_tiles_that_are_too_small_are_refused(source: Make) -> None:
    """The field of view asked for does not fit a tile: said with what to change."""
    with pytest.raises(InputError, match=r"no tile has 64 x 64 pixels left for training"):
        source(fov=32.0)
