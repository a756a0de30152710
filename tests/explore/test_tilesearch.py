"""Search over tiles: a galaxy planted off every grid is found, in both ways, on any tile."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from sky_ssl.embedding.store import Embeddings, open_embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.axes import principal_axes
from sky_ssl.explore.densesearch import search_dense, shift, shifted_queries
from sky_ssl.explore.embedder import Embedder, open_embedder
from sky_ssl.explore.search import Results, query_vector
from sky_ssl.explore.tilesearch import Query, make_cutter, search_detections
from sky_ssl.explore.whitening import Whitening
from sky_ssl.sky.cutoutset import open_cutouts
from sky_ssl.sky.survey import Survey, parse_survey
from sky_ssl.sky.tiles import find_tiles
from sky_ssl.sky.tilework import TileHandle, opened

UNKNOWN = np.array([np.nan])
# top left corners (y, x) of the 48-pixel cutouts g001 to g004 on a tile, on no grid of patches
CORNERS = {1: (21, 34), 2: (37, 120), 3: (140, 27), 4: (117, 133)}
SHAPE = (200, 210)


def survey(**changes: Any) -> Survey:
    bands = [{"name": b, "pattern": rf"(?P<tile>.+)_{b}\.fits"} for b in "rg"]
    table = {"name": "two", "pixel_scale": 0.1857, "bands": bands, **changes}
    return parse_survey(table, "test")


def write_tile(
    folder: Path, galaxies: Path, name: str = "t", dx: int = 0, wcs: bool = True, binning: int = 1
) -> None:
    """Plant galaxies on noise; `dx` moves the tile's edge, not the sky; finer pixels by repeats."""
    cutouts = open_cutouts(galaxies).read(slice(0, 5))
    tile = np.random.default_rng(dx).normal(0, 1, (2, *SHAPE)).astype(np.float32)
    for row, (y, x) in CORNERS.items():
        tile[:, y : y + 48, x + dx : x + dx + 48] = cutouts[row]
    tile = tile.repeat(binning, axis=1).repeat(binning, axis=2) / binning**2
    frame = WCS(naxis=2)
    frame.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    frame.wcs.crval, frame.wcs.crpix = [188.73, -0.5], [100.5 * binning + dx, 100.5 * binning]
    frame.wcs.cdelt = [-0.1857 / 3600 / binning, 0.1857 / 3600 / binning]
    folder.mkdir(exist_ok=True)
    for band, pixels in zip("gr", tile, strict=True):
        head = frame.to_header() if wcs else None
        fits.PrimaryHDU(pixels, head).writeto(folder / f"{name}_{band}.fits")


@pytest.fixture(scope="module")
def e(embedded: Path) -> Embeddings:
    return open_embeddings(embedded)


@pytest.fixture(scope="module")
def embedder(small_run: Path, e: Embeddings) -> Embedder:
    return open_embedder(small_run, e)


def run(
    folder: Path, embedder: Embedder, e: Embeddings, row: int, *, dense: bool, **options: Any
) -> tuple[Results, int, list[str]]:
    """Search a folder of tiles for galaxy number `row`."""
    of = options.pop("survey", survey())
    tiles, _ = find_tiles([folder], of)
    cutter = make_cutter(embedder, of)
    query = Query(
        query_vector(e.values[[row]], None, 4),
        options.pop("ra", UNKNOWN),
        options.pop("dec", UNKNOWN),
    )
    if not dense:
        return search_detections(tiles, of, cutter, query, **options)
    image = open_cutouts(e.attributes["cutouts"]).read(slice(row, row + 1))
    shifted = shifted_queries(embedder, image, None, 0.5)
    return search_dense(tiles, of, cutter, query, shifted, **options)


