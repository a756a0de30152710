"""Cutting images out of tiles."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from sky_ssl.errors import InputError
from sky_ssl.sky.catalogue import read_catalogue
from sky_ssl.sky.centres import field_of_view, grid_centres, random_centres
from sky_ssl.sky.coords import separation_arcsec
from sky_ssl.sky.cutoutset import open_cutouts
from sky_ssl.sky.cutting import CutConfig, bin_images, cut_tile, cut_tiles
from sky_ssl.sky.survey import Survey, parse_survey
from sky_ssl.sky.tiles import TileFiles, find_tiles, open_tile

SCALE = 0.2  # arcsec per pixel
MakeTile = Callable[..., Path]


def survey_of(bands: str = "gr", scale: float = SCALE) -> Survey:
    return parse_survey(
        {
            "survey": {
                "name": "test",
                "prefix": "T",
                "pixel_scale": scale,
                "bands": [
                    {"name": b, "pattern": rf"(?P<tile>.+)_{b}\.fits", "zero_point": 30.0}
                    for b in bands
                ],
            }
        },
        "test",
    )


def tile_wcs(ra: float, dec: float, shape: tuple[int, int], angle: float = 30.0) -> WCS:
    """A rotated gnomonic projection, centred on the image, RA growing to the left."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [ra, dec]
    wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    wcs.wcs.cd = np.array([[-c, s], [s, c]]) * SCALE / 3600
    return wcs


def write_tile(
    folder: Path,
    name: str,
    pixels: np.ndarray,
    wcs: WCS | None = None,
    bands: str = "gr",
) -> None:
    """Write bands (C, H, W) as FITS files."""
    for band, image in zip(bands, pixels, strict=True):
        header = wcs.to_header() if wcs is not None else None
        fits.writeto(folder / f"{name}_{band}.fits", image.astype(np.float32), header)


def tiles_of(folder: Path, survey: Survey) -> list[TileFiles]:
    return find_tiles([folder], survey)[0]


def points(shape: tuple[int, int], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """An image that is 0 but for a count of 100 + i in the pixel of each position."""
    image = np.zeros(shape)
    image[np.rint(y).astype(int), np.rint(x).astype(int)] = 100 + np.arange(len(x))
    return image


def test_objects_come_out_in_the_centre_of_their_cutout(tmp_path: Path) -> None:
    """On a rotated tile that is not square: sky to pixel, x along columns, and the right object."""
    shape, survey = (300, 500), survey_of()
    wcs = tile_wcs(359.99, 60.0, shape)
    rng = np.random.default_rng(0)
    x, y = rng.uniform(40, 460, 20), rng.uniform(40, 260, 20)
    write_tile(tmp_path, "A", np.stack([points(shape, x, y)] * 2), wcs)
    sky = wcs.pixel_to_world(x, y)
    frame = pd.DataFrame({"id": [f"o{i}" for i in range(20)], "ra": sky.ra.deg, "dec": sky.dec.deg})
    for size, centre in ((16, slice(7, 9)), (15, slice(7, 8))):
        out = tmp_path / f"{size}.h5"
        report = cut_tiles(
            tiles_of(tmp_path, survey), survey, out, CutConfig(size=size), catalogue=frame
        )
        assert (report.cut, report.at_edge, report.outside, report.empty) == (20, 0, 0, 0)
        cutouts = open_cutouts(out)
        number = np.array([int(name[1:]) for name in cutouts.column("id")])
        found = cutouts.read(slice(None))[:, 0, centre, centre].max(axis=(1, 2))
        np.testing.assert_array_equal(found, 100 + number)
        np.testing.assert_allclose(cutouts.column("x"), x[number], atol=0.01)
        np.testing.assert_allclose(cutouts.column("y"), y[number], atol=0.01)
        np.testing.assert_array_equal(cutouts.column("ra"), sky.ra.deg[number])


def test_centres_of_random_and_grid_cutouts_agree_with_astropy(tmp_path: Path) -> None:
    """RA and Dec are those of the geometric centre of the window, to 0.01 pixel, in float64."""
    shape, survey = (200, 330), survey_of("g")
    wcs = tile_wcs(150.0, -30.0, shape)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    write_tile(tmp_path, "A", (rows * 1000.0 + columns)[None], wcs, "g")
    for config in (CutConfig(size=20, random=30), CutConfig(size=20, grid=0.0)):
        out = tmp_path / f"{config.random}.h5"
        cut_tiles(tiles_of(tmp_path, survey), survey, out, config)
        cutouts = open_cutouts(out)
        corner = cutouts.read(slice(None))[:, 0, 0, 0].astype(int)
        x, y = corner % 1000 + 9.5, corner // 1000 + 9.5
        sky = wcs.pixel_to_world(x, y)
        ra, dec = cutouts.column("ra"), cutouts.column("dec")
        assert ra.dtype == np.float64
        assert separation_arcsec(ra, dec, sky.ra.deg, sky.dec.deg).max() < 0.01 * SCALE
        assert np.unique(cutouts.column("id")).size == len(cutouts)
        assert cutouts.column("id")[0].startswith("T J")


@pytest.mark.parametrize(
    ("H", "W", "side"), [(100, 130, 32), (64, 64, 64), (50, 200, 64), (33, 32, 32)]
)
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.9])
def test_grid_covers_every_pixel_and_stays_inside(
    H: int, W: int, side: int, overlap: float
) -> None:
    """Each pixel of the tile is in a window; neighbours overlap at least as asked."""
    x, y = grid_centres((H, W), side, overlap)
    covered = np.zeros((H, W), dtype=int)
    x0, y0 = (x - (side - 1) / 2).astype(int), (y - (side - 1) / 2).astype(int)
    for left, top in zip(x0, y0, strict=True):
        covered[max(top, 0) : top + side, max(left, 0) : left + side] += 1
    assert covered.min() >= 1
    if min(H, W) >= side:
        assert min(x0.min(), y0.min()) == 0
        assert x0.max() + side == W
        assert y0.max() + side == H
    assert max(np.diff(np.unique(x0)), default=0) <= max(1, int(side * (1 - overlap) + 1e-9))
    with pytest.raises(InputError, match="grid overlap 1"):
        grid_centres((H, W), side, 1.0)


