"""Tiles: every survey's file names, one zero point, no-data to NaN, one pixel grid."""

import bz2
import gzip
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from sky_ssl.errors import InputError
from sky_ssl.sky.survey import Survey, load_survey, parse_survey
from sky_ssl.sky.tiles import TileFiles, find_tiles, open_tile

Image = npt.NDArray[np.floating[Any]]
SHAPE = (40, 30)


def header(scale: float = 0.1857, crpix: tuple[float, float] = (15.5, 20.5)) -> fits.Header:
    """Make a header with a tangential WCS; scale in arcsec per pixel."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [188.73, 12.58]
    wcs.wcs.crpix = crpix
    wcs.wcs.cdelt = [-scale / 3600, scale / 3600]
    return wcs.to_header()


def write(path: Path, image: Image, hdu: int = 0, **more: Any) -> Path:
    """Write an image into HDU 0 or 1, with a WCS unless `wcs=None`, then more HDUs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = more.get("wcs", header())
    hdus = [fits.PrimaryHDU(image, head)] if hdu == 0 else [fits.PrimaryHDU()]
    hdus += [fits.ImageHDU(image, head)] if hdu == 1 else []
    fits.HDUList([*hdus, *more.get("hdus", [])]).writeto(path)
    return path


def two_bands(**band: Any) -> Survey:
    """Make a survey of g and r, files TILE_g.fits and TILE_r.fits, g with the keys given."""
    bands = [{"name": b, "pattern": rf"(?P<tile>.+)_{b}\.fits"} for b in "gr"]
    bands[0] |= band
    return parse_survey({"name": "two", "pixel_scale": 0.1857, "bands": bands}, "test")


def sky(seed: int = 0) -> npt.NDArray[np.float32]:
    """Make an image of noise, without zeros."""
    return np.random.default_rng(seed).normal(0, 1, SHAPE).astype(np.float32)


NAMES = [
    ("unions", "u", "CFIS.017.321.u.fits", 0, 30, "17.321"),
    ("unions", "u", "CFIS.017.321.u.fits.gz", 0, 30, "17.321"),
    ("unions", "u", "CFIS.017.321.u.fits.fz", 0, 30, "17.321"),
    ("unions", "g", "calexp-CFIS_17_321.fits", 1, 27, "17.321"),
    ("unions", "r", "CFIS_LSB.017.321.r.fits", 0, 30, "17.321"),
    ("unions", "r", "CFIS.017.321.r.fits", 0, 30, "17.321"),
    ("unions", "i", "PSS.DR4.017.321.i.fits", 0, 30, "17.321"),
    ("unions", "i", "PS-DR3.017.321.i.fits", 0, 30, "17.321"),
    ("unions", "z", "WISHES.17.321.z.fits", 1, 27, "17.321"),
    ("unions", "z", "PSS.DR4.017.321.z.fits", 0, 30, "17.321"),
    ("unions", "z", "DR4.017.321.z.fits", 0, 30, "17.321"),
    ("hsc", "g", "calexp-HSC-G-9813-4,5.fits", 1, 27, "9813-4,5"),
    ("hsc", "r", "HSC-R-9813-4,5.fits", 1, 27, "9813-4,5"),
    ("hsc", "r", "calexp-HSC-R2-9813-4,5.fits", 1, 27, "9813-4,5"),
    ("hsc", "i", "calexp-HSC-I-9813-4,5.fits", 1, 27, "9813-4,5"),
    ("hsc", "z", "calexp-HSC-Z-9813-4,5.fits.fz", 1, 27, "9813-4,5"),
    ("hsc", "y", "Y-9813-4,5.fits", 1, 27, "9813-4,5"),
    ("legacy", "g", "legacysurvey-1885p125-image-g.fits.fz", 1, 22.5, "1885p125"),
    ("mock", "z", "mock-003-z.fits", 0, 30, "3"),
]


