"""How objects are shown: thumbnails and the lines beside them, served by `routes`."""

from pathlib import Path

import numpy as np

from app import cache, state
from app.routes import SHELF, View
from sky_ssl.explore.candidatecolumns import about
from sky_ssl.explore.dataset import DataSet
from sky_ssl.figures.contact import rgb_bands
from sky_ssl.figures.rgb import Stretch, sky_stretch
from sky_ssl.figures.thumbnail import colour_jpeg
from sky_ssl.sky.noise import usable_sigma

_LINES = ("class", "mag_r", "half_light_radius", "zspec")


def sigma_of(data: DataSet) -> list[float]:
    """Give the sky noise of each band of a data set with cutouts, each above 0."""
    assert data.cutouts is not None
    info = data.cutouts.info
    return [float(s) for s in usable_sigma(info.sky_sigma or [np.nan] * len(info.bands))]


def stretch_of(
    data: DataSet, brightness: float | None = None, softening: float | None = None
) -> tuple[tuple[int, int, int], Stretch]:
    """Choose bands and stretch for all pictures of a data set.

    Args:
        data: with cutouts.
        brightness: 2 shows what is half as bright; None: that of the session.
        softening: Q of Lupton et al.; None: that of the session.
    """
    assert data.cutouts is not None
    bands = rgb_bands(data.cutouts.info.bands)
    light, soft = state.now().stretch
    light, soft = brightness or light, softening or soft
    s = sky_stretch(np.asarray(sigma_of(data))[list(bands)])
    return bands, Stretch(s.weights, s.black / light, s.linear / light, soft)


def address(path: Path) -> str:
    """Give the address under which pictures and lines of a data set are served, by row."""
    data, changed = cache.data(path), cache.stamp(path)
    e = data.embeddings
    if data.cutouts is None:
        return SHELF.show(
            View(f"{path}{changed}", _no_picture, lambda row: [str(e.id[row])], len(data))
        )
    bands, stretch = stretch_of(data)
    names = [name for name in _LINES if name in data.column_names]

    def picture(row: int) -> bytes:
        return colour_jpeg(data.images([row])[0], bands, stretch)

    def lines(row: int) -> list[str]:
        return [str(e.id[row]), *(_line(name, cache.column(path, name)[row]) for name in names)]

    return SHELF.show(View(f"{path}{changed}{stretch}", picture, lines, len(data)))


def _line(name: str, value: object) -> str:
    if isinstance(value, str | np.str_):
        return str(value)
    unit = about(name).unit
    unit = "" if unit == "mag" else f" {unit}".rstrip()
    return f"{name.replace('_', ' ')} {number(value)}{unit}"


def number(value: object) -> str:
    """Write a number with three or four digits that count, text as it is."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{int(value):,}" if abs(int(value)) < 10_000 else str(int(value))
    if not isinstance(value, float | np.floating):
        return str(value)
    value = float(value)
    if not np.isfinite(value):
        return "unknown"
    return f"{value:.4g}" if 1e-4 <= abs(value) < 1e6 or value == 0 else f"{value:.3e}"


def _no_picture(row: int) -> bytes:
    from sky_ssl.figures.thumbnail import encode

    return encode(np.full((8, 8, 3), 40, dtype=np.uint8))
