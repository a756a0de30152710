"""Splits by sky."""

import warnings

import numpy as np
import pytest

from sky_ssl.errors import InputError
from sky_ssl.sky.coords import separation_arcsec, sky_blocks
from sky_ssl.sky.splits import split_by_sky

FIELDS = {
    "equator across RA 0": (
        lambda r: r.uniform(-6, 6, 1500) % 360,
        lambda r: r.uniform(-4, 4, 1500),
    ),
    "north pole": (
        lambda r: r.uniform(0, 360, 1500),
        lambda r: 90 - 8 * np.sqrt(r.uniform(0, 1, 1500)),
    ),
    "south, high": (lambda r: r.uniform(0, 60, 1500), lambda r: r.uniform(-80, -74, 1500)),
}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("buffer_deg", [0.0, 0.2, 1.3])
def test_no_two_parts_come_closer_than_the_buffer(field: str, buffer_deg: float) -> None:
    """All pairs of different parts, by brute force, over RA 0 and the poles."""
    rng = np.random.default_rng(1)
    ra, dec = FIELDS[field][0](rng), FIELDS[field][1](rng)
    parts = split_by_sky(ra, dec, seed=4, buffer_deg=buffer_deg)
    for one, other in (("train", "test"), ("train", "validation"), ("validation", "test")):
        a, b = parts == one, parts == other
        assert a.any()
        assert b.any()
        distance = separation_arcsec(ra[a][:, None], dec[a][:, None], ra[b], dec[b])
        assert distance.min() > buffer_deg * 3600
    assert (parts == "buffer").any() == (buffer_deg > 0)


def test_objects_added_elsewhere_change_nothing() -> None:
    """The part follows from the place and the seed alone, in one file or in several."""
    rng = np.random.default_rng(2)
    ra, dec = rng.uniform(100, 130, 3000), rng.uniform(20, 40, 3000)
    whole = split_by_sky(ra, dec, seed=1)
    np.testing.assert_array_equal(split_by_sky(ra[::2], dec[::2], seed=1), whole[::2])
    more = split_by_sky(np.append(ra, [115.0, 300.0]), np.append(dec, [30.0, -50.0]), seed=1)
    np.testing.assert_array_equal(more[:-2], whole)
    assert (split_by_sky(ra, dec, seed=2) != whole).mean() > 0.2


def test_blocks_stay_whole_and_fractions_are_met() -> None:
    """Without a buffer each block has one part, and over many blocks the shares come out."""
    rng = np.random.default_rng(3)
    ra, dec = rng.uniform(0, 360, 20000), rng.uniform(-30, 30, 20000)
    parts = split_by_sky(ra, dec, buffer_deg=0, fractions={"train": 0.8, "test": 0.2})
    blocks = sky_blocks(ra, dec, 1.0)
    pairs = {(b, p) for b, p in zip(blocks.tolist(), parts.tolist(), strict=True)}
    assert len(pairs) == np.unique(blocks).size
    assert (parts == "test").mean() == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("seed", range(12))
def test_every_part_gets_a_block_where_there_are_enough(seed: int) -> None:
    """Four blocks, three parts, whatever the draw."""
    ra = np.repeat([10.5, 40.5, 70.5, 100.5], 5)
    parts = split_by_sky(ra, np.full(20, 0.5), seed=seed)
    assert set(parts) == {"train", "validation", "test"}


def test_tiles_take_the_place_of_blocks_without_coordinates() -> None:
    """A tile is in one part, every part is used, and a part does not depend on other tiles."""
    tile = np.repeat([f"tile {i}" for i in range(40)], 10)
    unknown = np.full(400, np.nan)
    parts = split_by_sky(unknown, unknown, tile, seed=0)
    assert all(np.unique(parts[tile == name]).size == 1 for name in np.unique(tile))
    assert set(parts) == {"train", "validation", "test"}
    some = tile < "tile 3"
    np.testing.assert_array_equal(
        split_by_sky(unknown[some], unknown[some], tile[some]), parts[some]
    )


def test_objects_without_coordinates_do_not_leak_through_their_tile() -> None:
    """On a tile whose other objects have coordinates they are left out."""
    ra = np.array([10.0, np.nan, 50.0, 90.0, np.nan])
    parts = split_by_sky(ra, ra, np.array(["a", "a", "b", "c", "d"]), seed=0)
    assert parts[1] == "buffer"
    assert parts[4] != "buffer"


def test_without_coordinates_and_tiles_the_split_is_random_with_a_warning() -> None:
    """Random, but the same for the same seed."""
    unknown = np.full(1000, np.nan)
    with pytest.warns(UserWarning, match="split at random"):
        parts = split_by_sky(unknown, unknown, seed=5)
    assert (parts == "train").mean() == pytest.approx(0.7, abs=0.05)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(split_by_sky(unknown, unknown, seed=5), parts)


def test_one_block_goes_to_the_largest_part_with_a_warning() -> None:
    """One object, or all within a degree: there is nothing to split by."""
    with pytest.warns(UserWarning, match="one block of 1.0 degrees of sky: all of them go to 'tr"):
        assert split_by_sky([10.2], [0.5]).tolist() == ["train"]
    with pytest.warns(UserWarning, match="lie on one tile, x: all"):
        assert split_by_sky([np.nan], [np.nan], ["x"]).tolist() == ["train"]
    assert split_by_sky([], []).size == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fractions": {"train": 0.7, "test": 0.7}}, "add up to 1"),
        ({"fractions": {"train": 1.5, "test": -0.5}}, "0 or more"),
        ({"fractions": {"train": 0.5, "buffer": 0.5}}, "no name for a part"),
        ({"buffer_deg": -1.0}, "buffer_deg -1.0"),
        ({"block_deg": 0.0}, "blocks of 0.0 degrees"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict, message: str) -> None:
    """The message names the argument and what is allowed."""
    with pytest.raises(InputError, match=message):
        split_by_sky([1.0], [1.0], **arguments)