def test_random_windows_lie_inside_and_reach_every_edge() -> None:
    """Uniform over all places where the window fits; centred where it does not."""
    x, y = random_centres((40, 60), 5000, 10, np.random.default_rng(0))
    assert (x.min(), x.max()) == (4.5, 54.5)
    assert (y.min(), y.max()) == (4.5, 34.5)
    x, y = random_centres((6, 60), 5, 10, np.random.default_rng(0))
    assert set(y) == {2.5}


def test_field_of_view_takes_the_nearest_binning() -> None:
    """The true field is told; sizes and fields out of range are refused."""
    assert field_of_view(None, 64, 0.2) == (1, 12.8)
    assert field_of_view(47.5, 64, 0.1857)[0] == 4
    binning, fov = field_of_view(30.0, 64, 0.2)
    assert (binning, fov) == (2, pytest.approx(25.6))
    assert field_of_view(1.0, 64, 0.2)[0] == 1
    for fov, size, message in ((0.0, 64, "fov 0.0"), (10.0, 0, "size 0")):
        with pytest.raises(InputError, match=message):
            field_of_view(fov, size, 0.2)


def test_binning_conserves_flux_and_fills_small_gaps() -> None:
    """Sums; scaled up where at least half of a bin is valid, NaN where less is."""
    rng = np.random.default_rng(0)
    image = rng.normal(10, 3, (2, 12, 12)).astype(np.float32)
    binned = bin_images(image, 3)
    assert binned.shape == (2, 4, 4)
    assert binned.sum() == pytest.approx(image.sum(), rel=1e-6)
    assert binned[1, 2, 3] == pytest.approx(image[1, 6:9, 9:12].sum(), rel=1e-6)
    flat = np.ones((1, 4, 4), dtype=np.float32)
    flat[0, 0, :2] = np.nan
    flat[0, 2:, 2:] = np.nan
    flat[0, 2, 2] = 1
    expected = np.array([[4.0, 4.0], [4.0, np.nan]])
    np.testing.assert_array_equal(bin_images(flat, 2)[0], expected)


def test_cut_tile_pads_beyond_the_edge(tmp_path: Path) -> None:
    """Outside the tile there is no data; the rest is in place, also when binned."""
    survey = survey_of("g")
    write_tile(tmp_path, "A", np.arange(48.0).reshape(1, 6, 8), bands="g")
    with open_tile(tiles_of(tmp_path, survey)[0], survey) as tile:
        cut = cut_tile(tile, [0.0, 3.5], [0.0, 2.5], size=4)
        assert np.isnan(cut[0, 0, :2]).all()
        assert np.isnan(cut[0, 0, :, :2]).all()
        np.testing.assert_array_equal(cut[0, 0, 2:, 2:], [[0, 1], [8, 9]])
        np.testing.assert_array_equal(cut[1, 0, 0], [10, 11, 12, 13])
        binned = cut_tile(tile, [3.5], [2.5], size=2, binning=2)
        assert binned[0, 0, 0, 0] == 10 + 11 + 18 + 19
        assert cut_tile(tile, [], [], size=4).shape == (0, 1, 4, 4)