@pytest.mark.parametrize(("preset", "band", "name", "hdu", "zero_point", "tile_name"), NAMES)
def test_every_name_reads_with_the_right_flux(
    tmp_path: Path, preset: str, band: str, name: str, hdu: int, zero_point: float, tile_name: str
) -> None:
    """A star of AB 20 mag in a file of each name has 20 mag in the survey's zero point."""
    survey = load_survey(preset)
    image = sky()
    image[20, 15] = 10 ** (0.4 * (zero_point - 20))
    plain = tmp_path / name.removesuffix(".gz")
    if name.endswith(".fz"):
        packed = fits.CompImageHDU(image, header(), compression_type="GZIP_2", quantize_level=0)
        fits.HDUList([fits.PrimaryHDU(), packed]).writeto(plain)
    else:
        write(plain, image, hdu)
    if name.endswith(".gz"):
        (tmp_path / name).write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    tiles, _ = find_tiles([tmp_path], survey)
    assert [(tile.name, list(tile.files)) for tile in tiles] == [(tile_name, [band])]
    with open_tile(tiles[0], survey) as tile:
        pixels = tile.read(0, 40, 0, 30)
        assert tile.bands == (band,)
    assert pixels.shape == (len(survey.bands), *SHAPE)
    c = survey.band_names.index(band)
    magnitude = survey.zero_point - 2.5 * np.log10(pixels[c, 20, 15])
    assert magnitude == pytest.approx(20, abs=1e-5)
    factor = 10 ** (0.4 * (survey.zero_point - zero_point))
    np.testing.assert_allclose(pixels[c], image * factor, rtol=1e-6)
    assert np.isnan(np.delete(pixels, c, axis=0)).all()


def test_windows_reach_beyond_the_tile(tmp_path: Path) -> None:
    """Any window has its full size: NaN outside, and for the band without a file."""
    image = sky()
    files = {"r": (write(tmp_path / "t_r.fits", image), two_bands().bands[1].sources[0])}
    with open_tile(TileFiles("t", files), two_bands()) as tile:
        window = tile.read(-3, 5, 25, 40)
        assert window.shape == (2, 8, 15)
        assert window.dtype == np.float32
        np.testing.assert_array_equal(window[1, 3:, :5], image[:5, 25:])
        assert np.isfinite(window).sum() == 25
        assert np.isnan(tile.read(100, 104, 0, 4)).all()
        assert tile.read(0, 4, 0, 4, bands=["r"]).shape == (1, 4, 4)
        with pytest.raises(InputError, match="bands y: two has g r"):
            tile.read(0, 4, 0, 4, bands=["y"])


@pytest.mark.parametrize("damage", ["cut short", "without pixels", "not a FITS file"])
def test_unreadable_band_is_missing(tmp_path: Path, damage: str) -> None:
    """A band that cannot be read is NaN, with a line that names the file; the others are read."""
    survey = two_bands()
    path = write(tmp_path / "t_g.fits", sky(), hdu=int(damage == "without pixels"))
    write(tmp_path / "t_r.fits", sky())
    tiles, _ = find_tiles([tmp_path], survey)
    if damage == "cut short":
        path.write_bytes(path.read_bytes()[:4000])
    if damage == "not a FITS file":
        path.write_bytes(b"")
    with open_tile(tiles[0], survey) as tile:
        assert tile.bands == ("r",)
        assert len(tile.problems) == 1
        assert damage in tile.problems[0]
        assert str(path) in tile.problems[0]
        assert np.isnan(tile.read(0, 40, 0, 30)).all(axis=(1, 2)).tolist() == [True, False]
    (tmp_path / "t_r.fits").write_bytes(b"")
    with pytest.raises(InputError, match=r"tile t: no band can be read: g left out"):
        open_tile(tiles[0], survey)


def test_damage_found_while_reading(tmp_path: Path) -> None:
    """Rows that cannot be decompressed are NaN and said once; the rest of the band is read."""
    survey = two_bands(hdu=1)
    path = tmp_path / "t_g.fits"
    image = np.random.default_rng(0).integers(0, 30000, (200, 30)).astype(np.int16)
    packed = fits.CompImageHDU(image, compression_type="GZIP_1")
    fits.HDUList([fits.PrimaryHDU(), packed]).writeto(path)
    whole = bytearray(path.read_bytes())
    whole[-4000:-3000] = bytes(1000)
    path.write_bytes(whole)
    with open_tile(find_tiles([path], survey)[0][0], survey) as tile:
        before = len(tile.problems)
        assert np.isnan(tile.read(190, 200, 0, 30)).all()
        tile.read(190, 200, 0, 30)
        np.testing.assert_array_equal(tile.read(0, 10, 0, 30)[0], image[:10])
        assert len(tile.problems) == before + 1
        assert "t_g.fits: HDU 1: rows" in tile.problems[-1]