@pytest.mark.parametrize("row", CORNERS)
def test_a_planted_galaxy_is_found_everywhere(
    tmp_path: Path, galaxies: Path, embedder: Embedder, e: Embeddings, row: int
) -> None:
    """Densely: at its pixel, with the score of its cutout, and once."""
    write_tile(tmp_path / "tiles", galaxies)
    results, count, problems = run(tmp_path / "tiles", embedder, e, row, dense=True, k=5)
    y, x = CORNERS[row]
    assert results.x is not None
    assert results.y is not None
    assert (results.x[0], results.y[0]) == pytest.approx((x + 23.5, y + 23.5), abs=0.51)
    assert results.scores[0] == pytest.approx(1, abs=1e-3)
    assert results.scores[1] < 0.99
    # blocks centred on the corners of 8-pixel patches, but for the four with a quarter on the tile
    assert count == (200 // 8 + 1) * (210 // 8 + 1) - 4
    assert problems == []
    assert results.ids[0].startswith("two J1234")


def test_a_planted_galaxy_is_found_among_detections(
    tmp_path: Path, galaxies: Path, embedder: Embedder, e: Embeddings
) -> None:
    """Within the few pixels between the centre of the cutout and that of the light."""
    write_tile(tmp_path / "tiles", galaxies)
    places = {}
    for row in CORNERS:
        results, count, _ = run(tmp_path / "tiles", embedder, e, row, dense=False, k=3)
        assert results.x is not None
        assert results.y is not None
        assert count >= 4
        places[row] = (results.x[0] - 23.5 - CORNERS[row][1], results.y[0] - 23.5 - CORNERS[row][0])
    near = [np.hypot(*offset) < 6 for offset in places.values()]
    assert sum(near) >= 3, places


@pytest.mark.parametrize("dense", [True, False])
def test_an_object_on_two_tiles_is_found_once(
    tmp_path: Path, galaxies: Path, embedder: Embedder, e: Embeddings, dense: bool
) -> None:
    """Tiles that overlap, shifted by an odd number of pixels; and exemplars are left out."""
    write_tile(tmp_path / "tiles", galaxies)
    write_tile(tmp_path / "tiles", galaxies, "u", dx=5)
    one, *_ = run(tmp_path / "tiles", embedder, e, 1, dense=dense, k=30)
    place = {"ra": one.ra[:1], "dec": one.dec[:1]}
    apart = np.hypot(
        (one.ra[:, None] - one.ra) * np.cos(np.radians(0.5)), one.dec[:, None] - one.dec
    )
    assert (apart[~np.eye(len(one), dtype=bool)] * 3600 > 1).all()
    assert set(one.tile) <= {"t", "u"}
    without, *_ = run(tmp_path / "tiles", embedder, e, 1, dense=dense, k=30, **place)
    assert without.separation_arcsec.min() > 1
    assert without.ids[0] != one.ids[0]


def test_detections_are_scored_by_whitened_vectors(
    tmp_path: Path, galaxies: Path, embedder: Embedder, e: Embeddings
) -> None:
    """Each by the cosine of what is cut where it was found, in double precision."""
    write_tile(tmp_path / "tiles", galaxies)
    axes = principal_axes(e.values, 4, 6)
    whitening = Whitening(axes, axes.project(e.values).std(axis=0))
    vector = query_vector(e.values[[1]], None, 4, whitening=whitening)
    tiles, _ = find_tiles([tmp_path / "tiles"], survey())
    cutter = make_cutter(embedder, survey())
    query = Query(vector, UNKNOWN, UNKNOWN, whitening)
    results, _, _ = search_detections(tiles, survey(), cutter, query, k=4)
    with opened(TileHandle(tiles[0], survey(), False)) as tile:
        vectors = embedder.embed(cutter.cut(tile, results.x, results.y))
    w = whitening.apply(np.concatenate([e.values[[1]], vectors])).astype(np.float64)
    unit = w / np.linalg.norm(w, axis=1, keepdims=True)
    np.testing.assert_allclose(results.scores, unit[1:] @ unit[0], atol=1e-4)
    by_tokens, *_ = run(tmp_path / "tiles", embedder, e, 1, dense=False, k=4)
    assert np.abs(by_tokens.scores - results.scores).max() > 0.01


def test_tiles_without_positions(
    tmp_path: Path, galaxies: Path, embedder: Embedder, e: Embeddings
) -> None:
    """Objects are named by tile and pixel, and still found once."""
    write_tile(tmp_path / "tiles", galaxies, wcs=False)
    results, *_ = run(tmp_path / "tiles", embedder, e, 2, dense=True, k=10)
    assert results.ids[0].startswith("t:143.")
    assert np.isnan(results.ra).all()
    assert results.x is not None
    assert results.y is not None
    apart = np.hypot(results.x[:, None] - results.x, results.y[:, None] - results.y)
    assert (apart[~np.eye(len(results), dtype=bool)] >= 8).all()


def test_finer_tiles_are_binned(
    tmp_path: Path, galaxies: Path, embedder: Embedder, e: Embeddings
) -> None:
    """Pixels of half the model's are summed, and places are given in native pixels."""
    write_tile(tmp_path / "tiles", galaxies, binning=2)
    of = survey(pixel_scale=0.1857 / 2)
    results, *_ = run(tmp_path / "tiles", embedder, e, 3, dense=True, k=2, survey=of)
    y, x = CORNERS[3]
    assert results.x is not None
    assert results.y is not None
    expected = (2 * (x + 23.5) + 0.5, 2 * (y + 23.5) + 0.5)
    assert (results.x[0], results.y[0]) == pytest.approx(expected, abs=1.01)
    assert results.scores[0] == pytest.approx(1, abs=1e-3)


def test_sky_without_data_is_passed_over(
    tmp_path: Path, galaxies: Path, embedder: Embedder, e: Embeddings
) -> None:
    """A blank half gives no places; a tile that cannot be read is a line, not an end."""
    write_tile(tmp_path / "tiles", galaxies)
    for band in "gr":
        with fits.open(tmp_path / "tiles" / f"t_{band}.fits", mode="update") as hdus:
            hdus[0].data[:, 105:] = np.nan
    for band in "gr":
        (tmp_path / "tiles" / f"bad_{band}.fits").write_bytes(b"SIMPLE  = no")
    results, count, problems = run(tmp_path / "tiles", embedder, e, 1, dense=True, k=40)
    assert results.x is not None
    assert results.x.max() < 105 + 8
    assert count < 0.6 * 26 * 28
    assert results.scores[0] == pytest.approx(1, abs=1e-3)
    assert any("bad" in line for line in problems)


def test_surveys_that_do_not_fit_are_refused(embedder: Embedder, small_run: Path) -> None:
    """Missing bands, a pixel scale that no binning gives, and a pooling without tokens."""
    bands = [{"name": "g", "pattern": "a"}, {"name": "z", "pattern": "b"}]
    with pytest.raises(InputError, match="no band r among g z; the model takes g r"):
        make_cutter(embedder, survey(bands=bands))
    with pytest.raises(InputError, match=r"survey two: 0\.263 arcsec/pixel, but the model"):
        make_cutter(embedder, survey(pixel_scale=0.263))
    pooled = replace(embedder, attributes={**embedder.attributes, "pooling": "mean"})
    query = Query(np.ones(32, np.float32), UNKNOWN, UNKNOWN)
    image = np.ones((1, 2, 48, 48), np.float32)
    with pytest.raises(InputError, match=r"needs embeddings of pooling central.*'mean'"):
        search_dense(
            [],
            survey(),
            make_cutter(pooled, survey()),
            query,
            shifted_queries(pooled, image, None, 0.5),
        )


def test_shifting_moves_what_is_in_an_image() -> None:
    """By whole pixels in either direction, with NaN where nothing was."""
    image = np.arange(12, dtype=np.float32).reshape(1, 1, 3, 4)
    moved = shift(image, 1, -2)[0, 0]
    np.testing.assert_array_equal(moved[1:, :2], image[0, 0, :2, 2:])
    assert np.isnan(moved[0]).all()
    assert np.isnan(moved[:, 2:]).all()
    np.testing.assert_array_equal(shift(image, 0, 0), image)
