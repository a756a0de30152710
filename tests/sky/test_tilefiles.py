"""Finding tiles: names, folders, preferences, and a report of what is missing."""

from pathlib import Path

import pytest

from sky_ssl.errors import InputError
from sky_ssl.sky.survey import Survey, load_survey, parse_survey
from sky_ssl.sky.tilefiles import find_tiles


def touch(path: Path) -> None:
    """Make a file that begins like a FITS file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"SIMPLE  =                    T")


def two_bands() -> Survey:
    """Make a survey of g and r, files TILE_g.fits and TILE_r.fits."""
    bands = [{"name": b, "pattern": rf"(?P<tile>.+)_{b}\.fits"} for b in "gr"]
    return parse_survey({"name": "two", "pixel_scale": 1, "bands": bands}, "test")


def test_numbers_join_and_the_better_source_wins(tmp_path: Path) -> None:
    """017 and 17 are one tile, over nested folders, one per band; sources go by preference."""
    survey = load_survey("unions")
    for name in ("CFIS.017.321.u", "CFIS.017.321.r", "CFIS_LSB.017.321.r", "PS-DR3.017.321.i"):
        touch(tmp_path / name[-1] / "deep" / f"{name}.fits")
    touch(tmp_path / "g" / "calexp-CFIS_17_321.fits")
    touch(tmp_path / "z" / "DR4.017.321.z.fits")
    touch(tmp_path / "z" / "WISHES.17.321.z.fits")
    touch(tmp_path / "u" / "CFIS.018.321.u.fits")
    tiles, report = find_tiles([tmp_path / band for band in "ugriz"], survey, min_bands=2)
    assert [tile.name for tile in tiles] == ["17.321"]
    assert list(tiles[0].files) == list("ugriz")
    assert [tiles[0].files[b][0].name for b in "rz"] == [
        "CFIS_LSB.017.321.r.fits",
        "WISHES.17.321.z.fits",
    ]
    assert report == ["tile 18.321: left out, 1 bands (u) are fewer than min_bands 2"]


def test_report_of_what_is_missing_or_doubled(tmp_path: Path) -> None:
    """Missing bands, doubled files, strangers and empty files each get their line."""
    touch(tmp_path / "a" / "one_g.fits")
    touch(tmp_path / "b" / "one_g.fits")
    touch(tmp_path / "b" / "two_g.fits")
    touch(tmp_path / "b" / "else.fits")
    (tmp_path / "b" / "two_r.fits").touch()
    (tmp_path / "b" / "._two_r.fits").touch()
    tiles, report = find_tiles([tmp_path, tmp_path / "b" / "two_g.fits"], two_bands())
    assert [(tile.name, list(tile.files)) for tile in tiles] == [("one", ["g"]), ("two", ["g"])]
    b = tmp_path / "b"
    assert report == [
        f"{b}/two_r.fits: left out, not a FITS file",
        f"1 FITS files belong to no band of two, e.g. {b}/else.fits",
        f"tile one: {tmp_path}/a/one_g.fits taken for g, not {b}/one_g.fits",
        "tile one: no r",
        "tile two: no r",
    ]


def test_one_folder_per_tile_or_band(tmp_path: Path) -> None:
    """Folders name the tile where the pattern does not, or the band where it has a slash."""
    bands = [{"name": b, "pattern": rf"{b}/(?P<tile>[^/]+)\.fits"} for b in "gr"]
    survey = parse_survey({"name": "s", "pixel_scale": 1, "bands": bands}, "test")
    for band in "gr":
        touch(tmp_path / band / "first.fits")
    tiles, _ = find_tiles([tmp_path], survey)
    assert [(tile.name, list(tile.files)) for tile in tiles] == [("first", ["g", "r"])]
    bands = [{"name": "g", "pattern": r"first\.fits"}]
    survey = parse_survey({"name": "s", "pixel_scale": 1, "bands": bands}, "test")
    assert [tile.name for tile in find_tiles([tmp_path], survey)[0]] == ["g", "r"]


def test_links_that_lead_back(tmp_path: Path) -> None:
    """Linked folders are searched, and a link to a folder above does not repeat files."""
    touch(tmp_path / "far" / "one_g.fits")
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "link").symlink_to(tmp_path / "far")
    (tmp_path / "far" / "up").symlink_to(tmp_path / "near")
    tiles, report = find_tiles([tmp_path / "near"], two_bands())
    assert [tile.name for tile in tiles] == ["one"]
    assert report == ["tile one: no r"]


@pytest.mark.parametrize(
    ("min_bands", "folder", "message"),
    [
        (1, "nowhere", r"nowhere: no such file or folder"),
        (1, ".", r"none of 1 files belongs to survey two, e.g. other.fits; names of band g look"),
        (3, ".", r"min_bands 3: must be from 1 to the 2 bands of two"),
    ],
)
def test_nothing_found_is_an_error(
    tmp_path: Path, min_bands: int, folder: str, message: str
) -> None:
    """Wrong folders, names and numbers of bands are refused in one line."""
    touch(tmp_path / "other.fits")
    with pytest.raises(InputError, match=message):
        find_tiles([tmp_path / folder], two_bands(), min_bands=min_bands)
