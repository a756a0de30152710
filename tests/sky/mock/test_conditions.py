"""What the mock survey is taken with."""

import numpy as np
import pytest

from sky_ssl.errors import InputError
from sky_ssl.sky.mock.conditions import BANDS, DEPTH, draw_tiles, find_preset, pixel_sigma
from sky_ssl.sky.splits import split_by_sky


def test_depth_gives_the_noise_in_an_aperture_of_two_arcsec() -> None:
    """Five times the noise in the aperture is the flux of the depth, in either preset."""
    for name in ("native", "wide"):
        preset = find_preset(name)
        pixels = np.pi / preset.pixel_scale**2
        flux = 10 ** (0.4 * (30.0 - DEPTH))
        np.testing.assert_allclose(5 * pixel_sigma(DEPTH, preset) * np.sqrt(pixels), flux)


def test_presets_hold_what_they_say() -> None:
    """64 pixels are 11.9 arcsec in `native` and 47.5 in `wide`; another name is refused."""
    sides = [64 * find_preset(name).pixel_scale for name in ("native", "wide")]
    assert sides == pytest.approx([11.88, 47.54], abs=0.01)
    with pytest.raises(InputError, match="preset 'deep' of the mock survey: allowed are native"):
        find_preset("deep")


def test_tiles_differ_by_seed_and_some_lack_a_band() -> None:
    """The weather is drawn from the seed; about 15 % of the tiles lack a band."""
    assert draw_tiles(3)[7].name == draw_tiles(3)[7].name
    np.testing.assert_array_equal(draw_tiles(3)[7].seeing, draw_tiles(3)[7].seeing)
    assert not np.array_equal(draw_tiles(3)[7].seeing, draw_tiles(4)[7].seeing)
    missing = [tile.missing >= 0 for seed in range(20) for tile in draw_tiles(seed)]
    assert 0.10 < np.mean(missing) < 0.20
    assert all(len(tile.depth) == len(BANDS) for tile in draw_tiles(0))


def test_tiles_can_be_split_by_sky() -> None:
    """Tiles lie far enough apart that none is torn by a split into blocks of a degree."""
    tiles = draw_tiles(0)
    rng = np.random.default_rng(0)
    ra, dec, names = [], [], []
    for tile in tiles:
        for _ in range(20):
            ra.append(tile.ra + rng.uniform(-0.25, 0.25) / np.cos(np.deg2rad(tile.dec)))
            dec.append(tile.dec + rng.uniform(-0.25, 0.25))
            names.append(tile.name)
    split = split_by_sky(np.array(ra), np.array(dec), np.array(names), seed=1)
    parts = np.asarray(split.part if hasattr(split, "part") else split)
    assert {"train", "validation"} <= set(parts)
    assert np.mean(parts == "train") > 0.4