def test_edges_and_strangers_are_counted(tmp_path: Path) -> None:
    """Skipped at the edge, outside all tiles, duplicates by place and id, empty places."""
    shape, survey = (200, 300), survey_of()
    wcs = tile_wcs(10.0, 20.0, shape)
    pixels = np.ones((2, *shape))
    pixels[:, 60:140, 100:200] = np.nan
    write_tile(tmp_path, "A", pixels, wcs)
    x = np.array([5.0, 40.0, 42.0, 150.0, 250.0, 900.0, 260.0])
    y = np.array([100.0, 50.0, 50.0, 100.0, 150.0, 100.0, 40.0])
    sky = wcs.pixel_to_world(x, y)
    frame = pd.DataFrame({"id": list("abcdefe"), "ra": sky.ra.deg, "dec": sky.dec.deg})
    counts = {}
    for edge in ("skip", "pad"):
        config = CutConfig(size=20, edge=edge)
        report = cut_tiles(
            tiles_of(tmp_path, survey), survey, tmp_path / f"{edge}.h5", config, catalogue=frame
        )
        counts[edge] = (report.cut, report.at_edge, report.outside, report.duplicates, report.empty)
        coverage = open_cutouts(tmp_path / f"{edge}.h5").column("coverage")
    assert counts == {"skip": (2, 1, 1, 2, 1), "pad": (3, 0, 1, 2, 1)}
    assert coverage.min() == pytest.approx(0.75)


def test_an_object_on_two_tiles_comes_from_the_one_with_more_data(tmp_path: Path) -> None:
    """Two overlapping tiles, the better one by coverage, else the one farther from the edge."""
    shape, survey = (100, 200), survey_of()
    left, right = tile_wcs(10.0, 0.0, shape, 0.0), tile_wcs(10.0, 0.0, shape, 0.0)
    right.wcs.crpix = [left.wcs.crpix[0] - 140, left.wcs.crpix[1]]
    pixels = np.ones((2, 2, *shape))
    pixels[0, 1, 50:, 140:] = np.nan
    write_tile(tmp_path, "left", pixels[0], left)
    write_tile(tmp_path, "right", pixels[1] * 2, right)
    x, y = np.array([180.0, 150.0, 160.0, 20.0, 300.0]), np.array([20.0, 20.0, 80.0, 50.0, 50.0])
    sky = left.pixel_to_world(x, y)
    frame = pd.DataFrame({"id": list("abcde"), "ra": sky.ra.deg, "dec": sky.dec.deg})
    report = cut_tiles(
        tiles_of(tmp_path, survey), survey, tmp_path / "o.h5", CutConfig(size=10), catalogue=frame
    )
    cutouts = open_cutouts(tmp_path / "o.h5")
    tile = dict(zip(cutouts.column("id"), cutouts.column("tile"), strict=True))
    assert tile == {"a": "right", "b": "left", "c": "right", "d": "left", "e": "right"}
    assert (report.cut, report.several) == (5, 3)
    assert cutouts.column("coverage").min() == 1.0


def test_processes_change_nothing(tmp_path: Path) -> None:
    """Two spawned workers give the file of one; random windows avoid empty sky."""
    survey = survey_of()
    for number in range(3):
        pixels = np.random.default_rng(number).normal(size=(2, 90, 120))
        pixels[:, :, 40:] = np.nan
        write_tile(tmp_path, f"t{number}", pixels, tile_wcs(10.0 + number, 0.0, (90, 120)))
    config = CutConfig(size=8, random=300, min_coverage=0.5, seed=3)
    seen: list[tuple[int, int]] = []
    results = []
    for workers in (1, 2):
        report = cut_tiles(
            tiles_of(tmp_path, survey),
            survey,
            tmp_path / f"{workers}.h5",
            config,
            workers=workers,
            progress=lambda done, total: seen.append((done, total)),
        )
        assert report.cut == 900
        cutouts = open_cutouts(tmp_path / f"{workers}.h5")
        results.append((cutouts.column("id"), cutouts.read(slice(None))))
    assert seen[-1] == (900, 900)
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])
    assert np.isfinite(results[0][1]).any(axis=1).mean(axis=(1, 2)).min() >= 0.5


