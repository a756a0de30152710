"""How objects are shown: thumbnails and the lines beside them, served by `routes`."""

from pathlib import Path

import numpy as np
import streamlit as st

from app import cache
from app.routes import SHELF, View
from sky_ssl.explore.dataset import DataSet
from sky_ssl.figures.contact import rgb_bands
from sky_ssl.figures.rgb import Stretch, sky_stretch
from sky_ssl.figures.thumbnail import colour_jpeg
from sky_ssl.sky.noise import usable_sigma

_LINES = ("class", "mag_r", "half_light_radius", "zspec")
_UNITS = {"half_light_radius": " arcsec"}


def stretch_of(data: DataSet, brightness: float = 1.0) -> tuple[tuple[int, int, int], Stretch]:
    """Choose bands and stretch for all pictures of a data set.

    Args:
        data: with cutouts.
        brightness: 2 shows what is half as bright.
    """
    assert data.cutouts is not None
    info = data.cutouts.info
    bands = rgb_bands(info.bands)
    sigma = usable_sigma(info.sky_sigma or [np.nan] * len(info.bands))
    s = sky_stretch(np.asarray(sigma)[list(bands)])
    return bands, Stretch(s.weights, s.black / brightness, s.linear / brightness, s.softening)


def address(path: Path, brightness: float = 1.0) -> str:
    """Give the address under which pictures and lines of a data set are served, by row."""
    return _address(path, brightness, cache.stamp(path))


@st.cache_resource(max_entries=16, show_spinner=False)
def _address(path: Path, brightness: float, changed: tuple[int, int]) -> str:
    data = cache.data(path)
    e = data.embeddings
    if data.cutouts is None:
        return SHELF.show(
            View(f"{path}{changed}", _no_picture, lambda row: [str(e.id[row])], len(data))
        )
    bands, stretch = stretch_of(data, brightness)
    names = [name for name in _LINES if name in data.column_names]

    def picture(row: int) -> bytes:
        return colour_jpeg(data.images([row])[0], bands, stretch)

    def lines(row: int) -> list[str]:
        return [str(e.id[row]), *(_line(name, cache.column(path, name)[row]) for name in names)]

    return SHELF.show(View(f"{path}{changed}{brightness}", picture, lines, len(data)))


def _line(name: str, value: object) -> str:
    if isinstance(value, str | np.str_):
        return str(value)
    number = float(value)  # type: ignore[arg-type]
    shown = f"{number:.3g}" if np.isfinite(number) else "unknown"
    return f"{name.replace('_', ' ')} {shown}{_UNITS.get(name, '')}"


def _no_picture(row: int) -> bytes:
    from sky_ssl.figures.thumbnail import encode

    return encode(np.full((8, 8, 3), 40, dtype=np.uint8))
