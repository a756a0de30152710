"""Detect sources on tiles: positions, fluxes, sizes, surface brightness, flags.

In: tiles of a survey. Out: a catalogue. Works in windows that overlap, so that memory does not
grow with the tile, and in several processes; a source on several tiles comes out once.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import ndimage

from sky_ssl.errors import InputError
from sky_ssl.progress import Progress
from sky_ssl.sky.extraction import (
    DetectConfig,
    Image,
    Labels,
    extract,
    extract_diffuse,
    masked_around,
    prepare,
)
from sky_ssl.sky.photometry import Ellipses, measure
from sky_ssl.sky.sourcetable import Found, join, merge_tiles, source_table
from sky_ssl.sky.survey import Survey
from sky_ssl.sky.tiles import Tile, TileFiles
from sky_ssl.sky.tilework import TileHandle, opened, run_tasks

__all__ = ["DetectConfig", "detect", "detect_tiles"]

_CORE, _MARGIN = 1536, 256  # pixels of a window and of its overlap on each side
_MASK_REACH = 3.0  # isophotal semi-axes of a bright source that its mask covers
_HALO_CONTACT = 0.25  # with more of its rim at a mask it is the halo of what is masked
_THINNEST = 0.25  # axis ratio; thinner ones are trails and spikes of diffraction
_PARTS_SHARE = 0.5  # most of a diffuse source's light that sources of the first pass may hold
DEFAULT = DetectConfig()


def detect(tile: Tile, config: DetectConfig = DEFAULT) -> pd.DataFrame:
    """Detect the sources of a tile.

    Returns:
        One row per source: `id`, `ra`, `dec` (degrees, NaN without a WCS), `tile`, `x`, `y`
        (pixels, 0-based); per band `flux_<band>` and `flux_error_<band>` (counts at the zero point
        of the survey in a Kron aperture, the error from the sky alone) and `mag_<band>` (AB, NaN
        for a flux of 0 or less), NaN where the band is missing; `half_light_radius` [arcsec, of
        the circle with half of the Kron flux, seeing included], `mean_surface_brightness` [AB
        mag/arcsec2 in it, in the band that `attrs["reference"]` names], `ellipticity`,
        `position_angle` [degrees from north to east; from +y to -x without a WCS], `kron_radius`
        [arcsec], `snr`, `n_bands`, `flags` (see `photometry`), `detection_pass` (1, or 2 for low
        surface brightness).
    """
    H, W = tile.shape
    parts = [_detect_window(tile, core, config) for core in _cores(H, W)]
    return source_table(tile, parts, config.reference_band(tile.survey))


def detect_tiles(
    tiles: Sequence[TileFiles],
    survey: Survey,
    *,
    config: DetectConfig = DEFAULT,
    reproject: bool = False,
    merge_arcsec: float = 1.0,
    workers: int | None = 1,
    progress: Progress | None = None,
) -> tuple[pd.DataFrame, list[str]]:
    """Detect the sources of many tiles; one that lies on several comes out once.

    Args:
        merge_arcsec: sources of different tiles closer than this are one; the one with more
            bands, not cut by an edge and farther from it is kept.
        workers: processes; 0 and None mean one per core.
        progress: called with tiles done and in all.

    Returns:
        The catalogue, as `detect` gives it, and one line for each problem.

    Raises:
        InputError: no tile can be opened.
    """
    reference = config.reference_band(survey)
    handles = [TileHandle(files, survey, reproject) for files in tiles]
    if not handles:
        raise InputError(f"no tiles of {survey.name} given")
    tables, shapes, lines = [], [], []
    for done, (table, shape, problems) in enumerate(
        run_tasks(_detect_tile, [(handle, config) for handle in handles], workers), start=1
    ):
        lines.extend(problems)
        if table is not None:
            tables.append(table)
            shapes.append(shape)
        if progress is not None:
            progress(done, len(handles))
    if not tables:
        raise InputError(lines[0])
    return merge_tiles(tables, shapes, merge_arcsec, reference), lines


def _detect_tile(
    task: tuple[TileHandle, DetectConfig],
) -> tuple[pd.DataFrame | None, tuple[int, int], list[str]]:
    """Detect the sources of a tile; the problem alone where it cannot be opened."""
    handle, config = task
    try:
        with opened(handle) as tile:
            table = detect(tile, config)
            return table, tile.shape, list(tile.problems)
    except InputError as error:
        return None, (0, 0), [str(error)]


def _cores(H: int, W: int) -> list[tuple[int, int, int, int]]:
    """Divide an image into windows (y0, y1, x0, x1) of about equal size, without overlap."""
    rows = np.linspace(0, H, -(-H // _CORE) + 1).astype(int)
    columns = np.linspace(0, W, -(-W // _CORE) + 1).astype(int)
    return [
        (int(y0), int(y1), int(x0), int(x1))
        for y0, y1 in pairwise(rows)
        for x0, x1 in pairwise(columns)
    ]


def _detect_window(tile: Tile, core: tuple[int, int, int, int], config: DetectConfig) -> Found:
    """Detect the sources whose centre lies in a window; positions are those of the tile."""
    H, W = tile.shape
    y0, y1 = max(core[0] - _MARGIN, 0), min(core[1] + _MARGIN, H)
    x0, x1 = max(core[2] - _MARGIN, 0), min(core[3] + _MARGIN, W)
    found = find_sources(tile.read(y0, y1, x0, x1), tile.pixel_scale, config)
    return found.shifted(x0, y0).inside(core)


def find_sources(pixels: Image, pixel_scale: float, config: DetectConfig = DEFAULT) -> Found:
    """Find and measure the sources of an image.

    Args:
        pixels: (C, H, W) counts, NaN = no data; the background is subtracted in place.
        pixel_scale: arcsec per pixel.
    """
    noise, detection = prepare(pixels, pixel_scale, config)
    none = ~np.isfinite(detection)
    if none.all():
        return Found.empty(len(pixels))
    table, segments = extract(detection, none, config, pixel_scale)
    labels = np.arange(1, len(table) + 1)
    if not config.lsb:
        return _measured(pixels, noise, detection, segments, table, labels)
    bright = table["cpeak"] > config.bright
    covered = masked_around(table[bright], none.shape, _MASK_REACH)
    covered |= np.isin(segments, labels[bright])
    faint_table, faint, hidden = extract_diffuse(detection, covered, config, pixel_scale)
    host = np.where(bright, 0, faint[_central_pixels(table)])
    # measured as if what lies inside a diffuse source, none of it bright, were part of it
    together = segments.copy()
    together[np.isin(segments, labels[host > 0])] = 0
    together[faint > 0] = faint[faint > 0] + len(table)
    faint_labels = len(table) + np.arange(1, len(faint_table) + 1)
    second = _measured(pixels, noise, detection, together, faint_table, faint_labels, 2)
    light = ndimage.sum_labels(np.nan_to_num(detection), faint, np.arange(1, len(second) + 1))
    in_parts = np.bincount(host, weights=table["flux"], minlength=len(second) + 1)[1:]
    good = (
        (second.measured.half_light * pixel_scale >= config.lsb_radius)
        & (second.measured.snr >= config.lsb_snr)
        # most of the light in a few faint sources: they are that, and not parts of one
        & (in_parts <= _PARTS_SHARE * light)
        & (_contact(faint, hidden) <= _HALO_CONTACT)
        # larger than the mesh it is what the background could not follow
        & (second.measured.kron * pixel_scale <= config.background)
        & (second.sources.b >= _THINNEST * second.sources.a)
    )
    dropped = (host > 0) & np.append(False, good)[host]
    kept = np.append(False, good)[faint]
    segments[np.isin(segments, labels[dropped])] = 0
    segments[kept] = faint[kept] + len(table)
    first = _measured(pixels, noise, detection, segments, table[~dropped], labels[~dropped])
    return join([first, second.select(good)])


def _contact(faint: Labels, hidden: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Measure which share (N,) of the rim of each diffuse source touches masked pixels."""
    shares = np.zeros(faint.max())
    for i, place in enumerate(ndimage.find_objects(faint)):
        # one pixel more on each side, for the rim
        window = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in place)
        own = faint[window] == i + 1
        rim = ndimage.binary_dilation(own) & ~own
        shares[i] = hidden[window][rim].mean() if rim.any() else 0.0
    return shares


def _measured(
    pixels: Image,
    noise: Sequence[Image],
    detection: Image,
    segments: Labels,
    table: npt.NDArray,
    labels: npt.NDArray[np.int64],
    number: int = 1,
) -> Found:
    """Measure the sources of one pass."""
    # half a pixel at least: a source may be one row of pixels
    a, b = (np.maximum(table[name].astype(np.float64), 0.5) for name in ("a", "b"))
    x, y, theta = (table[name].astype(np.float64) for name in ("x", "y", "theta"))
    sources = Ellipses(x, y, a, b, theta, labels)
    at = _central_pixels(table)
    sigma = np.stack([band[at] for band in noise]).astype(np.float64)
    return Found(
        sources,
        measure(pixels, sigma, detection, segments, sources),
        table["flag"].astype(np.int64),
        np.full(len(table), number, dtype=np.int64),
    )


def _central_pixels(table: npt.NDArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Give the rows and columns of the pixels at the centres of sources."""
    return np.rint(table["y"]).astype(np.int64), np.rint(table["x"]).astype(np.int64)