def test_columns_of_the_catalogue_come_along(tmp_path: Path) -> None:
    """Numbers with gaps, text, names that clash or hold a slash; a warning for large objects."""
    shape, survey = (80, 80), survey_of("g")
    wcs = tile_wcs(10.0, 0.0, shape)
    write_tile(tmp_path, "A", np.ones((1, *shape)), wcs, "g")
    sky = wcs.pixel_to_world([30.0, 50.0], [30.0, 50.0])
    frame = pd.DataFrame({"id": ["a", "b"], "ra": sky.ra.deg, "dec": sky.dec.deg})
    frame["half_light_radius"], frame["b/a"], frame["tile"] = [0.5, 8.0], [1, 2], ["(1, 2)", None]
    frame["zspec"], frame["morph"], frame["good"] = [np.nan, 0.5], ["dE", None], [True, False]
    report = cut_tiles(
        tiles_of(tmp_path, survey), survey, tmp_path / "o.h5", CutConfig(size=16), catalogue=frame
    )
    assert "1 of 2 objects have a half-light radius above a quarter" in report.problems[-1]
    assert "use fov 32" in report.problems[-1]
    cutouts = open_cutouts(tmp_path / "o.h5")
    assert cutouts.column("tile").tolist() == ["A", "A"]
    assert cutouts.column("tile_catalogue").tolist() == ["(1, 2)", ""]
    assert cutouts.column("morph").tolist() == ["dE", ""]
    np.testing.assert_array_equal(cutouts.column("zspec"), [np.nan, 0.5])
    assert cutouts.column("b_a").tolist() == [1, 2]
    assert cutouts.column("good").tolist() == [1, 0]


def test_tiles_without_wcs_use_pixels(tmp_path: Path) -> None:
    """Names are tile and pixel, coordinates NaN; a catalogue finds its places by tile, x and y."""
    survey = survey_of("g")
    image = np.arange(60 * 80.0).reshape(1, 60, 80)
    write_tile(tmp_path, "A", image, bands="g")
    write_tile(tmp_path, "B", -image, bands="g")
    cut_tiles(tiles_of(tmp_path, survey), survey, tmp_path / "r.h5", CutConfig(size=8, random=5))
    cutouts = open_cutouts(tmp_path / "r.h5")
    assert np.isnan(cutouts.column("ra")).all()
    x, y = cutouts.column("x"), cutouts.column("y")
    assert cutouts.column("id")[0] == f"A:{x[0]},{y[0]}"
    (tmp_path / "cat.csv").write_text("tile,x,y\nB,20,30\nC,1,1\n")
    frame = read_catalogue(tmp_path / "cat.csv")
    report = cut_tiles(
        tiles_of(tmp_path, survey), survey, tmp_path / "c.h5", CutConfig(size=1), catalogue=frame
    )
    assert (report.cut, report.outside) == (1, 1)
    cutouts = open_cutouts(tmp_path / "c.h5")
    assert cutouts.read(slice(None)).item() == -(30 * 80 + 20)
    assert cutouts.column("id").tolist() == ["B:20.0,30.0"]


def test_missing_bands_and_half_precision(tmp_path: Path) -> None:
    """A band without a file is NaN and counted; float16 keeps 1 in 1000 at any scale."""
    survey = survey_of("gr")
    image = np.random.default_rng(0).normal(0, 1e-12, (1, 60, 60))
    image[0, 30, 30] = 3e-8
    write_tile(tmp_path, "A", image, bands="g")
    config = CutConfig(size=16, grid=0.0, dtype="float16")
    report = cut_tiles(tiles_of(tmp_path, survey), survey, tmp_path / "o.h5", config)
    cutouts = open_cutouts(tmp_path / "o.h5")
    pixels = cutouts.read(slice(None))
    assert np.isnan(pixels[:, 1]).all()
    assert set(cutouts.column("n_bands")) == {1}
    assert pixels[:, 0].max() == pytest.approx(3e-8, rel=1e-3)
    assert cutouts.info.pixel_scale == report.pixel_scale == SCALE


def test_bad_input_is_refused(tmp_path: Path) -> None:
    """Nothing to cut, contradictory choices, values out of range; no file is left behind."""
    survey = survey_of("g")
    write_tile(tmp_path, "A", np.full((1, 50, 50), np.nan), tile_wcs(10.0, 0.0, (50, 50)), "g")
    tiles, out = tiles_of(tmp_path, survey), tmp_path / "o.h5"
    far = pd.DataFrame({"id": ["a"], "ra": [200.0], "dec": [0.0]})
    with pytest.raises(InputError, match="nothing to cut from 1 tiles of test: 1 outside"):
        cut_tiles(tiles, survey, out, catalogue=far)
    with pytest.raises(InputError, match="without enough data"):
        cut_tiles(tiles, survey, out, CutConfig(size=8, grid=0.0))
    with pytest.raises(InputError, match="give one of random, grid and a catalogue"):
        cut_tiles(tiles, survey, out)
    with pytest.raises(InputError, match="catalogue without columns dec"):
        cut_tiles(tiles, survey, out, catalogue=far.drop(columns="dec"))
    for changes, message in (
        ({"edge": "drop"}, "edge 'drop'"),
        ({"random": 0}, "random 0"),
        ({"random": 1, "grid": 0.0}, "exclude"),
        ({"min_coverage": 2.0}, "min_coverage 2.0"),
    ):
        with pytest.raises(InputError, match=message):
            replace(CutConfig(), **changes)
    assert list(tmp_path.glob("*h5*")) == []
