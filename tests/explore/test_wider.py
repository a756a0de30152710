"""A wider view from the tile that a cutout was cut from."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.io import fits

from sky_ssl.explore.wider import Wider, part_of, read_wider, tile_source, tiles_there
from sky_ssl.sky.cutoutset import CutoutSet, open_cutouts
from sky_ssl.sky.cutting import CutConfig, cut_tiles
from sky_ssl.sky.survey import Survey, parse_survey
from sky_ssl.sky.tiles import find_tiles

SHAPE, SIZE = (300, 400), 20


@pytest.fixture
def survey() -> Survey:
    """Two bands with zero points of their own."""
    bands = [{"name": b, "pattern": rf"(?P<tile>.+)_{b}\.fits", "zero_point": z}
             for b, z in (("g", 30.0), ("r", 27.5))]  # fmt: skip
    return parse_survey(
        {"survey": {"name": "two", "prefix": "T", "pixel_scale": 0.2, "bands": bands}}, "test"
    )


@pytest.fixture
def cut(tmp_path: Path, survey: Survey) -> tuple[Path, np.ndarray]:
    """Binned random cutouts of a tile in a folder of its own, and the pixels of the tile."""
    folder = tmp_path / "tiles"
    folder.mkdir()
    pixels = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype(np.float32)
    for band, image in zip("gr", pixels, strict=True):
        fits.writeto(folder / f"A_{band}.fits", image)
    tiles = find_tiles([folder], survey)[0]
    config = CutConfig(size=SIZE, fov=SIZE * 0.4, random=6)
    cut_tiles(tiles, survey, tmp_path / "cut.h5", config)
    return tmp_path / "cut.h5", pixels


def view(path: Path, row: int, times: int = 4) -> tuple[CutoutSet, Wider | None]:
    found: CutoutSet = open_cutouts(path)
    source = tile_source(part_of(found, row)[0].path)
    assert source is not None
    return found, read_wider(found, row, source, tiles_there(source), times=times)


def test_the_cutout_is_the_middle_of_its_wider_view(cut: tuple[Path, np.ndarray]) -> None:
    """Same pixels, same binning and zero points, where the tile goes on on all sides."""
    path, _ = cut
    for row in range(6):
        found, wide = view(path, row, times=3)
        assert wide is not None
        assert wide.image.shape == (2, 3 * SIZE, 3 * SIZE)
        assert (wide.tile, wide.noise) == ("A", 1.0)
        assert wide.pixel_scale == pytest.approx(0.4)
        middle = wide.image[:, SIZE : 2 * SIZE, SIZE : 2 * SIZE]
        np.testing.assert_allclose(middle, found.read(np.array([row]))[0], rtol=1e-5)


def test_a_large_view_is_binned_and_says_its_noise(cut: tuple[Path, np.ndarray]) -> None:
    """At most 256 pixels a side: of 20 x 20 times 15 it takes two to the side of one."""
    _, wide = view(cut[0], 0, times=15)
    assert wide is not None
    assert wide.image.shape == (2, 150, 150)
    assert wide.noise == 2.0
    known = wide.image[0][np.isfinite(wide.image[0])]
    assert known.std() == pytest.approx(4.0, rel=0.1)  # 4 x 4 native pixels of noise 1
    assert np.isnan(wide.image).any()  # beyond the tile there is nothing


def test_without_the_tile_there_is_no_view(cut: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    """Tiles that were moved away, and files that never said where theirs lie."""
    shutil.move(tmp_path / "tiles", tmp_path / "elsewhere")
    assert view(cut[0], 0)[1] is None
    silent = Path(shutil.copy(cut[0], tmp_path / "silent.h5"))
    with h5py.File(silent, "r+") as file:
        del file.attrs["tile_folders"]
    assert tile_source(silent) is None