def test_other_grids_are_refused_by_name(tmp_path: Path) -> None:
    """A band of another shape or another place is refused; the file that differs is named."""
    bands = [{"name": b, "pattern": rf"(?P<tile>.+)_{b}\.fits"} for b in "gri"]
    survey = parse_survey({"name": "s", "pixel_scale": 0.1857, "bands": bands}, "test")
    for band in "ri":
        write(tmp_path / f"t_{band}.fits", sky())
    g = write(tmp_path / "t_g.fits", sky(), wcs=header(crpix=(15.5, 20.8)))
    files = find_tiles([tmp_path], survey)[0][0]
    with pytest.raises(
        InputError, match=r"t_g.fits \(g\) is not on .*its corners lie up to 0.3 pi"
    ):
        open_tile(files, survey)
    g.unlink()
    write(g, sky()[:, :20])
    with pytest.raises(InputError, match=r"t_g.fits \(g\) is not on .*: 40 x 20 pixels instead of"):
        open_tile(files, survey)
    g.unlink()
    write(g, sky(), wcs=header(crpix=(15.5, 20.505)))
    with open_tile(files, survey) as tile:
        assert tile.problems == []


def test_without_wcs_shapes_are_compared(tmp_path: Path) -> None:
    """A band without positions takes those of the others; a tile without any says so."""
    survey = two_bands()
    write(tmp_path / "t_g.fits", sky(), wcs=None)
    r = write(tmp_path / "t_r.fits", sky())
    files = find_tiles([tmp_path], survey)[0][0]
    with open_tile(files, survey) as tile:
        assert tile.wcs is not None
        assert ["t_g.fits: no celestial WCS (axes: none)" in p for p in tile.problems] == [True]
    r.unlink()
    write(r, sky(), wcs=fits.Header({"CTYPE1": "LAMBDA", "CTYPE2": "ANGLE"}))
    with open_tile(files, survey) as tile:
        assert tile.wcs is None
        assert tile.pixel_scale == 0.1857
        assert tile.problems == ["tile t: no celestial WCS (axes: none)"]
        assert np.isnan(tile.pixel_to_sky([1, 2], [3, 4])).all()


def test_positions_do_not_depend_on_the_order_of_axes(tmp_path: Path) -> None:
    """A header that lists Dec first gives the same RA and Dec; pixels and sky invert each other."""
    head = header()
    swapped = head.copy()
    swapped["CTYPE1"], swapped["CTYPE2"] = head["CTYPE2"], head["CTYPE1"]
    swapped["CRVAL1"], swapped["CRVAL2"] = head["CRVAL2"], head["CRVAL1"]
    swapped["CDELT1"], swapped["CDELT2"] = 1.0, 1.0
    swapped["PC1_1"], swapped["PC2_2"] = 0.0, 0.0
    swapped["PC2_1"], swapped["PC1_2"] = head["CDELT1"], head["CDELT2"]
    write(tmp_path / "t_g.fits", sky(), wcs=swapped)
    write(tmp_path / "t_r.fits", sky(), wcs=head)
    x, y = np.array([0.0, 14.5, 29.0]), np.array([3.0, 19.5, 39.0])
    with open_tile(find_tiles([tmp_path], two_bands())[0][0], two_bands()) as tile:
        assert tile.problems == []
        ra, dec = tile.pixel_to_sky(x, y)
        back = tile.sky_to_pixel(ra, dec)
        far = tile.sky_to_pixel([8.73, np.nan, 188.73], [-12.58, 0.0, 95.0])
        assert tile.sky_to_pixel(188.73, 12.58)[0].shape == ()
    wanted = WCS(head).all_pix2world(x, y, 0)
    np.testing.assert_allclose([ra, dec], wanted, rtol=0, atol=1e-10)
    np.testing.assert_allclose(back, [x, y], rtol=0, atol=1e-6)
    assert np.isnan(far).all()


