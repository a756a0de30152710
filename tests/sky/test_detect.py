"""Detection and photometry of sources of known flux, size and position."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from sky_ssl.errors import InputError
from sky_ssl.sky.coords import separation_arcsec
from sky_ssl.sky.detect import DetectConfig, detect, detect_tiles, find_sources
from sky_ssl.sky.photometry import CROWDED, NO_DATA, TRUNCATED
from sky_ssl.sky.survey import Survey, parse_survey
from sky_ssl.sky.tiles import find_tiles, open_tile

SCALE = 0.2  # arcsec per pixel
Image = np.ndarray


def sky(shape: tuple[int, ...], sigma: float = 2.0, seed: int = 0) -> Image:
    """Noise over a background of 50 counts that grows across the image."""
    slope = np.linspace(0, 10, shape[-1])
    return (50 + slope + np.random.default_rng(seed).normal(0, sigma, shape)).astype(np.float32)


def source(
    shape: tuple[int, int],
    x: float,
    y: float,
    flux: float,
    size: float,
    *,
    ratio: float = 1.0,
    angle: float = 0.0,
    kind: str = "gaussian",
) -> Image:
    """A Gaussian of sigma `size`, or an exponential disc of effective radius `size`, pixels."""
    rows, columns = (np.mgrid[: 3 * shape[0], : 3 * shape[1]] - 1) / 3
    c, s = np.cos(angle), np.sin(angle)
    u, v = (columns - x) * c + (rows - y) * s, (rows - y) * c - (columns - x) * s
    radius = np.hypot(u, v / ratio)
    if kind == "gaussian":
        profile = np.exp(-0.5 * (radius / size) ** 2) / (2 * np.pi * size**2 * ratio)
    else:
        h = size / 1.678
        profile = np.exp(-radius / h) / (2 * np.pi * h**2 * ratio)
    return flux * profile.reshape(shape[0], 3, shape[1], 3).mean(axis=(1, 3))


def survey_of(bands: str = "gri") -> Survey:
    table = {"name": "test", "prefix": "T", "pixel_scale": SCALE}
    table["bands"] = [{"name": b, "pattern": rf"(?P<tile>.+)_{b}\.fits"} for b in bands]
    return parse_survey({"survey": table}, "test")


def write_tile(folder: Path, name: str, pixels: Image, wcs: WCS | None, bands: str = "gri") -> None:
    for band, image in zip(bands, pixels, strict=False):
        header = None if wcs is None else wcs.to_header()
        fits.writeto(folder / f"{name}_{band}.fits", image.astype(np.float32), header)


def tile_wcs(ra: float, dec: float, shape: tuple[int, int], angle: float) -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [ra, dec]
    wcs.wcs.crpix = [shape[1] / 2, shape[0] / 2]
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    wcs.wcs.cd = np.array([[-c, s], [s, c]]) * SCALE / 3600
    return wcs


def test_noise_alone_gives_no_sources() -> None:
    """No false detections in 600 x 600 pixels of noise, with one band or four."""
    for C in (1, 4):
        assert len(find_sources(sky((C, 600, 600)), SCALE)) <= 1


def test_gaussians_come_back_with_position_flux_size_and_shape() -> None:
    """Positions to 0.1 pixel, fluxes to 4 %, half-light radii to 6 %, ellipses to 4 degrees."""
    shape = (240, 300)
    places = [(60.3, 50.7, 8000.0, 3.0), (200.6, 80.2, 20000.0, 4.0), (120.1, 180.5, 40000.0, 5.0)]
    image = sky((1, *shape))
    for x, y, flux, size in places:
        image[0] += source(shape, x, y, flux, size, ratio=0.6, angle=0.7)
    found = find_sources(image, SCALE)
    assert len(found) == 3
    for x, y, flux, size in places:
        i = int(np.hypot(found.sources.x - x, found.sources.y - y).argmin())
        assert found.sources.x[i] == pytest.approx(x, abs=0.1)
        assert found.sources.y[i] == pytest.approx(y, abs=0.1)
        assert found.measured.flux[0, i] == pytest.approx(flux, rel=0.04)
        # half of an elliptical Gaussian of axis ratio 0.6 lies within 0.92 sigma
        assert found.measured.half_light[i] == pytest.approx(0.924 * size, rel=0.06)
        assert found.sources.b[i] / found.sources.a[i] == pytest.approx(0.6, abs=0.08)
        assert np.degrees(found.sources.theta[i]) == pytest.approx(np.degrees(0.7), abs=4)


def test_errors_are_those_of_the_noise() -> None:
    """Fluxes of the same source in 40 skies scatter as the errors say."""
    shape = (80, 80)
    star = source(shape, 40.0, 40.0, 2000.0, 2.0)
    flux, error = [], []
    for seed in range(40):
        found = find_sources(sky((1, *shape), 3.0, seed) + star.astype(np.float32), SCALE)
        i = int(np.hypot(found.sources.x - 40, found.sources.y - 40).argmin())
        flux.append(found.measured.flux[0, i])
        error.append(found.measured.flux_error[0, i])
    assert np.mean(flux) == pytest.approx(2000, rel=0.04)
    assert np.std(flux) == pytest.approx(np.mean(error), rel=0.35)


@pytest.mark.parametrize(("C", "noise"), [(1, 2.2), (1, 3.5), (3, 3.5)])
def test_a_disc_of_low_surface_brightness_is_recovered_whole(C: int, noise: float) -> None:
    """Mean surface brightness 25.5, effective radius 3 arcsec: missed or cut short without."""
    shape, radius = (260, 280), 3.0 / SCALE
    flux = 2 * np.pi * 3.0**2 * 10 ** (-0.4 * (25.5 - 30))
    disc = source(shape, 140.0, 130.0, flux, radius, kind="disc").astype(np.float32)
    image = sky((C, *shape), noise, 5) + disc
    image += source(shape, 50.0, 60.0, 20000.0, 2.0).astype(np.float32)

    def near(config: DetectConfig) -> tuple[Image, Image]:
        found = find_sources(image.copy(), SCALE, config)
        close = np.hypot(found.sources.x - 140, found.sources.y - 130) < radius
        assert (~close).sum() == 1
        return found.measured.flux[0, close], found.measured.half_light[close] * SCALE

    assert near(DetectConfig(lsb=False))[0].max(initial=0) < 0.8 * flux
    (second,), (size,) = near(DetectConfig())
    assert second == pytest.approx(flux, rel=0.15)
    assert size == pytest.approx(3.0, rel=0.15)


def test_a_group_of_faint_sources_is_not_taken_for_one_diffuse_source() -> None:
    """Five faint compact sources within 6 arcsec stay five; so does the halo of a bright one."""
    shape = (240, 240)
    image = sky((1, *shape), 1.0)
    for x, y in ((110, 110), (130, 112), (112, 131), (131, 130), (120, 121)):
        image[0] += source(shape, x, y, 150.0, 2.0)
    image[0] += source(shape, 50.0, 180.0, 2e5, 2.5) + source(shape, 50.0, 180.0, 3e4, 12.0)
    found = find_sources(image, SCALE)
    inside = np.hypot(found.sources.x - 120, found.sources.y - 120) < 20
    assert inside.sum() == 5
    assert (found.passes == 1).all()


def test_neighbours_and_holes_are_replaced_by_the_opposite_side() -> None:
    """A close neighbour, or missing pixels, change the flux by less than 12 %, and are flagged."""
    shape = (160, 160)
    target = source(shape, 80.0, 80.0, 20000.0, 4.0)
    alone = find_sources((sky((1, *shape)) + target).astype(np.float32), SCALE)
    beside = sky((1, *shape)) + target + source(shape, 94.0, 84.0, 10000.0, 3.0)
    holed = sky((1, *shape)) + target
    holed[0, 84:90, 70:90] = np.nan
    for image, flag in ((beside, CROWDED), (holed, NO_DATA)):
        found = find_sources(image.astype(np.float32), SCALE)
        i = int(np.hypot(found.sources.x - 80, found.sources.y - 80).argmin())
        assert found.measured.flux[0, i] == pytest.approx(alone.measured.flux[0, 0], rel=0.12)
        assert found.measured.flags[i] & flag
    assert alone.measured.flags[0] == 0


def test_seams_between_chips_are_not_diffuse_sources() -> None:
    """Steps of half a sigma along a column and a row; a diffuse disc beside them is found."""
    shape, flux = (800, 820), 2 * np.pi * 3.0**2 * 10 ** (-0.4 * (25.5 - 30))
    image = sky((1, *shape), 3.5, 3)
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    for beyond in (columns - 400.0, rows - 550.0):
        image += np.where(beyond < 0, 2.5 * np.exp(beyond / 25), 0).astype(np.float32)
    window = (slice(200, 400), slice(500, 700))
    image[0][window] += source((200, 200), 100.0, 100.0, flux, 3.0 / SCALE, kind="disc")
    found = find_sources(image, SCALE)
    diffuse = found.select(found.passes == 2)
    assert len(diffuse) == 1
    assert np.hypot(diffuse.sources.x[0] - 600, diffuse.sources.y[0] - 300) < 8
    assert diffuse.measured.flux[0, 0] == pytest.approx(flux, rel=0.25)


def test_images_without_data_or_structure_give_nothing() -> None:
    """All NaN, all zero, a constant, a tiny image."""
    for image in (np.full((2, 50, 60), np.nan), np.zeros((1, 50, 60)), np.ones((1, 50, 60))):
        assert len(find_sources(image.astype(np.float32), SCALE)) == 0
    assert len(find_sources(sky((1, 8, 8)), SCALE)) == 0


def test_catalogue_of_a_tile(tmp_path: Path) -> None:
    """Sky positions, AB magnitudes, surface brightness, position angle; a missing band is NaN."""
    shape, survey = (200, 260), survey_of("gri")
    wcs = tile_wcs(0.001, 30.0, shape, 25.0)
    image = source(shape, 100.4, 70.6, 10000.0, 5.0, ratio=0.5, angle=0.4)
    pixels = np.stack([sky(shape, 2.0, 1) + image, sky(shape, 2.0, 2) + 2 * image])
    pixels[:, :, 200:] = np.nan
    write_tile(tmp_path, "A", pixels, wcs, "gr")
    with open_tile(find_tiles([tmp_path], survey)[0][0], survey) as tile:
        table = detect(tile)
    assert len(table) == 1
    row = table.iloc[0]
    truth = wcs.pixel_to_world(100.4, 70.6)
    assert separation_arcsec(row["ra"], row["dec"], truth.ra.deg, truth.dec.deg) < 0.1 * SCALE
    assert row["mag_g"] == pytest.approx(30 - 2.5 * np.log10(10000), abs=0.05)
    assert row["mag_r"] == pytest.approx(row["mag_g"] - 2.5 * np.log10(2), abs=0.03)
    assert np.isnan(row["mag_i"])
    assert np.isnan(row["flux_error_i"])
    assert (row["n_bands"], row["flags"], row["detection_pass"]) == (2, 0, 1)
    assert row["id"].startswith("T J0000")
    area = 2 * np.pi * row["half_light_radius"] ** 2
    assert row["mean_surface_brightness"] == pytest.approx(row["mag_r"] + 2.5 * np.log10(area))
    assert table.attrs["reference"] == "r"
    end = wcs.pixel_to_world(100.4 + np.cos(0.4), 70.6 + np.sin(0.4))
    angle = truth.position_angle(end).deg % 180
    assert row["position_angle"] == pytest.approx(angle, abs=2)


def test_windows_leave_no_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tile cut into many windows gives the sources of the whole, each once."""
    shape, survey = (260, 330), survey_of("g")
    rng = np.random.default_rng(7)
    image = sky(shape)
    grid = [(x, y) for x in range(30, 320, 42) for y in range(30, 250, 42)]
    for x, y in grid:
        image += source(shape, x + rng.uniform(-4, 4), y + rng.uniform(-4, 4), 3000, 2.5)
    image += source(shape, 165.0, 130.0, 9000, 3.0)
    write_tile(tmp_path, "A", image[None], None, "g")
    with open_tile(find_tiles([tmp_path], survey)[0][0], survey) as tile:
        whole = detect(tile)
        monkeypatch.setattr("sky_ssl.sky.detect._CORE", 60)
        monkeypatch.setattr("sky_ssl.sky.detect._MARGIN", 40)
        parts = detect(tile)
    assert len(whole) == len(grid) + 1
    assert len(parts) == len(whole)
    order = [table.sort_values(["x", "y"], ignore_index=True) for table in (parts, whole)]
    parts, whole = order
    np.testing.assert_allclose(parts[["x", "y"]], whole[["x", "y"]], atol=0.2)
    np.testing.assert_allclose(parts["flux_g"], whole["flux_g"], rtol=0.1)
    assert parts["id"].is_unique
    assert parts["id"].str.startswith("A:").all()