def test_pixel_scale_is_compared(tmp_path: Path) -> None:
    """Pixels that are not as large as the survey says are reported, beyond 2 per cent."""
    survey = two_bands()
    for name, scale in (("near", 0.1880), ("far", 0.2)):
        write(tmp_path / f"{name}_g.fits", sky(), wcs=header(scale))
    found = {files.name: files for files in find_tiles([tmp_path], survey)[0]}
    with open_tile(found["near"], survey) as tile:
        assert tile.problems == []
    with open_tile(found["far"], survey) as tile:
        assert tile.problems == ["tile far: 0.2 arcsec per pixel by its WCS, not 0.1857 as two has"]


def test_bands_as_planes_of_a_cube(tmp_path: Path) -> None:
    """One file can hold all bands, as planes of a cube; a tile of NaN alone is read as such."""
    bands = [{"name": b, "pattern": r"(?P<tile>.+)\.fits", "plane": i} for i, b in enumerate("gr")]
    survey = parse_survey({"name": "s", "pixel_scale": 0.1857, "bands": bands}, "test")
    cube = np.stack([np.full(SHAPE, np.nan), sky()])
    write(tmp_path / "t.fits", cube)
    with open_tile(find_tiles([tmp_path], survey)[0][0], survey) as tile:
        assert tile.shape == SHAPE
        assert tile.wcs is not None
        np.testing.assert_array_equal(tile.read(0, 40, 0, 30), cube.astype(np.float32))


@pytest.fixture
def mixed(tmp_path: Path) -> tuple[TileFiles, Survey]:
    """Make a tile of a compressed and a bz2 band."""
    survey = two_bands(hdu=1)
    image = np.random.default_rng(0).integers(0, 9999, (500, 80)).astype(np.int32)
    packed = fits.CompImageHDU(image)
    fits.HDUList([fits.PrimaryHDU(), packed]).writeto(tmp_path / "t_g.fits")
    plain = write(tmp_path / "plain", image.astype(np.float32), wcs=None)
    (tmp_path / "t_r.fits.bz2").write_bytes(bz2.compress(plain.read_bytes()))
    return find_tiles([tmp_path], survey)[0][0], survey


def test_threads_read_the_same_pixels(mixed: tuple[TileFiles, Survey]) -> None:
    """Many threads reading one open tile get what one thread gets."""
    with open_tile(*mixed) as tile, ThreadPoolExecutor(8) as pool:
        rows = [int(y) for y in np.random.default_rng(1).integers(0, 440, 200)]
        parts = list(pool.map(lambda y: tile.read(y, y + 60, 0, 80), rows))
        whole = tile.read(0, 500, 0, 80)
    np.testing.assert_array_equal(whole[0], whole[1])
    for y, part in zip(rows, parts, strict=True):
        np.testing.assert_array_equal(part, whole[:, y : y + 60])


def _read_in_child(tile: Any, rows: list[int], answers: Any) -> None:
    answers.put([tile.read(y, y + 20, 0, 80) for y in rows])


def test_forked_processes_read_the_same_pixels(mixed: tuple[TileFiles, Survey]) -> None:
    """Forked workers that inherit an open tile do not disturb each other or their parent."""
    context = multiprocessing.get_context("fork")
    rows = [int(y) for y in np.random.default_rng(1).integers(0, 480, 60)]
    with open_tile(*mixed) as tile:
        answers = context.SimpleQueue()
        workers = [context.Process(target=_read_in_child, args=(tile, rows, answers)) for _ in "12"]
        for worker in workers:
            worker.start()
        ours = [tile.read(y, y + 20, 0, 80) for y in rows]
        for _ in workers:
            np.testing.assert_array_equal(answers.get(), ours)
        for worker in workers:
            worker.join()
        np.testing.assert_array_equal(np.array(ours)[:, 0], np.array(ours)[:, 1])