def test_sources_on_two_tiles_come_once_from_the_better(tmp_path: Path) -> None:
    """Overlapping tiles in two processes; the source cut by an edge is taken from the other."""
    shape, survey = (120, 200), survey_of("g")
    wcs = [tile_wcs(10.0, 0.0, shape, 0.0) for _ in range(2)]
    wcs[1].wcs.crpix = [wcs[0].wcs.crpix[0] - 120, wcs[0].wcs.crpix[1]]
    for number, name in enumerate(("left", "right")):
        image = sky(shape, 2.0, number)
        for x, y in ((50, 60), (150, 40), (194, 80), (270, 60)):
            image += source(shape, x - 120 * number, y, 8000, 3.0)
        write_tile(tmp_path, name, image[None], wcs[number], "g")
    tiles = find_tiles([tmp_path], survey)[0]
    steps: list[tuple[int, int]] = []
    table, problems = detect_tiles(
        tiles, survey, workers=2, progress=lambda done, total: steps.append((done, total))
    )
    assert (problems, steps[-1]) == ([], (2, 2))
    assert len(table) == 4
    cut = separation_arcsec(table["ra"], table["dec"], *wcs[0].wcs_pix2world([[194, 80]], 0)[0])
    assert table["tile"][int(cut.argmin())] == "right"
    assert (table["flags"] & TRUNCATED).sum() == 0


def test_bad_input_is_refused(tmp_path: Path) -> None:
    """Settings out of range, an unknown band, no tiles."""
    survey = survey_of("gi")
    with pytest.raises(InputError, match="threshold 0"):
        DetectConfig(threshold=0)
    with pytest.raises(InputError, match="reference 'q': test has g i"):
        detect_tiles([], survey, config=DetectConfig(reference="q"))
    with pytest.raises(InputError, match="no tiles of test given"):
        detect_tiles([], survey)
    assert DetectConfig().reference_band(survey_of("r")) == "r"
    assert DetectConfig(reference="i").reference_band(survey) == "i"
